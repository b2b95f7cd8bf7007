"""Users and groups through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Change, Group, User
from accounts.tokens import revoke_token
from lsp_portal.lib import clock
from tests import factories
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def names(answer: Any, field: str = "username") -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row[field] for row in answer.json()["results"]]


def test_people_see_themselves_pis_their_members_and_administrators_everybody(
    cast: Cast, program: Any
) -> None:
    assert names(program(cast.bob).get("users")) == ["bob"]
    assert names(program(cast.alice).get("users")) == ["alice", "bob"]
    assert names(program(cast.dora).get("users")) == ["alice", "bob", "charlie", "dora"]
    assert names(program(None).get("users")) == ["alice", "bob", "charlie", "dora"]


def test_whom_one_may_not_see_is_not_found(cast: Cast, program: Any) -> None:
    assert program(cast.alice).get("users/bob").json()["email"] == "bob@example.org"
    answer = program(cast.alice).get("users/charlie")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert program(cast.charlie).get("groups/transients").status_code == 404
    assert program(cast.bob).get("groups/transients").json()["title"] == "Transients"


def test_the_caller_is_told_who_the_portal_takes_it_for(cast: Cast, program: Any) -> None:
    me = program(cast.bob, ("read",)).get("me").json()
    assert me["user"]["username"] == "bob"
    assert me["token"]["scopes"] == ["read"]
    assert [row["group"] for row in me["memberships"]] == ["transients", "galaxies"]
    service = program(None, ("read",)).get("me").json()
    assert (service["user"], service["memberships"]) == (None, [])


def test_lists_are_narrowed_ordered_and_paged(cast: Cast, program: Any) -> None:
    dora = program(cast.dora)
    assert names(dora.get("users", group="transients")) == ["alice", "bob"]
    assert names(dora.get("users", search="HARL")) == ["charlie"]
    assert names(dora.get("users", ordering="-username"))[0] == "dora"
    page = dora.get("users", limit=2, offset=2).json()
    assert (page["count"], len(page["results"]), page["next"]) == (4, 2, None)
    assert names(dora.get("groups", search="gal"), "name") == ["galaxies"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"nick": "x"}, "nick"),
        ({"ordering": "password"}, "ordering"),
        ({"is_active": "maybe", "search": "\0"}, "search"),
        ({"group": "x" * 500}, "group"),
    ],
)
def test_a_wrong_parameter_is_named(
    cast: Cast, program: Any, asked: dict[str, str], field: str
) -> None:
    answer = program(cast.dora).get("users", **asked)
    assert answer.status_code == 400
    assert field in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("path", ["users", "groups", "memberships", "invitations"])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    cast: Cast, program: Any, django_assert_max_num_queries: DjangoAssertNumQueries, path: str
) -> None:
    dora = program(cast.dora)
    for number in range(30):
        person = factories.user(f"more-{number}")
        factories.membership(person, cast.transients, added_by=cast.alice)
        factories.group(f"part-{number}", parent=cast.transients)
        factories.invitation(cast.transients, invited_by=cast.alice)
    dora.get("me")
    with django_assert_max_num_queries(4):
        assert len(dora.get(path).json()["results"]) >= 30


def test_an_administrator_makes_and_changes_groups(cast: Cast, program: Any) -> None:
    dora = program(cast.dora)
    body = {"name": "quasars", "title": "Quasars", "parent": "transients"}
    made = dora.post("groups", body)
    assert made.status_code == 201, made.content
    assert made.json()["parent"] == "transients"
    changed = dora.patch("groups/quasars", {"title": "Bright quasars", "parent": None})
    assert (changed.status_code, changed.json()["title"]) == (200, "Bright quasars")
    entry = Change.objects.of_group(Group.objects.get(name="quasars")).first()
    assert entry is not None
    assert (entry.actor, entry.by) == (cast.dora, "API token “test”")
    assert entry.changes["title"] == ["Quasars", "Bright quasars"]


def test_what_a_service_does_is_on_behalf_of_its_token(cast: Cast, program: Any) -> None:
    assert program(None).post("groups", {"name": "new", "title": "New"}).status_code == 201
    entry = Change.objects.of_group(Group.objects.get(name="new")).get()
    assert (entry.actor, entry.by) == (None, "API token “test”")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "quasars"}, "title"),
        ({"name": "quasars", "title": "Q", "colour": "red"}, "colour"),
        ({"name": "quasars", "title": "Q", "gid": 7}, "gid"),
        ({"name": "Quasars", "title": "Q"}, "name"),
        ({"name": "bob", "title": "taken by a person"}, "name"),
        ({"name": "quasars", "title": "Q", "parent": "nowhere"}, "parent"),
        ({"name": "quasars", "title": "Q\0"}, "title"),
        ({"name": "quasars", "title": ["Q"]}, "title"),
        (["quasars"], ""),
    ],
)
def test_a_wrong_group_is_refused_with_the_field(
    cast: Cast, program: Any, body: Any, field: str
) -> None:
    answer = program(cast.dora).post("groups", body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Group.objects.filter(title__startswith="Q").exists()


def test_a_group_cannot_become_a_part_of_itself(cast: Cast, program: Any) -> None:
    dora = program(cast.dora)
    assert dora.patch("groups/galaxies", {"parent": "transients"}).status_code == 200
    answer = dora.patch("groups/transients", {"parent": "galaxies"})
    assert answer.status_code == 400


def test_broken_bodies_are_refused(cast: Cast, program: Any) -> None:
    client = program(cast.dora).client
    broken = client.post("/api/v1/groups", "{", content_type="application/json")
    assert (broken.status_code, broken.json()["code"]) == (400, "bad_request")
    form = client.post("/api/v1/groups", {"name": "x"})
    assert (form.status_code, form["Content-Type"]) == (415, "application/problem+json")
    assert client.delete("/api/v1/groups/transients").status_code == 405


def test_only_administrators_with_the_permission_write(cast: Cast, program: Any) -> None:
    staff = factories.user("sam", is_staff=True)
    for caller in (cast.alice, staff):
        answer = program(caller).post("groups", {"name": "mine", "title": "Mine"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert program(caller).patch("groups/transients", {"title": "T"}).status_code == 403


def test_an_administrator_registers_somebody_and_switches_them_off(
    cast: Cast, program: Any
) -> None:
    dora = program(cast.dora)
    made = dora.post("users", {"username": "erin", "email": "erin@example.org"})
    assert made.status_code == 201, made.content
    erin = User.objects.get(username="erin")
    assert erin.is_registered
    assert not erin.has_usable_password()
    assert dora.patch("users/erin", {"is_active": False}).json()["is_active"] is False
    again = dora.post("users", {"username": "erin"})
    assert again.json()["errors"][0]["field"] == "username"


def test_only_superusers_change_administrators(cast: Cast, program: Any) -> None:
    answer = program(factories.administrator("eve")).patch("users/dora", {"is_active": False})
    assert answer.status_code == 200
    staff = factories.user("sam", is_staff=True)
    staff.user_permissions.set(factories.permissions("change_user"))
    answer = program(staff).patch("users/dora", {"is_active": True})
    assert answer.status_code == 403


def test_who_calls_without_a_valid_token_is_told_so(cast: Cast, program: Any) -> None:
    revoked, expired = program(cast.bob), program(cast.bob)
    revoke_token(revoked.token, at=clock.now())
    expired.token.expires_at = clock.now() - timedelta(seconds=1)
    expired.token.save(update_fields=["expires_at"])
    unknown = Client(headers={"Authorization": "Bearer lspt_nobody"})
    half = Client(headers={"Authorization": "Bearer"})
    for client in (Client(), unknown, half, revoked.client, expired.client):
        answer = client.get("/api/v1/me")
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_who_is_not_approved_or_not_any_more_is_refused(cast: Cast, program: Any) -> None:
    erin = factories.user("erin", registered_at=None)
    assert program(erin).get("me").status_code == 403
    bob = program(cast.bob)
    assert bob.get("me").status_code == 200
    cast.bob.is_active = False
    cast.bob.save(update_fields=["is_active"])
    assert bob.get("me").status_code == 403


def test_a_token_opens_only_what_its_scopes_say(cast: Cast, program: Any) -> None:
    reader, writer = program(cast.dora, ("read",)), program(cast.dora, ("write",))
    answer = reader.post("groups", {"name": "new", "title": "New"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert writer.get("groups").json()["code"] == "scope_missing"
    assert writer.post("groups", {"name": "new", "title": "New"}).status_code == 201
    assert program(cast.dora, ("posix",)).get("me").status_code == 403


def test_a_browser_needs_the_csrf_token_to_write(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.dora)
    assert client.get("/api/v1/me").json()["user"]["username"] == "dora"
    body = {"name": "new", "title": "New"}
    answer = client.post("/api/v1/groups", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    client.get("/admin/")
    token = client.cookies["lsp_portal_csrf"].value
    answer = client.post(
        "/api/v1/groups", body, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 201


def test_the_last_use_of_a_token_is_written_once_a_minute(
    cast: Cast, program: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bob = program(cast.bob)
    bob.get("me")
    bob.token.refresh_from_db()
    first = bob.token.last_used_at
    assert first is not None
    with django_assert_num_queries(2):  # the token with its owner, and the memberships
        bob.get("me")
    bob.token.last_used_at = first - timedelta(minutes=2)
    bob.token.save(update_fields=["last_used_at"])
    bob.get("me")
    bob.token.refresh_from_db()
    assert bob.token.last_used_at is not None
    assert bob.token.last_used_at >= first
