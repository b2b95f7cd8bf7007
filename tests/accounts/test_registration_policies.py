"""Who is let in at once, who waits, and who is sent away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks as Commit
from pytest_django import Settings

from accounts.approvals import reject
from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.models import Identity, Invitation, Registration, SignIn, User
from accounts.registration import sign_in_identity
from tests import factories
from tests.accounts.conftest import PROVIDER_GROWS_OLD, IdentityProvider
from tests.accounts.conftest import SignIn as Walk

AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
ISSUER = "https://login.example"
PROVIDER = Provider("oidc", "the test", ISSUER, "portal", "secret")

pytestmark = [pytest.mark.django_db, *PROVIDER_GROWS_OLD]


def arrive(provider: Provider = PROVIDER, subject: str = "erin", **claims: Any) -> User:
    return sign_in_identity(provider=provider, issuer=ISSUER, subject=subject, claims=claims, at=AT)


def test_by_default_newcomers_wait() -> None:
    assert arrive().registered_at is None
    assert not Registration.objects.exists()


def test_an_open_site_registers_everybody_and_keeps_why(settings: Settings) -> None:
    settings.REGISTRATION = "open"
    user = arrive(email="erin@example.org")
    assert user.is_registered
    row = user.registrations.get()
    assert (row.decision, row.decided_by) == ("approved", None)
    assert row.evidence["identities"][0]["claims"]["email"] == "erin@example.org"


def test_the_policy_of_a_provider_wins(settings: Settings) -> None:
    settings.REGISTRATION = "open"
    assert arrive(replace(PROVIDER, registration="approval")).registered_at is None


def test_by_invitation_only_nobody_else_gets_an_account(settings: Settings) -> None:
    settings.REGISTRATION = "invitation"
    with pytest.raises(SignInFailedError) as failure:
        arrive()
    assert (failure.value.code, failure.value.status) == ("not_invited", 403)
    assert f"erin at {ISSUER}" in failure.value.detail
    assert not User.objects.exists()


def test_who_has_an_account_signs_in_also_where_invitations_are_asked(settings: Settings) -> None:
    known = arrive()
    settings.REGISTRATION = "invitation"
    assert arrive() == known


CONDITIONS = [
    ("entitlement", "urn:x:group:lsst"),
    ("groups", "/lsst"),
    ("affiliation", "@ed.ac.uk"),
]


@pytest.mark.parametrize(
    ("claims", "is_in"),
    [
        ({"eduperson_entitlement": ["urn:x:group:lsst"]}, True),
        ({"eduperson_entitlement": "urn:x:group:lsst"}, True),
        ({"eduperson_entitlement": ["urn:x:group:lsst:other"]}, False),
        ({"groups": ["/other", "/lsst"]}, True),
        ({"groups": {"/lsst": True}}, False),
        ({"groups": [5, None, ["/lsst"]]}, False),
        ({"eduperson_scoped_affiliation": ["member@ed.ac.uk"]}, True),
        ({"eduperson_scoped_affiliation": ["member@notted.ac.uk"]}, False),
        ({"eduperson_scoped_affiliation": ["member@ed.ac.uk.evil.example"]}, False),
        ({"affiliation": "member@ed.ac.uk"}, False),
        ({}, False),
    ],
)
def test_claims_that_meet_a_condition_register(
    settings: Settings, claims: dict[str, Any], is_in: bool
) -> None:
    settings.REGISTRATION, settings.REGISTRATION_CLAIMS = "claim", CONDITIONS
    assert arrive(**claims).is_registered == is_in


def test_claims_register_later_too_but_never_somebody_rejected(
    settings: Settings, dora: User
) -> None:
    settings.REGISTRATION, settings.REGISTRATION_CLAIMS = "claim", CONDITIONS
    erin, frank = arrive(), arrive(subject="frank")
    reject(user=frank, by=dora, reason="No.", at=AT)
    arrive(groups=["/lsst"])
    arrive(subject="frank", groups=["/lsst"])
    erin.refresh_from_db()
    frank.refresh_from_db()
    assert (erin.is_registered, frank.is_registered) == (True, False)


def test_administrators_hear_of_newcomers_who_wait(
    dora: User,
    settings: Settings,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        arrive(name="Erin\r\nBcc: victim@example.org", email="erin@example.org")
        arrive(name="Erin")  # known by now
    assert [message.to for message in mail.outbox] == [["dora@example.org"]]
    assert "\n" not in mail.outbox[0].subject
    assert "/registrations/" in mail.outbox[0].body
    assert mail.outbox[0].recipients() == ["dora@example.org"]
    settings.REGISTRATION_MAIL_TO = ["office@example.org"]
    with django_capture_on_commit_callbacks(execute=True):
        arrive(subject="frank")
    assert mail.outbox[-1].to == ["office@example.org"]


def test_a_mail_server_that_is_down_breaks_no_sign_in(
    dora: User,
    settings: Settings,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with django_capture_on_commit_callbacks(execute=True):
        assert arrive().username
    assert Identity.objects.count() == 1


def test_the_sign_in_page_tells_the_uninvited_and_the_attempt_is_kept(
    client: Client, identity_provider: IdentityProvider, sign_in: Walk, settings: Settings
) -> None:
    settings.REGISTRATION = "invitation"
    identity_provider.tell("erin", preferred_username="erin")
    answer = sign_in("erin")
    assert answer.status_code == 403
    assert "by invitation only" in answer.content.decode()
    attempt = SignIn.objects.get()
    assert attempt.outcome == "not_invited"
    assert attempt.detail.startswith("erin at ")
    assert not User.objects.exists()


@pytest.mark.parametrize("role", ["member", "pi"])
def test_who_follows_an_invitation_comes_in_and_back_to_it(
    client: Client,
    identity_provider: IdentityProvider,
    sign_in: Walk,
    settings: Settings,
    alice: User,
    role: str,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    settings.REGISTRATION = "invitation"
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            "/groups/transients/invitations/", {"email": "erin@example.org", "role": role}
        )
    assert answer.status_code == 302, answer.content.decode()
    client.logout()
    link = next(line for line in mail.outbox[0].body.splitlines() if "/invitations/" in line)
    path = link.removeprefix(settings.PORTAL_URL)
    assert "Transients" in client.get(path).content.decode()
    there = client.post(path)["Location"]
    assert (
        there.startswith("/sign-in?next=/invitations/".replace("/inv", "%2Finv"))
        or "next=" in there
    )
    way = there.replace("/sign-in?", "/sign-in/oidc?")
    back = sign_in("erin", way)
    assert back["Location"] == path
    erin = User.objects.get(identities__subject="erin")
    assert erin.registered_at is None
    assert "Accept the invitation" in client.get(path).content.decode()
    assert client.post(path)["Location"] == "/"
    erin.refresh_from_db()
    made = erin.memberships.get()
    assert erin.is_registered
    assert (made.role, made.added_by, made.invitation) == (role, alice, Invitation.objects.get())
    assert erin.registrations.get().sponsor == alice
    assert client.post(path).status_code == 409
    assert factories.LONG_AGO < made.valid_from < made.valid_from + timedelta(days=1)
