"""The whole way in with providers that others wrote, and claims as EGI Check-in makes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.identity.configuration import configured
from accounts.models import Identity, SignIn
from deploy.demo.people import PEOPLE, institutional_claims
from tests.accounts.conftest import PROVIDER_GROWS_OLD

pytestmark = [pytest.mark.django_db, *PROVIDER_GROWS_OLD]
ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".venv" / "oidc-provider"
CALLBACK = "/sign-in/egi/callback"
SECRET = "a secret: with + & % in it"


def use(settings: Settings, issuer: str) -> None:
    """The provider as an administrator would write it into the file."""
    entry = {
        "kind": "egi",
        "name": "egi",
        "issuer": issuer,
        "client_id": "portal",
        "client_secret": SECRET,
    }
    settings.IDENTITY_PROVIDERS = configured(json.dumps([entry]))
    cache.clear()


def identity_of(client: Client, back: str) -> Identity:
    """Who is signed in after the way back."""
    parts = urlsplit(back)
    answer = client.get(f"{parts.path}?{parts.query}")
    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    page = client.get("/account/identities/").content.decode()
    assert "EGI Check-in" in page
    assert SignIn.objects.latest("pk").outcome == "ok"
    return Identity.objects.get(user=client.session["_auth_user_id"])


def test_with_the_claims_of_egi_check_in(
    client: Client, provider_server: str, settings: Settings
) -> None:
    use(settings, provider_server)
    claims = {"email": "alice@demo.example", **institutional_claims("alice")}
    requests.put(f"{provider_server}/users/7f3a", json=claims, timeout=5).raise_for_status()
    there = client.get("/sign-in/egi?next=/account/")["Location"]
    reply = requests.post(there, data={"sub": "7f3a"}, allow_redirects=False, timeout=5)
    identity = identity_of(client, reply.headers["Location"])
    assert re.fullmatch(r"[0-9a-f]{64}@egi\.eu", identity.subject)
    assert identity.provider == "egi"
    assert identity.claims["eduperson_scoped_affiliation"] == [
        "faculty@ed.ac.example",
        "member@ed.ac.example",
    ]
    assert identity.claims["eduperson_entitlement"][0].endswith("role=pi#aai.demo.example")


def test_who_has_no_permanent_identifier_does_not_come_in(
    client: Client, provider_server: str, settings: Settings
) -> None:
    use(settings, provider_server)
    there = client.get("/sign-in/egi")["Location"]
    reply = requests.post(there, data={"sub": "nobody"}, allow_redirects=False, timeout=5)
    parts = urlsplit(reply.headers["Location"])
    assert client.get(f"{parts.path}?{parts.query}").status_code == 400
    assert SignIn.objects.get().outcome == "no_subject"


def test_some_people_of_the_demo_have_an_institution() -> None:
    told = {person["sub"]: institutional_claims(person["sub"]) for person in PEOPLE}
    assert set(told["alice"]) == {
        "voperson_id",
        "eduperson_scoped_affiliation",
        "eduperson_entitlement",
    }
    assert told["dora"] == {}


@pytest.fixture(scope="module")
def certified_provider() -> Iterator[str]:
    """npm's oidc-provider in a process of its own; `make env` puts it there."""
    search = f"{os.environ['PATH']}:{ROOT / '.venv-hub' / 'bin'}"
    node = shutil.which("node", path=search)
    assert node is not None, "There is no Node; run make env."
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [node, "server.js", str(port), f"http://testserver{CALLBACK}"]
    with subprocess.Popen(
        command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("ready at ").strip()
        finally:
            process.terminate()


def agree(address: str, name: str) -> str:
    """Answers the provider's pages as a person does: the address that leads to the portal."""
    with requests.Session() as browser:
        for _ in range(12):
            reply = browser.get(address, allow_redirects=False, timeout=5)
            if reply.status_code == 200:
                form = {"prompt": "login", "login": name, "password": "any"}
                if 'value="consent"' in reply.text:
                    form = {"prompt": "consent"}
                found = re.search(r'action="([^"]+)"', reply.text)
                assert found is not None
                reply = browser.post(
                    urljoin(address, found[1]), data=form, allow_redirects=False, timeout=5
                )
            address = urljoin(address, reply.headers["Location"])
            if urlsplit(address).hostname == "testserver":
                return address
    raise AssertionError(f"The provider does not let anybody go: {address}")


def test_with_a_certified_provider_nothing_is_different(
    client: Client, certified_provider: str, settings: Settings
) -> None:
    use(settings, certified_provider)
    there = client.get("/sign-in/egi?next=/account/")["Location"]
    identity = identity_of(client, agree(there, "alice"))
    assert identity.issuer == certified_provider
    assert identity.subject.startswith("alice-000")
    assert identity.email == "alice@demo.example"
    assert identity.claims["eduperson_scoped_affiliation"] == ["member@ed.ac.example"]
    assert identity.user.username == "alice"


def test_a_certified_provider_is_asked_again_before_identities_change(
    client: Client, certified_provider: str, settings: Settings
) -> None:
    use(settings, certified_provider)
    identity_of(client, agree(client.get("/sign-in/egi?next=/account/")["Location"], "alice"))
    there = client.post("/account/identities/link/egi")["Location"]
    parts = urlsplit(agree(there, "alice-at-home"))
    assert client.get(f"{parts.path}?{parts.query}")["Location"] == "/account/identities/"
    found = Identity.objects.filter(user=client.session["_auth_user_id"])
    assert {identity.subject.partition("-00")[0] for identity in found} == {
        "alice",
        "alice-at-home",
    }
