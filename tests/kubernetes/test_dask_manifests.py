"""What the portal makes of a Dask cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.dask import (
    TMP_PATH,
    DaskSpec,
    dask_autoscaler,
    dask_cluster,
    dask_policies,
)
from sessions.kubernetes.manifests.spec import HomeMount
from tests.documents import Documents
from tests.kubernetes import schema
from tests.kubernetes.fake import pod_security
from tests.kubernetes.specs import GPU, ONE, PER_USER, SHARED, bobs_dask, bobs_server

SHARED_HOME = bobs_server(home=HomeMount("/home/bob", "homes", sub_path="bob"))


def manifests(spec: DaskSpec, cluster: Cluster) -> list[dict[str, Any]]:
    found = [*dask_policies(spec, cluster), dask_cluster(spec, cluster)]
    return [*found, *filter(None, [dask_autoscaler(spec, cluster)])]


@pytest.mark.parametrize(
    ("name", "spec", "cluster"),
    [
        ("one", bobs_dask(), ONE),
        (
            "per_user",
            bobs_dask(notebook=bobs_server(namespace="lsp-bob", **GPU), minimum=1, maximum=8),
            PER_USER,
        ),
        ("shared", bobs_dask(notebook=SHARED_HOME), SHARED),
    ],
)
def test_a_cluster_is_these_objects(
    documents: Documents, name: str, spec: DaskSpec, cluster: Cluster
) -> None:
    found = manifests(spec, cluster)
    for manifest in found:
        schema.check(manifest)
    documents.expect_json(f"kubernetes/dask_{name}.json", found)


def test_its_pods_are_restricted_and_know_no_token() -> None:
    spec = dask_cluster(bobs_dask(), ONE)["spec"]
    for part in (spec["worker"], spec["scheduler"]):
        assert pod_security.violations({"spec": part["spec"]}) == []
        assert part["spec"]["automountServiceAccountToken"] is False
        [container] = part["spec"]["containers"]
        assert "envFrom" not in container
        assert [each["name"] for each in container["env"]] == ["HOME"]


def test_a_home_that_one_node_can_mount_is_left_out() -> None:
    alone = replace(ONE, home_access="ReadWriteOnce")
    worker = dask_cluster(bobs_dask(), alone)["spec"]["worker"]["spec"]
    assert [volume["name"] for volume in worker["volumes"]] == ["tmp"]
    assert worker["containers"][0]["workingDir"] == TMP_PATH


def test_what_the_operator_does_not_know_is_found() -> None:
    manifest = dask_cluster(bobs_dask(), ONE)
    manifest["spec"]["worker"]["replica"] = 3
    with pytest.raises(ValidationError):
        schema.check(manifest)
