"""Guests and shared accounts: owners, ends, and the link that opens them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks as Commit
from pytest_django import Settings

from accounts.models import Group, Identity, User
from lsp_portal.lib import clock
from tests import factories
from tests.accounts.conftest import PROVIDER_GROWS_OLD, IdentityProvider
from tests.accounts.conftest import SignIn as Walk

PATH = "/account/guests/"

pytestmark = PROVIDER_GROWS_OLD


@pytest.fixture(autouse=True)
def switched_on(settings: Settings) -> None:
    settings.GUEST_ACCOUNTS = settings.SHARED_ACCOUNTS = True


def wish(**values: str) -> dict[str, str]:
    ends = (clock.now() + timedelta(days=30)).date().isoformat()
    return {
        "kind": "guest", "username": "visitor", "email": "visitor@example.org",
        "group": "transients", "ends": ends, **values,
    }  # fmt: skip


def test_alice_makes_a_guest_who_comes_in_by_the_link_once(
    client: Client,
    alice: User,
    identity_provider: IdentityProvider,
    sign_in: Walk,
    settings: Settings,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    settings.REGISTRATION = "invitation"
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(PATH, wish())["Location"] == PATH
    guest = User.objects.get(username="visitor")
    assert (guest.kind, guest.owner, guest.is_registered) == ("guest", alice, True)
    assert not guest.memberships.exists()
    client.logout()
    path = next(
        line.removeprefix(settings.PORTAL_URL)
        for line in mail.outbox[0].body.splitlines()
        if "/invitations/" in line
    )
    way = client.post(path)["Location"].replace("/sign-in?", "/sign-in/oidc?")
    assert sign_in("somebody", way)["Location"] == path
    assert Identity.objects.get(subject="somebody").user == guest
    assert guest.memberships.get().group.name == "transients"
    assert client.get(path)["Location"] == "/"
    stranger = Client()
    assert stranger.post(path).status_code == 409
    guest.expires_at = clock.now()
    guest.save(update_fields=["expires_at"])
    assert "/sign-in" in client.get("/account/")["Location"]


def test_somebody_with_an_account_cannot_take_that_of_a_guest(
    client: Client, alice: User, charlie: User, settings: Settings,
    django_capture_on_commit_callbacks: Commit,
) -> None:  # fmt: skip
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(PATH, wish())
    path = next(x for x in mail.outbox[0].body.splitlines() if "/invitations/" in x)
    client.force_login(charlie)
    assert client.post(path.removeprefix(settings.PORTAL_URL)).status_code == 409
    assert not charlie.memberships.filter(group__name="transients").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends": "2020-01-01"}, {"ends": "2199-01-01"}, {"ends": "never"}, {"username": "alice"},
        {"username": "Bad Name"}, {"group": "galaxies"}, {"kind": "bucket"}, {"kind": "person"},
        {"email": "x"},
    ],
)  # fmt: skip
def test_wrong_wishes_make_nobody(
    client: Client, alice: User, galaxies: Group, wrong: dict[str, str]
) -> None:
    client.force_login(alice)
    assert client.post(PATH, wish(**wrong)).status_code == 400
    assert not User.objects.filter(kind="guest").exists()


def test_owners_prolong_and_end_and_nobody_else(client: Client, alice: User, dora: User) -> None:
    client.force_login(alice)
    client.post(PATH, wish())
    later = (clock.now() + timedelta(days=60)).date().isoformat()
    assert client.post(f"{PATH}visitor/prolong", {"ends": later}).status_code == 302
    assert client.post(f"{PATH}visitor/prolong", {"ends": "2199-01-01"}).status_code == 400
    assert client.post(f"{PATH}visitor/prolong", {"ends": "x"}).status_code == 400
    guest = User.objects.get(username="visitor")
    assert guest.expires_at is not None
    assert guest.expires_at.date().isoformat() == later
    client.force_login(dora)
    assert client.post(f"{PATH}visitor/end").status_code == 404
    client.force_login(alice)
    assert client.post(f"{PATH}visitor/end").status_code == 302
    guest.refresh_from_db()
    assert not guest.is_registered
    assert "ended" in client.get(PATH).content.decode()


def test_members_make_no_guests(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert client.get(PATH).status_code == 404
    assert client.post(PATH, wish()).status_code == 404


def test_switched_off_nobody_makes_accounts(client: Client, dora: User, settings: Settings) -> None:
    factories.group("transients")
    client.force_login(dora)
    assert client.post(PATH, wish(kind="bucket")).status_code == 302
    settings.GUEST_ACCOUNTS = settings.SHARED_ACCOUNTS = False
    assert client.post(PATH, wish(username="other")).status_code == 400
    assert not User.objects.filter(username="other").exists()
    assert client.post(f"{PATH}visitor/prolong", {"ends": wish()["ends"]}).status_code == 403
