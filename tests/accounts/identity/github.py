"""GitHub as its documentation describes it: the way through OAuth, and the API of one person."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.accounts.identity.site import Asked, Page, Reply, Site

TOKEN = "gho_of-the-test"


class GitHub:
    """What a test changes is what GitHub says."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.codes: dict[str, dict[str, str]] = {}
        self.user: dict[str, Any] = {"id": 583231, "login": "octocat", "name": "Mona Octo",
                                     "email": "public@unverified.example"}  # fmt: skip
        self.emails: Any = [
            {"email": "old@example.org", "primary": False, "verified": True},
            {"email": "mona@example.org", "primary": True, "verified": True},
        ]
        self.organisations: list[dict[str, Any]] = [{"login": "lsst-uk", "id": 1}]
        self.teams: list[dict[str, Any]] = [
            {"slug": "admins", "name": "Admins", "organization": {"login": "lsst-uk", "id": 1}}
        ]
        site.pages |= {
            "/login/oauth/access_token": self.token,
            "/api/v3/user": self.signed(lambda asked: Reply(self.user)),
            "/api/v3/user/emails": self.signed(lambda asked: Reply(self.emails)),
            "/api/v3/user/orgs": self.signed(lambda asked: self.page(asked, self.organisations)),
            "/api/v3/user/teams": self.signed(lambda asked: self.page(asked, self.teams)),
        }

    def entry(self) -> dict[str, Any]:
        return {
            "kind": "github",
            "name": "github",
            "title": "GitHub",
            "issuer": self.site.address,
            "api_url": f"{self.site.address}/api/v3",
            "client_id": "Iv1.portal",
            "client_secret": "a-secret",
            "scopes": "read:user user:email read:org",
            "subject_claim": "id",
        }

    def answer(self, address: str) -> str:
        """The query with which somebody who agreed comes back to the portal."""
        parts = urlsplit(address)
        assert parts.path == "/login/oauth/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return urlencode({"code": code, "state": asked["state"]})

    def token(self, asked: Asked) -> Reply:
        """GitHub tells errors with status 200, and answers as a form unless asked for JSON."""
        assert asked.method == "POST"
        assert asked.headers["accept"] == "application/json"
        way = self.codes.pop(asked.form.get("code", ""), None)
        digest = hashlib.sha256(asked.form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        known = asked.form["client_id"], asked.form["client_secret"]
        if known != ("Iv1.portal", "a-secret"):
            return Reply({"error": "incorrect_client_credentials"})
        if way is None or way["code_challenge"] != challenge:
            return Reply({"error": "bad_verification_code", "error_description": "Expired."})
        return Reply({"access_token": TOKEN, "scope": way["scope"], "token_type": "bearer"})

    def signed(self, page: Page) -> Page:
        def checked(asked: Asked) -> Reply:
            if asked.headers.get("authorization") != f"Bearer {TOKEN}":
                return Reply({"message": "Bad credentials"}, 401)
            return page(asked)

        return checked

    def page(self, asked: Asked, entries: list[dict[str, Any]]) -> Reply:
        size, number = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        first = (number - 1) * size
        headers = {}
        if first + size < len(entries):
            query = urlencode({"per_page": size, "page": number + 1})
            next_page = f"{self.site.address}{asked.path}?{query}"
            headers["Link"] = f'<{next_page}>; rel="next", <{next_page}>; rel="last"'
        return Reply(entries[first : first + size], headers=headers)
