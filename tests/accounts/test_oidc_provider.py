"""The portal as OpenID provider of a hub: one sign-in for both."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from oauth2_provider.models import get_application_model

from accounts.models import Group, Membership, User
from accounts.oidc_provider.clients import client_credentials, ensure_client, hub_logouts
from lsp_portal.lib import clock

pytestmark = pytest.mark.django_db

OFF: list[dict[str, Any]] = [
    {"is_active": False},
    {"registered_at": None},
    {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
]
CALLBACK = "https://hub.example/hub/oauth_callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
ISSUER = "http://127.0.0.1:8000/oauth"


@pytest.fixture
def bob() -> User:
    now = clock.now()
    bob = User.objects.create(
        username="bob", first_name="Bob", email="bob@demo.example", registered_at=now
    )
    for name, ends in (("galaxies", None), ("transients", None), ("old", now)):
        group = Group.objects.create(name=name, title=name)
        Membership.objects.create(
            user=bob, group=group, valid_from=now - timedelta(days=9), valid_to=ends
        )
    return bob


@pytest.fixture
def hub() -> dict[str, str]:
    """The credentials of a hub that is registered."""
    ensure_client(name="hub", redirect_uris=[CALLBACK], needs_consent=False)
    client_id, secret = client_credentials("hub")
    return {"client_id": client_id, "client_secret": secret}


def request_of(hub: dict[str, str], **other: str | None) -> str:
    parameters = {
        "response_type": "code",
        "client_id": hub["client_id"],
        "redirect_uri": CALLBACK,
        "scope": "openid profile email groups",
        "state": "s",
        "code_challenge": CHALLENGE.decode(),
        "code_challenge_method": "S256",
        **other,
    }
    kept = {name: value for name, value in parameters.items() if value is not None}
    return f"/oauth/authorize?{urlencode(kept)}"


def answer_to(client: Client, address: str) -> dict[str, str]:
    """The parameters with which the portal sends the browser back to the hub."""
    reply = client.get(address)
    assert reply.status_code == 302, reply.content
    assert reply["Location"].startswith(CALLBACK)
    return {k: v[0] for k, v in parse_qs(urlsplit(reply["Location"]).query).items()}


def tokens(hub: dict[str, str], **grant: str) -> Any:
    return Client().post("/oauth/token", {**hub, **grant})


def sign_in(client: Client, hub: dict[str, str]) -> Any:
    code = answer_to(client, request_of(hub))["code"]
    return tokens(
        hub,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


def userinfo(access_token: str) -> Any:
    return Client().get("/oauth/userinfo", headers={"Authorization": f"Bearer {access_token}"})


def test_who_is_signed_in_at_the_portal_is_signed_in_at_the_hub(
    client: Client, bob: User, hub: dict[str, str]
) -> None:
    client.force_login(bob)
    answer = answer_to(client, request_of(hub))
    assert (answer["state"], answer["iss"]) == ("s", ISSUER)
    granted = sign_in(client, hub).json()
    assert userinfo(granted["access_token"]).json() == {
        "sub": str(bob.pk),
        "preferred_username": "bob",
        "name": "Bob",
        "email": "bob@demo.example",
        "groups": ["galaxies", "transients"],
    }


def test_the_id_token_is_signed_with_the_published_key(
    client: Client, bob: User, hub: dict[str, str]
) -> None:
    client.force_login(bob)
    granted = sign_in(client, hub).json()
    [key] = client.get("/oauth/.well-known/jwks.json").json()["keys"]
    claims = jwt.decode(
        granted["id_token"],
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=hub["client_id"],
        issuer=ISSUER,
    )
    assert claims["preferred_username"] == "bob"


def test_the_discovery_document_names_our_addresses(client: Client) -> None:
    document = client.get("/oauth/.well-known/openid-configuration").json()
    assert document["issuer"] == ISSUER
    assert document["token_endpoint"] == f"{ISSUER}/token"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["response_types_supported"] == ["code"]


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(
    client: Client, hub: dict[str, str]
) -> None:
    reply = client.get(request_of(hub))
    assert reply["Location"].startswith("/sign-in?next=/oauth/authorize")


def test_who_waits_for_approval_does_not_reach_the_hub(
    client: Client, bob: User, hub: dict[str, str]
) -> None:
    User.objects.update(registered_at=None)
    bob.refresh_from_db()
    client.force_login(bob)
    assert client.get(request_of(hub))["Location"] == "/waiting"


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_silent_request_is_answered_without_a_page(
    client: Client, bob: User, hub: dict[str, str], signed_in: bool
) -> None:
    if signed_in:
        client.force_login(bob)
    answer = answer_to(client, request_of(hub, prompt="none"))
    assert ("code" in answer) == signed_in
    assert answer.get("error") == (None if signed_in else "login_required")


def test_a_silent_request_of_somebody_who_waits_is_answered_without_a_page(
    client: Client, bob: User, hub: dict[str, str]
) -> None:
    User.objects.update(registered_at=None)
    bob.refresh_from_db()
    client.force_login(bob)
    assert answer_to(client, request_of(hub, prompt="none"))["error"] == "login_required"


def test_a_silent_request_of_a_client_that_needs_consent_is_refused(
    client: Client, bob: User
) -> None:
    ensure_client(name="other", redirect_uris=[CALLBACK], needs_consent=True)
    client.force_login(bob)
    address = request_of({"client_id": client_credentials("other")[0]}, prompt="none")
    assert answer_to(client, address)["error"] == "consent_required"


def test_a_client_that_needs_consent_asks_for_it(client: Client, bob: User) -> None:
    ensure_client(name="other", redirect_uris=[CALLBACK], needs_consent=True)
    client.force_login(bob)
    address = request_of({"client_id": client_credentials("other")[0]})
    page = client.get(address)
    assert "See your groups" in page.content.decode()
    assert "form-action 'self' https://hub.example" in page["Content-Security-Policy"]


@pytest.mark.parametrize("change", OFF, ids=str)
def test_a_code_of_somebody_switched_off_meanwhile_is_worth_nothing(
    client: Client, bob: User, hub: dict[str, str], change: dict[str, Any]
) -> None:
    client.force_login(bob)
    code = answer_to(client, request_of(hub))["code"]
    User.objects.filter(pk=bob.pk).update(**change)
    reply = tokens(
        hub,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("change", OFF, ids=str)
def test_tokens_of_somebody_switched_off_end_at_once(
    client: Client, bob: User, hub: dict[str, str], change: dict[str, Any]
) -> None:
    client.force_login(bob)
    granted = sign_in(client, hub).json()
    User.objects.filter(pk=bob.pk).update(**change)
    assert userinfo(granted["access_token"]).status_code == 401
    reply = tokens(hub, grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert reply.status_code == 400


def test_parallel_refreshes_of_a_hub_get_the_same_tokens(
    client: Client, bob: User, hub: dict[str, str]
) -> None:
    client.force_login(bob)
    old = sign_in(client, hub).json()["refresh_token"]
    first, second = (
        tokens(hub, grant_type="refresh_token", refresh_token=old).json() for _ in range(2)
    )
    assert first["access_token"] == second["access_token"]
    assert userinfo(second["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
        {"scope": "openid everything"},
    ],
    ids=["no PKCE", "plain PKCE", "implicit", "unknown scope"],
)
def test_what_is_not_offered_is_refused_at_the_hub(
    client: Client, bob: User, hub: dict[str, str], other: dict[str, str | None]
) -> None:
    client.force_login(bob)
    assert "error" in answer_to(client, request_of(hub, **other))


@pytest.mark.parametrize(
    "other",
    [
        {"redirect_uri": "https://evil.example/hub/oauth_callback"},
        {"client_id": "nobody"},
        {"client_id": "a\0b"},
        {"state": "a\0b"},
        {"redirect_uri": "no address"},
    ],
)
def test_a_request_that_cannot_be_trusted_goes_nowhere(
    client: Client, bob: User, hub: dict[str, str], other: dict[str, str | None]
) -> None:
    client.force_login(bob)
    assert client.get(request_of(hub, **other)).status_code == 400


@pytest.mark.parametrize(
    "other",
    [
        {"code": "invented"},
        {"code": "a\0b"},
        {"code_verifier": "w" * 64},
        {"client_secret": "wrong"},
        {"grant_type": "password"},
        {"grant_type": ""},
    ],
)
def test_a_token_request_that_is_wrong_is_a_clear_answer(
    client: Client, bob: User, hub: dict[str, str], other: dict[str, str]
) -> None:
    client.force_login(bob)
    right = {
        "grant_type": "authorization_code",
        "code": answer_to(client, request_of(hub))["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    reply = tokens(hub, **(right | other))
    assert reply.status_code in (400, 401)
    assert "error" in json.loads(reply.content)


def test_a_hub_is_registered_once_and_its_secret_shown_once() -> None:
    out = StringIO()
    call_command("create_oidc_client", "hub", "--redirect-uri", CALLBACK, stdout=out)
    client_id, secret = client_credentials("hub")
    assert out.getvalue() == f"client id {client_id}, client secret {secret}\n"
    out = StringIO()
    call_command("create_oidc_client", "hub", "--redirect-uri", f"{CALLBACK}2", stdout=out)
    assert client_id in out.getvalue()
    assert secret not in out.getvalue()
    assert get_application_model().objects.get().redirect_uris == f"{CALLBACK}2"
    assert client_credentials("hub") == (client_id, secret)


@pytest.mark.parametrize("address", ["nowhere", "javascript:alert(1)", "https://h/#x", ""])
def test_a_hub_with_a_useless_address_is_not_registered(address: str) -> None:
    with pytest.raises(CommandError, match="is not an address"):
        call_command("create_oidc_client", "hub", "--redirect-uri", address)
    assert not get_application_model().objects.exists()


def test_signing_out_offers_to_sign_out_of_the_hubs(client: Client, hub: dict[str, str]) -> None:
    ensure_client(name="other", redirect_uris=["https://other.example/x"], needs_consent=False)
    assert [logout.url for logout in hub_logouts()] == ["https://hub.example/hub/logout"]
    answer = client.post("/sign-out", follow=True)
    assert answer.redirect_chain == [("/signed-out", 302)]
    assert "https://hub.example/hub/logout" in answer.content.decode()


def test_signing_out_ends_the_logins_at_all_hubs_and_nobody_elses(
    client: Client, bob: User, hub: dict[str, str]
) -> None:
    eve = User.objects.create(username="eve", registered_at=clock.now())
    granted = {}
    for person in (eve, bob):
        client.force_login(person)
        granted[person.username] = sign_in(client, hub).json()
    client.post("/sign-out")
    assert userinfo(granted["bob"]["access_token"]).status_code == 401
    refreshed = {
        name: tokens(hub, grant_type="refresh_token", refresh_token=found["refresh_token"])
        for name, found in granted.items()
    }
    assert refreshed["bob"].json()["error"] == "invalid_grant"
    assert refreshed["eve"].status_code == 200


END = "/oauth/logout"


class TestSigningOutFromAClient:
    @pytest.fixture
    def hub(self, hub: dict[str, str]) -> dict[str, str]:
        back = ["https://hub.example/bye"]
        ensure_client(name="hub", redirect_uris=[CALLBACK], needs_consent=False, logout_uris=back)
        return hub

    def test_the_person_is_asked_and_nothing_happens_before(
        self, client: Client, bob: User, hub: dict[str, str]
    ) -> None:
        client.force_login(bob)
        granted = sign_in(client, hub).json()
        for hint in ({}, {"id_token_hint": granted["id_token"]}):
            page = client.get(END, {"client_id": hub["client_id"], **hint})
            assert "as well?" in page.content.decode()
            assert "_auth_user_id" in client.session
        assert userinfo(granted["access_token"]).status_code == 200

    def test_a_yes_ends_the_login_here_and_at_the_hubs(
        self, client: Client, bob: User, hub: dict[str, str]
    ) -> None:
        client.force_login(bob)
        granted = sign_in(client, hub).json()
        answer = client.post(END, {"client_id": hub["client_id"], "allow": "yes"})
        assert (answer.status_code, answer["Location"]) == (302, "/signed-out")
        assert "_auth_user_id" not in client.session
        assert userinfo(granted["access_token"]).status_code == 401

    def test_without_a_yes_the_login_stays(self, client: Client, bob: User) -> None:
        client.force_login(bob)
        assert client.post(END, {}).status_code == 400
        assert "_auth_user_id" in client.session

    def test_the_way_back_is_one_that_the_client_registered(
        self, client: Client, bob: User, hub: dict[str, str]
    ) -> None:
        back = {
            "client_id": hub["client_id"],
            "post_logout_redirect_uri": "https://hub.example/bye",
        }
        client.force_login(bob)
        page = client.get(END, back)
        assert "form-action 'self' https://hub.example" in page["Content-Security-Policy"]
        answer = client.post(END, {**back, "allow": "yes", "state": "s"})
        assert answer["Location"] == "https://hub.example/bye?state=s"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"post_logout_redirect_uri": "https://evil.example/"},
            {"post_logout_redirect_uri": "javascript:alert(1)"},
            {"client_id": "nobody"},
            {"client_id": "", "post_logout_redirect_uri": "https://hub.example/bye"},
            {"id_token_hint": "a.b.c"},
            {"state": "a\0b"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("signed_in", [True, False])
    def test_a_request_that_cannot_be_trusted_goes_nowhere(
        self, client: Client, bob: User, hub: dict[str, str], wrong: dict[str, str], signed_in: bool
    ) -> None:
        if signed_in:
            client.force_login(bob)
        asked = {"client_id": hub["client_id"], **wrong}
        assert client.get(END, asked).status_code == 400
        assert client.post(END, {**asked, "allow": "yes"}).status_code == 400
        assert ("_auth_user_id" in client.session) == signed_in

    def test_who_is_signed_out_already_is_told_so(
        self, client: Client, hub: dict[str, str]
    ) -> None:
        answer = client.get(END, {"client_id": hub["client_id"]}, follow=True)
        assert "You are signed out of" in answer.content.decode()

    def test_an_id_token_in_an_address_ends_nobodys_login(
        self, client: Client, bob: User, hub: dict[str, str]
    ) -> None:
        client.force_login(bob)
        granted = sign_in(client, hub).json()
        Client().get(END, {"id_token_hint": granted["id_token"]})
        assert userinfo(granted["access_token"]).status_code == 200

    def test_another_site_cannot_say_yes(self, bob: User, hub: dict[str, str]) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(bob)
        assert strict.post(END, {"allow": "yes"}).status_code == 403

    def test_it_is_announced(self, client: Client) -> None:
        document = client.get("/oauth/.well-known/openid-configuration").json()
        assert document["end_session_endpoint"] == f"{ISSUER}/logout"


def test_an_address_for_the_way_back_is_checked() -> None:
    with pytest.raises(CommandError, match="is not an address"):
        call_command(
            "create_oidc_client", "hub", "--redirect-uri", CALLBACK, "--logout-uri", "nowhere"
        )
