"""Memberships and invitations through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Change, Invitation, Membership
from lsp_portal.lib import clock
from tests import factories
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def pairs(answer: Any) -> set[tuple[str, str]]:
    assert answer.status_code == 200, answer.content
    return {(row["user"], row["group"]) for row in answer.json()["results"]}


def bobs(cast: Cast) -> Membership:
    return Membership.objects.get(user=cast.bob, group=cast.transients)


def test_people_see_their_own_memberships_and_pis_those_of_their_group(
    cast: Cast, program: Any
) -> None:
    bob = {("bob", "transients"), ("bob", "galaxies")}
    assert pairs(program(cast.bob).get("memberships")) == bob
    assert pairs(program(cast.alice).get("memberships")) == {
        ("alice", "transients"), ("bob", "transients"),
    }  # fmt: skip
    assert len(pairs(program(cast.dora).get("memberships"))) == 4
    assert program(cast.charlie).get(f"memberships/{bobs(cast).pk}").status_code == 404
    assert program(cast.alice).get(f"memberships/{bobs(cast).pk}").json()["role"] == "member"


def test_memberships_are_found_by_group_person_and_moment(cast: Cast, program: Any) -> None:
    ended = bobs(cast)
    ended.valid_to = clock.now() - timedelta(days=1)
    ended.save(update_fields=["valid_to"])
    dora = program(cast.dora)
    assert pairs(dora.get("memberships", group="galaxies")) == {("bob", "galaxies")}
    assert len(pairs(dora.get("memberships", user="bob"))) == 2
    now = clock.now().isoformat()
    assert pairs(dora.get("memberships", user="bob", at=now)) == {("bob", "galaxies")}
    assert dora.get("memberships", at="yesterday").status_code == 400


def test_a_pi_adds_changes_and_removes_a_member(cast: Cast, program: Any) -> None:
    alice = program(cast.alice)
    made = alice.post("memberships", {"user": "charlie", "group": "transients"}, key="a")
    assert made.status_code == 201, made.content
    assert made.json()["added_by"] == "alice"
    path = f"memberships/{made.json()['id']}"
    changed = alice.patch(path, {"valid_to": "2099-01-01T00:00:00Z"})
    assert (changed.status_code, changed.json()["valid_to"]) == (200, "2099-01-01T00:00:00Z")
    assert changed.json()["role"] == "member"
    ended = alice.post(f"{path}/end", {})
    assert ended.status_code == 200, ended.content
    assert not Membership.objects.valid(at=clock.now()).filter(pk=made.json()["id"]).exists()
    again = alice.post(f"{path}/end", {})
    assert (again.status_code, again.json()["code"]) == (409, "ended")
    trail = Change.objects.of_group(cast.transients).filter(actor=cast.alice)
    assert [change.action for change in trail] == [1, 1, 0]


def test_others_add_and_end_nothing(cast: Cast, program: Any) -> None:
    body = {"user": "charlie", "group": "transients"}
    assert program(cast.bob).post("memberships", body).status_code == 403
    unknown = {"user": "nobody", "group": "transients"}
    assert program(cast.bob).post("memberships", unknown).status_code == 403
    outsider = program(cast.charlie).post("memberships", body)
    assert outsider.json()["errors"][0]["field"] == "group"
    path = f"memberships/{bobs(cast).pk}/end"
    assert program(cast.charlie).post(path, {}).status_code == 404
    assert program(cast.bob).post(path, {}).status_code == 403
    assert bobs(cast).valid_to is None


def test_a_manager_adds_members_only_and_only_up_to_the_ceiling(cast: Cast, program: Any) -> None:
    manager = factories.user("max")
    factories.membership(manager, cast.transients, "manager", rights=["members"], ceiling=4)
    caller = program(manager)
    pi = caller.post("memberships", {"user": "charlie", "group": "transients", "role": "pi"})
    assert (pi.status_code, pi.json()["code"]) == (403, "not_yours")
    body = {"user": "charlie", "group": "transients"}
    assert caller.post("memberships", body).status_code == 201
    full = caller.post("memberships", {"user": "dora", "group": "transients"})
    assert (full.status_code, full.json()["code"]) == (409, "ceiling")


def test_a_service_adds_members_for_nobody(cast: Cast, program: Any) -> None:
    service = program(None)
    made = service.post("memberships", {"user": "charlie", "group": "transients", "role": "pi"})
    assert made.status_code == 201, made.content
    assert made.json()["added_by"] is None
    assert service.post(f"memberships/{made.json()['id']}/end", {}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"group": "transients"}, "user"),
        ({"user": "nobody", "group": "transients"}, "user"),
        ({"user": "charlie", "group": "nowhere"}, "group"),
        ({"user": "charlie", "group": "transients", "role": "boss"}, "role"),
        ({"user": "charlie", "group": "transients", "rights": ["everything"]}, "rights.0"),
        ({"user": "charlie", "group": "transients", "valid_to": "2020-01-01T00:00Z"}, "valid_to"),
        ({"user": "charlie", "group": "transients", "synced": True}, "synced"),
        ({"user": "bob", "group": "transients"}, ""),
    ],
)
def test_a_wrong_membership_is_refused_with_the_field(
    cast: Cast, program: Any, body: Any, field: str
) -> None:
    answer = program(cast.dora).post("memberships", body)
    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_pi_invites_renews_and_revokes(cast: Cast, program: Any, mailoutbox: Any) -> None:
    alice = program(cast.alice)
    body = {"email": "erin@example.org", "group": "transients"}
    made = alice.post("invitations", body, key="once")
    assert made.status_code == 201, made.content
    assert made.json()["invited_by"] == "alice"
    assert "secret" not in str(made.json())
    assert alice.post("invitations", body, key="once").json() == made.json()
    assert Invitation.objects.count() == 1
    path = f"invitations/{made.json()['id']}"
    assert alice.post(f"{path}/renew", {}).status_code == 200
    assert alice.post(f"{path}/revoke", {}).json()["revoked_at"] is not None
    again = alice.post(f"{path}/revoke", {})
    assert (again.status_code, again.json()["code"]) == (410, "revoked")
    assert alice.get("invitations", open="false").json()["count"] == 1
    assert alice.get("invitations", open="true").json()["count"] == 0


def test_invitations_are_for_those_who_may_invite(cast: Cast, program: Any) -> None:
    row = factories.invitation(cast.transients, cast.alice, role="pi")
    manager = factories.user("max")
    factories.membership(manager, cast.transients, "manager", rights=["invitations"])
    assert program(cast.bob).get("invitations").json()["count"] == 0
    assert program(cast.bob).get(f"invitations/{row.pk}").status_code == 404
    assert program(manager).get(f"invitations/{row.pk}").status_code == 200
    assert program(manager).post(f"invitations/{row.pk}/revoke", {}).status_code == 403
    body = {"email": "erin@example.org", "group": "transients"}
    assert program(cast.bob).post("invitations", body).status_code == 403
    assert program(manager).post("invitations", {**body, "role": "pi"}).status_code == 403
    assert program(None).post("invitations", body).status_code == 403
    assert program(None).post(f"invitations/{row.pk}/revoke", {}).status_code == 200
