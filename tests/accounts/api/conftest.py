"""Programs that call the API with a token."""

from __future__ import annotations

import pytest

from tests.programs import Program


@pytest.fixture
def program() -> type[Program]:
    return Program
