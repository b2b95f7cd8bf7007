"""The hub signs people in with the portal, and notices when the portal has changed its mind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import requests

from tests.e2e.platform import REFRESH_SECONDS, Platform, wait_until

pytestmark = pytest.mark.hub

SOON = REFRESH_SECONDS + 10  # seconds; the machine may be busy


class Visitor:
    """A browser without a screen."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.home = f"{platform.hub_url}/hub/home"
        self.session = requests.Session()

    def sign_in(self, name: str) -> None:
        """Open the hub and follow the way over the portal to the demo login, and back."""
        page = self.session.get(self.home, timeout=30)
        assert page.url.startswith(f"http://127.0.0.1:{self.platform.identity_port}/"), page.url
        page = self.session.post(page.url, data={"sub": name}, timeout=30)
        assert page.url == self.home, page.url

    def is_signed_in(self) -> bool:
        """Whether the hub still shows its own page."""
        answer = self.session.get(self.home, allow_redirects=False, timeout=30)
        return answer.status_code == 200

    def sign_out_of_the_portal(self) -> None:
        page = self.session.get(f"{self.platform.portal_url}/", timeout=30)
        [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        answer = self.session.post(
            f"{self.platform.portal_url}/sign-out",
            data={"csrfmiddlewaretoken": token},
            timeout=30,
        )
        assert answer.url.endswith("/signed-out")


@pytest.fixture
def charlie(platform: Platform) -> Iterator[Visitor]:
    """Charlie, signed in at the hub; active again at the end."""
    visitor = Visitor(platform)
    visitor.sign_in("charlie")
    yield visitor
    platform.rows(
        "UPDATE accounts_user SET is_active = true WHERE username = 'charlie' RETURNING id"
    )


def test_who_is_switched_off_is_out_of_the_hub_within_one_refresh(
    platform: Platform, charlie: Visitor
) -> None:
    time.sleep(REFRESH_SECONDS)
    assert charlie.is_signed_in(), "a refresh ends nothing by itself"
    platform.rows(
        "UPDATE accounts_user SET is_active = false WHERE username = 'charlie' RETURNING id"
    )
    wait_until(lambda: not charlie.is_signed_in(), SOON, platform.said)


def test_signing_out_of_the_portal_ends_the_login_at_the_hub(
    platform: Platform, charlie: Visitor
) -> None:
    charlie.sign_out_of_the_portal()
    wait_until(lambda: not charlie.is_signed_in(), SOON, platform.said)
