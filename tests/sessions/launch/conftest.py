"""A small platform for launches: hub `demo`, three people, two groups, a period and quotas."""

from __future__ import annotations

import pytest

from tests.sessions.launch.platform import Platform, make_platform


@pytest.fixture
def platform(db: None) -> Platform:
    return make_platform()
