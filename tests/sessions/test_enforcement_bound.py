"""Whatever happens in whatever order: a hard quota is exceeded by the stated bound at most.

Launches, events and ticks are the real ones, against the database. `LADDER_STORIES` sets how many
stories are told.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from accounts.models import Group
from quotas.ladder import Step
from quotas.models import AllocationPeriod, ComputeQuota
from sessions import grace, launch
from sessions.delays import STOP, delays
from sessions.enforcement import Standing, enforce_quotas, standings
from sessions.grace_links import link_token
from sessions.grants import Ask
from sessions.hub.secrets import issue_secret
from sessions.models import LadderStep, Session, Size
from sessions.refusals import LaunchRefused
from sessions.usage import used
from tests import factories
from tests.sessions.events.sender import START, Sender, key
from tests.sessions.launch.platform import Platform, make_platform
from tests.sessions.stub_hub import StubHub

pytestmark = pytest.mark.django_db(transaction=True)

BORDER = date(2026, 5, 2)
TICK = 300
SIZES = {"tiny": 500, "small": 1000, "large": 4000}
STORIES = hypothesis_settings(
    max_examples=int(os.environ.get("LADDER_STORIES", "12")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
HUBS = count(1)


@dataclass
class Server:
    """What the story knows of a session, in seconds after its beginning."""

    rate: int
    granted: int
    ready: int | None = None
    ended: int | None = None

    def used(self, start: int, end: int, now: int) -> int:
        """What it used in [start, end): the oracle of the charges."""
        if self.ready is None:
            return 0
        last = now if self.ended is None else self.ended
        return self.rate * max(0, min(last, end) - max(self.ready, start))


@dataclass
class Excess:
    """What may be used beyond `base` since the quota was last not used up."""

    base: int = 0
    involved: frozenset[int] = frozenset()
    late: int = 0
    missed: int = 0
    graced: bool = False


class World(RuleBasedStateMachine):
    """One group with a hard quota in each of two periods, one hub, and a clock."""

    platform: Platform
    stub: StubHub

    def __init__(self) -> None:
        super().__init__()
        self.sender = make_hub(self.stub, lease=600)
        self.group = factories.group()
        factories.membership(self.platform.bob, self.group)
        factories.membership(self.platform.alice, self.group, "pi")
        self.now = 0
        self.servers: dict[int, Server] = {}
        self.excess = Excess()
        self.quota: ComputeQuota | None = None

    @initialize(first=st.integers(1, 3), second=st.integers(1, 3))
    def award(self, first: int, second: int) -> None:
        for hours, period in zip((first, second), periods(), strict=True):
            factories.quota(self.group, period, str(hours))
        self.launch("small")
        self.launch("tiny")

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.now)

    @property
    def live(self) -> frozenset[int]:
        return frozenset(n for n, server in self.servers.items() if server.ended is None)

    def standing(self) -> Standing:
        return standings(group=self.group, at=self.at)[0]

    @rule(size=st.sampled_from(sorted(SIZES)))
    def launch(self, size: str) -> None:
        number = len(self.servers) + 1
        try:
            launch.grant(self.sender.hub, ask(number, self.group, size), at=self.at)
        except LaunchRefused as refusal:
            assert refusal.code == "quota_exhausted"  # noqa: PT017 - or it was granted
            return
        self.servers[number] = Server(SIZES[size], self.now)
        level = self.standing().level
        assert level.used + self.held() <= level.limit

    def pending(self) -> list[int]:
        return [n for n in sorted(self.live) if self.servers[n].ready is None]

    def running(self) -> list[int]:
        return [n for n in sorted(self.live) if self.servers[n].ready is not None]

    @precondition(lambda self: self.pending())
    @rule(data=st.data(), late=st.sampled_from([0, 0, 20, 1000]))
    def becomes_ready(self, data: st.DataObject, late: int) -> None:
        number = data.draw(st.sampled_from(self.pending()))
        server = self.servers[number]
        server.ready = max(server.granted, self.now - late)
        self.excess.late += server.rate * (self.now - server.ready)
        self.sender.take_in([self.event("ready", server.ready, number)])

    @precondition(lambda self: len(self.running()) > 2)
    @rule(data=st.data(), late=st.sampled_from([0, 0, 20, 1000]))
    def ends(self, data: st.DataObject, late: int) -> None:
        number = data.draw(st.sampled_from(self.running()))
        self.end(number, max(self.servers[number].ready or 0, self.now - late))

    def end(self, number: int, at: int) -> None:
        self.servers[number].ended = at
        self.sender.take_in([self.event("stopped", at, number)])

    def event(self, kind: str, at: int, number: int) -> dict[str, Any]:
        return self.sender.of_session(kind, at, number, server=f"s{number}", **REASONS[kind])

    @rule(ticks=st.sampled_from([1, 3, 12, 24]))
    def work(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now += TICK
            self.tick()
            self.the_bound_holds()

    @rule(ticks=st.integers(1, 2))
    def tick_again(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()

    def tick(self) -> None:
        """The hub needs its whole minute for what it is asked to stop."""
        before = len(self.stub.asked)
        enforce_quotas(at=self.at)
        for path, *_, reason in self.stub.asked[before:]:
            assert reason == "quota"
            self.end(int(path.rpartition("/s")[2]), self.now + int(STOP.total_seconds()))

    @rule(minutes=st.integers(1, 40))
    def nobody_ticks(self, minutes: int) -> None:
        self.now += minutes * 60
        self.excess.missed += minutes * 60

    @precondition(lambda self: self.at.date() < BORDER)
    @rule()
    def the_period_ends(self) -> None:
        border = 16 * 3600 + 7
        self.excess.missed += border - self.now
        self.now = border

    @rule(hours=st.integers(0, 8))
    def the_quota_is_edited(self, hours: int) -> None:
        one = self.standing()
        rows = ComputeQuota.objects.filter(pk=one.quota.pk)
        rows.update(core_hours=Decimal(hours))
        self.excess.base = max(hours * 3_600_000, one.level.used)

    @rule()
    def grace_is_granted(self) -> None:
        one = self.standing()
        token = link_token(one.quota, one.ladder)
        if one.outlook(at=self.at).step is Step.WRAP_UP and token:
            grace.grant(token, by=self.platform.alice, at=self.at)
            self.excess.graced = True

    def held(self) -> int:
        return Session.objects.filter(group=self.group).holding(at=self.at).hold()

    @invariant()
    def the_bound_holds(self) -> None:
        found = standings(group=self.group, at=self.at)
        if not found:
            return
        level, is_new = found[0].level, self.quota != found[0].quota
        self.quota = found[0].quota
        if level.used < level.limit or is_new:
            self.excess = Excess(base=level.limit, missed=self.excess.missed if is_new else 0)
        excess = self.excess
        excess.involved |= self.live
        rate = sum(self.servers[number].rate for number in excess.involved)
        beyond = self.beyond(rate)
        assert level.used - excess.base <= beyond
        lease = self.sender.hub.lease_seconds
        assert level.used + self.held() - excess.base <= beyond + rate * lease

    def beyond(self, rate: int) -> int:
        here = delays() if self.excess.graced else replace(delays(), grace=timedelta())
        late = self.excess.late + self.excess.missed * rate
        return here.overshoot(rate, sessions=len(self.excess.involved), retroactive=late)

    @invariant()
    def charges_are_exact_in_both_periods(self) -> None:
        for period in periods():
            start, end = seconds(period.starts_at), seconds(period.ends_at)
            expected = sum(one.used(start, end, self.now) for one in self.servers.values())
            window = {"start": period.starts_at, "end": period.ends_at}
            found = used(group=self.group, at=self.at, **window)
            assert found.millicore_seconds == expected

    def teardown(self) -> None:
        """Nothing of this story counts in the next."""
        ComputeQuota.objects.filter(group=self.group).delete()
        Session.objects.filter(group=self.group).update(stops_at=None)


REASONS: dict[str, dict[str, str]] = {"ready": {}, "stopped": {"reason": "quota"}}


def make_hub(stub: StubHub, *, lease: int = 3600) -> Sender:
    """A hub that offers everything, whose API is the stub's."""
    hub = factories.hub(f"hub-{next(HUBS)}", api_url=stub.url, lease_seconds=lease)
    issue_secret(hub, START - timedelta(hours=1))
    return Sender(hub)


def seconds(moment: datetime) -> int:
    """Seconds after the beginning of the story."""
    return int((moment - START).total_seconds())


def ask(number: int, group: Group, size: str) -> Ask:
    server = f"s{number}"
    return Ask(key(number), "bob", server, "bob", group=group.name, image="base", size=size)


def periods() -> list[AllocationPeriod]:
    return list(AllocationPeriod.objects.order_by("starts_on"))


@pytest.fixture
def platform(settings: Settings) -> Platform:
    settings.ENFORCEMENT_SECONDS = TICK
    settings.QUOTA_GRACE_MINUTES = 60
    made = make_platform()
    made.period.ends_on = BORDER
    made.period.save(update_fields=["ends_on"])
    factories.period(BORDER, date(2027, 1, 1))
    for size, rate in SIZES.items():
        assert Size.objects.get(name=size).cpu_millicores == rate
    return made


def test_no_story_exceeds_a_hard_quota_by_more_than_the_bound(
    platform: Platform, stub: StubHub
) -> None:
    world = type("TheWorld", (World,), {"platform": platform, "stub": stub})
    run_state_machine_as_test(world, settings=STORIES)


def test_sixteen_clients_at_once_stay_within_the_bound_and_repeat_nothing(
    platform: Platform, stub: StubHub
) -> None:
    sender = make_hub(stub)
    quota = factories.quota(platform.transients, periods()[0], "12")
    rounds, clients = 14, 16

    def client(number: int, minutes: int) -> str:
        try:
            return act(sender, platform, number, minutes)
        finally:
            connection.close()

    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(clients) as pool:
        for turn in range(rounds):
            minutes = [turn * TICK // 60] * clients
            outcomes += Counter(pool.map(client, range(1, clients + 1), minutes))
            [one] = standings(group=platform.transients, at=after(minutes[0]))
            sessions = Session.objects.filter(group=platform.transients)
            rate = sum(session.cpu_millicores or 0 for session in sessions)
            beyond = delays().overshoot(rate, sessions=sessions.count())
            assert one.level.used <= one.level.limit + beyond
    assert outcomes["granted"] == 12
    assert outcomes["quota_exhausted"] > 0
    enforce_quotas(at=after(60))
    enforce_quotas(at=after(76))
    asked = Counter(path for path, *_ in stub.asked)
    assert len(asked) == Session.objects.filter(group=platform.transients, ended_at=None).count()
    steps = LadderStep.objects.filter(quota=quota).order_by("pk").values_list("step", flat=True)
    assert list(steps) == [80, 95, 100, 101, 103]


def act(sender: Sender, platform: Platform, number: int, minutes: int) -> str:
    """One client's turn: a launch and its events at first, then ticks against all others."""
    if minutes:
        enforce_quotas(at=after(minutes))
        return "tick"
    try:
        launch.grant(sender.hub, ask(number, platform.transients, "small"), at=START)
    except LaunchRefused as refusal:
        return refusal.code
    sender.take_in([sender.of_session("ready", 0, number, server=f"s{number}")])
    return "granted"


def after(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)
