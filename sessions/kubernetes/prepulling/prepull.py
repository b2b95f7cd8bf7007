"""One look at the cluster: what is on which node, and the next images on their way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F

from lsp_portal.lib import advisory
from sessions.kubernetes.client import AlreadyThere, Client
from sessions.kubernetes.configuration import Cluster, cluster
from sessions.kubernetes.names import COMPONENT_LABEL, MANAGED
from sessions.kubernetes.prepulling.nodes import Node, node_of, puller_of
from sessions.kubernetes.prepulling.planning import Entry, Key, Plan, plan
from sessions.kubernetes.prepulling.pullers import PULLER, puller
from sessions.models import Hub, Image, NodeImage

PULLERS = f"{MANAGED},{COMPONENT_LABEL}={PULLER}"


def prepull(*, at: datetime) -> int:
    """Take the next step where prepulling is on; how many fetches were begun.

    Of several workers only one does something. Raises KubernetesError, NotConfigured.
    """
    if not settings.KUBERNETES_PREPULL_NAMESPACE:
        return 0
    with advisory.try_held("prepulling") as is_mine:
        if not is_mine:
            return 0
        here = cluster()
        return step(Client.of(here), here, at=at)


def step(client: Client, here: Cluster, *, at: datetime) -> int:
    """Look, note, and begin what comes next; how many fetches were begun."""
    namespace = settings.KUBERNETES_PREPULL_NAMESPACE
    nodes = [node_of(manifest) for manifest in client.list("Node")]
    pods = client.list("Pod", namespace, selector=PULLERS)
    pullers = [puller_of(pod, at=at) for pod in pods]
    found = plan(wanted(), nodes, pullers, _before(), at=at)
    keep(found.entries)
    for old in found.delete:
        client.delete("Pod", old.name, namespace, uid=old.uid, grace_seconds=0)
    return _create(client, found, {node.name: node for node in nodes}, here)


def wanted() -> list[str]:
    """References of images that stay, of hubs whose servers the portal runs: recommended ones,
    then the newest.
    """
    offered = Image.objects.filter(retires_at=None, hubs__mode=Hub.Mode.DRIVE)
    images = offered.exclude(reference="")
    newest = F("built_at").desc(nulls_last=True)
    ordered = images.order_by("-recommended", newest, "position", "name")
    return list(dict.fromkeys(ordered.values_list("reference", flat=True)))


def fetch_again(references: list[str]) -> int:
    """Let failed fetches of these images begin at the next step; how many there were."""
    failed = NodeImage.objects.filter(state=NodeImage.State.FAILED, reference__in=references)
    return failed.delete()[0]


@transaction.atomic
def keep(entries: Mapping[Key, Entry]) -> None:
    """Let the rows say this, and nothing of images and nodes that are not among it."""
    stored = {(row.reference, row.node): row.pk for row in NodeImage.objects.all()}
    gone = [number for key, number in stored.items() if key not in entries]
    NodeImage.objects.filter(pk__in=gone).delete()
    NodeImage.objects.bulk_create(
        [
            NodeImage(
                reference=reference, node=node, state=entry.state, message=entry.message,
                since=entry.since,
            )
            for (reference, node), entry in sorted(entries.items())
        ],
        update_conflicts=True,
        unique_fields=["reference", "node"],
        update_fields=["state", "message", "since"],
    )  # fmt: skip


def _before() -> dict[Key, Entry]:
    return {
        (row.reference, row.node): Entry(NodeImage.State(row.state), row.since, row.message)
        for row in NodeImage.objects.all()
    }


def _create(client: Client, found: Plan, nodes: dict[str, Node], here: Cluster) -> int:
    """The number of pullers that were made; one that another worker made counts for it."""
    number = 0
    for reference, name in found.create:
        manifest = puller(
            reference, nodes[name], namespace=settings.KUBERNETES_PREPULL_NAMESPACE,
            priority_class=settings.KUBERNETES_PREPULL_PRIORITY, secrets=here.pull_secrets,
        )  # fmt: skip
        with suppress(AlreadyThere):
            client.create(manifest)
            number += 1
    return number
