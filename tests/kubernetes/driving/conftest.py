"""The portal with a cluster, and a session of Bob's whose server the hub asked for."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from lsp_portal.lib import clock
from sessions import launch
from sessions.driving.asking import StartAsk, ask_to_start
from sessions.models import Hub, Image, Server, Session
from tests.kubernetes.driving.story import Story
from tests.kubernetes.fake import FakeCluster
from tests.sessions.launch.platform import make_platform

REFERENCE = "registry.example.org/base@sha256:" + "a" * 64


@pytest.fixture
def story(db: None, fake: FakeCluster, kubeconfig: str, settings: Settings) -> Story:
    settings.KUBECONFIG = kubeconfig
    settings.KUBERNETES_NAMESPACE = "lsp"
    platform = make_platform()
    Hub.objects.update(mode=Hub.Mode.DRIVE)
    Image.objects.filter(name="base").update(reference=REFERENCE)
    platform.hub.refresh_from_db()
    now = clock.now()  # pods say when they became ready by the clock of the machine
    launch.grant(platform.hub, platform.ask(), at=now)
    session = Session.objects.get()
    ask = StartAsk(("jupyterhub-singleuser",), {"JUPYTERHUB_API_TOKEN": "secret"}, 8888)
    ask_to_start(session, ask, at=now)
    return Story(fake, platform, Server.objects.get(), now)
