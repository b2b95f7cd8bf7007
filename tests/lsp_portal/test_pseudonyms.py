"""A person's name goes for good; every sum and every proof stays as it was."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounting import rollups, usage
from accounting.statements.closing import close_period
from accounting.usage import Window
from accounts.administration import ensure_never_used, reactivate
from accounts.models import (
    Affiliation,
    Change,
    Identity,
    Name,
    Notice,
    Registration,
    SignIn,
    User,
)
from accounts.tokens import issue_token
from lsp_portal.privacy.pseudonyms import preview, pseudonymise
from quotas.models import QuotaRequest
from sessions.models import (
    Alert,
    Charge,
    Home,
    HubReading,
    HubUserName,
    QuarantinedEvent,
    Server,
    ServerStep,
    Session,
)
from sessions.usage import EVER
from tests import factories
from tests.cast import Cast, make_cast
from tests.sessions.events.sender import START, Sender

AT = START + timedelta(days=800)
SECRETS = ("bob", "robert", "bob@example.org", "subject-of-bob", "192.0.2.7")
PUBLISHED = {"accounting_exportmark", "accounts_name"}


@pytest.fixture
def told(db: None, tmp_path: Path) -> Cast:
    """Bob, called robert at the hub since his second session, has left traces everywhere."""
    cast = make_cast()
    sender = Sender(cast.hub)
    sender.take_in(
        [
            sender.event("user.login", 0, user="bob", data={"remote_ip": "192.0.2.7"}),
            sender.requested(0, 1, "bob", group="transients", actor="bob", sub_name="bob"),
            sender.ready(20, 1, "bob", pod="jupyter-bob"),
            sender.snapshot(30, name="a", sessions=[], users=("bob",)),
            sender.stopped(3620, 1, "bob"),
            sender.requested(7000, 3, "charlie", group="solar-system", actor="bob"),
            sender.ready(7020, 3, "charlie"),
            sender.stopped(7090, 3, "charlie", actor="bob"),
            {"user": "bob", "type": 7},
        ]
    )
    HubUserName.objects.create(hub=cast.hub, name="robert", user=cast.bob)
    sender.take_in(
        [
            sender.requested(5000, 2, "robert", group="galaxies"),
            sender.ready(5020, 2, "robert"),
            sender.snapshot(5100, name="b", sessions=[1]),
            sender.snapshot(5200, name="c", sessions=[1]),
        ]
    )
    _traces(cast)
    _drive(cast, cleaned_at=AT)
    rollups.refresh()
    close_period(factories.period(date(2026, 5, 1), date(2026, 6, 1)), author=None, at=AT)
    _export(tmp_path)
    return cast


def _traces(cast: Cast) -> None:
    bob = cast.bob
    Identity.objects.create(
        user=bob, issuer="https://idp", subject="subject-of-bob", email=bob.email, claims={"a": 1}
    )
    Affiliation.objects.create(user=bob, issuer="https://idp", claim="c", value="bob@example.org")
    SignIn.objects.create(provider="uni", outcome="ok", user=bob, remote_ip="192.0.2.7")
    Registration.objects.create(
        user=bob, decision="approved", reason="Bob Example is known.", evidence={"who": "bob"}
    )
    for person, subject in ((bob, "Hello"), (cast.alice, "Bob Example's membership ends")):
        Notice.objects.create(recipient=person, key="k", topic="quota", subject=subject, text="bob")
    issue_token(name="bob's", user=bob, scopes=["read"], created_by=bob, expires_at=None, at=AT)
    HubReading.objects.create(
        hub=cast.hub, time=START, listed=1, running=0, missing=0, servers=[{"user": "bob"}]
    )
    Alert.objects.create(hub=cast.hub, kind="unrecorded", subject="x", detail="(bob/gpu)",
                         resolved_at=AT)  # fmt: skip
    bob.first_name = "Bob"
    bob.save(update_fields=["first_name"])
    factories.invitation(cast.transients, cast.alice, email="Bob@example.org")


def _drive(cast: Cast, **values: Any) -> None:
    """The portal itself ran the server of Bob's first session."""
    Home.objects.create(user=cast.bob, namespace="lsp-bob", claim="home-bob-1", size_bytes=1)
    session = Session.objects.filter(user=cast.bob).order_by("pk")[0]
    server = Server.objects.create(
        session=session, state="failed", desired="stopped", digest=b"", command=["--user=bob"],
        port=8888, sealed=b"", namespace="lsp-bob", name="lsp-bob-1", pod_uid="1-of-bob",
        node="node-1", address="http://lsp-bob-1.lsp-bob.svc:8888", asked_at=START,
        deadline_at=AT, failure_code="x", failure_message="lsp-bob-1 failed", changed_at=AT,
        **values,
    )  # fmt: skip
    ServerStep.objects.create(
        server=server, seq=1, key="bob", at=AT, code="x", message="bob waits",
        facts={"pod": "lsp-bob-1"},
    )  # fmt: skip


def _export(folder: Path) -> dict[str, Any]:
    call_command("export_xdmod", "--hub=demo", f"--output={folder}", stdout=StringIO())
    newest = max(folder.rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def sums(cast: Cast, client: Client) -> Any:
    """What pages, API and records come to, with people by number."""
    window = Window(*EVER, AT)
    client.force_login(cast.dora)
    may = {"group": "transients", "first": "2026-05-01", "last": "2026-05-31"}
    answer = client.get("/api/v1/usage", may)
    return (
        {
            (row.user and row.user.pk, row.group and row.group.pk): row.usage
            for row in usage.by_user_and_group(window)
        },
        usage.by_group(window),
        usage.by_day(window),
        answer.status_code,
        answer.json()["total"],
        list(Charge.objects.order_by("pk").values()),
        list(Session.objects.order_by("pk").values_list("user", "group", "ready_at", "ended_at")),
    )


def everything() -> dict[str, str]:
    """All rows of all tables, as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = {}
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM \"{table}\" t")
            found[table] = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(encode(raw, 'escape'), '') FROM hub_sessions_hubevent")
        found["bodies"] = cursor.fetchone()[0] or ""
        cursor.execute("SELECT encode(raw, 'escape') FROM hub_sessions_quarantinedevent")
        found["rejected"] = "".join(body for (body,) in cursor.fetchall())
    return found


def test_every_sum_and_every_proof_stays(told: Cast, client: Client, tmp_path: Path) -> None:
    before = sums(told, client)
    pseudonymise(told.bob, by=told.dora, at=AT)
    assert sums(told, client) == before
    assert "1 statements" in _audit()
    again = _export(tmp_path)
    assert again["corrections"] == []
    call_command("rebuild_usage", stdout=StringIO())
    assert sums(told, client) == before


def _audit() -> str:
    out = StringIO()
    call_command("audit_usage", stdout=out)
    return out.getvalue()


def test_records_that_are_computed_again_are_the_same(told: Cast) -> None:
    pseudonymise(told.bob, by=told.dora, at=AT)
    rows = list(Session.objects.order_by("pk").values())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hub_sessions_apply(hub_id, array_agg(key), now())"
            " FROM hub_sessions_session GROUP BY hub_id"
        )
    assert list(Session.objects.order_by("pk").values()) == rows


def test_no_table_names_the_person_but_what_was_published(told: Cast) -> None:
    assert all(any(secret in text for text in everything().values()) for secret in SECRETS)
    pseudonymise(told.bob, by=told.dora, at=AT)
    left = {
        (table, secret)
        for table, text in everything().items()
        for secret in (*SECRETS, "Bob Example")
        if secret.lower() in text.lower() and table not in PUBLISHED
    }
    assert left == set()
    assert QuarantinedEvent.objects.count() == 1


def test_others_are_left_alone(told: Cast) -> None:
    pseudonymise(told.bob, by=told.dora, at=AT)
    theirs = Session.objects.get(user=told.charlie)
    assert (theirs.user_name, theirs.actor) == ("charlie", f"removed-{told.bob.pk}")
    assert Notice.objects.get().subject == f"removed-{told.bob.pk}'s membership ends"
    names = Session.objects.filter(user=told.bob).values_list("user_name", flat=True)
    assert sorted(names) == [f"removed-{told.bob.pk}", f"removed-{told.bob.pk}.2"]


def test_the_account_is_closed_for_good_and_its_names_are_not_given_again(told: Cast) -> None:
    uid = told.bob.uid
    pseudonymise(told.bob, by=told.dora, at=AT)
    bob = User.objects.get(pk=told.bob.pk)
    assert (bob.username, bob.uid, bob.is_active) == (f"removed-{bob.pk}", uid, False)
    assert not bob.has_usable_password()
    assert not bob.memberships.valid(at=AT).exists()
    assert reactivate(User.objects.filter(pk=bob.pk), by=told.dora) == []
    for name in ("bob", bob.username):
        with pytest.raises(ValidationError, match="never given twice"):
            ensure_never_used(name)
    assert Name.objects.filter(name="bob").exists()
    for change in ({"is_active": True}, {"username": "bobby"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=bob.pk).update(**change)
    assert Change.objects.of_object(bob)[0].changes["pseudonymised_at"][0] == "None"


def test_an_ordinary_account_still_cannot_change_its_name(told: Cast) -> None:
    with pytest.raises(IntegrityError):
        User.objects.filter(pk=told.bob.pk).update(username="bobby")


def test_a_preview_changes_nothing(told: Cast) -> None:
    before = everything()
    assert preview(told.bob, by=told.dora, at=AT)["sessions"] == 2
    assert everything() == before


def test_it_is_refused_while_something_of_a_server_is_left_in_the_cluster(told: Cast) -> None:
    Server.objects.update(cleaned_at=None)
    with pytest.raises(ValidationError, match="left in the cluster"):
        pseudonymise(told.bob, by=told.dora, at=AT)


@pytest.mark.parametrize("subject", ["42", "null", "true", "changes", "reason"])
def test_what_somebody_is_called_elsewhere_is_not_taken_for_a_number_or_a_key(
    told: Cast, subject: str
) -> None:
    Identity.objects.filter(user=told.bob).update(subject=subject)
    period = factories.period(date(2026, 7, 1), date(2026, 8, 1))
    row = QuotaRequest.objects.create(
        group=told.transients, period=period, kind="hours", amount=Decimal(1),
        reason="42 hours are true",
        facts={"used": 42, "left": None, "is_hard": True, "changes": ["42"], "reason": 1},
        asked_by=told.alice, asked_at=AT,
    )  # fmt: skip
    Change.objects.log_create(
        told.bob, force_log=True, action=1, changes={"subject": ["None", subject]}
    )
    pseudonymise(told.bob, by=told.dora, at=AT)
    row.refresh_from_db()
    assert row.reason == "42 hours are true"
    assert {**row.facts, "changes": 0} == {
        "used": 42, "left": None, "is_hard": True, "changes": 0, "reason": 1,
    }  # fmt: skip
    assert not Change.objects.filter(changes__subject__1=subject).exists()


def test_it_is_refused_while_servers_run_or_others_depend_on_the_person(told: Cast) -> None:
    running = factories.session(told.hub, told.bob, told.transients, ended_at=None, server="x")
    with pytest.raises(ValidationError, match="Stop them first"):
        pseudonymise(told.bob, by=told.dora, at=AT)
    running.delete()
    factories.user("guest", kind="guest", owner=told.bob, expires_at=AT + timedelta(days=9))
    with pytest.raises(ValidationError, match="another owner"):
        pseudonymise(told.bob, by=told.dora, at=AT)
    with pytest.raises(ValidationError, match="your own"):
        pseudonymise(told.dora, by=told.dora, at=AT)
    pseudonymise(told.charlie, by=told.dora, at=AT)
    with pytest.raises(ValidationError, match="already"):
        pseudonymise(told.charlie, by=told.dora, at=AT)


def test_an_administrator_reads_what_follows_and_says_yes(told: Cast, client: Client) -> None:
    client.force_login(told.dora)
    form = {"action": "pseudonymise", "_selected_action": told.bob.pk}
    asked = client.post("/admin/accounts/user/", form).content.decode()
    assert "nothing brings the name back" in asked
    assert "2 sessions" in asked
    assert User.objects.filter(username="bob").exists()
    client.post("/admin/accounts/user/", {**form, "apply": "yes"})
    assert not User.objects.filter(username="bob").exists()


def test_only_superusers_may(told: Cast, client: Client) -> None:
    staff = factories.user("sam", is_staff=True)
    staff.user_permissions.set(factories.permissions("view_user", "change_user"))
    client.force_login(staff)
    form = {"action": "pseudonymise", "_selected_action": told.bob.pk, "apply": "yes"}
    client.post("/admin/accounts/user/", form)
    assert User.objects.filter(username="bob").exists()


def test_the_command_does_it_only_when_told_for_good(told: Cast) -> None:
    out = StringIO()
    call_command("pseudonymise", "bob", stdout=out)
    assert "Nothing was changed" in out.getvalue()
    call_command("pseudonymise", "bob", "--for-good", stdout=out)
    assert User.objects.filter(username=f"removed-{told.bob.pk}").exists()
    with pytest.raises(CommandError, match="no account"):
        call_command("pseudonymise", "bob")
