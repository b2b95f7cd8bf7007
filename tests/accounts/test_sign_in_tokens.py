"""ID tokens: each check refuses what it is there to refuse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.cache import cache

from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.identity.tokens import verified_claims

ISSUER = "https://login.example/realms/one"
PROVIDER = Provider("oidc", "the test", ISSUER, "portal", "a-secret-of-more-than-32-characters")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
NONCE = "n-0S6_WzA2Mj"


def public(key: Any, key_id: str, algorithm: str) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if algorithm[0] == "R" else jwt.algorithms.ECAlgorithm
    document: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return document | {"kid": key_id, "alg": algorithm, "use": "sig"}


KEYS = {"keys": [public(RSA_KEY, "one", "RS256"), public(EC_KEY, "two", "ES256")]}


@pytest.fixture(autouse=True)
def documents() -> Iterator[responses.RequestsMock]:
    """The provider's published documents; each may be asked for more than once."""
    cache.clear()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        web.get(
            f"{ISSUER}/.well-known/openid-configuration",
            json={
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/auth",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
            },
        )
        web.get(f"{ISSUER}/keys", json=KEYS)
        yield web


def id_token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str = "one", **other: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "portal",
        "sub": "bob",
        "nonce": NONCE,
        "iat": now,
        "exp": now + 300,
    } | other
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid})


@pytest.mark.parametrize(
    "token",
    [
        lambda: id_token(),
        lambda: id_token(EC_KEY, "ES256", "two"),
        lambda: id_token(aud=["portal", "other"], azp="portal"),
        lambda: id_token(exp=int(time.time()) - 30),
        lambda: id_token(iat=int(time.time()) + 30),
    ],
    ids=["RS256", "ES256", "several audiences", "just expired", "a clock ahead"],
)
def test_a_good_token_is_believed(token: Callable[[], str]) -> None:
    assert verified_claims(token(), PROVIDER, NONCE)["sub"] == "bob"


@pytest.mark.parametrize(
    "token",
    [
        lambda: id_token(iss="https://evil.example"),
        lambda: id_token(aud="other"),
        lambda: id_token(aud=["portal", "other"]),
        lambda: id_token(aud=["portal", "other"], azp="other"),
        lambda: id_token(azp="other"),
        lambda: id_token(nonce="of another sign-in"),
        lambda: id_token(nonce=None),
        lambda: id_token(exp=int(time.time()) - 120),
        lambda: id_token(iat=int(time.time()) + 120),
        lambda: id_token(exp=None),
        lambda: id_token(sub=None),
        lambda: id_token(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        lambda: id_token(RSA_KEY, "RS512"),
        lambda: id_token(PROVIDER.client_secret, "HS256"),
        lambda: id_token(None, "none"),
        lambda: id_token(kid="three"),
        lambda: "not a token",
        lambda: "",
    ],
    ids=[
        "issuer", "audience", "audiences without azp", "azp of several", "azp", "nonce",
        "no nonce", "expired", "from the future", "no end", "no subject", "forged",
        "RS512", "the client's secret as key", "unsigned", "unknown key", "rubbish", "empty",
    ],
)  # fmt: skip
def test_a_bad_token_is_refused(token: Callable[[], str]) -> None:
    with pytest.raises(SignInFailedError):
        verified_claims(token(), PROVIDER, NONCE)


def test_without_a_nonce_of_ours_no_token_is_believed() -> None:
    with pytest.raises(SignInFailedError):
        verified_claims(id_token(nonce=None), PROVIDER, None)


def test_the_keys_are_fetched_once_and_again_for_a_new_one(
    documents: responses.RequestsMock,
) -> None:
    address = f"{ISSUER}/keys"
    verified_claims(id_token(), PROVIDER, NONCE)
    verified_claims(id_token(), PROVIDER, NONCE)
    assert documents.assert_call_count(address, 1)
    new = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    documents.replace(responses.GET, address, json={"keys": [public(new, "new", "RS256")]})
    verified_claims(id_token(new, kid="new"), PROVIDER, NONCE)
    assert documents.assert_call_count(address, 2)


def test_tokens_with_invented_keys_do_not_make_us_ask_again_and_again(
    documents: responses.RequestsMock,
) -> None:
    for number in range(5):
        with pytest.raises(SignInFailedError):
            verified_claims(id_token(kid=f"invented-{number}"), PROVIDER, NONCE)
    assert documents.assert_call_count(f"{ISSUER}/keys", 2)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "authorization_endpoint": 5, "token_endpoint": "x", "jwks_uri": ""},
        ["not", "an", "object"],
        "text",
    ],
)
def test_a_discovery_document_that_cannot_be_right_is_refused(
    documents: responses.RequestsMock, document: object
) -> None:
    documents.replace(responses.GET, f"{ISSUER}/.well-known/openid-configuration", json=document)
    with pytest.raises(SignInFailedError):
        verified_claims(id_token(), PROVIDER, NONCE)


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [{"kty": "?"}]}, {"keys": "none"}])
def test_a_key_set_that_cannot_be_read_is_refused(
    documents: responses.RequestsMock, keys: object
) -> None:
    documents.replace(responses.GET, f"{ISSUER}/keys", json=keys)
    with pytest.raises(SignInFailedError):
        verified_claims(id_token(), PROVIDER, NONCE)
