"""Links to a statement: made once, found by their digest, limited in time and in use."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256

from django.db.models import Case, F, Q, Value, When

from accounting.group_statements.content import GroupStatement, of_window
from accounting.models import ReportLink
from accounting.pages.period import Choice
from accounting.usage import Window
from accounts.models import Group, User

DEFAULT_DAYS, MOST_DAYS = 90, 365
MOST_OPEN = 50
MOST_A_MINUTE = 30
"""Each opening sums charges or draws a PDF; a person needs a few, a loop is sent away."""


class LinkRefused(Exception):  # noqa: N818 - a decision, not a fault
    """No such link can be made; the message says why."""


class TooManyUses(Exception):  # noqa: N818
    """The link was opened too often within this minute."""


def make_link(
    group: Group, choice: Choice, *, note: str, with_names: bool, days: int, by: User, at: datetime
) -> tuple[ReportLink, str]:
    """A new link, and the secret of its address, which nobody can find out again.

    Raises LinkRefused.
    """
    open_ones = group.report_links.filter(revoked_at=None, expires_at__gt=at)
    if open_ones.count() >= MOST_OPEN:
        raise LinkRefused(f"The group has {MOST_OPEN} links that work. Revoke one of them first.")
    secret = secrets.token_urlsafe(32)
    link = ReportLink.objects.create(
        group=group,
        period=choice.period,
        starts_on=choice.first_day,
        ends_on=choice.last_day + timedelta(days=1),
        with_names=with_names,
        note=note,
        digest=digest(secret),
        created_at=at,
        created_by=by,
        expires_at=at + timedelta(days=days),
    )
    return link, secret


def revoke_link(link: ReportLink, *, at: datetime) -> None:
    """The link opens nothing from now on; a second time changes nothing."""
    if link.revoked_at is None:
        link.revoked_at = at
        link.save(update_fields=["revoked_at"])


def opened(secret: str, *, at: datetime) -> ReportLink | None:
    """The link, its use counted; None for one that opens nothing. Raises TooManyUses."""
    rows = ReportLink.objects.select_related("group", "period").filter(digest=digest(secret))
    link = rows.first()
    if link is None or not link.is_open(at=at):
        return None
    if not _counted(link, at):
        raise TooManyUses
    return link


def statement_of(link: ReportLink, *, at: datetime) -> GroupStatement:
    """What the link shows: frozen once its period is closed, until then as of now."""
    start, end = (datetime.combine(day, time(), UTC) for day in (link.starts_on, link.ends_on))
    window = Window(start, end, at)
    return of_window(link.group, window, link.period, with_names=link.with_names)


def digest(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()


def _counted(link: ReportLink, at: datetime) -> bool:
    """One statement, so however many open it at once, no more get through."""
    minute = at.replace(second=0, microsecond=0)
    allowed = ReportLink.objects.filter(
        ~Q(minute=minute) | Q(minute=None) | Q(minute_uses__lt=MOST_A_MINUTE),
        pk=link.pk,
        revoked_at=None,
    )
    again = Case(When(minute=minute, then=F("minute_uses") + 1), default=Value(1))
    return bool(
        allowed.update(uses=F("uses") + 1, last_used_at=at, minute=minute, minute_uses=again)
    )
