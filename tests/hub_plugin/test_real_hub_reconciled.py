"""A real hub's list of servers against the portal's records, when its events are lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from lsp_portal.lib import clock
from sessions.hub import ingest
from sessions.hub.parse import read_batch
from sessions.hub.secrets import issue_secret, secret_text
from sessions.models import Alert, Repair, Session
from sessions.reconciling.reconcile import reconcile
from tests.cast import Cast
from tests.hub_plugin.real_hub import RealHub
from tests.hub_plugin.stub_portal import StubPortal

pytestmark = [pytest.mark.hub, pytest.mark.django_db]


@pytest.fixture
def portal(cast: Cast) -> Iterator[StubPortal]:
    """What the hub takes for the portal: its events come no further than here."""
    secret = issue_secret(cast.hub, clock.now() - timedelta(days=1))
    stub = StubPortal(secret=secret_text(secret)).start()
    yield stub
    stub.stop()
    assert stub.breaches == []


@pytest.fixture
def real(cast: Cast, portal: StubPortal, tmp_path: Path) -> Iterator[RealHub]:
    made = RealHub(tmp_path / "hub", portal)
    cast.hub.api_url = f"{made.url}/api"
    cast.hub.save(update_fields=["api_url"])
    try:
        yield made.start()
    finally:
        made.clean_up()


def read(cast: Cast) -> None:
    """Ask the hub in a second of its own: what happened in one second has no order."""
    time.sleep(1.1)
    assert reconcile(cast.hub, at=clock.now(), confirmed=True)


def test_a_server_that_died_while_the_portal_was_away_and_the_outbox_was_lost_is_closed(
    cast: Cast, real: RealHub, portal: StubPortal
) -> None:
    for user in ("alice", "bob"):
        real.browser(user)
        real.api("POST", f"users/{user}/server")
    ready = {u: portal.wait_for("session.ready", 20, user=u) for u in ("alice", "bob")}
    requested = [portal.wait_for("session.requested", user=user) for user in ready]
    at = clock.now()
    body = orjson.dumps({"events": [*requested, *ready.values()]})
    ingest.take_in(
        cast.hub, read_batch(body, at=at), at=at
    )  # and that is all the portal ever hears
    assert Session.objects.open().count() == 2

    died = ready["bob"]["session"]
    os.kill(real.lab_pid(died), signal.SIGKILL)
    portal.wait_for("session.stopped", 20, session=died)

    read(cast)
    assert Session.objects.open().count() == 2
    read(cast)
    session = Session.objects.get(ended_at__isnull=False)
    assert (str(session.key), session.end_source) == (died, "rest")
    assert session.end_reason == ""
    repair = Repair.objects.get()
    assert repair.session == session
    assert "the list after it lack the server" in repair.said
    assert not Alert.objects.exists()
