"""`lsp_hub.dask` in a notebook: against the portal itself, and with nothing but Python."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

import lsp_hub
from lsp_hub import dask
from sessions.models import DaskCluster, Session
from sessions.session_tokens import session_token
from tests.sessions.dask.test_asking import bobs_session
from tests.sessions.launch.platform import NOW, make_platform

PLUGIN = Path(lsp_hub.__file__).parent.parent


@pytest.fixture
def session(
    transactional_db: None,
    live_server: LiveServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Session:
    """Bob's, whose environment this process has."""
    settings.KUBERNETES_DASK = True
    monkeypatch.setattr("lsp_portal.lib.clock.now", lambda: NOW)
    monkeypatch.setattr(dask, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr("sessions.dask.messages.after_commit", lambda *task: None)  # no worker
    session = bobs_session(make_platform())
    monkeypatch.setenv("LSP_PORTAL", live_server.url)
    monkeypatch.setenv("LSP_SESSION", str(session.key))
    monkeypatch.setenv("LSP_TOKEN", session_token(session.hub.name, session.key))
    return session


def start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cluster run as soon as somebody looks."""
    refresh = dask.PortalCluster.refresh

    def started(self: dask.PortalCluster) -> dict[str, object]:
        DaskCluster.objects.filter(state="asked").update(
            state="running", running_at=NOW, name="lsp-dask-1"
        )
        return refresh(self)

    monkeypatch.setattr(dask.PortalCluster, "refresh", started)


def test_a_cluster_from_its_beginning_to_its_end(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_at_once(monkeypatch)
    cluster = dask.new_cluster(workers=3)
    assert cluster.scheduler_address == "tcp://lsp-dask-1-scheduler.lsp.svc:8786"
    assert cluster.dashboard_link.endswith(":8787/status")
    assert cluster.scheduler_info == {"workers": {}}
    cluster.scale(5)
    assert DaskCluster.objects.get().workers == 5
    assert cluster.adapt(minimum=1, maximum=4) == dask.Adaptive(1, 4)
    assert DaskCluster.objects.get().maximum == 4
    assert dask.new_cluster().scheduler_address == cluster.scheduler_address, "it is the same"
    cluster.close()
    assert DaskCluster.objects.get().desired == "gone"
    cluster.close()


def test_as_dask_labextension_awaits_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    start_at_once(monkeypatch)

    async def life() -> None:
        cluster = await dask.PortalCluster(asynchronous=True)
        cluster.scale(1)
        await cluster.close()

    asyncio.run(life())
    found = DaskCluster.objects.get()
    assert (found.workers, found.desired) == (1, "gone")


def test_refusals_are_told_in_the_portals_words(session: Session) -> None:
    with pytest.raises(dask.PortalError, match="may have 20 workers at once") as refused:
        dask.new_cluster(workers=21)
    assert (refused.value.code, refused.value.status) == ("too_many_workers", 403)


def test_one_that_does_not_come_up_is_told_in_time(session: Session) -> None:
    with pytest.raises(dask.PortalError, match="Not running in time"):
        dask.new_cluster(timeout=0.05)


def test_outside_of_a_server_of_the_portal_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSP_PORTAL", raising=False)
    with pytest.raises(dask.PortalError, match="LSP_PORTAL"):
        dask.new_cluster()


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(PLUGIN)!r}); import lsp_hub.dask"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
