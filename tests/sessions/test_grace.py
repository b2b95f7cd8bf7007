"""Grace by a signed link: who may grant it, when, and what it does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from accounts.models import Membership, Notice, Topic, User
from quotas.models import ComputeQuota
from sessions.enforcement import enforce_quotas
from sessions.hub.secrets import issue_secret
from sessions.models import LadderStep, Session
from tests import factories
from tests.cast import Cast
from tests.sessions.stub_hub import StubHub

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def session(cast: Cast, stub: StubHub) -> Session:
    """Bob's server; the hard quota of transients was used up a moment ago."""
    cast.hub.api_url = stub.url
    cast.hub.save(update_fields=["api_url"])
    issue_secret(cast.hub, NOW - MINUTE)
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1), "2026")
    factories.quota(cast.transients, period, "10")
    began = NOW - timedelta(hours=10)
    session = factories.charged_session(
        cast.hub, cast.bob, cast.transients, ready_at=began, ended_at=None
    )
    enforce_quotas(at=NOW)
    return session


def link(person: User) -> str:
    return Notice.objects.filter(recipient=person, topic=Topic.QUOTA).latest("pk").link


def visit(person: User, path: str, *, minutes: int = 1, method: str = "get") -> Any:
    with time_machine.travel(NOW + minutes * MINUTE, tick=False):
        client = Client()
        client.force_login(person)
        return getattr(client, method)(path)


def test_the_link_of_the_notice_asks_first_and_grants_on_post(
    cast: Cast, stub: StubHub, session: Session
) -> None:
    path = link(cast.alice)
    page = visit(cast.alice, path).content.decode()
    assert "You can let them go on until" in page
    assert "2026-05-01 10:00:00" in page
    assert not LadderStep.objects.filter(granted_by=cast.alice).exists()
    assert visit(cast.alice, path, method="post").url == "/groups/transients/"
    session.refresh_from_db()
    assert session.stops_at == NOW + 120 * MINUTE
    last = Notice.objects.filter(recipient=cast.bob).latest("pk")
    assert last.subject == "Your session at Demo will be stopped at 1 May 2026, 10:00 UTC"
    for minute in (15, 60, 119):
        enforce_quotas(at=NOW + minute * MINUTE)
    assert stub.asked == []
    enforce_quotas(at=NOW + 120 * MINUTE)
    assert len(stub.asked) == 1
    steps = LadderStep.objects.order_by("pk").values_list("step", flat=True)
    assert list(steps) == [80, 95, 100, 101, 102, 103]


def test_a_session_that_starts_during_the_grace_ends_with_it(cast: Cast, session: Session) -> None:
    visit(cast.alice, link(cast.alice), method="post")
    late = factories.charged_session(
        cast.hub, cast.alice, cast.transients, ready_at=NOW + 5 * MINUTE, ended_at=None
    )
    enforce_quotas(at=NOW + 5 * MINUTE)
    late.refresh_from_db()
    assert late.stops_at == NOW + 120 * MINUTE


class TestRefusals:
    def refused(self, person: User, path: str, status: int, words: str, minutes: int = 1) -> None:
        for method in ("get", "post"):
            answer = visit(person, path, minutes=minutes, method=method)
            assert answer.status_code == status
            assert words in answer.content.decode()

    def test_a_link_that_was_used(self, cast: Cast, session: Session) -> None:
        path = link(cast.alice)
        visit(cast.alice, path, method="post")
        self.refused(cast.alice, path, 409, "This link was used: Alice Example granted")

    def test_a_link_whose_time_is_over(self, cast: Cast, session: Session) -> None:
        self.refused(cast.alice, link(cast.alice), 410, "This link has ended", minutes=15)

    def test_a_link_of_a_quota_that_was_raised(self, cast: Cast, session: Session) -> None:
        ComputeQuota.objects.update(core_hours=20)
        self.refused(cast.alice, link(cast.alice), 410, "This link has ended")
        enforce_quotas(at=NOW + MINUTE)
        self.refused(cast.alice, link(cast.alice), 410, "This link has ended")

    def test_a_link_that_somebody_made_up(self, cast: Cast, session: Session) -> None:
        self.refused(cast.alice, link(cast.alice)[:-1], 404, "The portal did not make this link")

    def test_people_of_other_groups_and_members(self, cast: Cast, session: Session) -> None:
        factories.membership(cast.charlie, cast.galaxies, "pi")
        for person in (cast.charlie, cast.bob):
            self.refused(person, link(cast.alice), 403, "for the PIs of another group")

    def test_a_manager_needs_the_right(self, cast: Cast, session: Session) -> None:
        manager = factories.user("max")
        rights = [Membership.Right.USAGE]
        member = factories.membership(manager, cast.transients, "manager", rights=rights)
        self.refused(manager, link(cast.alice), 403, "You are not one of them")
        Membership.objects.filter(pk=member.pk).update(rights=[Membership.Right.QUOTA])
        assert visit(manager, link(cast.alice)).status_code == 200

    def test_nothing_changed_by_a_refusal(self, cast: Cast, session: Session) -> None:
        visit(cast.charlie, link(cast.alice), method="post")
        session.refresh_from_db()
        assert session.stops_at == NOW + 15 * MINUTE


def test_who_is_not_signed_in_comes_back_to_the_link(cast: Cast, session: Session) -> None:
    path = link(cast.alice)
    answer: Any = Client().get(path)
    assert (answer.status_code, path.split("/")[1] in answer.url) == (302, True)


def test_only_those_who_may_grant_it_are_offered_it(cast: Cast, session: Session) -> None:
    assert link(cast.alice).startswith("/grace/")
    page = visit(cast.alice, "/groups/transients/").content.decode()
    assert "Let running sessions go on" in page
    assert "Running sessions are stopped at" in page
    assert (
        "Let running sessions go on" not in visit(cast.dora, "/groups/transients/").content.decode()
    )


def test_a_site_without_grace_offers_none(
    cast: Cast, stub: StubHub, settings: Settings, session: Session
) -> None:
    settings.QUOTA_GRACE_MINUTES = 15
    page = visit(cast.alice, "/groups/transients/").content.decode()
    assert "Let running sessions go on" not in page


def test_the_person_reads_on_the_own_page_when_and_why(cast: Cast, session: Session) -> None:
    page = visit(cast.bob, "/my/").content.decode()
    assert "this server will be stopped at" in page
    assert "because the compute quota of Transients is used up" in page


def test_before_it_is_used_up_the_group_page_says_when(cast: Cast, session: Session) -> None:
    ComputeQuota.objects.update(core_hours=20)
    enforce_quotas(at=NOW + MINUTE)
    page = visit(cast.alice, "/groups/transients/").content.decode()
    assert "What runs now uses 1 core: at this rate it is used up at" in page
    assert "2026-05-01 18:00:00" in page
    assert "running ones are stopped after a time to wrap up" in page
