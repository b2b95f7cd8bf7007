"""The page of one session: how its number comes about, from the events to the formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db.models import Case, Q, QuerySet, When
from django.http import Http404

from accounting.pages import evidence, session_list
from accounting.pages.evidence import Judged
from accounting.pages.session_list import Row
from accounting.usage import Window
from accounts.models import Group, User
from quotas.models import AllocationPeriod
from quotas.vocabulary import core_hours
from sessions.models import Charge, HubEvent, Session
from sessions.usage import EVER, Term, session_terms

MOST_EVENTS = 100
MOST_CHARGES = 200
MOST_DAYS = 100

TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Part:
    """What the session used in a window with a name: the formula's terms and their sum."""

    title: str
    terms: list[Term]

    @property
    def millicore_seconds(self) -> int:
        return sum(term.millicore_seconds for term in self.terms)

    @property
    def formula(self) -> str:
        """The formula with its numbers, from seconds and millicores to core-hours."""
        factors = " ".join(_factors(place, term) for place, term in enumerate(self.terms)) or "0"
        total = self.millicore_seconds
        hours = core_hours(total)
        return f"{factors} = {total:,} millicore-seconds = {hours:,} core-hours"


def _factors(place: int, term: Term) -> str:
    joined = f"{MINUS} " if term.sign < 0 else "+ " if place else ""
    return f"{joined}{term.seconds:,} s {TIMES} {term.cpu_millicores:,} millicores"


@dataclass(frozen=True, slots=True)
class Time:
    """A time of the session, and which evidence gave it."""

    title: str
    at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything on a session's page; the parts each add up to the whole.

    `periods` and `days` are empty where the session crosses no border of that kind.
    """

    row: Row
    times: list[Time]
    charges: list[Charge]
    whole: Part
    periods: list[Part]
    days: list[Part]
    events: list[Judged]
    is_counting: bool
    is_cut: bool


def visible_or_404(user: User, number: int, *, at: datetime) -> Session:
    """The session, for its person, for who leads a group that pays for it, and administrators."""
    sessions = Session.objects.select_related("hub", "user", "group", "granted_group")
    session = sessions.filter(pk=number).first()
    if session is None or not _may_see(user, session, at=at):
        raise Http404("No such session.")
    return session


def _may_see(user: User, session: Session, *, at: datetime) -> bool:
    if user.is_staff or session.user_id == user.pk:
        return True
    paying = Q(pk=session.group_id) | Q(charges__session=session)
    return Group.objects.visible_to(user, at=at).filter(paying).exists()


def explained(session: Session, *, at: datetime) -> Explained:
    """The session in plain words, its evidence, its charges and the formula with its numbers."""
    charges = list(_charges(session)[: MOST_CHARGES + 1])
    events = list(_events(session)[: MOST_EVENTS + 1])
    span = _span(charges, at=at)
    periods, days = _periods(span), _days(span)
    windows = [EVER, *periods.values(), *days.values()]
    whole, *parts = session_terms(session.number, windows, at=at)
    titled = [Part(*pair) for pair in zip([*periods, *days], parts, strict=True)]
    return Explained(
        row=session_list.rows([session], Window(*EVER, at))[0],
        times=_times(session),
        charges=charges[:MOST_CHARGES],
        whole=Part("The whole session", whole),
        periods=titled[: len(periods)],
        days=titled[len(periods) :],
        events=evidence.judged(session, events[:MOST_EVENTS]),
        is_counting=any(charge.ended_at is None for charge in charges),
        is_cut=len(charges) > MOST_CHARGES or len(events) > MOST_EVENTS,
    )


def _charges(session: Session) -> QuerySet[Charge]:
    charges = Charge.objects.filter(session=session)
    workers_last = Case(When(origin=Charge.Origin.DASK, then=1), default=0)
    return charges.select_related("user", "group", "dask_worker").order_by(workers_last, "pk")


def _events(session: Session) -> QuerySet[HubEvent]:
    found = HubEvent.objects.filter(hub=session.hub_id, session=session.key)
    return found.order_by("time", "event_id")


def _span(charges: list[Charge], *, at: datetime) -> Span | None:
    """From the first start to the last end of what is charged; None where nothing is."""
    if not charges:
        return None
    start = min(charge.started_at for charge in charges)
    end = max(charge.ended_at or at for charge in charges)
    return (start, end) if start < end else None


def _periods(span: Span | None) -> dict[str, Span]:
    """The allocation periods that the span touches, and the time between them."""
    if span is None:
        return {}
    start, end = span
    found = AllocationPeriod.objects.filter(
        starts_on__lte=end.astimezone(UTC).date(), ends_on__gt=start.astimezone(UTC).date()
    )
    named = {}
    for period in found.order_by("starts_on"):
        if start < period.starts_at:
            named[f"Before {period.title}, in no period"] = (start, period.starts_at)
        if period.starts_at < end:
            named[period.title] = (max(start, period.starts_at), min(end, period.ends_at))
        start = period.ends_at
    if named and start < end:
        named["After that, in no period"] = (start, end)
    return named if len(named) > 1 else {}


def _days(span: Span | None) -> dict[str, Span]:
    """The UTC days of the span, where there are several and not too many for a table."""
    if span is None or span[1] - span[0] > timedelta(days=MOST_DAYS):
        return {}
    days = {str(start.date()): (start, end) for start, end in _cut(*span)}
    return days if len(days) > 1 else {}


def _cut(start: datetime, end: datetime) -> Iterator[Span]:
    midnight = datetime.combine(start.astimezone(UTC).date(), time(), UTC)
    while midnight < end:
        yield midnight, (midnight := midnight + timedelta(days=1))


ENDS: dict[str, str] = {
    Session.EndSource.STOP: "An event of the hub.",
    Session.EndSource.SUPERSEDED: "The begin of the next server in the same place: this one must "
    "have ended by then. The hub reported no earlier end.",
    Session.EndSource.SNAPSHOT: "The first of the hub's complete lists of its servers without this "
    "one; the next list did not have it either. The hub reported no earlier end.",
    Session.EndSource.REST: "The first of the hub's answers to the portal without this one; the "
    "next list did not have it either. The hub reported no earlier end.",
    Session.EndSource.POD: "Its pod in the cluster. The hub reported no earlier end.",
    Session.EndSource.LEASE: "It did not become ready before its lease ran out.",
}


READY = "The earliest event that says so; it is charged from here."
READY_BY_LISTS = "The hub's lists: two in a row have the server. It is charged from here."


def _stop(session: Session) -> tuple[str, datetime | None, str]:
    if session.stop_source:
        return (
            "Stopped, as its pod shows",
            session.stopped_at,
            "What the portal saw in the cluster.",
        )
    return "Stopped, by the hub's own word", session.stopped_at, "An event of the hub."


def _times(session: Session) -> list[Time]:
    times = [
        Time("Granted", session.granted_at, "The portal's own decision on the launch."),
        Time("Requested", session.requested_at, "The earliest event that says so."),
        Time("Ready", session.ready_at, READY_BY_LISTS if session.adopted_until else READY),
        Time("Portal asked to stop it", session.stop_requested_at, session.stop_note),
        Time(*_stop(session)),
        Time("Next server in its place", session.superseded_at, "Begin of that server."),
        Time("First missing in the hub's lists", session.absent_at, "A snapshot of the hub."),
        Time("Ended", session.ended_at, ENDS.get(session.end_source, "")),
    ]
    return [row for row in times if row.at is not None]
