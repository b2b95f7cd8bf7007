"""The statement goes out every month, once to each, to those who want it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.mail import get_connection
from pytest_django import Settings

from accounting.models import ReportMail, ReportRecipient, ReportSchedule
from accounting.sharing import recipients, schedules, sending
from accounting.sharing.schedules import ScheduleRefused
from accounting.statements.closing import close_period
from accounting.tasks import send_reports
from accounts.models import Group, MailState, User
from accounts.notices.delivery import CLAIM
from quotas.models import AllocationPeriod
from tests.accounting.sharing.conftest import DUE, press
from tests.accounting.visits import DAY, NOW, text, visit
from tests.smtp import MailServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("used")]

PAGE = "/groups/transients/schedules/"


def run(at: datetime) -> int:
    with time_machine.travel(at, tick=False):
        return send_reports()


def states() -> list[str]:
    return list(ReportMail.objects.order_by("pk").values_list("state", flat=True))


def link_in(post: MailServer, word: str) -> str:
    """The path behind the last mail's link with that word."""
    body = post.mails[-1].get_body(("plain",))
    assert body is not None
    found = re.search(rf"https?://\S+/{word}/\S+", body.get_content())
    assert found
    return urlsplit(found[0]).path


def test_it_goes_out_on_its_day_once_with_the_file(
    alice: User, schedule: ReportSchedule, post: MailServer
) -> None:
    assert schedule.due_at == DUE
    assert run(DUE - timedelta(minutes=1)) == 0
    for _ in range(3):
        run(DUE)
    assert post.recipients == [alice.email]
    (mail,) = post.mails
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "transients-2026-01-01-2026-04-30-provisional.csv"
    content = file.get_content()
    assert "5.000000" in content
    assert "bob" not in content
    assert "List-Unsubscribe" in mail
    body = mail.get_body(("plain",))
    assert body is not None
    assert "5.00 core-hours of 100.00" in body.get_content()
    schedule.refresh_from_db()
    assert (schedule.next_month, schedule.due_at) == (
        date(2026, 5, 1),
        datetime(2026, 6, 3, 6, tzinfo=UTC),
    )


def test_months_that_were_missed_are_made_up_for(
    schedule: ReportSchedule, post: MailServer
) -> None:
    run(DUE + 70 * DAY)
    months = list(ReportMail.objects.order_by("month").values_list("month", flat=True))
    assert months == [date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)]
    assert len(post.mails) == 3


def test_a_worker_that_dies_loses_nothing_and_tells_the_same_again(
    schedule: ReportSchedule, post: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("accounts.notices.delivery.settle", die)
        with pytest.raises(KeyboardInterrupt):
            run(DUE)
    run(DUE + CLAIM / 2)
    assert len(post.mails) == 1
    run(DUE + CLAIM)
    first, second = post.mails
    assert first["Message-ID"] == second["Message-ID"]
    contents = [next(mail.iter_attachments()).get_content() for mail in (first, second)]
    assert contents[0] == contents[1]
    assert states() == [MailState.SENT]
    assert ReportMail.objects.count() == 1


def test_a_mail_server_in_trouble_is_tried_again(
    schedule: ReportSchedule, post: MailServer
) -> None:
    post.answers["MAIL"] = "451 later"
    run(DUE)
    assert states() == [MailState.WAITING]
    del post.answers["MAIL"]
    run(DUE + timedelta(minutes=2))
    assert states() == [MailState.SENT]


def test_a_stranger_is_asked_first_and_gets_nothing_else(
    schedule: ReportSchedule, alice: User, post: MailServer
) -> None:
    stranger = recipients.ask_address(schedule, "Funder@Example.org", at=NOW)
    run(NOW)
    assert post.recipients == ["funder@example.org"]
    assert not list(post.mails[0].iter_attachments())
    path = link_in(post, "confirm")
    run(DUE)
    assert post.recipients == ["funder@example.org", alice.email]

    assert visit(None, path).status_code == 200
    assert not ReportRecipient.objects.get(pk=stranger.pk).confirmed_at  # to look is not to press
    assert press(None, path, at=NOW + DAY) == 200
    run(DUE + 31 * DAY)
    assert post.recipients[2:] == [alice.email, "funder@example.org"]
    leave = link_in(post, "leave")
    assert visit(None, leave).status_code == 200
    assert press(None, leave, at=DUE + 32 * DAY) == 200
    run(DUE + 62 * DAY)
    assert post.recipients[4:] == [alice.email]


def test_a_question_is_answered_within_seven_days(
    schedule: ReportSchedule, post: MailServer
) -> None:
    recipients.ask_address(schedule, "funder@example.org", at=NOW)
    run(NOW)
    path = link_in(post, "confirm")
    assert visit(None, path, at=NOW + 8 * DAY).status_code == 404
    assert visit(None, path.replace("confirm", "leave")).status_code == 404


def test_strangers_are_not_asked_again_and_again(schedule: ReportSchedule) -> None:
    recipients.ask_address(schedule, "funder@example.org", at=NOW)
    with pytest.raises(ScheduleRefused, match="within the last day"):
        recipients.ask_address(schedule, "funder@example.org", at=NOW + DAY / 2)
    recipients.ask_address(schedule, "funder@example.org", at=NOW + 2 * DAY)
    assert ReportMail.objects.count() == 1
    for number in range(recipients.MOST_RECIPIENTS - 2):
        recipients.ask_address(schedule, f"{number}@example.org", at=NOW)
    with pytest.raises(ScheduleRefused, match="at most"):
        recipients.ask_address(schedule, "more@example.org", at=NOW)


def test_a_group_asks_so_many_strangers_a_day(
    schedule: ReportSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipients, "MOST_QUESTIONS", 1)
    recipients.ask_address(schedule, "one@example.org", at=NOW)
    with pytest.raises(ScheduleRefused, match="Wait a day"):
        recipients.ask_address(schedule, "two@example.org", at=NOW)


def test_who_may_not_see_the_usage_any_more_gets_nothing(
    alice: User, schedule: ReportSchedule, transients: Group, post: MailServer
) -> None:
    transients.memberships.filter(user=alice).update(valid_to=NOW + DAY)
    run(DUE)
    assert post.mails == []
    assert states() == [MailState.OFF]


def test_members_cannot_be_chosen(bob: User, schedule: ReportSchedule) -> None:
    with pytest.raises(ScheduleRefused, match="may not see"):
        recipients.add_leader(schedule, bob, at=NOW)


def test_paused_mails_wait_and_skip_their_months(
    alice: User, schedule: ReportSchedule, post: MailServer
) -> None:
    path = f"{PAGE}{schedule.pk}/"
    assert press(alice, path, action="pause") == 302
    run(DUE + DAY)
    assert "Paused" in text(alice, path)
    assert press(alice, path, at=DUE + 2 * DAY, action="resume") == 302
    run(DUE + 3 * DAY)
    assert post.mails == []
    run(DUE + 31 * DAY)
    assert [mail.month for mail in ReportMail.objects.all()] == [date(2026, 5, 1)]


def test_it_is_set_up_looked_at_and_ended_on_the_pages(
    alice: User, bob: User, dora: User, period: AllocationPeriod, transients: Group
) -> None:
    asked: dict[str, Any] = {"covers": "month", "file": "pdf", "day": "28", "with_names": "on"}
    assert press(bob, PAGE, **asked) == 404
    assert press(alice, PAGE, **{**asked, "day": "29"}) == 400
    assert press(alice, PAGE, **asked) == 302
    made = ReportSchedule.objects.get()
    path = f"{PAGE}{made.pk}/"
    assert "Nobody gets it yet" in text(alice, path)
    assert press(alice, path, action="add") == 400
    assert press(alice, path, action="add", leader=str(bob.pk)) == 400
    assert press(alice, path, action="add", leader=str(alice.pk)) == 302
    assert press(alice, path, action="add", email="funder@example.org") == 302
    assert press(alice, path, action="add", email="funder@example.org") == 400
    page = text(dora, path)
    assert "funder@example.org" in page
    assert "asked" in page
    (stranger,) = made.recipients.filter(user=None)
    assert press(alice, path, action="remove", recipient=str(stranger.pk)) == 302
    assert press(alice, path, action="remove", recipient="x") == 404
    assert press(alice, path, action="dance") == 404
    assert "funder@example.org" not in text(alice, path).split("The last mails")[0]
    preview = visit(alice, f"{path}preview")
    assert preview["Content-Type"] == "application/pdf"
    said = text(alice, "/groups/transients/history/")
    assert "the monthly statement by mail (PDF)" in said
    assert "who gets the monthly statement: funder@example.org" in said
    assert press(alice, path, action="end") == 302
    assert visit(alice, path).status_code == 404
    assert "No mails yet" in text(alice, PAGE)


def test_a_group_has_so_many_schedules_at_most(
    alice: User, schedule: ReportSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "MOST_SCHEDULES", 1)
    assert press(alice, PAGE, covers="month", file="csv", day="1") == 400


def test_what_ended_before_it_was_sent_is_not(schedule: ReportSchedule, post: MailServer) -> None:
    schedules.write_due(at=DUE)
    schedules.end(schedule, at=DUE)
    run(DUE)
    assert post.mails == []
    assert states() == [MailState.MUTED]


def test_a_closed_period_brings_the_frozen_statement(
    alice: User, schedule: ReportSchedule, period: AllocationPeriod, transients: Group
) -> None:
    june = date(2026, 6, 1)
    found = schedules.statement_of(schedule, june, at=period.ends_at)
    assert (found.closed, found.title) == (None, "Spring")
    statement = close_period(period, author=None, at=period.ends_at)
    closed = schedules.statement_of(schedule, june, at=period.ends_at + DAY)
    assert closed.closed is not None
    assert closed.closed.hash == statement.hash
    part = schedules.statement_of(schedule, date(2026, 5, 1), at=period.ends_at + DAY)
    assert (part.closed, part.title) == (None, "Spring, 2026-01-01 to 2026-05-31")


def test_times_are_those_of_the_site(settings: Settings) -> None:
    settings.SITE_TIME_ZONE = "Australia/Sydney"
    assert schedules.due(date(2026, 4, 1), 3).astimezone(UTC) == datetime(
        2026, 5, 2, 20, tzinfo=UTC
    )


def test_workers_at_the_same_time_do_not_send_the_same(
    schedule: ReportSchedule, post: MailServer
) -> None:
    schedules.write_due(at=DUE)
    mail = ReportMail.objects.get()
    assert mail.claim(at=DUE, until=DUE + CLAIM)
    assert not sending.send_next(get_connection(), at=DUE)
    assert post.mails == []
