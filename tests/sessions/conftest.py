"""What several tests of sessions use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sessions.stub_hub import StubHub, stub_hub


@pytest.fixture
def stub() -> Iterator[StubHub]:
    with stub_hub() as hub:
        yield hub
