"""A node is emptied: who is told what and when, and how those end who stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Change, Notice
from sessions import draining
from sessions.draining import SHORTEST, DrainRefused
from sessions.hub.secrets import issue_secret
from sessions.models import ClusterNode, ClusterWatch, Hub, NodeDrain, Session
from sessions.rooms import SOURCE, STALE_AFTER
from tests import factories
from tests.cast import Cast
from tests.sessions.stub_hub import StubHub

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def node(cast: Cast) -> ClusterNode:
    """node-1, of the cluster in which the portal runs the hub's servers; it was seen just now."""
    Hub.objects.update(mode=Hub.Mode.DRIVE)
    cast.hub.refresh_from_db()
    ClusterWatch.objects.create(source=SOURCE, heard_at=NOW)
    return factories.node("node-1", seen_at=NOW)


def runs(cast: Cast, on: str = "node-1", **values: object) -> Session:
    """A server of Bob's that runs."""
    times = {"ready_at": NOW - HOUR, "ended_at": None}
    return factories.session(
        cast.hub, cast.bob, cast.transients,
        **{"key": uuid4(), "server": uuid4().hex, "node": on, **times, **values},
    )  # fmt: skip


def empty(node: ClusterNode, cast: Cast, **values: object) -> NodeDrain:
    wanted = {"by": cast.dora, "reason": "Its fan is loud.", "stops_at": None, "at": NOW}
    return draining.drain(node, **{**wanted, **values})  # type: ignore[arg-type]


def told() -> list[tuple[str, str]]:
    return list(Notice.objects.order_by("pk").values_list("recipient__username", "subject"))


def test_who_is_on_a_node_that_is_emptied_is_told_once(cast: Cast, node: ClusterNode) -> None:
    runs(cast)
    runs(cast, on="node-2")
    runs(cast, ended_at=NOW - MINUTE)
    assert draining.tend(at=NOW) == 0
    assert told() == []
    empty(node, cast)
    for minutes in range(3):
        assert draining.tend(at=NOW + minutes * MINUTE) == 0
    assert told() == [("bob", "Please finish your session at Demo")]
    text = Notice.objects.get().text
    assert "taken out of service. Its fan is loud." in text
    assert "Files in your home stay" in text


def test_who_comes_to_a_node_later_is_told_too(cast: Cast, node: ClusterNode) -> None:
    """A pod may have been on its way when the node was closed."""
    empty(node, cast)
    draining.tend(at=NOW)
    runs(cast, ready_at=NOW)
    draining.tend(at=NOW + MINUTE)
    assert len(told()) == 1


def test_a_node_of_the_same_name_in_another_cluster_is_not_meant(
    cast: Cast, node: ClusterNode
) -> None:
    Hub.objects.update(mode=Hub.Mode.OBSERVE)
    runs(cast)
    empty(node, cast)
    draining.tend(at=NOW)
    assert told() == []


def test_what_is_left_at_the_end_is_stopped_and_the_record_says_why(
    cast: Cast, node: ClusterNode, stub: StubHub
) -> None:
    issue_secret(cast.hub, NOW - HOUR)
    Hub.objects.update(api_url=stub.url)
    session = runs(cast)
    empty(node, cast, stops_at=NOW + HOUR)
    assert draining.tend(at=NOW) == 0
    assert told() == [("bob", "Your session at Demo will be stopped at 4 May 2026, 13:00 UTC")]
    assert draining.tend(at=NOW + HOUR) == 1
    session.refresh_from_db()
    assert session.stop_note == "its node node-1 is taken out of service"
    assert [asked[2:] for asked in stub.asked] == [("lsp-portal", "evicted")]
    assert told()[1:] == [("bob", "Your session at Demo was stopped")]


def test_people_have_time_to_save_their_work(cast: Cast, node: ClusterNode) -> None:
    with pytest.raises(DrainRefused, match="at least 15 minutes") as refusal:
        empty(node, cast, stops_at=NOW + SHORTEST - MINUTE)
    assert (refusal.value.code, refusal.value.status) == ("too_soon", 400)
    empty(node, cast, stops_at=NOW + SHORTEST)
    with pytest.raises(DrainRefused, match="already") as refusal:
        empty(node, cast)
    assert refusal.value.code == "draining"


def test_a_cordon_in_the_cluster_empties_and_its_end_calls_it_off(
    cast: Cast, node: ClusterNode
) -> None:
    runs(cast)
    ClusterNode.objects.update(state="cordoned")
    draining.tend(at=NOW)
    draining.tend(at=NOW + MINUTE)
    row = NodeDrain.objects.get()
    assert (row.node, row.asked_by, row.finished_at) == ("node-1", None, None)
    assert draining.avoided() == ["node-1"]
    assert len(told()) == 1
    ClusterNode.objects.update(state="open")
    ClusterWatch.objects.update(heard_at=NOW + 2 * MINUTE)
    draining.tend(at=NOW + 2 * MINUTE)
    assert draining.avoided() == []


def test_an_administrator_adds_an_end_to_a_cordon_and_people_are_told_of_it(
    cast: Cast, node: ClusterNode
) -> None:
    runs(cast)
    ClusterNode.objects.update(state="cordoned")
    draining.tend(at=NOW)
    empty(node, cast, stops_at=NOW + HOUR)
    draining.tend(at=NOW + MINUTE)
    assert [subject for _, subject in told()] == [
        "Please finish your session at Demo",
        "Your session at Demo will be stopped at 4 May 2026, 13:00 UTC",
    ]
    ClusterNode.objects.update(state="open")  # the administrator's wish stays
    draining.tend(at=NOW + MINUTE)
    assert draining.avoided() == ["node-1"]


def test_a_node_that_is_gone_is_not_emptied_any_more(cast: Cast, node: ClusterNode) -> None:
    empty(node, cast)
    ClusterNode.objects.all().delete()
    draining.tend(at=NOW + MINUTE + STALE_AFTER)
    assert draining.avoided() == ["node-1"]  # an old look says nothing
    ClusterWatch.objects.update(heard_at=NOW + MINUTE)
    draining.tend(at=NOW + MINUTE)
    assert draining.avoided() == []


def test_calling_it_off_is_done_once_and_written_to_the_trail(
    cast: Cast, node: ClusterNode
) -> None:
    row = empty(node, cast)
    assert draining.resume(row, at=NOW + HOUR)
    assert not draining.resume(row, at=NOW + 2 * HOUR)
    row.refresh_from_db()
    assert row.finished_at == NOW + HOUR
    assert Change.objects.filter(object_repr__contains="node-1").count() == 2


def test_the_page_says_who_is_where_and_when_a_node_is_empty(
    cast: Cast, node: ClusterNode, client: Client, settings: Settings
) -> None:
    settings.KUBERNETES_CAPACITY = True
    client.force_login(cast.dora)
    session = runs(cast)
    page = client.get("/overview/cluster/").content.decode()
    assert "takes servers" in page
    assert f"/sessions/{session.number}/" in page
    sent = client.post("/overview/cluster/node-1/drain", {"reason": "Loud.", "hours": "24"})
    assert sent.status_code == 302
    row = NodeDrain.objects.get()
    assert row.stops_at is not None
    assert row.stops_at - row.started_at > 23 * HOUR
    page = client.get("/overview/cluster/").content.decode()
    assert "being emptied" in page
    assert "kubectl cordon node-1" in page
    assert "can be switched off" not in page
    Session.objects.update(ended_at=NOW, end_source="stop")
    assert "can be switched off" not in client.get("/overview/cluster/").content.decode()
    ClusterNode.objects.update(seen_at=row.started_at + MINUTE)
    assert "can be switched off" in client.get("/overview/cluster/").content.decode()
    ClusterNode.objects.update(servers=1)  # a pod that no record knows
    assert "can be switched off" not in client.get("/overview/cluster/").content.decode()
    assert client.post("/overview/cluster/node-1/resume").status_code == 302
    assert draining.avoided() == []


def test_the_page_costs_the_same_however_large_the_cluster_is(
    cast: Cast, node: ClusterNode, client: Client, settings: Settings
) -> None:
    settings.KUBERNETES_CAPACITY = True
    client.force_login(cast.dora)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get("/overview/cluster/").status_code == 200
        return len(found)

    runs(cast)
    NodeDrain.objects.create(node="node-1", asked_by=cast.alice, started_at=NOW)
    queries()
    few = queries()
    for number in range(2, 9):
        factories.node(f"node-{number}")
        NodeDrain.objects.create(node=f"node-{number}", asked_by=cast.bob, started_at=NOW)
        runs(cast, on=f"node-{number}")
    assert queries() == few


def test_the_person_reads_it_beside_the_server(
    cast: Cast, node: ClusterNode, client: Client
) -> None:
    runs(cast)
    client.force_login(cast.bob)
    assert "out of service" not in client.get("/my/").content.decode()
    empty(node, cast)
    page = client.get("/my/").content.decode()
    assert "the machine of this server is taken out of service. Its fan is loud." in page
