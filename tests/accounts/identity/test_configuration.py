"""The list of providers: presets fill it, and what is wrong stops the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.identity.configuration import configured, ensure_distinct
from accounts.identity.providers import Provider

CLIENT = {"client_id": "portal", "client_secret": "the secret"}


def one(**entry: Any) -> Provider:
    [found] = configured(json.dumps([CLIENT | entry]))
    return Provider(**found)


def test_without_a_list_there_is_no_provider() -> None:
    assert configured("") == []


def test_the_presets_of_egi_name_its_permanent_identifier() -> None:
    egi = one(kind="egi", name="egi")
    assert (egi.title, egi.issuer) == ("EGI Check-in", "https://aai.egi.eu/auth/realms/egi")
    assert egi.subject_claim == "voperson_id"
    assert "voperson_id" in egi.scopes.split()
    assert egi.entitlement_claims[0] == "eduperson_entitlement"


def test_the_presets_of_the_others() -> None:
    cilogon = one(kind="cilogon", name="cilogon")
    assert (cilogon.subject_claim, cilogon.groups_claim) == ("sub", "isMemberOf")
    assert "org.cilogon.userinfo" in cilogon.scopes
    github = one(kind="github", name="github")
    assert (github.subject_claim, github.api_url) == ("id", "https://api.github.com")
    assert "read:org" in github.scopes.split()
    keycloak = one(kind="keycloak", name="iam", title="IAM", issuer="https://iam.example")
    assert keycloak.groups_claim == "groups"


def test_what_an_entry_says_wins_over_the_preset() -> None:
    entry = one(
        kind="egi", name="egi", title="EGI", issuer="https://aai-dev.egi.eu/auth/realms/egi",
        affiliation_claims=["x"], groups_claim="", registration="open", uid_claim="uid",
    )  # fmt: skip
    assert (entry.title, entry.affiliation_claims, entry.registration) == ("EGI", ("x",), "open")
    assert entry.issuer.startswith("https://aai-dev.")


def test_the_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    raw = {"kind": "egi", "name": "egi", "client_id": "portal"}
    [entry] = configured(json.dumps([raw | {"client_secret_file": str(tmp_path / "secret")}]))
    assert Provider(**entry).client_secret == "from the file"


GENERIC = {**CLIENT, "name": "x", "title": "X", "issuer": "https://x.example"}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("{", "not JSON"),
        ({"name": "x"}, "must be a list"),
        (["x"], "entry 1 must be an object"),
        ([GENERIC, {**GENERIC, "kind": "saml"}], "entry 2 (x): kind must be one of oidc, egi"),
        ([{**GENERIC, "isuer": "https://x.example"}], "entry 1 (x): isuer is unknown"),
        ([{**CLIENT, "name": "x", "title": "X"}], "entry 1 (x): issuer is missing"),
        ([{**CLIENT, "kind": "keycloak", "name": "k", "title": "K"}], "(k): issuer is missing"),
        ([{"kind": "egi", "name": "egi", "client_id": "x"}], "(egi): client_secret is missing"),
        ([{**GENERIC, "name": "Not a name"}], "name must be at most 30 characters"),
        ([{**GENERIC, "name": 5}], "entry 1: name must be a text"),
        ([{**GENERIC, "registration": "anybody"}], "registration must be one of open, approval"),
        ([{**GENERIC, "client_id": ""}], "client_id must be a text that is not empty"),
        ([{**GENERIC, "issuer": "x.example"}], "issuer must be an address"),
        ([{**GENERIC, "issuer": "https://x.example/"}], "without a slash at its end"),
        ([{**GENERIC, "affiliation_claims": "x"}], "affiliation_claims must be a list of texts"),
        ([{**GENERIC, "client_secret_file": "/x"}], "client_secret and client_secret_file"),
        ([{"kind": "egi", "name": "egi", "client_id": "x", "client_secret_file": "/nowhere"}],
         "client_secret_file cannot be read: /nowhere"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_no_secret_is_shown(entries: object, words: str) -> None:
    text = entries if isinstance(entries, str) else json.dumps(entries)
    with pytest.raises(ImproperlyConfigured) as error:
        configured(text)
    assert words in str(error.value)
    assert "the secret" not in str(error.value)


def test_two_providers_have_two_names() -> None:
    with pytest.raises(ImproperlyConfigured, match="two providers have the name “x”"):
        ensure_distinct(configured(json.dumps([GENERIC, GENERIC])))


def test_the_file_and_the_single_provider_stand_side_by_side(tmp_path: Path) -> None:
    """In a process of its own: settings are read once."""
    file = tmp_path / "providers.json"
    file.write_text(json.dumps([{**CLIENT, "kind": "github", "name": "github"}]))
    script = "import lsp_portal.settings as s; print([p['name'] for p in s.IDENTITY_PROVIDERS])"
    environment = os.environ | {
        "IDENTITY_PROVIDERS_FILE": str(file),
        "OIDC_ISSUER": "https://x.example",
        "OIDC_CLIENT_ID": "portal",
        "OIDC_CLIENT_SECRET": "secret",
    }
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "['github', 'oidc']"
    file.write_text('[{"name": "x"}]')
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert told.returncode != 0
    assert "IDENTITY_PROVIDERS, entry 1 (x): title is missing." in told.stderr
