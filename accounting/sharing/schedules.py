"""Monthly mails with the statement of a group: when, about which days, and to whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounting.group_statements.content import GroupStatement, of_window
from accounting.models import ReportMail, ReportRecipient, ReportSchedule
from accounting.sharing.models import month_after
from accounting.usage import Window
from accounts.models import Group, User
from quotas.models import AllocationPeriod

HOUR = 6  # of the site's day at which mails are due
MOST_SCHEDULES = 10


class ScheduleRefused(Exception):  # noqa: N818 - a decision, not a fault
    """It cannot be done; the message says why."""


def make_schedule(
    group: Group, *, covers: str, file: str, day: int, with_names: bool, by: User, at: datetime
) -> ReportSchedule:
    """A new schedule, about the first month whose mail is still to come. Raises ScheduleRefused."""
    if group.report_schedules.going_on().count() >= MOST_SCHEDULES:
        raise ScheduleRefused(f"The group has {MOST_SCHEDULES} schedules. End one of them first.")
    month = next_month(day, at=at)
    return ReportSchedule.objects.create(
        group=group, covers=covers, file=file, day=day, with_names=with_names, next_month=month,
        due_at=due(month, day), created_by=by, created_at=at,
    )  # fmt: skip


def pause(schedule: ReportSchedule, *, at: datetime) -> None:
    schedule.paused_at = at
    schedule.save(update_fields=["paused_at"])


def resume(schedule: ReportSchedule, *, at: datetime) -> None:
    """Go on with the next month; those of the pause are left out."""
    schedule.paused_at = None
    schedule.next_month = next_month(schedule.day, at=at)
    schedule.due_at = due(schedule.next_month, schedule.day)
    schedule.save(update_fields=["paused_at", "next_month", "due_at"])


def end(schedule: ReportSchedule, *, at: datetime) -> None:
    """For good; what was sent stays listed."""
    if schedule.ended_at is None:
        schedule.ended_at = at
        schedule.save(update_fields=["ended_at"])


def due(month: date, day: int) -> datetime:
    """When the mail about that month goes out: on that day of the following one."""
    zone = ZoneInfo(settings.SITE_TIME_ZONE)
    return datetime.combine(month_after(month).replace(day=day), time(HOUR), zone)


def next_month(day: int, *, at: datetime) -> date:
    """The first month about which the mail is not due yet."""
    this = at.astimezone(ZoneInfo(settings.SITE_TIME_ZONE)).date().replace(day=1)
    before = (this - timedelta(days=1)).replace(day=1)
    return before if due(before, day) > at else this


def write_due(*, at: datetime) -> int:
    """Write the mails of all schedules whose time has come; missed months are made up for.

    Each month once for each recipient, however often and by how many this is called.
    """
    keys = list(ReportSchedule.objects.due(at=at).values_list("pk", flat=True))
    return sum(_write(key, at) for key in keys)


@transaction.atomic
def _write(key: int, at: datetime) -> int:
    rows = ReportSchedule.objects.due(at=at).select_for_update(no_key=True, skip_locked=True)
    schedule = rows.filter(pk=key).first()
    if schedule is None:  # somebody else was faster
        return 0
    recipients = list(schedule.recipients.confirmed())
    mails = []
    while schedule.due_at <= at:
        mails += [_mail(recipient, schedule.next_month, at) for recipient in recipients]
        schedule.next_month = month_after(schedule.next_month)
        schedule.due_at = due(schedule.next_month, schedule.day)
    ReportMail.objects.bulk_create(mails, ignore_conflicts=True)
    schedule.save(update_fields=["next_month", "due_at"])
    return len(mails)


def _mail(recipient: ReportRecipient, month: date, at: datetime) -> ReportMail:
    return ReportMail(recipient=recipient, month=month, created_at=at, due_at=at)


def statement_of(schedule: ReportSchedule, month: date, *, at: datetime) -> GroupStatement:
    """What the mail about that month has: with the same moment the same, whenever it is made."""
    start, end_of_month, period = month, month_after(month), None
    if schedule.covers == ReportSchedule.Covers.PERIOD:
        last = _moment(end_of_month) - timedelta(microseconds=1)
        period = AllocationPeriod.objects.current(at=last)
        if period is not None:
            start = period.starts_on
    window = Window(_moment(start), _moment(end_of_month), at)
    return of_window(schedule.group, window, period, with_names=schedule.with_names)


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
