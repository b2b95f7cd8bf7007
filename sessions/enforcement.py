"""Enforcement of compute quotas while sessions run: a tick of the ladder.

What is due is read from the rows at every tick, so a lost tick or a hub that was away costs only
time. The steps, their notices and the end of each session are one transaction; hubs are asked
after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Group
from lsp_portal.lib import advisory
from lsp_portal.lib.display import core_hours
from quotas.ladder import Climb, Ladder, Level, Outlook, Step, climb, outlook
from quotas.models import AllocationPeriod, ComputeQuota
from quotas.vocabulary import millicore_seconds
from sessions import enforcement_notices as notices
from sessions.delays import MOST_STOPS, STOP, delays, wrap_up
from sessions.hub.alerts import raise_alert
from sessions.models import Alert, Hub, LadderStep, QuotaLadder, Session
from sessions.models.records import SessionQuerySet
from sessions.stopping import Stopped, own_server, stop_sessions
from sessions.usage import used_by

NOTE = "the compute quota of the group is used up"

LEVELS = f"""
SELECT g.id, u.millicore_seconds, (
    SELECT coalesce(sum(o.sign * o.cpu_millicores), 0) FROM hub_sessions_charge o
    WHERE o.group_id = g.id AND o.ended_at IS NULL AND o.started_at <= %(at)s
)
FROM unnest(%(groups)s::bigint[]) AS g (id) CROSS JOIN LATERAL ({used_by("g.id")}) u
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A quota, how far it is used, and what is known of its climb."""

    quota: ComputeQuota
    level: Level
    ladder: Ladder

    def climb(self, *, at: datetime) -> Climb:
        return climb(self.ladder, self.level, wrap_up=wrap_up(), at=at)

    def outlook(self, *, at: datetime) -> Outlook:
        return outlook(self.ladder, self.level, wrap_up=wrap_up(), at=at)

    @property
    def stops_at(self) -> datetime | None:
        return self.ladder.stops_at(wrap_up())


def overshoot_bound(group: Group, *, at: datetime) -> int:
    """The most millicore-seconds that the group's present sessions can use beyond a hard quota.

    Events that a hub sends later than they happened can add what they tell of the past.
    """
    holding = Session.objects.filter(group=group).holding(at=at)
    rates = [rate or 0 for rate in holding.values_list("cpu_millicores", flat=True)]
    return delays().overshoot(sum(rates), sessions=len(rates))


def standings(*, at: datetime, group: Group | None = None) -> list[Standing]:
    """How all groups, or one, stand with their quotas of that moment: four statements."""
    period = AllocationPeriod.objects.current(at=at)
    if period is None:
        return []
    quotas = ComputeQuota.objects.filter(period=period).select_related("group", "period")
    quotas = quotas.filter(group=group) if group else quotas.order_by("pk")
    found = list(quotas.with_limit(at=at))
    ladders = QuotaLadder.objects.in_bulk([quota.pk for quota in found])
    levels = _levels(found, period, at=at)
    return [_standing(quota, ladders.get(quota.pk), levels[quota.group_id]) for quota in found]


def _levels(
    quotas: Sequence[ComputeQuota], period: AllocationPeriod, *, at: datetime
) -> dict[int, tuple[int, int]]:
    """What each group has used in the period, and its present rate, by the id of the group."""
    groups = [quota.group_id for quota in quotas]
    values: dict[str, Any] = {
        "groups": groups,
        "start": period.starts_at,
        "end": period.ends_at,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(LEVELS, values)
        return {group: (int(used), int(rate)) for group, used, rate in cursor.fetchall()}


def _standing(
    quota: ComputeQuota, known: QuotaLadder | None, measured: tuple[int, int]
) -> Standing:
    used, rate = measured
    limit = millicore_seconds(quota.limit)
    level = Level(limit, used, rate, stops=quota.mode == ComputeQuota.Mode.HARD)
    return Standing(quota, level, known.ladder() if known else Ladder(limit))


def enforce_quotas(*, at: datetime) -> int:
    """One tick: take the steps that are due, and stop what is due; the number of stops asked for.

    Of several schedulers at once only one does something.
    """
    with advisory.try_held("enforcement of quotas") as is_mine:
        if not is_mine:
            return 0
        with transaction.atomic():
            take_steps(at=at)
        return sum(_stop_at(hub, at=at) for hub in _hubs(at=at))


def _hubs(*, at: datetime) -> QuerySet[Hub]:
    """Hubs with something to stop, and those whose troubles may be over."""
    troubled = Alert.objects.filter(kind=Alert.Kind.NOT_STOPPED, resolved_at=None)
    due = Q(pk__in=_due(at=at).values("hub"))
    return Hub.objects.filter(due | Q(pk__in=troubled.values("hub"))).order_by("pk")


def lock_steps() -> None:
    """Let nobody else take steps until the transaction ends."""
    advisory.lock("steps of quotas")


def take_steps(*, at: datetime) -> None:
    """Write down the steps that are due, and tell those who are concerned."""
    lock_steps()
    before = standings(at=at)
    climbs = [(one, one.climb(at=at)) for one in before]
    now = [Standing(one.quota, one.level, done.ladder) for one, done in climbs]
    _keep(climbs, at=at)
    for one, done in climbs:
        if done.told is not None:
            end = done.ladder.stops_at(wrap_up())
            notices.tell_step(one.quota, done.ladder, done.told, one.level, stops_at=end, at=at)
    stopping = {one.quota.group_id: one for one in now if one.stops_at is not None}
    _call_off(stopping, at=at)
    _warn(stopping, at=at)


def _keep(climbs: Iterable[tuple[Standing, Climb]], *, at: datetime) -> None:
    """The rows of what changed."""
    changed = [(one, done) for one, done in climbs if done.ladder != one.ladder]
    QuotaLadder.objects.bulk_create(
        [QuotaLadder.of(one.quota, done.ladder) for one, done in changed],
        update_conflicts=True,
        unique_fields=["quota"],
        update_fields=["limit", "generation", "step", "exhausted_at", "grace_until"],
    )
    rows = [_row(one, done, step, at) for one, done in changed for step in done.new]
    LadderStep.objects.bulk_create(rows)


def _row(one: Standing, done: Climb, step: Step, at: datetime) -> LadderStep:
    return LadderStep(
        quota=one.quota,
        generation=done.ladder.generation,
        step=step.value,
        reached_at=at,
        used=one.level.used,
        limit=one.level.limit,
        was_passed=step is not done.told,
    )


def _running() -> SessionQuerySet:
    return Session.objects.open().filter(ready_at__isnull=False)


def _warn(stopping: Mapping[int, Standing], *, at: datetime) -> None:
    """Give each running session of these groups its end, and tell its person.

    One that became ready after the others has the same time to wrap up.
    """
    if not stopping:
        return
    unwarned = _running().filter(group__in=stopping, stops_at=None)
    for session in unwarned.select_related("user", "group", "hub"):
        until = stopping[session.group_id or 0].stops_at or at
        put_off(session, until=max(until, at + wrap_up()), at=at)


def put_off(session: Session, *, until: datetime, at: datetime) -> None:
    """Let the session go on until then, and tell its person."""
    session.stops_at = until
    session.save(update_fields=["stops_at"])
    notices.tell_end(session, at=at)


def _call_off(stopping: Mapping[int, Standing], *, at: datetime) -> None:
    """Let sessions go on whose group may use more, unless their hub is stopping them."""
    in_the_act = Q(stop_requested_at__gt=at - STOP)
    spared = _running().filter(stops_at__isnull=False).exclude(group__in=stopping)
    sessions = list(spared.exclude(in_the_act).select_related("user", "group", "hub"))
    if not sessions:
        return
    for session in sessions:
        notices.tell_called_off(session, at=at)
    rows = Session.objects.filter(pk__in=[session.pk for session in sessions])
    rows.filter(stop_note=NOTE).update(stop_requested_at=None, stop_note="")
    rows.update(stops_at=None)


def _due(*, at: datetime) -> SessionQuerySet:
    return _running().filter(own_server(), stops_at__lte=at)


def _stop_at(hub: Hub, *, at: datetime) -> int:
    """Ask for what is due at the hub, those first that were not asked for yet."""
    due = _due(at=at).filter(hub=hub).select_related("user", "group", "hub")
    unasked_first = due.order_by(F("stop_requested_at").asc(nulls_first=True), "number")
    wanted = [(session, NOTE) for session in unasked_first[:MOST_STOPS]]
    done = stop_sessions(hub, wanted, reason="quota", at=at) if wanted else Stopped()
    with transaction.atomic():
        for session in done.sessions:
            notices.tell_stopped(session, at=at)
    _note_troubles(hub, done.troubles, at=at)
    return len(done.sessions)


def _note_troubles(hub: Hub, troubles: Sequence[str], *, at: datetime) -> None:
    """Raise an alert while sessions beyond their quota go on, and resolve it when none does."""
    kind = Alert.Kind.NOT_STOPPED
    if not troubles:
        open_alerts = Alert.objects.filter(hub=hub, kind=kind, resolved_at=None)
        open_alerts.update(resolved_at=at)
        return
    groups = set(_due(at=at).filter(hub=hub).values_list("group", flat=True))
    beyond = [
        f"{one.quota.group.title}: {core_hours(one.level.used - one.level.limit)} core-hours beyond"
        for one in standings(at=at)
        if one.quota.group_id in groups
    ]
    detail = f"{troubles[0]} Sessions go on meanwhile, and are asked to stop at every tick. "
    raise_alert(hub, kind, "compute quotas", f"{detail}{'; '.join(beyond)}.", at=at)
