"""Signing in with GitHub, whose API is served over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import Settings

from accounts.models import Identity, SignIn, User
from tests.accounts.identity.github import GitHub
from tests.accounts.identity.site import Reply, Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def github(site: Site, settings: Settings) -> GitHub:
    found = GitHub(site)
    settings.IDENTITY_PROVIDERS = [found.entry()]
    return found


Walk = Callable[[], HttpResponseBase]


@pytest.fixture
def walk(client: Client, github: GitHub) -> Walk:
    def there_and_back() -> HttpResponseBase:
        there = client.get("/sign-in/github?next=/account/")["Location"]
        answer: HttpResponseBase = client.get(f"/sign-in/github/callback?{github.answer(there)}")
        return answer

    return there_and_back


def test_the_numeric_id_is_the_subject_and_github_the_issuer(github: GitHub, walk: Walk) -> None:
    assert walk()["Location"] == "/account/"
    identity = Identity.objects.get()
    assert (identity.provider, identity.issuer) == ("github", github.site.address)
    assert (identity.subject, identity.email) == ("583231", "mona@example.org")
    assert identity.claims["login"] == "octocat"
    assert identity.claims["organisations"] == ["lsst-uk"]
    assert identity.claims["teams"] == ["lsst-uk/admins"]
    assert (identity.user.username, identity.user.first_name) == ("octocat", "Mona")
    assert SignIn.objects.get().outcome == "ok"


def test_who_changes_the_login_stays_the_same_person(github: GitHub, walk: Walk) -> None:
    walk()
    github.user["login"] = "squid"
    walk()
    assert User.objects.get().username == "octocat"
    assert Identity.objects.get().claims["login"] == "squid"


def test_who_gets_the_login_of_another_is_another_person(github: GitHub, walk: Walk) -> None:
    walk()
    github.user["id"] = 42
    walk()
    assert set(User.objects.values_list("username", flat=True)) == {"octocat", "octocat-2"}


def test_the_way_there_carries_state_and_a_pkce_challenge(client: Client, github: GitHub) -> None:
    address = client.get("/sign-in/github")["Location"]
    query = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{github.site.address}/login/oauth/authorize?")
    assert (len(query["state"][0]), len(query["code_challenge"][0])) == (32, 43)
    assert query["scope"] == ["read:user user:email read:org"]
    assert query["redirect_uri"] == ["http://testserver/sign-in/github/callback"]


@pytest.mark.parametrize(
    ("emails", "kept"),
    [
        ([], ""),
        ([{"email": "x@y.example", "primary": True, "verified": False}], ""),
        ([{"email": "x@y.example", "primary": False, "verified": True}], "x@y.example"),
        ([{"email": "x@y.example", "primary": True, "verified": "yes"}], ""),
        ({"message": "Not Found"}, ""),
    ],
)
def test_only_verified_addresses_count(github: GitHub, walk: Walk, emails: Any, kept: str) -> None:
    github.emails = emails
    walk()
    assert Identity.objects.get().email == kept


def test_without_leave_to_read_addresses_there_is_none(github: GitHub, walk: Walk) -> None:
    del github.site.pages["/api/v3/user/emails"]
    assert walk().status_code == 302
    assert Identity.objects.get().email == ""


def test_without_the_scope_nobody_asks_for_organisations(
    github: GitHub, walk: Walk, settings: Settings
) -> None:
    settings.IDENTITY_PROVIDERS = [github.entry() | {"scopes": "read:user"}]
    del github.site.pages["/api/v3/user/orgs"]
    assert walk().status_code == 302
    assert Identity.objects.get().claims["organisations"] == []


def test_all_pages_are_read(github: GitHub, walk: Walk) -> None:
    github.organisations = [{"login": f"org-{number}"} for number in range(250)]
    walk()
    assert len(Identity.objects.get().claims["organisations"]) == 250


def page(path: str, *arguments: Any, **more: Any) -> Callable[[GitHub], None]:
    """GitHub with another page at the path."""

    def change(github: GitHub) -> None:
        github.site.pages[path] = lambda asked: Reply(*arguments, **more)

    return change


def endless(github: GitHub) -> None:
    github.organisations = [{"login": f"org-{number}"} for number in range(2001)]


def to_evil(github: GitHub) -> None:
    link = '<https://evil.example/user/orgs?page=2>; rel="next"'
    page("/api/v3/user/orgs", [{"login": "x"}], headers={"Link": link})(github)


def to_neighbour(github: GitHub) -> None:
    link = f'<{github.site.address}/api/v33/steal>; rel="next"'
    page("/api/v3/user/orgs", [{"login": "x"}], headers={"Link": link})(github)


def user(**values: Any) -> Callable[[GitHub], None]:
    return lambda github: github.user.update(values)


API = "/api/v3/user"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (page("/login/oauth/access_token", {"error": "bad_verification_code"}), "no_token"),
        (page("/login/oauth/access_token", "access_token=x"), "no_token"),
        (page("/login/oauth/access_token", body=b"access_token=x"), "provider_unavailable"),
        (page("/login/oauth/access_token", {}, 500), "provider_unavailable"),
        (page(API, {"message": "Server Error"}, 502), "provider_unavailable"),
        (page(API, body=b"<html>Unicorn!</html>"), "provider_unavailable"),
        (page(API, []), "no_subject"),
        (user(id=None), "no_subject"),
        (user(id="583231"), "no_subject"),
        (user(id=True), "no_subject"),
        (user(id=-1), "no_subject"),
        (page(f"{API}/orgs", {"message": "Forbidden"}, 403), "provider_unavailable"),
        (page(f"{API}/orgs", [{"id": 1}]), "provider_unusable"),
        (page(f"{API}/orgs", ["lsst-uk"]), "provider_unusable"),
        (page(f"{API}/teams", [{"slug": "x", "organization": "y"}]), "provider_unusable"),
        (page(f"{API}/teams", [{"slug": "x"}]), "provider_unusable"),
        (endless, "too_many_values"),
        (to_evil, "provider_unusable"),
        (to_neighbour, "provider_unusable"),
    ],
)
def test_whatever_is_wrong_is_a_clear_page(
    github: GitHub, walk: Walk, client: Client, change: Callable[[GitHub], None], code: str
) -> None:
    change(github)
    answer = walk()
    assert answer.status_code == 400
    assert SignIn.objects.get().outcome == code
    assert "_auth_user_id" not in client.session


def test_a_code_serves_once_and_only_with_its_verifier(client: Client, github: GitHub) -> None:
    thief = Client()
    stolen = github.answer(client.get("/sign-in/github")["Location"]).split("&")[0]
    state = parse_qs(urlsplit(thief.get("/sign-in/github")["Location"]).query)["state"][0]
    assert thief.get(f"/sign-in/github/callback?{stolen}&state={state}").status_code == 400
    assert thief.get(f"/sign-in/github/callback?{stolen}&state={state}").status_code == 400
    assert list(SignIn.objects.order_by("pk").values_list("outcome", flat=True)) == [
        "no_token",
        "unknown_state",
    ]


def test_who_does_not_agree_is_told_so(client: Client, github: GitHub) -> None:
    address = client.get("/sign-in/github")["Location"]
    state = parse_qs(urlsplit(address).query)["state"][0]
    answer = client.get(f"/sign-in/github/callback?error=access_denied&state={state}")
    assert answer.status_code == 400
    assert "did not sign you in" in answer.content.decode()
