"""What the tests of the hub plugin share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub_plugin.stub_portal import StubPortal

DATA = Path(__file__).parents[1] / "data" / "hub_plugin"


@pytest.fixture
def portal() -> Iterator[StubPortal]:
    """A strict portal; a test fails when something broke the contract."""
    stub = StubPortal().start()
    yield stub
    stub.stop()
    assert stub.breaches == []


@pytest.fixture
def equals_file(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a whole document with a data file, or write it with UPDATE_TEST_DATA=1."""

    def compare(text: str, name: str) -> None:
        file = DATA / name
        if os.environ.get("UPDATE_TEST_DATA"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        assert text == file.read_text()

    return compare
