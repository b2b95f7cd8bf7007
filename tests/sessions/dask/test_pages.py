"""The Dask cluster on the pages of a session and of one's servers."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from sessions.dask import asking, recording
from sessions.dask.recording import Sighting
from sessions.dask.sizes import DaskSize
from sessions.models import DaskCluster, Session
from tests.sessions.dask.test_asking import bobs_session
from tests.sessions.launch.platform import NOW, Platform, make_platform

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Platform:
    settings.KUBERNETES_DASK = True
    monkeypatch.setattr("lsp_portal.lib.clock.now", lambda: NOW)
    return make_platform()


@pytest.fixture
def session(platform: Platform) -> Session:
    return bobs_session(platform)


@pytest.fixture
def bob(platform: Platform, session: Session) -> Client:
    client = Client()
    client.force_login(platform.bob)
    return client


def page(client: Client, session: Session) -> str:
    return client.get(f"/sessions/{session.pk}/").text


def test_a_cluster_is_started_resized_and_deleted_on_the_sessions_page(
    bob: Client, session: Session
) -> None:
    assert "None yet" in page(bob, session)
    answer = bob.post(f"/my/dask/{session.key}", {"workers": "3"}, follow=True)
    assert "The Dask cluster is starting." in answer.text
    assert "0 of 3 workers" in answer.text
    answer = bob.post(f"/my/dask/{session.key}", {"minimum": "1", "maximum": "5"}, follow=True)
    assert "between 1 and 5 by the work" in answer.text
    assert "asked for" in bob.get(f"/my/dask/{session.key}").text
    answer = bob.post(f"/my/dask/{session.key}/delete", follow=True)
    assert "being deleted" in answer.text
    assert DaskCluster.objects.get().desired == "gone"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"workers": "-1"}, "workers: Ensure this value"),
        ({"minimum": "1"}, "Say either"),
        ({"workers": "1000"}, "may have 20 workers at once"),
    ],
)
def test_what_is_wrong_is_said_on_the_page(
    bob: Client, session: Session, fields: dict[str, str], words: str
) -> None:
    assert words in bob.post(f"/my/dask/{session.key}", fields, follow=True).text
    assert not DaskCluster.objects.exists()


def test_workers_stand_below_their_notebook(bob: Client, session: Session) -> None:
    cluster, _ = asking.want(session, DaskSize(2), at=NOW)
    DaskCluster.objects.update(state="running", name="lsp-dask-1", running_at=NOW)
    recording.take_in([Sighting(cluster.key, "u1", "w1", node="node-7", started_at=NOW)])
    shown = page(bob, session)
    assert "1 of 2 workers" in shown
    assert "tcp://lsp-dask-1-scheduler.lsp.svc:8786" in shown
    assert "on node-7" in shown
    servers = bob.get("/my/").text
    assert "running: 1 of 2 workers" in " ".join(servers.split())


def test_others_see_it_and_change_nothing(platform: Platform, session: Session) -> None:
    asking.want(session, DaskSize(2), at=NOW)
    client = Client()
    client.force_login(platform.alice)  # the PI of the group that pays
    shown = page(client, session)
    assert "0 of 2 workers" in shown
    assert 'id="dask-set"' not in shown
    assert client.post(f"/my/dask/{session.key}", {"workers": "9"}).status_code == 404
    assert client.post(f"/my/dask/{session.key}/delete").status_code == 404


def test_where_there_is_no_dask_nothing_is_said_of_it(
    bob: Client, session: Session, settings: Settings
) -> None:
    settings.KUBERNETES_DASK = False
    assert "Dask cluster" not in page(bob, session)
    answer = bob.post(f"/my/dask/{session.key}", {"workers": "1"}, follow=True)
    assert "has no Dask clusters" in answer.text
