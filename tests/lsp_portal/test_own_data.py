"""People get everything that is kept about them, and nothing about anybody else."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from accounts.models import Identity, Notice, SignIn, User
from accounts.tokens import issue_token
from lsp_portal.lib import clock
from lsp_portal.privacy.own_data import NOT_EXPORTED, PARTS, archive
from sessions.models import Session
from tests import factories
from tests.cast import Cast
from tests.factories import LONG_AGO


def opened(user: User) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(archive(user, at=LONG_AGO))))


def rows(zipped: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(zipped.read(f"{name}.json"))
    return found


@pytest.fixture
def bob(cast: Cast) -> User:
    """With one of many things; Alice has the same."""
    for person in (cast.bob, cast.alice):
        factories.charged_session(cast.hub, person, cast.transients)
        subject = f"of {person.username}"
        Identity.objects.create(user=person, issuer="https://idp", subject=subject, claims={"a": 1})
        SignIn.objects.create(provider="uni", outcome="ok", user=person, remote_ip="192.0.2.7")
        Notice.objects.create(recipient=person, key="k", topic="quota", subject="S", text="T")
    return cast.bob


def test_every_row_that_names_a_person_is_sent_or_has_a_reason() -> None:
    """A new reference to a person has to decide."""
    sent = {f"{part.model}.{field}" for part in PARTS for field in part.fields}
    refer = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and field.related_model is User
    }
    assert refer - sent == set(NOT_EXPORTED)


def test_everything_of_the_person_is_in_it_and_nothing_of_others(bob: User) -> None:
    token, text = issue_token(
        name="mine", user=bob, scopes=["read"], created_by=bob, expires_at=None, at=LONG_AGO
    )
    zipped = opened(bob)
    assert zipped.testzip() is None
    assert rows(zipped, "profile")[0]["email"] == "bob@example.org"
    assert rows(zipped, "sessions")[0]["group_name"] == "transients"
    assert rows(zipped, "charges")[0]["cpu_millicores"] == 1000
    assert {row["group_name"] for row in rows(zipped, "memberships")} == {"transients", "galaxies"}
    assert rows(zipped, "sign-ins")[0]["remote_ip"] == "192.0.2.7"
    assert [row["name"] for row in rows(zipped, "tokens")] == ["mine"]
    everything = "".join(zipped.read(name).decode() for name in zipped.namelist())
    assert "alice" not in everything.lower()
    assert text not in everything
    assert bytes(token.digest).hex() not in everything
    assert bob.password not in everything


def test_the_readme_explains_each_file(bob: User) -> None:
    zipped = opened(bob)
    readme = zipped.read("README.txt").decode()
    files = [name for name in zipped.namelist() if name.endswith(".json")]
    assert all(f"{name}: " in readme for name in files)
    assert len(files) == len(PARTS)


def test_tables_are_there_for_spreadsheets_without_formulas(bob: User) -> None:
    Session.objects.filter(user=bob).update(message="=1+1")
    [row] = csv.DictReader(io.StringIO(opened(bob).read("sessions.csv").decode()))
    assert (row["message"], row["cpu_millicores"]) == ("'=1+1", "1000")


def test_much_is_sent_in_little_memory(cast: Cast) -> None:
    Session.objects.bulk_create(
        Session(hub=cast.hub, user=cast.bob, message="x" * 1000) for _ in range(4000)
    )
    tracemalloc.start()
    longest = max(len(piece) for piece in archive(cast.bob, at=LONG_AGO))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert longest < 200_000
    assert most < 8_000_000


def test_it_is_sent_once_in_ten_minutes(bob: User, client: Client) -> None:
    client.force_login(bob)
    assert "sessions.csv" in client.get("/account/data/").content.decode()
    sent = client.post("/account/data/")
    assert sent["Content-Type"] == "application/zip"
    assert zipfile.ZipFile(io.BytesIO(sent.getvalue())).testzip() is None
    assert client.post("/account/data/").status_code == 302
    again = client.get("/api/v1/me/data")
    assert (again.status_code, again["Retry-After"]) == (429, "600")
    User.objects.update(data_sent_at=clock.now() - timedelta(minutes=11))
    assert client.get("/api/v1/me/data").status_code == 200


def test_a_service_has_no_data(cast: Cast, client: Client) -> None:
    _, text = issue_token(
        name="s", user=None, scopes=["read"], created_by=cast.dora, expires_at=None, at=clock.now()
    )
    answer = client.get("/api/v1/me/data", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 403
