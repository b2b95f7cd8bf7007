"""A session that nobody pays for is attributed later, and stays so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import Affiliation
from sessions.attribution import AttributionRefused, attribute
from sessions.models import Charge, Session
from tests import factories
from tests.cast import Cast
from tests.sessions.events.sender import Sender

NOW = datetime(2026, 5, 2, tzinfo=UTC)


@pytest.fixture
def sender(cast: Cast) -> Sender:
    return Sender(cast.hub)


@pytest.fixture
def stranger(cast: Cast, sender: Sender) -> Session:
    """The session of somebody whom the portal did not know."""
    sender.take_in([sender.requested(0, 1, "zed"), sender.ready(20, 1, "zed")])
    sender.take_in([sender.stopped(3620, 1, "zed")])
    session = Session.objects.get()
    assert (session.user, session.group) == (None, None)
    return session


def test_the_group_pays_for_all_of_it_and_the_audit_agrees(cast: Cast, stranger: Session) -> None:
    attribute(stranger, user=cast.bob, group=cast.galaxies, at=NOW)
    charge = Charge.objects.get()
    assert (charge.user, charge.group) == (cast.bob, cast.galaxies)
    call_command("audit_usage")


def test_evidence_that_arrives_afterwards_does_not_undo_it(
    cast: Cast, sender: Sender, stranger: Session
) -> None:
    attribute(stranger, user=cast.bob, group=cast.galaxies, at=NOW)
    sender.take_in([sender.requested(-60, 1, "zed")])
    stranger.refresh_from_db()
    assert (stranger.user, stranger.group) == (cast.bob, cast.galaxies)
    assert Charge.objects.get().group == cast.galaxies


def test_what_a_group_pays_for_stays_with_it(cast: Cast) -> None:
    paid = factories.charged_session(cast.hub, cast.bob, cast.transients)
    with pytest.raises(AttributionRefused, match="pays for this session already"):
        attribute(paid, user=cast.bob, group=cast.galaxies, at=NOW)


def test_it_cannot_become_somebody_elses(cast: Cast) -> None:
    bobs = factories.charged_session(cast.hub, cast.bob, None)
    with pytest.raises(AttributionRefused, match="that of bob, not of alice"):
        attribute(bobs, user=cast.alice, group=cast.transients, at=NOW)


def test_an_administrator_attributes_it_on_its_page(
    cast: Cast, client: Client, stranger: Session
) -> None:
    client.force_login(cast.dora)
    page = reverse("admin:hub_sessions_session_change", args=[stranger.pk])
    address = reverse("admin:hub_sessions_session_attribute", args=[stranger.pk])
    assert address in client.get(page).content.decode()
    wrong = client.post(address, {"user": "nobody", "group": "nothing", "reason": "a mail"})
    assert "There is no such person." in wrong.content.decode()
    right = {"user": "bob", "group": "galaxies", "reason": "a mail of bob"}
    assert client.post(address, right).headers["Location"] == page
    stranger.refresh_from_db()
    assert stranger.group == cast.galaxies
    again = client.post(address, {**right, "group": "transients"})
    assert "pays for this session already" in again.content.decode()
    history = client.get(reverse("admin:hub_sessions_session_history", args=[stranger.pk]))
    assert "a mail of bob" in history.content.decode()


def test_staff_without_the_right_may_not(cast: Cast, client: Client, stranger: Session) -> None:
    client.force_login(factories.user("gus", is_staff=True))
    address = reverse("admin:hub_sessions_session_attribute", args=[stranger.pk])
    assert client.post(address, {"user": "bob", "group": "galaxies"}).status_code == 403


def test_the_affiliation_of_the_person_comes_with_it(cast: Cast, stranger: Session) -> None:
    Affiliation.objects.create(
        user=cast.bob,
        issuer="https://idp.example.org",
        claim="eduperson_scoped_affiliation",
        value="staff@example.org",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    attribute(stranger, user=cast.bob, group=cast.galaxies, at=NOW)
    stranger.refresh_from_db()
    assert stranger.institution.startswith("staff@example.org")


def test_several_are_attributed_at_once_where_the_person_was_a_member(
    cast: Cast, client: Client, stranger: Session
) -> None:
    bobs = factories.charged_session(cast.hub, cast.bob, None)
    charlies = factories.charged_session(cast.hub, cast.charlie, None)
    client.force_login(cast.dora)
    chosen = {
        "action": "attribute_several",
        "_selected_action": [bobs.pk, charlies.pk, stranger.pk],
    }
    address = reverse("admin:hub_sessions_session_changelist")
    assert f"session {bobs.pk} of bob" in client.post(address, chosen).content.decode()
    answer = client.post(address, {**chosen, "group": "galaxies", "reason": "mails"}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert said == [
        "galaxies pays for 1 sessions.",
        f"session {stranger.pk}: The portal does not know whose it was: attribute it by itself.",
        f"session {charlies.pk}: charlie was no member of galaxies then.",
    ]
    assert Session.objects.get(pk=bobs.pk).group == cast.galaxies
    assert Charge.objects.get(session=charlies).group is None
