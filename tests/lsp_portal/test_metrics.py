"""What Prometheus reads is what the records say, at a bounded cost, and for who has the token."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.models import Notice
from lsp_portal.lib import clock
from lsp_portal.metrics.collector import exposition
from lsp_portal.models import Heartbeat
from lsp_portal.tasks import beat
from sessions.models import (
    Alert,
    HubEvent,
    HubReading,
    QuarantinedEvent,
    Repair,
    Session,
    Snapshot,
    StorageSample,
)
from tests import factories
from tests.cast import Cast

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "for prometheus alone"


def told(at: datetime = AT) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Each number by its name without prefix and its labels."""
    families = text_string_to_metric_families(exposition(at=at).decode())
    return {
        (
            sample.name.removeprefix("lsp_portal_"),
            tuple(sorted(sample.labels.items())),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def one(name: str, **labels: str) -> float | None:
    return told().get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def world(cast: Cast) -> Cast:
    """An hour used of 100, a running and a waiting session, and one of everything else."""
    hub, bob, group = cast.hub, cast.bob, cast.transients
    period = factories.period(AT.date() - timedelta(days=9), AT.date() + timedelta(days=9))
    factories.quota(group, period, "100")
    ended = {"ready_at": AT - 2 * HOUR, "ended_at": AT - HOUR / 2}
    factories.charged_session(hub, bob, group, **ended)
    factories.charged_session(hub, bob, group, ready_at=AT - HOUR / 2, ended_at=None, server="b")
    for lease in (HOUR, -HOUR):
        factories.session(
            hub, bob, group, ready_at=None, lease_until=AT + lease, size="", server=str(lease)
        )
    Alert.objects.create(hub=hub, kind="conflict", subject="1")
    Alert.objects.create(hub=hub, kind="conflict", subject="2", resolved_at=AT)
    QuarantinedEvent.objects.create(hub=hub, digest=b"1", code="x", detail="x", raw=b"x")
    Repair.objects.create(
        hub=hub, kind="unrecorded", user_name="bob", moment=AT, said="x", changed="x",
        confidence="high", found_at=AT - HOUR,
    )  # fmt: skip
    Snapshot.objects.create(hub=hub, name="a", key=UUID(int=1), time=AT - HOUR, parts=1)
    HubReading.objects.create(hub=hub, time=AT, listed=0, running=0, missing=0)
    for user, size, at in ((bob, 5, AT - HOUR), (bob, 7, AT), (cast.alice, 3, AT)):
        StorageSample.objects.create(user=user, mount="/home", taken_at=at, used_bytes=size)
    Notice.objects.create(recipient=bob, key="a", topic="quota", subject="x", text="x", due_at=AT)
    return cast


def test_what_pods_say_is_no_word_of_the_hub(world: Cast) -> None:
    HubEvent.objects.create(
        hub=world.hub, event_id="evt_1", epoch="1", seq=0, type="pod.ended", time=AT, data={},
        raw=b"{}", digest=b"1", received_at=AT, user_name="bob", server="",
    )  # fmt: skip
    assert one("hub_last_event_timestamp_seconds", hub="demo") == (AT - HOUR).timestamp()


def test_the_numbers_are_those_of_the_records(world: Cast) -> None:
    assert one("sessions", hub="demo", size="small", state="running") == 1
    assert one("sessions", hub="demo", size="unknown", state="pending") == 1
    assert one("session_ends_last_hour", hub="demo", source="stop") == 1
    assert one("repairs_last_week", hub="demo", kind="unrecorded") == 1
    assert one("alerts_open", hub="demo", kind="conflict") == 1
    assert one("quarantined_events", hub="demo") == 1
    assert one("hub_last_snapshot_timestamp_seconds", hub="demo") == (AT - HOUR).timestamp()
    assert one("hub_last_event_timestamp_seconds", hub="demo") == (AT - HOUR).timestamp()
    assert one("hub_last_reading_timestamp_seconds", hub="demo") == AT.timestamp()
    assert one("storage_used_bytes", mount="/home", owner="person") == 10
    assert one("mails", kind="notice", state="waiting") == 1
    assert one("mails", kind="digest", state="failed") == 0
    assert one("mail_oldest_due_timestamp_seconds") == AT.timestamp()
    assert one("stale_days") == 1
    assert one("usage_core_hours") == 2
    assert one("quota_core_hours") == 100


def test_groups_are_told_only_where_the_site_wants_it(world: Cast, settings: Settings) -> None:
    assert one("group_usage_core_hours", group="transients") is None
    settings.METRICS_GROUPS = True
    assert one("group_usage_core_hours", group="transients") == 2
    assert one("group_quota_core_hours", group="transients") == 100


def test_the_heartbeat_is_that_of_the_last_task(db: None) -> None:
    assert one("worker_heartbeat_timestamp_seconds") is None
    before = clock.now().timestamp()
    beat()
    beat()
    found = one("worker_heartbeat_timestamp_seconds")
    assert found is not None
    assert found >= before
    assert Heartbeat.objects.count() == 1


def test_nobody_is_named(world: Cast, settings: Settings) -> None:
    settings.METRICS_GROUPS = True
    assert not re.search("alice|bob", exposition(at=AT).decode())


def test_only_who_has_the_token_gets_them(world: Cast, client: Client, settings: Settings) -> None:
    client.force_login(world.dora)
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = SECRET
    for header in ("", "Bearer", "Bearer wrong", f"Basic {SECRET}", "Bearer \xfc"):
        refused = client.get("/metrics", headers={"Authorization": header})
        assert refused.status_code == 401
        assert refused["WWW-Authenticate"].startswith("Bearer")
    found = client.get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
    assert found.status_code == 200
    assert found["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "lsp_portal_alerts_open{" in found.content.decode()


def test_every_number_is_documented_and_every_documented_number_exists(
    world: Cast, settings: Settings
) -> None:
    settings.METRICS_GROUPS = True
    made = set(re.findall(r"^# TYPE lsp_portal_(\w+) gauge", exposition(at=AT).decode(), re.M))
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert made == set(re.findall(r"^\| `(\w+)` \|", page, re.M))
    rules = (ROOT / "deploy" / "prometheus-rules.yaml").read_text()
    assert set(re.findall(r"lsp_portal_(\w+)", rules)) <= made


def test_the_cost_does_not_grow_with_what_there_is(world: Cast, settings: Settings) -> None:
    settings.METRICS_GROUPS = True
    exposition(at=AT)
    with CaptureQueriesContext(connection) as few:
        exposition(at=AT)
    for number in range(5):
        hub = factories.hub(f"hub-{number}")
        factories.charged_session(hub, world.bob, factories.group(), ready_at=AT - HOUR)
        Alert.objects.create(hub=hub, kind="conflict", subject="x")
    with CaptureQueriesContext(connection) as many:
        exposition(at=AT)
    assert len(many) == len(few) <= 25


def test_a_hundred_thousand_ended_sessions_are_not_looked_at(world: Cast) -> None:
    """No statement reads the table of sessions from end to end, which a million would show."""
    _many(world, 100_000)
    started = perf_counter()
    exposition(at=AT)
    assert perf_counter() - started < 0.5


def _many(world: Cast, count: int) -> None:
    values: dict[str, Any] = {"hub": world.hub.pk, "count": count, "at": AT - timedelta(days=30)}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO hub_sessions_session (hub_id, key, user_name, server, attributed_by,"
            " group_name, image, size, actor, requested_at, ready_at, stopped_at, ended_at,"
            " end_source, end_reason, message, ended_before_ready, pod, node, pod_uid, recorded_at)"
            " SELECT %(hub)s, gen_random_uuid(), 'bob', '', '', '', '', 'small', '', %(at)s,"
            " %(at)s, %(at)s, %(at)s, 'stop', 'user', '', false, '', '', '', %(at)s"
            " FROM generate_series(1, %(count)s)",
            values,
        )
        cursor.execute("ANALYZE hub_sessions_session")
    assert Session.objects.count() > count
