"""What runs before the server, in its pod and as the person: a look at the home, the notebooks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.manifests.container import (
    HOME,
    LAST_WORDS,
    RESCUE_PATH,
    RESTRICTED,
    TMP,
    home_mount,
    home_mounts,
    literal,
    resources,
)
from sessions.kubernetes.manifests.spec import ServerSpec
from sessions.kubernetes.names import Manifest

LOOK, NOTEBOOKS, RESCUE = "home", "notebooks", "rescue"  # containers, and their scripts
SCRIPTS = Path(__file__).resolve().parent / "scripts"
HOMES_PATH = "/homes"


def preparation(spec: ServerSpec, cluster: Cluster) -> list[Manifest]:
    """The init containers, in their order."""
    if spec.is_rescue:
        return [_look(spec, cluster), _rescue(spec, cluster)]
    wanted = cluster.notebooks_repository
    return [_look(spec, cluster), *([_notebooks(spec, cluster)] if wanted else [])]


def _look(spec: ServerSpec, cluster: Cluster) -> Manifest:
    """On a shared claim the person makes their directory, before it is mounted."""
    if spec.home.sub_path:
        mounts = [{"name": HOME, "mountPath": HOMES_PATH}]
        arguments = [f"{HOMES_PATH}/{spec.home.sub_path}", "directory"]
    else:
        mounts = [home_mount(spec)]
        arguments = [spec.home.path, "claim"]
    arguments += ["full"] if spec.is_rescue else []
    return _container(LOOK, arguments, mounts, spec, cluster)


def _rescue(spec: ServerSpec, cluster: Cluster) -> Manifest:
    return _container(RESCUE, [spec.home.path, RESCUE_PATH], home_mounts(spec), spec, cluster)


def _notebooks(spec: ServerSpec, cluster: Cluster) -> Manifest:
    arguments = [
        cluster.notebooks_repository,
        cluster.notebooks_ref,
        spec.home.path,
        cluster.notebooks_directory,
    ]
    made = _container(NOTEBOOKS, arguments, home_mounts(spec), spec, cluster)
    return made | ({"image": cluster.notebooks_image} if cluster.notebooks_image else {})


def _container(
    name: str, arguments: list[str], mounts: list[Manifest], spec: ServerSpec, cluster: Cluster
) -> Manifest:
    """A shell that runs the script of that name; what it says last comes back with the pod."""
    return {
        "name": name,
        "image": spec.image,
        "command": ["sh", "-c", literal(_script(name)), name, *map(literal, arguments)],
        "resources": resources(spec.resources, cluster),
        **LAST_WORDS,
        "securityContext": RESTRICTED,
        "volumeMounts": [*mounts, {"name": TMP, "mountPath": "/tmp"}],  # noqa: S108
    }


@cache
def _script(name: str) -> str:
    """Without its comments, which are for those who read the file."""
    lines = (SCRIPTS / f"{name}.sh").read_text().splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))
