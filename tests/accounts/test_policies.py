"""Versions of the acceptable-use policy, and who accepted them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Policy, PolicyAcceptance, User
from accounts.policies import unaccepted
from lsp_portal.lib import clock
from tests.factories import LONG_AGO

PATH = "/account/policy/"


@pytest.fixture
def policy(db: None) -> Policy:
    return Policy.objects.create(version="1", text="Be kind.", effective_at=LONG_AGO)


def test_bob_reads_and_accepts_the_policy(client: Client, bob: User, policy: Policy) -> None:
    client.force_login(bob)
    assert unaccepted(bob, at=clock.now()) == policy
    page = client.get(PATH).content.decode()
    assert "Be kind." in page
    answer = client.post(PATH, {"version": policy.pk, "agrees": "on"}, follow=True)
    assert "You accepted version 1" in answer.content.decode()
    assert unaccepted(bob, at=clock.now()) is None


def test_without_the_tick_nothing_is_accepted(client: Client, bob: User, policy: Policy) -> None:
    client.force_login(bob)
    answer = client.post(PATH, {"version": policy.pk})
    assert answer.status_code == 400
    assert "Tick the box" in answer.content.decode()
    assert not PolicyAcceptance.objects.exists()


def test_a_newer_version_must_be_accepted_anew(client: Client, bob: User, policy: Policy) -> None:
    client.force_login(bob)
    client.post(PATH, {"version": policy.pk, "agrees": "on"})
    newer = Policy.objects.create(
        version="2", text="Be kinder.", effective_at=LONG_AGO + timedelta(days=1)
    )
    assert unaccepted(bob, at=clock.now()) == newer
    answer = client.post(PATH, {"version": policy.pk, "agrees": "on"})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "A newer version is in force" in page
    assert f'name="version" value="{newer.pk}"' in page


def test_a_version_of_the_future_asks_nobody_yet(bob: User) -> None:
    Policy.objects.create(version="2", text="Soon.", effective_at=clock.now() + timedelta(days=1))
    assert unaccepted(bob, at=clock.now()) is None


@pytest.mark.parametrize("version", ["", "x", "0", "9" * 30, "\0"])
def test_a_version_that_is_none_is_refused(
    client: Client, bob: User, policy: Policy, version: str
) -> None:
    client.force_login(bob)
    assert client.post(PATH, {"version": version, "agrees": "on"}).status_code == 400
    assert not PolicyAcceptance.objects.exists()


def test_a_site_without_policy_says_so(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert "There is nothing to accept" in client.get(PATH).content.decode()


def test_strangers_are_asked_to_sign_in(client: Client, db: None) -> None:
    assert client.get(PATH)["Location"] == f"/sign-in?next={PATH}"


def test_every_page_asks_until_the_policy_is_accepted(
    client: Client, bob: User, policy: Policy
) -> None:
    client.force_login(bob)
    assert "policy has a new version" in client.get("/account/").content.decode()
    client.post(PATH, {"version": policy.pk, "agrees": "on"})
    assert "policy has a new version" not in client.get("/account/").content.decode()


def test_administrators_write_versions_and_leave_accepted_ones_alone(
    client: Client, bob: User, dora: User, policy: Policy
) -> None:
    client.force_login(dora)
    path = f"/admin/accounts/policy/{policy.pk}/change/"
    typed = {"version": "1", "effective_at_0": "2026-01-01", "effective_at_1": "00:00:00"}
    assert client.post(path, typed | {"text": "Be good."}).status_code == 302
    PolicyAcceptance.objects.create(user=bob, policy=policy)
    assert client.post(path, typed | {"text": "Be rich."}).status_code == 403
    policy.refresh_from_db()
    assert policy.text == "Be good."
    for model in ("policyacceptance", "registration", "invitation"):
        assert client.get(f"/admin/accounts/{model}/").status_code == 200
