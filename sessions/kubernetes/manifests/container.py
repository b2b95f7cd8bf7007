"""What the containers of a server have in common."""

from __future__ import annotations

from quotas.vocabulary import Resources
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import Manifest

HOME, TMP, RESCUE_HOME = "home", "tmp", "rescue"
RESCUE_PATH = "/rescue"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
}
# A container that fails leaves the end of its log, so that people can be told why.
LAST_WORDS = {"terminationMessagePolicy": "FallbackToLogsOnError"}


def literal(text: str) -> str:
    """The text as a field in which the cluster would otherwise replace `$(NAME)`."""
    return text.replace("$", "$$")


def resources(wanted: Resources, cluster: Cluster) -> Manifest:
    """What is asked for is what is given, so that a server gets all that its group pays for."""
    given = {
        "cpu": f"{wanted.cpu_millicores}m",
        "memory": f"{wanted.memory_mib}Mi",
    }
    if wanted.gpus:
        given[cluster.gpu_resource] = str(wanted.gpus)
    return {"requests": given, "limits": dict(given)}


def home_mount(spec: ServerSpec) -> Manifest:
    """The home at its place."""
    mount = {"name": HOME, "mountPath": spec.home.path}
    return mount | ({"subPath": spec.home.sub_path} if spec.home.sub_path else {})


def home_mounts(spec: ServerSpec) -> list[Manifest]:
    """The home, and beside it the one that a rescue session has of its own."""
    own = [{"name": RESCUE_HOME, "mountPath": RESCUE_PATH}] if spec.is_rescue else []
    return [home_mount(spec), *own]


def work_path(spec: ServerSpec) -> str:
    """Where the server works."""
    return RESCUE_PATH if spec.is_rescue else spec.home.path
