"""What is too old goes, and no sum, record or proof changes by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test import Client, override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounting import rollups
from accounting.statements.closing import ClosingRefused, close_period
from accounts.models import Change, Membership, Notice, SignIn
from accounts.tokens import issue_token
from lsp_portal.privacy import classes, retention
from lsp_portal.privacy.rules import RULES
from sessions.models import (
    Alert,
    Hub,
    HubEvent,
    HubReading,
    QuarantinedEvent,
    Session,
    Snapshot,
    StorageSample,
)
from tests import factories
from tests.cast import Cast
from tests.documents import Documents
from tests.sessions.events.conftest import make_people
from tests.sessions.events.sender import START, key, make_sender
from tests.sessions.events.stored import stored_charges, stored_records
from tests.sessions.events.test_any_order import stories, told

AT = START + timedelta(days=2000)
OLD, YOUNG = AT - timedelta(days=800), AT - timedelta(hours=1)
KEEP = sorted({rule.setting for rule in RULES})


@pytest.fixture
def a_day(settings: Settings) -> None:
    """Everything is kept for a day."""
    for name in KEEP:
        setattr(settings, name, 1)


@contextmanager
def keeping_a_day() -> Iterator[None]:
    with override_settings(**dict.fromkeys(KEEP, 1)):
        yield


def test_every_model_has_a_class_and_every_setting_a_rule() -> None:
    """A new model has to decide what is kept of it."""
    classified = [name for one in classes.CLASSES for name in one.models]
    stored = [model._meta.label for model in apps.get_models(include_auto_created=True)]
    assert sorted(classified) == sorted(name for name in stored)
    assert {one.setting for one in classes.CLASSES if one.setting} == set(KEEP)


def test_the_documentation_has_the_table_of_the_code(documents: Documents) -> None:
    page = Path(__file__).parents[2] / "docs" / "privacy.md"
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert lines[: len(classes.CLASSES) + 2] == list(classes.table())


@pytest.mark.django_db
def test_anybody_reads_what_is_kept_by_the_settings_in_force(
    client: Client, settings: Settings
) -> None:
    settings.KEEP_SIGN_INS_DAYS = 77
    page = client.get("/privacy/").content.decode()
    assert "77 days" in page
    assert "For ever" in page
    assert 'href="/privacy/"' in client.get("/").content.decode()


@given(story=st.lists(stories(), min_size=1, max_size=30))
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.django_db
def test_records_charges_and_proof_stay_as_they_are(story: list[tuple[str, Any]]) -> None:
    with transaction.atomic(), keeping_a_day():
        make_people()
        sender = make_sender()
        sender.take_in(told(sender, story))
        _close_may()
        before = stored_records(sender.hub), stored_charges(sender.hub)
        retention.apply_retention(at=AT)
        _judge_everybody_again(sender.hub)
        assert (stored_records(sender.hub), stored_charges(sender.hub)) == before
        call_command("audit_usage", stdout=StringIO())
        assert sender.take_in(told(sender, story)).rejected == []
        transaction.set_rollback(True)


def _close_may() -> None:
    rollups.refresh()
    period = factories.period(date(2026, 5, 1), date(2026, 6, 1))
    with suppress(ClosingRefused):
        close_period(period, author=None, at=AT)


def _judge_everybody_again(hub: Hub) -> None:
    """Let every stored event and every list that is left speak once more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hub_sessions_apply(%(hub)s, array_agg(key), now()),"
            " hub_sessions_settle(%(hub)s, array_agg(key), '-infinity'),"
            " hub_sessions_charge(%(hub)s, array_agg(key))"
            " FROM hub_sessions_session WHERE hub_id = %(hub)s",
            {"hub": hub.pk},
        )


@pytest.mark.django_db
@pytest.mark.usefixtures("a_day")
def test_of_the_lists_of_servers_those_stay_by_which_an_end_was_found() -> None:
    make_people()
    sender = make_sender()
    sender.take_in([sender.requested(0, 1), sender.ready(20, 1)])
    for number in range(1, 9):
        there = [1] if number < 4 else [2]
        sender.take_in([sender.snapshot(100 * number, name=f"n{number}", sessions=there)])
    retention.apply_retention(at=AT)
    left = Snapshot.objects.order_by("time")
    assert [row.name for row in left] == ["n4", "n5", "n7", "n8"]
    assert [row.follows_gap for row in left] == [True, False, True, False]
    assert not HubEvent.objects.filter(type="hub.snapshot").exclude(raw=b"").exists()
    _judge_everybody_again(sender.hub)
    found = Session.objects.get(key=key(1))
    assert found.absent_at == START + timedelta(seconds=400)


@pytest.mark.django_db
@pytest.mark.usefixtures("a_day")
def test_bodies_of_sessions_go_only_when_their_period_is_closed() -> None:
    make_people()
    sender = make_sender()
    events = [sender.requested(0, 1), sender.ready(20, 1), sender.stopped(90, 1)]
    sender.take_in(events)
    retention.apply_retention(at=AT)
    assert not HubEvent.objects.filter(raw=b"").exists()
    _close_may()
    retention.apply_retention(at=AT)
    assert HubEvent.objects.filter(raw=b"").count() == 3
    assert sender.take_in(events).duplicates == 3
    changed = events[0] | {"server": "other"}
    assert sender.take_in([changed]).rejected[0].code == "conflict"


@pytest.mark.django_db
@pytest.mark.usefixtures("a_day")
def test_an_address_goes_before_the_rest_of_a_hubs_report(settings: Settings) -> None:
    settings.KEEP_LOGIN_EVENTS_DAYS = 0
    make_people()
    sender = make_sender()
    sender.take_in([sender.event("user.login", 5, user="bob", data={"remote_ip": "192.0.2.7"})])
    retention.apply_retention(at=AT)
    event = HubEvent.objects.get()
    assert (event.user_name, event.data, bytes(event.raw)) == ("bob", {}, b"")
    settings.KEEP_LOGIN_EVENTS_DAYS = 1
    retention.apply_retention(at=AT)
    event.refresh_from_db()
    assert event.user_name == ""


def _of_every_age(cast: Cast) -> None:
    """One old and one young row of each kind."""
    for number, at in enumerate((OLD, YOUNG)):
        SignIn.objects.create(at=at, provider="uni", outcome="ok", user=cast.bob, remote_ip="::1")
        QuarantinedEvent.objects.create(
            hub=cast.hub, digest=bytes([number]), code="x", detail="x", raw=b"x", received_at=at
        )
        Alert.objects.create(hub=cast.hub, kind="conflict", subject=str(number), resolved_at=at)
        issue_token(name="x", user=cast.bob, scopes=["read"], created_by=None, expires_at=at, at=at)
        factories.invitation(cast.transients, cast.alice, expires_at=at)
        StorageSample.objects.create(user=cast.bob, mount="/home", taken_at=at, used_bytes=1)
        _notice(cast, at, f"key {number}")


def _notice(cast: Cast, at: datetime, about: str, **values: Any) -> Notice:
    values = {"topic": "quota", "state": "sent", "subject": "S", "text": "T", **values}
    return Notice.objects.create(recipient=cast.bob, key=about, created_at=at, **values)


@pytest.mark.usefixtures("a_day")
def test_rows_that_are_too_old_go_and_the_others_stay(cast: Cast) -> None:
    _of_every_age(cast)
    models = (SignIn, QuarantinedEvent, Alert, Notice, StorageSample)
    assert dict(retention.preview(at=AT))["sign-ins"] == 1
    assert {model.objects.count() for model in models} == {2}
    retention.apply_retention(at=AT)
    assert {model.objects.count() for model in models} == {1}
    assert cast.transients.invitations.count() == 1
    assert cast.bob.api_tokens.count() == 1
    assert retention.apply_retention(at=AT) == 0


@pytest.mark.usefixtures("a_day")
def test_nobody_is_told_again_because_a_notice_went(cast: Cast) -> None:
    factories.period((AT - timedelta(days=900)).date(), (AT + timedelta(days=9)).date())
    kept = [
        _notice(cast, OLD, "of this period"),
        _notice(cast, AT - timedelta(days=950), "unsent", state="waiting"),
    ]
    _notice(cast, AT - timedelta(days=950), "of the period before")
    retention.apply_retention(at=AT)
    assert list(Notice.objects.order_by("pk")) == kept


@pytest.mark.usefixtures("a_day")
def test_an_invitation_that_made_a_member_loses_its_address_alone(cast: Cast) -> None:
    invited = factories.invitation(cast.transients, cast.alice, expires_at=OLD)
    Membership.objects.filter(user=cast.bob, group=cast.transients).update(invitation=invited)
    retention.apply_retention(at=AT)
    invited.refresh_from_db()
    assert invited.email == ""


def test_for_ever_is_for_ever(cast: Cast, settings: Settings) -> None:
    for name in KEEP:
        setattr(settings, name, 0)
    _of_every_age(cast)
    assert retention.apply_retention(at=AT) == 0
    assert retention.preview(at=AT) == [("ended sign-ins of browsers", 0)]


def test_the_trail_stays_by_default_without_addresses(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)
    client.post(
        f"/admin/accounts/user/{cast.bob.pk}/change/", {"username": "bob"}, REMOTE_ADDR="192.0.2.1"
    )
    count = Change.objects.count()
    Change.objects.update(remote_addr="192.0.2.1", timestamp=OLD)
    retention.apply_retention(at=AT)
    assert (Change.objects.count(), Change.objects.filter(remote_addr=None).count()) == (
        count,
        count,
    )


@pytest.mark.usefixtures("a_day")
def test_answers_of_hubs_that_wait_to_be_believed_stay(cast: Cast) -> None:
    HubReading.objects.bulk_create(
        HubReading(hub=cast.hub, time=OLD, listed=0, running=9, missing=9, doubt="empty")
        for _ in range(20)
    )
    retention.apply_retention(at=AT)
    assert HubReading.objects.count() == 12


@pytest.mark.django_db
def test_two_at_once_do_it_once(settings: Settings) -> None:
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [retention.LOCK])
        with pytest.raises(CommandError, match="Another process"):
            call_command("apply_retention")
    other.close()


@pytest.mark.usefixtures("a_day")
def test_the_command_says_what_would_go_and_then_what_went(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _of_every_age(cast)
    monkeypatch.setattr(retention, "BATCH", 1)
    monkeypatch.setattr("lsp_portal.lib.clock.now", lambda: AT)
    said, went = StringIO(), StringIO()
    call_command("apply_retention", "--dry-run", stdout=said)
    assert "1 rejected events" in said.getvalue()
    call_command("apply_retention", stdout=went, stderr=StringIO())
    assert went.getvalue().startswith("Let go of ")
    assert SignIn.objects.count() == 1
