"""Which pods are watched: those of the portal, and those of hubs in namespaces that are shared."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from sessions.kubernetes import names
from sessions.kubernetes.configuration import Cluster
from sessions.models import DaskCluster, Hub

SPAWNED = "component=singleuser-server"  # what KubeSpawner puts on its pods


@dataclass(frozen=True, slots=True)
class Source:
    """One list of objects that is kept up with; without a namespace those of all."""

    kind: str
    namespace: str | None
    selector: str

    @property
    def name(self) -> str:
        return f"{self.kind} in {self.namespace or 'all namespaces'} ({self.selector or 'all'})"

    @property
    def is_of_workers(self) -> bool:
        return self.selector == names.DASKS

    def covers(self, namespace: str) -> bool:
        return self.namespace in (None, namespace)


def sources(cluster: Cluster) -> list[Source]:
    """What is to be watched now, as the settings and the modes of the hubs say."""
    spawned = [Source("Pod", each, SPAWNED) for each in settings.KUBERNETES_OBSERVED_NAMESPACES]
    if not Hub.objects.filter(mode=Hub.Mode.DRIVE).exists():
        return spawned
    own = None if cluster.is_per_user else cluster.namespace
    has_dask = settings.KUBERNETES_DASK or DaskCluster.objects.unfinished().exists()
    dask = [Source("Pod", own, names.DASKS)] if has_dask else []
    return [Source("Event", own, ""), Source("Pod", own, names.NOTEBOOKS), *dask, *spawned]
