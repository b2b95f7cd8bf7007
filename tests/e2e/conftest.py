"""A browser for the tests that need one: Debian's Chromium, nothing downloaded."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Playwright

from tests.e2e.platform import Platform

# Playwright keeps an event loop in the thread of the test; the tests use the database beside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no browser: Chromium is not installed")
    return {
        "executable_path": path,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture(scope="session")
def playwright(playwright: Playwright) -> Iterator[Playwright]:
    """Playwright; the connections opened beside its event loop are closed before the loop ends."""
    yield playwright
    connections.close_all()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The portal, a real hub and the demo login, started once for all tests that use them."""
    platform = Platform(tmp_path_factory.mktemp("platform"))
    try:
        yield platform.start()
    finally:
        platform.stop()
