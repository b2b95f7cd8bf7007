"""What the portal relies on about pods, and that the cluster takes what it makes."""

from __future__ import annotations

import pytest

from sessions.kubernetes import names
from sessions.kubernetes.client import Refused
from sessions.kubernetes.manifests.server import SERVER_KINDS, Placement, server_manifests
from sessions.kubernetes.names import Manifest
from tests.kubernetes.contract.conftest import Arena
from tests.kubernetes.specs import bobs_server

NOWHERE = Placement(node_selector={"example.org/is": "nowhere"})


def test_a_server_is_accepted_as_it_is(arena: Arena) -> None:
    """On no node, so that nothing has to run: the pod waits and is gone at once."""
    spec = bobs_server(namespace=arena.namespace, placement=NOWHERE)
    manifests = server_manifests(spec, arena.cluster)
    made = [arena.client.ensure(m, owner=names.identity(m)) for m in manifests]
    again = [arena.client.ensure(m, owner=names.identity(m)) for m in manifests]
    assert [m["metadata"]["uid"] for m in made] == [m["metadata"]["uid"] for m in again]

    def waits() -> bool:
        pod = arena.client.get("Pod", spec.name, arena.namespace)
        conditions = (pod or {}).get("status", {}).get("conditions", [])
        return any(c.get("reason") == "Unschedulable" for c in conditions)

    arena.wait_for(waits)
    for kind in SERVER_KINDS:
        assert arena.client.delete(kind, spec.name, arena.namespace)
    assert arena.client.get("Pod", spec.name, arena.namespace) is None


@pytest.mark.parametrize(
    "loosened",
    [
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": ["all"]}},
        {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
        {"runAsNonRoot": False},
        {"runAsUser": 0},
        {"seccompProfile": {"type": "Unconfined"}},
    ],
)
def test_a_pod_that_is_not_restricted_is_refused(arena: Arena, loosened: dict[str, object]) -> None:
    pod = _pod(arena, "loose")
    container = pod["spec"]["containers"][0]
    container["securityContext"] = container["securityContext"] | loosened
    with pytest.raises(Refused, match="violates PodSecurity") as refusal:
        arena.client.create(pod)
    assert refusal.value.status == 403


def test_a_path_of_the_node_is_refused(arena: Arena) -> None:
    pod = _pod(arena, "host")
    pod["spec"]["volumes"][1] = {"name": "tmp", "hostPath": {"path": "/tmp"}}  # noqa: S108
    with pytest.raises(Refused, match="violates PodSecurity"):
        arena.client.create(pod)


def test_a_pod_cannot_be_changed_into_another(arena: Arena) -> None:
    pod = arena.client.create(_pod(arena, "fixed"))
    body = {"spec": {"terminationGracePeriodSeconds": 1, "nodeSelector": {"a": "b"}}}
    with pytest.raises(Refused) as refusal:
        arena.client.patch("Pod", "fixed", arena.namespace, body)
    assert refusal.value.status == 422
    uid = pod["metadata"]["uid"]
    assert arena.client.delete("Pod", "fixed", arena.namespace, uid=uid)


def test_more_requested_than_allowed_is_invalid(arena: Arena) -> None:
    pod = _pod(arena, "greedy")
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "99"
    with pytest.raises(Refused, match="less than or equal to cpu limit"):
        arena.client.create(pod)


def test_a_quota_of_the_namespace_is_kept(arena: Arena) -> None:
    """The quota is of one priority class in the real world; here of a name of its own."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": arena.namespace},
        "spec": {"hard": {"limits.cpu": "3"}},
    }
    arena.client.create(quota)
    arena.wait_for(lambda: _used(arena) == "0")
    arena.client.create(_pod(arena, "fits"))
    with pytest.raises(Refused, match=r"exceeded quota: few, requested: limits.cpu=2"):
        arena.client.create(_pod(arena, "exceeds"))
    for name in ("fits", "exceeds"):
        arena.client.delete("Pod", name, arena.namespace)
    arena.client.delete("ResourceQuota", "few", arena.namespace)


def _used(arena: Arena) -> str | None:
    quota = arena.client.get("ResourceQuota", "few", arena.namespace) or {}
    used: str | None = quota.get("status", {}).get("used", {}).get("limits.cpu")
    return used


def _pod(arena: Arena, name: str) -> Manifest:
    manifests = server_manifests(
        bobs_server(namespace=arena.namespace, placement=NOWHERE), arena.cluster
    )
    pod = next(m for m in manifests if m["kind"] == "Pod")
    pod["metadata"]["name"] = name
    return pod
