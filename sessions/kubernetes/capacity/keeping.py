"""Keeping as many placeholders in the cluster as the sizes of the catalogue say."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.conf import settings

from lsp_portal.lib import advisory
from sessions import draining
from sessions.kubernetes.capacity.placeholders import placeholder, plan
from sessions.kubernetes.client import AlreadyThere, Client
from sessions.kubernetes.configuration import NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError
from sessions.kubernetes.names import COMPONENT_LABEL, MANAGED, PLACEHOLDER, Manifest
from sessions.models import ClusterWatch, Size

PLACEHOLDERS = f"{MANAGED},{COMPONENT_LABEL}={PLACEHOLDER}"


def keep(*, at: datetime) -> int:
    """Take the next step where placeholders are wanted; how many were made.

    Of several workers only one does something. What goes wrong is kept for administrators.
    """
    namespace = settings.KUBERNETES_PLACEHOLDER_NAMESPACE
    if not namespace:
        return 0
    with advisory.try_held("placeholders") as is_mine:
        return _keep(namespace, at=at) if is_mine else 0


def _keep(namespace: str, *, at: datetime) -> int:
    source = f"Placeholders in {namespace}"
    try:
        here = cluster()
        made = step(Client.of(here), namespace, gpu_resource=here.gpu_resource, at=at)
    except (KubernetesError, NotConfigured) as error:
        ClusterWatch.objects.update_or_create(source=source, defaults={"trouble": str(error)})
        return 0
    ClusterWatch.objects.update_or_create(
        source=source, defaults={"listed_at": at, "heard_at": at, "trouble": ""}
    )
    return made


def step(client: Client, namespace: str, *, gpu_resource: str, at: datetime) -> int:
    """Look, take away, make; how many were made. Raises KubernetesError."""
    closed = draining.avoided()
    there = client.list("Pod", namespace, selector=PLACEHOLDERS)
    found = plan(_wanted(namespace, gpu_resource, closed), there, closed=closed, at=at)
    for old in found.delete:
        about = old["metadata"]
        client.delete("Pod", about["name"], namespace, uid=about["uid"], grace_seconds=0)
    made = 0
    for manifest in found.create:
        with suppress(AlreadyThere):
            client.create(manifest)
            made += 1
    return made


def _wanted(namespace: str, gpu_resource: str, closed: list[str]) -> list[Manifest]:
    return [
        placeholder(
            size,
            number,
            namespace=namespace,
            image=settings.KUBERNETES_PLACEHOLDER_IMAGE,
            priority_class=settings.KUBERNETES_PLACEHOLDER_PRIORITY,
            gpu_resource=gpu_resource,
            avoided=closed,
        )
        for size in Size.objects.filter(placeholders__gt=0)
        for number in range(1, size.placeholders + 1)
    ]
