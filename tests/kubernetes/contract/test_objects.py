"""What the portal relies on when it makes, reads, changes and deletes objects."""

from __future__ import annotations

import pytest

from sessions.kubernetes import names
from sessions.kubernetes.client import AlreadyThere, Conflict, Foreign, NotFound, Refused
from sessions.kubernetes.manifests.namespace import network_policy
from tests.kubernetes.contract.conftest import Arena
from tests.kubernetes.specs import bobs_server


def test_what_was_made_is_found_and_what_was_deleted_is_not(arena: Arena) -> None:
    made = arena.client.create(arena.secret("made"))
    assert made["metadata"]["uid"]
    found = arena.client.get("Secret", "made", arena.namespace)
    assert found is not None
    assert found["data"] == {"word": "bWFkZQ=="}
    assert arena.client.delete("Secret", "made", arena.namespace)
    assert arena.client.get("Secret", "made", arena.namespace) is None
    assert not arena.client.delete("Secret", "made", arena.namespace)


def test_a_name_is_given_once(arena: Arena) -> None:
    arena.client.create(arena.secret("once"))
    with pytest.raises(AlreadyThere):
        arena.client.create(arena.secret("once"))


def test_nothing_is_made_where_there_is_no_namespace(arena: Arena) -> None:
    lost = arena.secret("lost")
    lost["metadata"]["namespace"] = "lsp-is-not-there"
    with pytest.raises(NotFound):
        arena.client.create(lost)


def test_only_the_very_object_is_deleted(arena: Arena) -> None:
    first = arena.client.create(arena.secret("twice"))
    arena.client.delete("Secret", "twice", arena.namespace)
    second = arena.client.create(arena.secret("twice"))
    uid = first["metadata"]["uid"]
    assert not arena.client.delete("Secret", "twice", arena.namespace, uid=uid)
    uid = second["metadata"]["uid"]
    assert arena.client.delete("Secret", "twice", arena.namespace, uid=uid)


def test_a_patch_keeps_what_it_does_not_name_and_removes_what_is_null(arena: Arena) -> None:
    arena.client.create(arena.secret("patched", keep="1", drop="2"))
    body = {"metadata": {"labels": {"drop": None, "new": "3"}}}
    after = arena.client.patch("Secret", "patched", arena.namespace, body)
    assert after["metadata"]["labels"] == {"keep": "1", "new": "3"}


def test_a_patch_of_an_older_version_is_a_conflict(arena: Arena) -> None:
    first = arena.client.create(arena.secret("stale"))
    arena.client.patch("Secret", "stale", arena.namespace, {"metadata": {"labels": {"a": "b"}}})
    body = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        arena.client.patch("Secret", "stale", arena.namespace, body)


def test_an_immutable_secret_stays(arena: Arena) -> None:
    arena.client.create(arena.secret("fixed") | {"immutable": True})
    with pytest.raises(Refused) as refusal:
        arena.client.patch("Secret", "fixed", arena.namespace, {"data": {"word": "eA=="}})
    assert refusal.value.status == 422


def test_what_is_only_tried_is_not_made(arena: Arena) -> None:
    tried = arena.client.create(arena.secret("tried"), dry_run=True)
    assert tried["metadata"]["name"] == "tried"
    assert arena.client.get("Secret", "tried", arena.namespace) is None


def test_whoever_asks_hears_what_they_may_do(arena: Arena) -> None:
    assert arena.client.may("create", "Pod", arena.namespace)
    assert arena.client.may("list", "Node")


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "x" * 254])
def test_a_bad_name_is_refused(arena: Arena, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        arena.client.create(arena.secret(name))
    assert (refusal.value.status, refusal.value.reason) == (422, "Invalid")


def test_ensuring_makes_adopts_or_says_whose_it_is(arena: Arena) -> None:
    mine = arena.secret("mine")
    mine["metadata"]["annotations"] = {names.SESSION: "one"}
    made = arena.client.ensure(mine, owner={names.SESSION: "one"})
    again = arena.client.ensure(mine, owner={names.SESSION: "one"})
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(Foreign, match="Secret mine"):
        arena.client.ensure(mine, owner={names.SESSION: "two"})


def test_what_follows_the_settings_is_renewed(arena: Arena) -> None:
    policy = network_policy(bobs_server(namespace=arena.namespace), arena.cluster)
    arena.client.ensure(policy, owner={})
    policy["spec"] = policy["spec"] | {"policyTypes": ["Ingress"]}
    policy["spec"].pop("egress")
    policy["metadata"]["annotations"][names.CONTENT] = "another"
    after = arena.client.ensure(policy, owner={})
    assert "egress" not in after["spec"]
    assert after["metadata"]["annotations"][names.CONTENT] == "another"


def test_what_an_object_owned_goes_with_it(arena: Arena) -> None:
    owner = arena.client.create(arena.secret("owner"))
    about = {"apiVersion": "v1", "kind": "Secret", "name": "owner"}
    owned = arena.secret("owned")
    owned["metadata"]["ownerReferences"] = [about | {"uid": owner["metadata"]["uid"]}]
    arena.client.create(owned)
    arena.client.delete("Secret", "owner", arena.namespace)
    arena.wait_for(lambda: arena.client.get("Secret", "owned", arena.namespace) is None)


def test_nothing_is_made_in_a_namespace_that_ends(arena: Arena) -> None:
    name = f"{arena.namespace}-end"
    about = {"name": name}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": about}
    arena.client.create(namespace)
    kept = arena.secret("kept")
    kept["metadata"] |= {"namespace": name, "finalizers": ["example.org/wait"]}
    arena.client.create(kept)
    arena.client.delete("Namespace", name)
    late = arena.secret("late")
    late["metadata"]["namespace"] = name
    with pytest.raises(Refused, match="being terminated"):
        arena.client.create(late)
    with pytest.raises(Conflict, match="being deleted"):
        arena.client.ensure(namespace, owner={})
    arena.client.patch("Secret", "kept", name, {"metadata": {"finalizers": None}})
    arena.wait_for(lambda: arena.client.get("Namespace", name) is None)
