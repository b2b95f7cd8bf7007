"""The Pod Security Standard "restricted", as its admission says no."""

from __future__ import annotations

from collections.abc import Iterator

from tests.kubernetes.fake.resources import Object

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
PROFILES = {"RuntimeDefault", "Localhost"}


def violations(pod: Object) -> list[str]:
    spec = pod["spec"]
    found = [*_of_pod(spec)]
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        found += _of_container(spec, container)
    return found


def _of_pod(spec: Object) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"host namespaces ({field}=true)"
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f'restricted volume types (volume "{volume["name"]}" uses {", ".join(kinds)})'
    if (spec.get("securityContext") or {}).get("runAsUser") == 0:
        yield "runAsUser=0 (pod must not set runAsUser=0)"


def _of_container(spec: Object, container: Object) -> Iterator[str]:
    whole, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    name = f'container "{container["name"]}"'
    capabilities = own.get("capabilities") or {}
    if own.get("privileged"):
        yield f"privileged ({name} must not set securityContext.privileged=true)"
    if own.get("allowPrivilegeEscalation") is not False:
        yield (
            f"allowPrivilegeEscalation != false ({name} must set "
            "securityContext.allowPrivilegeEscalation=false)"
        )
    if "ALL" not in (capabilities.get("drop") or []) or (
        set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}
    ):
        yield (
            f'unrestricted capabilities ({name} must set securityContext.capabilities.drop=["ALL"])'
        )
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
        yield f"runAsNonRoot != true (pod or {name} must set securityContext.runAsNonRoot=true)"
    yield from _of_rest(name, whole, own, container)


def _of_rest(name: str, whole: Object, own: Object, container: Object) -> Iterator[str]:
    if own.get("runAsUser") == 0:
        yield f"runAsUser=0 ({name} must not set runAsUser=0)"
    profile = (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
    if profile not in PROFILES:
        yield (
            f"seccompProfile (pod or {name} must set securityContext.seccompProfile.type "
            'to "RuntimeDefault" or "Localhost")'
        )
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield f"hostPort ({name} uses hostPorts)"
