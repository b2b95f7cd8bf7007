"""The hub's login with the portal: asked again, ended by a no, trusted for a while without word."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.web import HTTPError

from lsp_hub import configure_login
from lsp_hub.trust import is_away, is_trusted
from tests.hub_plugin.real_hub import PLUGIN, environment

CALLBACK = "https://hub.example.org/hub/oauth_callback"
GOOD: dict[str, Any] = {
    "portal": "https://portal.example.org/",
    "client_id": "the hub&1",
    "client_secret": "s",
    "callback_url": CALLBACK,
}


def refused(status: int, body: bytes | None = None) -> HTTPClientError:
    request = HTTPRequest("http://portal/oauth/token")
    answer = None if body is None else HTTPResponse(request, status, buffer=BytesIO(body))
    return HTTPClientError(status, response=answer)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (refused(401), False),
        (refused(403, b"{}"), False),
        (refused(400, b'{"error": "invalid_grant"}'), False),
        (refused(400, b"<html>"), False),
        (refused(400, b"[]"), False),
        (refused(401, b'{"error": "invalid_client"}'), True),
        (refused(400, b'{"error": "unauthorized_client"}'), True),
        (refused(404), True),
        (refused(429), True),
        (refused(500), True),
        (refused(503, b'{"error": "invalid_grant"}'), True),
        (refused(599), True),
        (HTTPError(500, "Bad response"), True),
        (HTTPError(403, "An access token was not returned"), False),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (json.JSONDecodeError("no JSON", "", 0), True),
    ],
    ids=repr,
)
def test_only_a_decision_about_the_person_is_one(error: Exception, away: bool) -> None:
    assert is_away(error) == away


@pytest.mark.parametrize(
    ("state", "trusted"),
    [
        ({"lsp_confirmed_at": 1000.0}, True),
        ({"lsp_confirmed_at": 901}, True),
        ({"lsp_confirmed_at": 900.0}, False),
        ({"lsp_confirmed_at": "1000"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_trust_ends_some_time_after_the_last_confirmation(
    state: dict[str, Any] | None, trusted: bool
) -> None:
    assert is_trusted(state, now=1000.0, seconds=100) == trusted


def in_the_hub(script: str, **variables: str) -> Any:
    """What a program in the hub's environment writes as JSON."""
    done = subprocess.run(
        [str(environment() / "bin" / "python"), "-c", script],
        env={**os.environ, "PYTHONPATH": str(PLUGIN), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CONFIGURED = """
import json, os
from traitlets.config import Config
from lsp_hub import PortalAuthenticator, configure_login
c = Config()
configure_login(c, **json.loads(os.environ["ARGUMENTS"]))
made = PortalAuthenticator(config=c)
names = ["authorize_url", "token_url", "userdata_url", "logout_redirect_url", "enable_pkce",
         "scope", "username_claim", "manage_groups", "enable_auth_state", "auth_refresh_age",
         "auto_login", "allow_all", "trusted_seconds", "oauth_callback_url"]
found = {name: getattr(made, name) for name in names}
found |= {name: sorted(getattr(made, name))
          for name in ("admin_users", "admin_groups", "allowed_groups")}
found["is_set"] = c.JupyterHub.authenticator_class is PortalAuthenticator
print(json.dumps(found))
"""


def test_one_line_configures_the_login() -> None:
    arguments = GOOD | {"admins": ["dora"], "portal_inside": "http://portal:8000"}
    assert in_the_hub(CONFIGURED, ARGUMENTS=json.dumps(arguments)) == {
        "is_set": True,
        "authorize_url": "https://portal.example.org/oauth/authorize",
        "token_url": "http://portal:8000/oauth/token",
        "userdata_url": "http://portal:8000/oauth/userinfo",
        "logout_redirect_url": "https://portal.example.org/oauth/logout?client_id=the%20hub%261",
        "oauth_callback_url": CALLBACK,
        "enable_pkce": True,
        "scope": ["openid", "profile", "email", "groups"],
        "username_claim": "preferred_username",
        "manage_groups": True,
        "enable_auth_state": True,
        "auth_refresh_age": 300,
        "auto_login": True,
        "allow_all": True,
        "trusted_seconds": 8 * 3600,
        "admin_users": ["dora"],
        "admin_groups": [],
        "allowed_groups": [],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"portal": "portal.example.org"},
        {"callback_url": "/hub/oauth_callback"},
        {"portal_inside": "ftp://portal"},
        {"refresh_age": 0},
        {"trusted_seconds": -1},
    ],
    ids=str,
)
def test_a_login_that_cannot_work_stops_the_hub(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"ha[sv]e? to be|more than 0"):
        configure_login(None, **(GOOD | wrong))


def test_a_hub_without_oauthenticator_can_use_the_rest() -> None:
    with pytest.raises(ImportError):
        configure_login(None, **GOOD)  # as in this environment


@dataclass(frozen=True)
class Case:
    """A login as the hub keeps it, and whether it lasts; tokens say what the portal answers."""

    access: str
    refresh: str
    age: float = 0.0
    user: str = "bob"
    allowed_groups: tuple[str, ...] | None = None
    by: str = ""
    lasts: bool = False


CASES = {
    "confirmed": Case("ok", "-", lasts=True),
    "a new access token": Case("401", "ok", lasts=True),
    "switched off": Case("401", "400 invalid_grant"),
    "refused at both": Case("403", "401 invalid_token"),
    "portal broken": Case("503", "-", age=50, lasts=True),
    "portal broken for too long": Case("503", "-", age=150),
    "portal drops the connection": Case("drop", "-", lasts=True),
    "portal breaks between the two": Case("401", "503", lasts=True),
    "hub not known any more": Case("401", "401 invalid_client", lasts=True),
    "hub not known for too long": Case("401", "401 invalid_client", age=150),
    "an answer that is none": Case("html", "-", lasts=True),
    "in the group": Case("ok", "-", allowed_groups=("transients",), lasts=True),
    "left the group": Case("ok", "-", allowed_groups=("galaxies",)),
    "another person": Case("ok", "-", user="alice"),
    "never signed in here": Case("", ""),
    "never signed in, asks herself": Case("", "", by="self"),
    "never signed in, started by the portal": Case("", "", by="service", lasts=True),
    "signed out, started by the portal": Case("401", "401 invalid_token", by="service", lasts=True),
    "left the group, started by the portal": Case(
        "ok", "-", allowed_groups=("galaxies",), by="service"
    ),
}

REFRESHED = """
import asyncio, json, os, time
from traitlets.config import Config
from lsp_hub import configure_login, PortalAuthenticator

class User:
    def __init__(self, name, state):
        self.name, self.state = name, state
    async def get_auth_state(self):
        return self.state

class Handler:
    def __init__(self, caller):
        self._jupyterhub_user = caller

async def lasts(case):
    c = Config()
    configure_login(c, portal=os.environ["PORTAL"], client_id="hub", client_secret="secret",
                    callback_url=os.environ["PORTAL"], trusted_seconds=100,
                    allowed_groups=case["allowed_groups"])
    state = {"access_token": case["access"], "refresh_token": case["refresh"],
             "token_response": {"access_token": case["access"], "token_type": "Bearer"},
             "lsp_confirmed_at": time.time() - case["age"]}
    user = User(case["user"], state if case["access"] else None)
    callers = {"": None, "self": Handler(user), "service": Handler(object())}
    answer = await PortalAuthenticator(config=c).refresh_user(user, callers[case["by"]])
    if isinstance(answer, dict):
        kept = answer["auth_state"]
        assert abs(kept["lsp_confirmed_at"] - time.time()) < 60
        assert answer["groups"] == ["transients"]
        assert kept["refresh_token"] or case["access"] == "ok"
    return bool(answer)

async def main():
    cases = json.loads(os.environ["CASES"])
    print(json.dumps({name: await lasts(case) for name, case in cases.items()}))

asyncio.run(main())
"""


class Portal(BaseHTTPRequestHandler):
    """The portal's token and userinfo endpoints: a token is what it is answered with."""

    def do_GET(self) -> None:
        wish = self.headers["Authorization"].removeprefix("Bearer ")
        claims = {"sub": "1", "preferred_username": "bob", "groups": ["transients"]}
        self._answer(wish, claims)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wish = parse_qs(body)["refresh_token"][0]
        self._answer(wish, {"access_token": "ok", "token_type": "Bearer", "refresh_token": "new"})

    def _answer(self, wish: str, good: dict[str, Any]) -> None:
        if wish == "drop":
            self.close_connection = True
            return
        status, _, error = wish.partition(" ")
        body = b"<html>" if wish == "html" else json.dumps({"error": error}).encode()
        if wish == "ok":
            body = json.dumps(good).encode()
        self.send_response(int(status) if status.isdigit() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, bool]]:
    """Whether each login lasted, asked in the hub's environment over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    cases = {name: vars(case) | {"lasts": None} for name, case in CASES.items()}
    try:
        yield in_the_hub(
            REFRESHED,
            PORTAL=f"http://127.0.0.1:{server.server_address[1]}",
            CASES=json.dumps(cases),
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", CASES)
def test_a_login_lasts_while_the_portal_does_not_say_no(
    outcomes: dict[str, bool], name: str
) -> None:
    assert outcomes[name] == CASES[name].lasts
