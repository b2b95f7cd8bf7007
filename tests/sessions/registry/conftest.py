"""A source of images whose registry is a small one on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sessions.models import Hub, ImageSource
from tests import factories
from tests.sessions.registry.stub import PASSWORD, USER, StubRegistry, stub_registry


@pytest.fixture
def stub() -> Iterator[StubRegistry]:
    with stub_registry() as made:
        yield made


@pytest.fixture
def hub(db: None) -> Hub:
    return factories.hub()


@pytest.fixture
def source(stub: StubRegistry, hub: Hub, settings: Settings) -> ImageSource:
    """Two releases, two weeklies and what is recommended, every hour."""
    stub.auth = "bearer"
    settings.REGISTRY_CREDENTIALS = {"lab": (USER, PASSWORD)}
    return ImageSource.objects.create(
        name="lab", title="Lab", repository=stub.repository, credentials="lab", weeklies=2,
        dailies=0,
    )  # fmt: skip
