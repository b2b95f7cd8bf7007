"""A platform whose hub lets the portal run its servers, and a session that Bob was granted."""

from __future__ import annotations

import pytest

from sessions import launch
from sessions.models import Hub, Image, Session
from tests.sessions.launch.platform import NOW, Platform, make_platform

REFERENCE = "registry.example.org/base@sha256:" + "a" * 64


@pytest.fixture
def platform(db: None) -> Platform:
    made = make_platform()
    made.hub.mode = Hub.Mode.DRIVE
    made.hub.save(update_fields=["mode"])
    Image.objects.filter(name="base").update(reference=REFERENCE)
    return made


@pytest.fixture
def session(platform: Platform) -> Session:
    launch.grant(platform.hub, platform.ask(), at=NOW)
    return Session.objects.select_related("hub", "group").get()
