"""GitHub: OAuth 2.0 without ID tokens; who somebody is comes from GitHub's API over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.crypto import get_random_string
from mozilla_django_oidc.utils import (
    add_state_and_verifier_and_nonce_to_session,
    generate_code_challenge,
)
from requests.utils import parse_header_links

from accounts.identity.assertions import Assertion, assertion
from accounts.identity.failures import SignInFailedError
from accounts.identity.flows import Flow, callback_address, code_of
from accounts.identity.providers import Provider
from accounts.identity.web import Answer, ask, good

PAGES = 20  # of a hundred: bounded, since whoever answers could go on for ever
MEMBERSHIPS = "read:org"


def way_there(request: HttpRequest, provider: Provider, *, again: bool) -> str:
    """GitHub's address with state and PKCE challenge, which the session notes.

    GitHub has no way to ask for the password again; `again` lets the person choose the account.
    """
    state, verifier = get_random_string(32), get_random_string(64)
    parameters = {
        "client_id": provider.client_id,
        "redirect_uri": callback_address(request, provider),
        "scope": provider.scopes,
        "state": state,
        "code_challenge": generate_code_challenge(verifier, "S256"),
        "code_challenge_method": "S256",
        **({"prompt": "select_account"} if again else {}),
    }
    add_state_and_verifier_and_nonce_to_session(request, state, parameters, verifier)
    return f"{provider.issuer}/login/oauth/authorize?{urlencode(parameters)}"


def proved(request: HttpRequest, provider: Provider, flow: Flow) -> Assertion:
    """Whom GitHub vouches for with its answer. Raises SignInFailedError."""
    code = code_of(request)
    token = _token(provider, code, flow, callback_address(request, provider))
    user = _read(provider, "/user", token)
    number = user.get("id") if isinstance(user, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise SignInFailedError(
            "no_subject", "GitHub does not say who you are.", detail="no numeric id"
        )
    return assertion(provider.issuer, str(number), _claims(provider, token, user))


def _token(provider: Provider, code: str, flow: Flow, back: str) -> str:
    address = f"{provider.issuer}/login/oauth/access_token"
    form = {
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "code": code,
        "redirect_uri": back,
        "code_verifier": flow.code_verifier,
    }
    answer = good(ask("POST", address, data=form, headers={"Accept": "application/json"}), address)
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:  # GitHub tells errors with status 200
        raise SignInFailedError(
            "no_token",
            "GitHub did not confirm this sign-in. Please try again.",
            detail=str(answer)[:200],
        )
    return token


def _claims(provider: Provider, token: str, user: dict[str, Any]) -> dict[str, Any]:
    """What the portal keeps, in the words of OpenID where these have one."""
    may_see_groups = MEMBERSHIPS in provider.scopes.split()
    return {
        "id": user["id"],
        "login": user.get("login"),
        "preferred_username": user.get("login"),
        "name": user.get("name"),
        "email": _email(provider, token),
        "organisations": _organisations(provider, token) if may_see_groups else [],
        "teams": _teams(provider, token) if may_see_groups else [],
    }


def _email(provider: Provider, token: str) -> str | None:
    """The primary address that GitHub verified; without leave to read them there is none."""
    answer = _ask(provider, f"{provider.api_url}/user/emails", token)
    entries = answer.document if answer.status == 200 else []
    found = [e for e in _objects(entries) if e.get("verified") is True and e.get("email")]
    found.sort(key=lambda entry: entry.get("primary") is not True)
    return str(found[0]["email"]) if found else None


def _organisations(provider: Provider, token: str) -> list[str]:
    return [entry["login"] for entry in _pages(provider, "/user/orgs", token)]


def _teams(provider: Provider, token: str) -> list[str]:
    entries = _pages(provider, "/user/teams", token)
    return [f"{entry['organization']['login']}/{entry['slug']}" for entry in entries]


def _pages(provider: Provider, path: str, token: str) -> Iterator[dict[str, Any]]:
    """The entries of a list that may have several pages. Raises SignInFailedError."""
    address: str | None = f"{provider.api_url}{path}?per_page=100"
    for _ in range(PAGES):
        if address is None:
            return
        answer = _ask(provider, address, token)
        yield from _named(good(answer, address), path)
        address = _next(provider, answer)
    if address is not None:
        raise SignInFailedError(
            "too_many_values", "GitHub says that you are in too many groups.", detail=path
        )


def _named(document: object, path: str) -> list[dict[str, Any]]:
    """The entries that carry the names that are read from them; anything else is refused."""
    entries = _objects(document)
    names = ("login",) if path == "/user/orgs" else ("slug", "organization")
    whole = [e for e in entries if all(e.get(name) for name in names)]
    if not isinstance(document, list) or len(whole) != len(document):
        raise _strange(path)
    if path == "/user/teams" and not all(_has_login(e["organization"]) for e in whole):
        raise _strange(path)
    return whole


def _has_login(organisation: object) -> bool:
    return isinstance(organisation, dict) and isinstance(organisation.get("login"), str)


def _next(provider: Provider, answer: Answer) -> str | None:
    """The next page, if it is one of the same API: the token goes nowhere else."""
    for link in parse_header_links(answer.headers.get("Link", "")):
        if link.get("rel") == "next":
            address = str(link["url"])
            if not address.startswith(f"{provider.api_url}/"):
                raise _strange("Link")
            return address
    return None


def _read(provider: Provider, path: str, token: str) -> Any:
    address = f"{provider.api_url}{path}"
    return good(_ask(provider, address, token), address)


def _ask(provider: Provider, address: str, token: str) -> Answer:
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}".encode(errors="replace"),
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return ask("GET", address, headers=headers)


def _objects(document: object) -> list[dict[str, Any]]:
    entries = document if isinstance(document, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _strange(where: str) -> SignInFailedError:
    return SignInFailedError(
        "provider_unusable",
        "GitHub answers with something else than expected.",
        detail=where,
    )
