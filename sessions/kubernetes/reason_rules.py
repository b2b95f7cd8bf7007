"""What the cluster's words mean for the person who waits: tables, the first match counts.

A pattern looks at the message of an event, of a container or of a refusal. Texts may name
{image}, {node}, {needs}, {fits}, {usual} and the named groups of the pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from re import Pattern

ADMIN = "Tell an administrator of the platform; trying again does not help."
AGAIN = "Try again; if it happens again, tell an administrator of the platform."
WAITS = "It is tried again by itself."


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason for messages that match; `is_final` where nothing will come of the start."""

    code: str
    pattern: Pattern[str] = field(repr=False)
    message: str
    advice: str = ""
    is_final: bool = False


def rule(
    code: str, pattern: str, message: str, advice: str = "", *, is_final: bool = False
) -> Rule:
    return Rule(code, re.compile(pattern, re.IGNORECASE), message, advice, is_final)


# Why an image cannot be fetched. The container waits as ErrImagePull or ImagePullBackOff.
IMAGE = (
    rule(
        "image_not_found",
        r"manifest unknown|not found|does not exist|name unknown",
        "The image {image} does not exist in its registry.",
        "Choose another image, and tell an administrator that this one is missing.",
        is_final=True,
    ),
    rule(
        "image_forbidden",
        r"unauthorized|denied|forbidden|authentication required|\b40[13]\b",
        "The cluster has no permission to fetch the image {image}.",
        "Choose another image, and tell an administrator that this one cannot be fetched.",
        is_final=True,
    ),
    rule(
        "registry_unknown",
        r"no such host|server misbehaving|name resolution",
        "The name of the image's registry cannot be resolved on {node} (DNS).",
        WAITS,
    ),
    rule(
        "registry_busy",
        r"toomanyrequests|too many requests|rate limit|\b429\b",
        "The image's registry lets nobody fetch more just now.",
        WAITS,
    ),
    rule(
        "disk_full",
        r"no space left|disk quota",
        "The disk of {node} has no room for the image.",
        "Choose a smaller image or try again later; an administrator should look at the node.",
    ),
    rule(
        "wrong_platform",
        r"no match(ing manifest)? for platform|exec format",
        "The image {image} was not built for the machines of this cluster.",
        "Choose another image.",
        is_final=True,
    ),
    rule(
        "registry_away",
        r"timeout|timed out|connection refused|connection reset|tls|x509|EOF|50[0234]",
        "The image's registry cannot be reached from {node}.",
        WAITS,
    ),
    rule("image_failed", r"", "The image {image} cannot be fetched just now.", WAITS),
)

# Why no node can take the pod: FailedScheduling, or the condition PodScheduled.
SCHEDULING = (
    rule(
        "no_nodes",
        r"no nodes available",
        "The cluster has no nodes at all.",
        "An administrator of the platform has to look; this start waits until its deadline.",
    ),
    rule(
        "volume_elsewhere",
        r"volume node affinity conflict|node\(s\) exceed max volume",
        "The node that can reach your home has no room now.",
        "Stop another server of yours, or wait; this start goes on by itself.",
    ),
    rule(
        "home_not_bound",
        r"unbound (immediate )?persistentvolumeclaim|persistentvolumeclaim.*not bound",
        "Your home is still being made by the storage system.",
        "This takes a minute for a new home. " + WAITS,
    ),
    rule(
        "home_missing",
        r"persistentvolumeclaim .*not found",
        "The volume with your home is not there.",
        ADMIN,
    ),
    rule(
        "no_gpu",
        r"insufficient \S*(gpu|mig)\S*",
        "No node has a free GPU now.{fits}",
        "Wait until somebody stops a server with a GPU, or choose a size without one.",
    ),
    rule(
        "no_cpu",
        r"insufficient cpu",
        "No node has {needs} free now.{fits}",
        "Wait until somebody stops a server, or choose a smaller size.",
    ),
    rule(
        "no_memory",
        r"insufficient memory",
        "No node has enough memory free now: {needs} are needed.{fits}",
        "Wait until somebody stops a server, or choose a smaller size.",
    ),
    rule(
        "no_disk",
        r"insufficient ephemeral-storage",
        "No node has enough room on its own disk now.",
        "Wait until somebody stops a server.",
    ),
    rule(
        "node_full",
        r"too many pods",
        "Every node runs as many servers as it may.{fits}",
        "Wait until somebody stops a server.",
    ),
    rule(
        "no_matching_node",
        r"node affinity|node selector|didn't match pod.s node",
        "No node is of the kind that this size asks for.",
        "Choose another size; an administrator should look at the nodes.",
    ),
    rule(
        "nodes_reserved",
        r"untolerated taint|had taint|unschedulable",
        "The nodes with room are reserved for other work or closed for maintenance.",
        "Wait, or choose another size.",
    ),
    rule("unschedulable", r"", "No node can take the server now.{fits}", WAITS),
)

# What keeps volumes away: FailedMount and FailedAttachVolume.
VOLUMES = (
    rule(
        "volume_elsewhere",
        r"multi-attach",
        "Your home is still attached to another node, where a server of yours ran.",
        "It is let go within a few minutes; this start goes on by itself.",
    ),
    rule(
        "secret_missing",
        r"secret .*not found",
        "Something that the server needs to start, a secret of the cluster, is missing.",
        ADMIN,
    ),
    rule(
        "config_missing",
        r"configmap .*not found",
        "Something that the server needs to start, a part of its configuration, is missing.",
        ADMIN,
    ),
    rule(
        "storage_forbids",
        r"access denied|permission denied",
        "The storage system does not let {node} have your home.",
        ADMIN,
    ),
    rule(
        "volume_stuck",
        r"",
        "Your home cannot be reached from {node} yet.",
        "It is tried again by itself; if it lasts, the storage system may be in trouble.",
    ),
)

# Why a container cannot be made: CreateContainerConfigError, CreateContainerError, ...
CONTAINER = (
    rule(
        "secret_missing",
        r"secret .*not found|couldn't find key .* in secret",
        "Something that the server needs to start, a secret of the cluster, is missing.",
        AGAIN,
        is_final=True,
    ),
    rule(
        "config_missing",
        r"configmap .*not found",
        "Something that the server needs to start, a part of its configuration, is missing.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "runs_as_root",
        r"run as root|runAsNonRoot|non-numeric user",
        "The image {image} only runs as root, which the platform does not allow.",
        "Choose another image.",
        is_final=True,
    ),
    rule(
        "command_missing",
        r"executable file not found|no such file or directory|permission denied",
        "The image {image} lacks the program that starts a notebook server.",
        "Choose another image, and tell an administrator.",
        is_final=True,
    ),
    rule(
        "container_failed",
        r"",
        "The server's container could not be made on {node}.",
        AGAIN,
        is_final=True,
    ),
)

# What the cluster says when it refuses an object.
REFUSALS = (
    rule(
        "namespace_quota",
        r"exceeded quota",
        "The place where the servers run is full: its quota in the cluster is used up.",
        "Stop another server of yours, choose a smaller size, or try again later.",
        is_final=True,
    ),
    rule(
        "pod_security",
        r"violates PodSecurity",
        "The cluster's security rules do not allow this server.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "priority_missing",
        r"no PriorityClass with name",
        "The cluster does not know the priority that servers are to have.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "runtime_missing",
        r"RuntimeClass .*not found",
        "The cluster lacks the runtime that servers are to have.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "beyond_limits",
        r"maximum (cpu|memory) usage per|LimitRange|must be less than or equal to",
        "The cluster does not allow servers of this size.",
        "Choose a smaller size, and tell an administrator.",
        is_final=True,
    ),
    rule(
        "place_ends",
        r"namespace .* (is being|because it is being) (deleted|terminated)",
        "The place where your servers run is just being removed.",
        "Try again in a minute.",
        is_final=True,
    ),
    rule(
        "place_missing",
        r"namespaces? \S+ not found",
        "The place where the servers run does not exist in the cluster.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "webhook_refused",
        r"admission webhook",
        "A rule of this cluster does not allow the server.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "portal_forbidden",
        r"cannot (create|get|list|patch|delete) resource|is forbidden: User",
        "The portal may not make servers in this cluster.",
        ADMIN,
        is_final=True,
    ),
    rule(
        "refused",
        r"",
        "The cluster did not accept the server.",
        ADMIN,
        is_final=True,
    ),
)

# Why the whole pod ended, by the pod's own reason and message.
POD_ENDS = (
    rule(
        "preempted",
        r"preempt",
        "The server had to give way to more important work on {node}.",
        "Start it again; it gets a place as soon as there is room.",
        is_final=True,
    ),
    rule(
        "evicted_memory",
        r"evicted.*memory|low on resource: memory",
        "{node} ran out of memory, and the server was ended to protect the others.",
        "Start it again; choose a bigger size if your work needs much memory.",
        is_final=True,
    ),
    rule(
        "evicted_disk",
        r"evicted.*(ephemeral|storage|disk)|exceeds the total limit|emptydir.*exceeds",
        "The server filled its temporary disk on {node} and was ended.",
        "Keep big files in your home, not in /tmp, and start it again.",
        is_final=True,
    ),
    rule(
        "evicted",
        r"evicted|evict",
        "The server was ended by the cluster to free {node}.",
        "Start it again.",
        is_final=True,
    ),
    rule(
        "node_shutdown",
        r"nodeshutdown|node shutdown|terminated in response to imminent|^Terminated",
        "{node} was shut down, and the server with it.",
        "Start it again.",
        is_final=True,
    ),
    rule(
        "node_lost",
        r"nodelost|node.*(lost|unreachable|not ?ready)|no longer exists",
        "{node} was lost, and the server with it.",
        "Start it again. Files in your home are safe.",
        is_final=True,
    ),
    rule(
        "node_refused",
        r"OutOf|UnexpectedAdmissionError|NodeAffinity|Topology",
        "{node} had no room for the server after all.",
        "Try again.",
        is_final=True,
    ),
    rule(
        "deadline",
        r"DeadlineExceeded",
        "The server has run as long as it may.",
        "Start it again.",
        is_final=True,
    ),
)

# What the last words of a container that failed mean; nothing else is told of those that none fit.
CRASHES = (
    rule(
        "crashed",
        r"No module named '?jupyter|jupyter\S*:? (command )?not found",
        ": the image {image} has no notebook server for a hub",
        "Choose another image, and tell an administrator that this one cannot be used.",
    ),
    rule(
        "crashed",
        r"no space left on device|disk quota exceeded",
        ": there is no room left for its files",
        "Make room in your home, or ask for more, and start it again.",
    ),
    rule(
        "crashed",
        r"MemoryError|bad_alloc|cannot allocate memory",
        ": it found no more memory",
        "Start it again with a bigger size.",
    ),
    rule(
        "crashed",
        r"read-only file system",
        ": it wanted to write where the image cannot be written",
        "Choose another image, and tell an administrator.",
    ),
    rule(
        "crashed",
        r"permission denied",
        ": it may not use one of its files",
        "Look at the permissions in your home; if you find nothing, tell an administrator.",
    ),
    rule(
        "crashed",
        r"exec format error",
        ": the image {image} was not built for the machines of this cluster",
        "Choose another image.",
    ),
    rule(
        "crashed",
        r"(connect|connection|reach|timeout|refused|resolv).*/hub/api|/hub/api.*(40[13]|50\d|timed)",
        ": it could not speak with the hub",
        ADMIN,
    ),
)
