"""The attacks of test_attacks.py, by name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.http import HttpResponseBase
from django.test import Client

from accounts.identity.flows import STATES
from accounts.identity.web import SIZE
from accounts.models import User
from accounts.registration import link_identity
from lsp_portal.lib import clock
from tests import factories
from tests.accounts.identity.conftest import Visitor
from tests.accounts.identity.hostile import KEY, OTHER_KEY, HostileProvider, public
from tests.accounts.identity.site import Asked, Reply, serving

Act = Callable[[Visitor], HttpResponseBase]


@dataclass(frozen=True)
class Attack:
    """`act` attacks; the portal answers with the status and records the code."""

    name: str
    code: str
    act: Act
    status: int = 400


def now() -> int:
    return int(time.time())


def saying_only(**claims: Any) -> Act:
    """The same of a provider without userinfo."""

    def act(visitor: Visitor) -> HttpResponseBase:
        del visitor.hostile.document["userinfo_endpoint"]
        return claiming(**claims)(visitor)

    return act


def claiming(**claims: Any) -> Act:
    """A well signed ID token that says this."""

    def act(visitor: Visitor) -> HttpResponseBase:
        visitor.hostile.claims = claims
        return visitor.walk()

    return act


def signing(**how: Any) -> Act:
    """An ID token that is signed another way."""

    def act(visitor: Visitor) -> HttpResponseBase:
        provider = visitor.hostile
        provider.sign = lambda claims: provider.signed(claims, **how)
        return visitor.walk()

    return act


def telling(**claims: Any) -> Act:
    """Userinfo that says this."""

    def act(visitor: Visitor) -> HttpResponseBase:
        visitor.hostile.userinfo = {"sub": "bob"} | claims
        return visitor.walk()

    return act


def serving_at(path: str, page: Callable[[Asked], Reply]) -> Act:
    """A provider whose page at that path is another one."""

    def act(visitor: Visitor) -> HttpResponseBase:
        visitor.hostile.site.pages[path] = page
        return visitor.walk()

    return act


def announcing(**document: Any) -> Act:
    """A discovery document that says this."""

    def act(visitor: Visitor) -> HttpResponseBase:
        visitor.hostile.document |= document
        return visitor.walk()

    return act


def coming_back(**changes: str) -> Act:
    """A way back with other parameters."""
    return lambda visitor: visitor.walk(**changes)


def html(asked: Asked) -> Reply:
    return Reply(body=b"<h1>Welcome</h1>", headers={"Content-Type": "text/html"})


def slow(asked: Asked) -> Reply:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            time.sleep(0.1)
            yield b" "

    return Reply(pieces=pieces())


def silent(asked: Asked) -> Reply:
    time.sleep(0.8)
    return Reply({})


def huge(asked: Asked) -> Reply:
    return Reply(body=b'{"sub": "bob", "x": "' + b"x" * SIZE + b'"}')


def deep(asked: Asked) -> Reply:
    return Reply(body=b"[" * 100_000)


def elsewhere(asked: Asked) -> Reply:
    return Reply(status=307, headers={"Location": "https://evil.example/"}, body=b"{}")


def broken(asked: Asked) -> Reply:
    return Reply({"error": "server_error"}, 500)


def with_public_key_as_secret(visitor: Visitor) -> HttpResponseBase:
    """By hand: the library refuses to make such a token."""
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def sign(claims: dict[str, Any]) -> str:
        header = {"alg": "HS256", "kid": "one"}
        parts = [base64.urlsafe_b64encode(json.dumps(p).encode()) for p in (header, claims)]
        text = b".".join(part.rstrip(b"=") for part in parts)
        seal = base64.urlsafe_b64encode(hmac.new(pem, text, hashlib.sha256).digest())
        return (text + b"." + seal.rstrip(b"=")).decode()

    visitor.hostile.sign = sign
    return visitor.walk()


def unsigned(visitor: Visitor) -> HttpResponseBase:
    provider = visitor.hostile
    provider.sign = lambda claims: provider.signed(claims, None, "none")
    return visitor.walk()


def without_kid(visitor: Visitor) -> HttpResponseBase:
    """With two published keys nobody knows which one is meant."""
    provider = visitor.hostile
    provider.sign = lambda claims: provider.signed(claims, kid=None)
    return visitor.walk()


def replayed_code(visitor: Visitor) -> HttpResponseBase:
    query = visitor.hostile.answer(visitor.set_out())
    visitor.come_back(query)
    visitor.client.post("/sign-out")
    state = parse_qs(urlsplit(visitor.set_out()).query)["state"][0]
    code = parse_qs(query)["code"][0]
    return visitor.come_back(f"code={code}&state={state}")


def code_of_another_browser(visitor: Visitor) -> HttpResponseBase:
    """A stolen code in the thief's own flow: the verifier of PKCE is missing."""
    other = Visitor(Client(), visitor.hostile)
    stolen = parse_qs(visitor.hostile.answer(other.set_out()))["code"][0]
    state = parse_qs(urlsplit(visitor.set_out()).query)["state"][0]
    return visitor.come_back(f"code={stolen}&state={state}")


def replayed_state(visitor: Visitor) -> HttpResponseBase:
    query = visitor.hostile.answer(visitor.set_out())
    visitor.come_back(query)
    visitor.client.post("/sign-out")
    return visitor.come_back(query)


def state_of_another_browser(visitor: Visitor) -> HttpResponseBase:
    other = Visitor(Client(), visitor.hostile)
    return visitor.come_back(visitor.hostile.answer(other.set_out()))


def old_state(visitor: Visitor) -> HttpResponseBase:
    query = visitor.hostile.answer(visitor.set_out())
    session = visitor.client.session
    for note in session[STATES].values():
        note["added_on"] -= 4000
    session.save()
    return visitor.come_back(query)


def answer_at_another_callback(visitor: Visitor) -> HttpResponseBase:
    """The mix-up: one provider's answer is brought to the other one's address."""
    with serving() as site:
        other = HostileProvider(site, "other")
        settings.IDENTITY_PROVIDERS = [visitor.hostile.entry(), other.entry()]
        query = visitor.hostile.answer(visitor.set_out())
        return visitor.come_back(query, "other")


def key_of_the_other_provider(visitor: Visitor) -> HttpResponseBase:
    """A provider may vouch for its own people only, whatever issuer it writes."""
    visitor.hostile.keys = [public(KEY, "one")]
    provider = visitor.hostile
    provider.sign = lambda claims: provider.signed(
        claims | {"iss": "https://aai.egi.eu/auth/realms/egi"}, OTHER_KEY
    )
    return visitor.walk()


def switched_off(visitor: Visitor) -> HttpResponseBase:
    known(visitor, factories.user("bob", is_active=False))
    return visitor.walk()


def expired(visitor: Visitor) -> HttpResponseBase:
    owner = factories.user("owner")
    known(visitor, factories.user("guest", kind="guest", owner=owner, expires_at=clock.now()))
    return visitor.walk()


def merged(visitor: Visitor) -> HttpResponseBase:
    kept = factories.user("kept")
    known(visitor, factories.user("bob", is_active=False, merged_into=kept))
    return visitor.walk()


def known(visitor: Visitor, user: User) -> User:
    address = visitor.hostile.site.address
    link_identity(user, issuer=address, subject="bob", at=clock.now())
    return user


MANY = [f"/group-{number}" for number in range(10_000)]
KEYS = "/keys"
TOKEN, USERINFO = "/token", "/userinfo"
DISCOVERY = "/.well-known/openid-configuration"

ATTACKS = [
    # the ID token
    Attack("signed with another key", "bad_token", signing(key=OTHER_KEY)),
    Attack("signed with a key that no one published", "bad_token", key_of_the_other_provider),
    Attack("another issuer", "bad_token", claiming(iss="https://evil.example")),
    Attack("issuer is a list", "bad_token", claiming(iss=["https://evil.example"])),
    Attack("not signed", "bad_token", unsigned),
    Attack("HS256 with the public key as secret", "bad_token", with_public_key_as_secret),
    Attack("HS256 with the client's secret", "bad_token", signing(key="a-secret" * 5,
                                                                  algorithm="HS256")),
    Attack("RS512", "bad_token", signing(algorithm="RS512")),
    Attack("expired", "bad_token", claiming(exp=now() - 600)),
    Attack("without an end", "bad_token", claiming(exp=None)),
    Attack("issued in the future", "bad_token", claiming(iat=now() + 600)),
    Attack("not valid yet", "bad_token", claiming(nbf=now() + 600)),
    Attack("times that are words", "bad_token", claiming(iat="now", exp="never")),
    Attack("no kid where several keys are published", "provider_unusable", without_kid),
    Attack("unknown kid", "provider_unusable", signing(kid="three")),
    Attack("kid that is a number", "bad_token", lambda v: kid_as_number(v)),
    Attack("another audience", "bad_token", claiming(aud="other")),
    Attack("several audiences and no azp", "bad_token", claiming(aud=["portal", "other"])),
    Attack("azp of another client", "bad_token", claiming(azp="other")),
    Attack("azp of another of several audiences", "bad_token",
           claiming(aud=["portal", "other"], azp="other")),
    Attack("no nonce", "bad_token", claiming(nonce=None)),
    Attack("nonce of another sign-in", "bad_token", claiming(nonce="another")),
    Attack("nonce that is half a character", "bad_token", claiming(nonce="\ud800")),
    Attack("no subject", "bad_token", claiming(sub=None)),
    Attack("subject that is a number", "bad_token", claiming(sub=5)),
    Attack("rubbish instead of an ID token", "bad_token",
           serving_at(TOKEN, lambda asked: Reply({"access_token": "a", "id_token": "a.b.c"}))),
    # the way back
    Attack("replayed code", "no_token", replayed_code),
    Attack("stolen code", "no_token", code_of_another_browser),
    Attack("replayed state", "unknown_state", replayed_state),
    Attack("state of another browser", "unknown_state", state_of_another_browser),
    Attack("state of yesterday", "too_late", old_state),
    Attack("invented state", "unknown_state", coming_back(state="invented")),
    Attack("answer at another provider's callback", "unknown_state", answer_at_another_callback),
    Attack("iss of another provider (mix-up)", "other_issuer",
           coming_back(iss="https://evil.example")),
    Attack("no iss where the provider promised one", "other_issuer",
           announcing(authorization_response_iss_parameter_supported=True)),
    Attack("error from the provider", "refused", coming_back(error="access_denied")),
    Attack("error that is HTML and control characters", "refused",
           coming_back(error="<script>\r\nx\0")),
    Attack("no code", "no_code", coming_back(code="")),
    Attack("code with NUL", "no_token", coming_back(code="\0")),
    # what the provider serves
    Attack("userinfo of another person", "other_subject", telling(sub="alice")),
    Attack("userinfo without a person", "other_subject", serving_at(USERINFO, lambda a: Reply({}))),
    Attack("userinfo is a list", "other_subject", serving_at(USERINFO, lambda a: Reply([]))),
    Attack("userinfo down", "no_userinfo", serving_at(USERINFO, broken)),
    Attack("userinfo silent", "provider_unavailable", serving_at(USERINFO, silent)),
    Attack("userinfo drips", "provider_unavailable", serving_at(USERINFO, slow)),
    Attack("userinfo is HTML", "provider_unavailable", serving_at(USERINFO, html)),
    Attack("userinfo huge", "provider_unavailable", serving_at(USERINFO, huge)),
    Attack("userinfo nested without end", "provider_unavailable", serving_at(USERINFO, deep)),
    Attack("userinfo redirects", "provider_unavailable",
           serving_at(USERINFO, lambda a: Reply(status=302, headers={"Location": "/"}, body=b""))),
    Attack("token endpoint down", "no_token", serving_at(TOKEN, broken)),
    Attack("token endpoint redirects", "no_token", serving_at(TOKEN, elsewhere)),
    Attack("token endpoint is HTML", "provider_unavailable", serving_at(TOKEN, html)),
    Attack("no ID token", "no_token",
           serving_at(TOKEN, lambda asked: Reply({"access_token": "a"}))),
    Attack("ID token is an object", "no_token",
           serving_at(TOKEN, lambda asked: Reply({"access_token": "a", "id_token": {}}))),
    Attack("keys down", "provider_unavailable", serving_at(KEYS, broken)),
    Attack("keys that are none", "provider_unusable",
           serving_at(KEYS, lambda asked: Reply({"keys": [{"kty": "?"}]}))),
    Attack("discovery down", "provider_unavailable", serving_at(DISCOVERY, broken)),
    Attack("discovery slow", "provider_unavailable", serving_at(DISCOVERY, slow)),
    Attack("discovery names another issuer", "provider_unusable",
           announcing(issuer="https://evil.example")),
    Attack("discovery sends people to a script", "provider_unusable",
           announcing(authorization_endpoint="javascript:alert(1)")),
    Attack("discovery reads a file as keys", "provider_unusable",
           announcing(jwks_uri="file:///etc/passwd")),
    Attack("discovery without a host", "provider_unavailable",
           announcing(token_endpoint="http://")),
    # what cannot be kept
    Attack("10,000 groups", "too_many_values", telling(groups=MANY)),
    Attack("subject with NUL", "no_subject", saying_only(sub="bob\0")),
    Attack("subject of 300 characters", "no_subject", saying_only(sub="x" * 300)),
    Attack("subject with a line break", "no_subject", saying_only(sub="bob\nalice")),
    Attack("empty subject", "no_subject", saying_only(sub="")),
    # people who may not come in
    Attack("account switched off", "inactive", switched_off, 403),
    Attack("account ended", "expired", expired, 403),
    Attack("account merged", "inactive", merged, 403),
]  # fmt: skip


def kid_as_number(visitor: Visitor) -> HttpResponseBase:
    def sign(claims: dict[str, Any]) -> str:
        header = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":5}').rstrip(b"=").decode()
        return ".".join([header, *visitor.hostile.signed(claims).split(".")[1:]])

    visitor.hostile.sign = sign
    return visitor.walk()
