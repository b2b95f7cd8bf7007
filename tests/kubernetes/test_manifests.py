"""What the portal makes in a cluster."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.server import HomeMount, ServerSpec, server_manifests
from sessions.kubernetes.prepulling.nodes import Node
from sessions.kubernetes.prepulling.pullers import puller
from tests.documents import Documents
from tests.kubernetes import schema
from tests.kubernetes.specs import (
    GPU,
    ONE,
    PER_USER,
    SHARED,
    SHARED_HOME,
    WITH_NOTEBOOKS,
    bobs_server,
)

DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
AWKWARD = st.one_of(
    st.text(min_size=1, max_size=300),
    st.sampled_from(
        ["a" * 300, "1st", "a--b", "--", "Ünï@cødé.org", "-x-", ".", "x" * 48, "x" * 49]
    ),
    st.from_regex(r"[a-z0-9-]{1,60}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("name", "spec", "cluster"),
    [
        ("one", bobs_server(), ONE),
        ("per_user", bobs_server(namespace="lsp-bob", **GPU), PER_USER),
        ("rescue", bobs_server(group="", rescue_seconds=3600), ONE),
        ("shared", bobs_server(home=SHARED_HOME), WITH_NOTEBOOKS),
    ],
)
def test_a_server_is_these_objects(
    documents: Documents, name: str, spec: ServerSpec, cluster: Cluster
) -> None:
    documents.expect_json(f"kubernetes/server_{name}.json", server_manifests(spec, cluster))


def test_a_puller_is_this_pod(documents: Documents) -> None:
    node = Node("node-1.example.org", "node-1", frozenset())
    manifest = puller(
        "registry.example.org/lsst/sciplat@sha256:" + "ab" * 32,
        node,
        namespace="lsp",
        priority_class="lsp-puller",
        secrets=["registry"],
    )
    schema.check(manifest)
    documents.expect_json("kubernetes/puller.json", manifest)


@given(user=AWKWARD, server=st.one_of(st.just(""), AWKWARD))
@pytest.mark.parametrize("cluster", [ONE, PER_USER, SHARED])
def test_whatever_people_are_called_the_objects_are_valid(
    cluster: Cluster, user: str, server: str
) -> None:
    home = HomeMount("/home/x", names.home_claim(user, 7), size=1)
    if cluster is SHARED:
        home = SHARED_HOME
    place = names.namespace(cluster, user)
    spec = bobs_server(namespace=place, user=user, server=server, home=home)
    for manifest in server_manifests(spec, cluster):
        schema.check(manifest)
        about = manifest["metadata"]
        assert DNS_LABEL.fullmatch(about["name"])
        assert DNS_LABEL.fullmatch(about.get("namespace", "lsp"))
        assert all(LABEL_VALUE.fullmatch(value) for value in about["labels"].values())
        assert about["annotations"].get(names.USER, user) == user


@given(one=AWKWARD, other=AWKWARD)
def test_two_people_never_share_a_name(one: str, other: str) -> None:
    made = [
        (names.slug(user), names.home_claim(user, 7), names.namespace(PER_USER, user))
        for user in (one, other)
    ]
    assert (one == other) == any(a == b for a, b in zip(*made, strict=True))


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("bob", "bob"),
        ("a" * 48, "a" * 48),
        ("bob@example.org", "bob-example-org---686b5e4c"),
        ("a--b", "a-b---90827a2e"),
        ("1st", "x-1st---e01ddf65"),
    ],
)
def test_a_slug_keeps_what_is_valid_and_marks_what_is_not(text: str, slug: str) -> None:
    assert names.slug(text) == slug


def test_nothing_of_the_secret_environment_is_in_the_pod() -> None:
    manifests = server_manifests(bobs_server(), ONE)
    assert [m["kind"] for m in manifests if "a-token" in str(m)] == ["Secret"]


def test_what_the_cluster_would_replace_stays_as_it_is() -> None:
    container = _pod(bobs_server(), ONE)["spec"]["containers"][0]
    assert {"name": "GIT_AUTHOR_NAME", "value": "Bob $$(HOSTNAME) O'Member"} in container["env"]
    assert container["command"][1] == "--ServerApp.terminals_enabled=$$(nobody)"


def test_a_shared_claim_is_not_given_to_one_person() -> None:
    assert "fsGroup" in _pod(bobs_server(), ONE)["spec"]["securityContext"]
    shared = _pod(bobs_server(home=SHARED_HOME), SHARED)
    assert "fsGroup" not in shared["spec"]["securityContext"]


def test_the_digest_follows_the_settings() -> None:
    digests = {
        server_manifests(bobs_server(), cluster)[0]["metadata"]["annotations"][names.CONTENT]
        for cluster in (ONE, SHARED, Cluster(hub_namespace="hub", hub_port=9000))
    }
    assert len(digests) == 3


def _pod(spec: ServerSpec, cluster: Cluster) -> dict[str, Any]:
    return next(m for m in server_manifests(spec, cluster) if m["kind"] == "Pod")
