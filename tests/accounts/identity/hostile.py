"""An OpenID provider that tells the truth until a test makes it lie."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.identity.providers import Provider
from tests.accounts.identity.site import Asked, Reply, Site

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: rsa.RSAPrivateKey, key_id: str) -> dict[str, Any]:
    document: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return document | {"kid": key_id, "alg": "RS256", "use": "sig"}


class HostileProvider:
    """What a test changes is a lie: documents, the ID token's claims, how it is signed."""

    def __init__(self, site: Site, name: str = "hostile") -> None:
        self.site = site
        self.name = name
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {"sub": "bob"}
        self.keys: list[dict[str, Any]] = [public(KEY, "one"), public(OTHER_KEY, "two")]
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.document: dict[str, Any] = {
            "issuer": site.address,
            "authorization_endpoint": f"{site.address}/authorize",
            "token_endpoint": f"{site.address}/token",
            "userinfo_endpoint": f"{site.address}/userinfo",
            "jwks_uri": f"{site.address}/keys",
        }
        site.pages |= {
            "/.well-known/openid-configuration": lambda asked: Reply(self.document),
            "/keys": lambda asked: Reply({"keys": self.keys}),
            "/token": self.token,
            "/userinfo": lambda asked: Reply(self.userinfo),
        }

    def entry(self) -> dict[str, Any]:
        """The provider in the portal's settings."""
        return {
            "name": self.name,
            "title": f"the {self.name} one",
            "issuer": self.site.address,
            "client_id": "portal",
            "client_secret": "a-secret",
        }

    def provider(self) -> Provider:
        return Provider(**self.entry())

    def answer(self, address: str, **changes: str) -> str:
        """The query with which somebody who agreed at the address comes back to the portal."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return urlencode({"code": code, "state": asked["state"], **changes})

    def token(self, asked: Asked) -> Reply:
        """A code serves once, and only who knows the verifier."""
        way = self.codes.pop(asked.form.get("code", ""), None)
        digest = hashlib.sha256(asked.form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if way is None or way["code_challenge"] != challenge:
            return Reply({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.site.address,
            "aud": "portal",
            "sub": "bob",
            "nonce": way["nonce"],
            "iat": now,
            "exp": now + 300,
            **self.claims,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        token = {"access_token": "access", "token_type": "Bearer", "id_token": self.sign(kept)}
        return Reply(token)

    def signed(
        self, claims: dict[str, Any], key: Any = KEY, algorithm: str = "RS256", **header: Any
    ) -> str:
        named = {
            name: value for name, value in {"kid": "one", **header}.items() if value is not None
        }
        # Below the checks of jwt.encode, which would refuse some of the lies.
        return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm, named)
