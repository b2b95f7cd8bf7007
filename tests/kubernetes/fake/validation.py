"""What the API refuses as invalid."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from tests.kubernetes import schema
from tests.kubernetes.fake.quantities import quantity
from tests.kubernetes.fake.resources import ApiError, Object, Resource, invalid

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DNS_1035 = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)
NAMES = {"Service": DNS_1035, "Namespace": DNS_LABEL}
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
CHANGEABLE = {"tolerations", "activeDeadlineSeconds", "nodeName", "terminationGracePeriodSeconds"}


def check(resource: Resource, thing: Object) -> None:
    """Raises 400 or 422."""
    kind, about = thing.get("kind", ""), thing.get("metadata") or {}
    name = about.get("name") or about.get("generateName", "") + "x"
    if not (NAMES.get(kind, SUBDOMAIN)).fullmatch(name):
        raise invalid(kind, name, f"metadata.name: Invalid value: {name!r}")
    for key, value in (about.get("labels") or {}).items():
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
            raise invalid(kind, name, f"metadata.labels: Invalid value: {key}={value!r}")
    _check_schema(kind, thing)
    if kind == "Pod":
        _check_pod(name, thing["spec"])
    if kind == "DaskCluster" and len(name) > 53:
        raise invalid(kind, name, "the name is longer than 53 characters")


def check_change(before: Object, after: Object) -> None:
    """Raises 422 where something is changed that cannot change."""
    kind, name = before["kind"], before["metadata"]["name"]
    if kind == "Secret" and before.get("immutable") and before.get("data") != after.get("data"):
        raise invalid(kind, name, "data: Forbidden: field is immutable when `immutable` is set")
    old, new = before.get("spec") or {}, after.get("spec") or {}
    if kind == "Pod" and _fixed(old) != _fixed(new):
        raise invalid(kind, name, "spec: Forbidden: pod updates may not change fields other than…")
    if kind == "PersistentVolumeClaim" and old.get("accessModes") != new.get("accessModes"):
        raise invalid(kind, name, "spec: Forbidden: spec is immutable after creation")


def _fixed(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if key not in CHANGEABLE}


def _check_schema(kind: str, thing: Object) -> None:
    if kind not in schema.MODELS:
        return
    try:
        schema.check(thing)
    except ValidationError as error:
        raise ApiError(400, "BadRequest", f"strict decoding error: {error}") from error


def _check_pod(name: str, spec: Object) -> None:
    containers = spec.get("containers") or []
    if not containers:
        raise invalid("Pod", name, "spec.containers: Required value")
    for container in [*containers, *spec.get("initContainers", [])]:
        if not container.get("image"):
            raise invalid("Pod", name, "spec.containers[].image: Required value")
        _check_resources(name, container.get("resources") or {})
        for mount in container.get("volumeMounts", []):
            _check_mount(name, spec, mount)


def _check_resources(name: str, resources: Object) -> None:
    limits = resources.get("limits") or {}
    for what, amount in (resources.get("requests") or {}).items():
        try:
            too_much = what in limits and quantity(amount) > quantity(limits[what])
        except ValueError as error:
            raise invalid("Pod", name, str(error)) from error
        if too_much:
            message = f"{what}: must be less than or equal to {what} limit of {limits[what]}"
            raise invalid("Pod", name, f"spec.containers[].resources.requests.{message}")


def _check_mount(name: str, spec: Object, mount: dict[str, Any]) -> None:
    if mount["name"] not in {volume["name"] for volume in spec.get("volumes", [])}:
        raise invalid("Pod", name, f'volumeMounts[].name: Not found: "{mount["name"]}"')
    sub_path = mount.get("subPath", "")
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise invalid("Pod", name, f"volumeMounts[].subPath: Invalid value: {sub_path!r}")
