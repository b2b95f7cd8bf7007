"""The pod that has one node fetch one image. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sessions.kubernetes.manifests.container import RESTRICTED
from sessions.kubernetes.manifests.pod import DEDICATED, pull_secrets
from sessions.kubernetes.names import Manifest, labels, slug
from sessions.kubernetes.prepulling.nodes import HOSTNAME, IMAGE, NODE, Node

PULLER = "puller"
NOBODY = 65534
TINY = {"cpu": "10m", "memory": "16Mi"}


def puller(
    reference: str,
    node: Node,
    *,
    namespace: str,
    priority_class: str = "",
    secrets: Iterable[str] = (),
) -> Manifest:
    """A pod that does nothing, on that node. Its name is the node's: the API admits one at a time.

    It is bound by the scheduler, so that taints and room count.
    """
    placed = {"priorityClassName": priority_class} if priority_class else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"lsp-puller-{slug(node.name)}",
            "namespace": namespace,
            "labels": labels(PULLER),
            "annotations": {NODE: node.name, IMAGE: reference},
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": {HOSTNAME: node.hostname},
            "tolerations": [DEDICATED],
            **placed,
            **pull_secrets(secrets),
            "securityContext": {
                "runAsUser": NOBODY,
                "runAsGroup": NOBODY,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": PULLER,
                    "image": reference,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/bin/true"],
                    "resources": {"requests": TINY, "limits": TINY},
                    "securityContext": RESTRICTED,
                }
            ],
        },
    }
