"""The second net for Dask clusters: those in Kubernetes compared with the rows, from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from sessions.dask import states
from sessions.dask.messages import tend_soon
from sessions.kubernetes import names
from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.failures import NotFound
from sessions.kubernetes.names import Manifest
from sessions.models import DaskCluster


def sweep(client: Client, here: Cluster, *, at: datetime) -> list[Manifest]:
    """End clusters whose sessions are over and wake what is left; the ones of unknown sessions."""
    if not settings.KUBERNETES_DASK and not DaskCluster.objects.unfinished().exists():
        return []
    states.stop_orphans(at=at)
    for number in DaskCluster.objects.unfinished().values_list("pk", flat=True):
        tend_soon(number)
    return _strange(client, _listed(client, here), at=at)


def _listed(client: Client, here: Cluster) -> list[Manifest]:
    namespace = None if here.is_per_user else here.namespace
    try:
        return list(client.list("DaskCluster", namespace, selector=names.DASKS))
    except NotFound:  # the operator is not installed
        return []


def _strange(client: Client, found: Iterable[Manifest], *, at: datetime) -> list[Manifest]:
    """Those without a row. What a lost request still made after its row was gone is removed."""
    keyed = [(_key(each), each) for each in found]
    rows: dict[UUID | None, DaskCluster] = {
        row.key: row for row in DaskCluster.objects.filter(key__in=[key for key, _ in keyed if key])
    }
    for key, each in keyed:
        row = rows.get(key)
        if row is not None and row.cleaned_at is not None and row.cleaned_at < at:
            _delete(client, each)
    return [each for key, each in keyed if key not in rows]


def _delete(client: Client, manifest: Manifest) -> None:
    about = manifest["metadata"]
    if "deletionTimestamp" not in about:
        client.delete("DaskCluster", about["name"], about["namespace"], uid=str(about["uid"]))


def _key(manifest: Manifest) -> UUID | None:
    known: dict[str, Any] = manifest["metadata"].get("annotations") or {}
    try:
        return UUID(known.get(names.CLUSTER, ""))
    except ValueError:
        return None
