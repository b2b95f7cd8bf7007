"""What each verb does: admission first, then the store."""

from __future__ import annotations

import base64
from typing import Any

from tests.kubernetes.fake import pod_security, validation
from tests.kubernetes.fake.patches import patched
from tests.kubernetes.fake.quota_admission import QuotaAdmission
from tests.kubernetes.fake.resources import (
    ACCOUNTS,
    CLAIMS,
    NAMESPACES,
    PODS,
    PRIORITIES,
    QUOTAS,
    REPLICAS,
    SECRETS,
    ApiError,
    Object,
    Resource,
    forbidden,
    not_found,
)
from tests.kubernetes.fake.store import Store, already_there

ENFORCED = "pod-security.kubernetes.io/enforce"
DEFAULT_GRACE = 30
OVER = ("Succeeded", "Failed")


class Api:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.quotas = QuotaAdmission(store)
        store.cascade = self.delete

    def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Object:
        found = self.store.get(resource, namespace, name)
        if subresource == "scale":
            return _scale(resource, found)
        return self.quotas.status(found) if resource == QUOTAS else found

    def create(
        self, resource: Resource, namespace: str, thing: Object, *, is_dry: bool = False
    ) -> Object:
        """In the order of the API: schema, namespace, admission, quota, and only then the name."""
        self._check_place(resource, namespace, thing)
        validation.check(resource, thing)
        thing = _completed(resource, thing)
        with self.store.lock:
            self._check_namespace(resource, namespace, thing)
            self._admit(resource, namespace, thing)
            if is_dry:
                return thing
            try:
                return self.store.create(resource, namespace, thing)
            except ApiError:
                self.quotas.failed(resource, namespace, thing)
                raise

    def replace(
        self, resource: Resource, namespace: str, name: str, thing: Object, subresource: str = ""
    ) -> Object:
        def change(before: Object) -> Object:
            return _changed(resource, subresource, before, thing)

        return self.store.update(resource, namespace, name, change)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        content_type: str,
        subresource: str = "",
    ) -> Object:
        def change(before: Object) -> Object:
            if subresource == "scale":
                wanted = patched(content_type, _scale(resource, before), patch)
                return _scaled(resource, before, wanted["spec"]["replicas"])
            after = patched(content_type, before, patch)
            return _changed(resource, subresource, before, after)

        after = self.store.update(resource, namespace, name, change)
        return _scale(resource, after) if subresource == "scale" else after

    def delete(
        self, resource: Resource, namespace: str, name: str, options: Object | None = None
    ) -> Object:
        options = options or {}
        with self.store.lock:
            found = self.store.get(resource, namespace, name)
            _check_preconditions(resource, found, options.get("preconditions") or {})
            if resource == NAMESPACES:
                return self._terminate(found)
            grace = _grace(resource, found, options.get("gracePeriodSeconds"))
            return self.store.delete(resource, namespace, name, grace)

    def _terminate(self, namespace: Object) -> Object:
        """A namespace ends when its controller has emptied it."""
        name = namespace["metadata"]["name"]
        if "deletionTimestamp" in namespace["metadata"]:
            return namespace
        held = {**namespace, "status": {"phase": "Terminating"}}
        held["metadata"] = namespace["metadata"] | {"finalizers": ["kubernetes"]}
        self.store.update(NAMESPACES, "", name, lambda _: held)
        return self.store.delete(NAMESPACES, "", name)

    def _check_place(self, resource: Resource, namespace: str, thing: Object) -> None:
        about = thing.get("metadata")
        if not isinstance(about, dict):
            raise ApiError(400, "BadRequest", "the object has no metadata")
        if about.get("namespace", namespace) != namespace:
            message = "the namespace of the object does not match the namespace of the request"
            raise ApiError(400, "BadRequest", message)
        if thing.get("apiVersion") != resource.api_version:
            message = f"the API version in the data does not match {resource.api_version}"
            raise ApiError(400, "BadRequest", message)

    def _check_namespace(self, resource: Resource, namespace: str, thing: Object) -> None:
        if not namespace:
            return
        place = self.store.find(NAMESPACES, "", namespace)
        if place is None:
            raise not_found(NAMESPACES, namespace)
        if "deletionTimestamp" in place["metadata"]:
            message = (
                f"unable to create new content in namespace {namespace} "
                "because it is being terminated"
            )
            raise forbidden(resource, thing["metadata"].get("name", ""), message)

    def _admit(self, resource: Resource, namespace: str, thing: Object) -> None:
        if resource == PODS:
            self._check_account(namespace, thing)
            self._check_security(namespace, thing)
            self._check_priority(thing)
        if namespace:
            self.quotas.check(resource, namespace, thing)

    def _check_account(self, namespace: str, pod: Object) -> None:
        name = pod["spec"].get("serviceAccountName", "default")
        if self.store.find(ACCOUNTS, namespace, name) is None:
            message = (
                f"error looking up service account {namespace}/{name}: "
                f'serviceaccount "{name}" not found'
            )
            raise forbidden(PODS, pod["metadata"].get("name", ""), message)

    def _check_security(self, namespace: str, pod: Object) -> None:
        place = self.store.get(NAMESPACES, "", namespace)
        if (place["metadata"].get("labels") or {}).get(ENFORCED) != "restricted":
            return
        if found := pod_security.violations(pod):
            message = f'violates PodSecurity "restricted:latest": {", ".join(found)}'
            raise forbidden(PODS, pod["metadata"].get("name", ""), message)

    def _check_priority(self, pod: Object) -> None:
        name = pod["spec"].get("priorityClassName")
        if name and self.store.find(PRIORITIES, "", name) is None:
            message = f"no PriorityClass with name {name} was found"
            raise forbidden(PODS, pod["metadata"].get("name", ""), message)


def _completed(resource: Resource, thing: Object) -> Object:
    """The object with what the API fills in."""
    thing = {key: value for key, value in thing.items() if key != "status"} | _status(resource)
    if resource == NAMESPACES:
        about = thing["metadata"]
        labels = about.get("labels", {}) | {"kubernetes.io/metadata.name": about["name"]}
        thing["metadata"] = about | {"labels": labels}
    if resource == SECRETS and "stringData" in thing:
        plain = thing.pop("stringData")
        coded = {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
        thing["data"] = thing.get("data", {}) | coded
    if resource == PODS:
        filled = {"restartPolicy": "Always", "terminationGracePeriodSeconds": DEFAULT_GRACE}
        thing["spec"] = filled | {"serviceAccountName": "default"} | thing["spec"]
    return thing


def _status(resource: Resource) -> Object:
    if resource == PODS:
        return {"status": {"phase": "Pending", "qosClass": "Guaranteed"}}
    if resource == CLAIMS:
        return {"status": {"phase": "Pending"}}
    return {"status": {"phase": "Active"}} if resource == NAMESPACES else {}


def _changed(resource: Resource, subresource: str, before: Object, after: Object) -> Object:
    """What a write changes: the status, or everything but the status."""
    about, known = after.get("metadata", {}), before["metadata"]
    for field in ("uid", "resourceVersion"):
        if about.get(field, known[field]) != known[field]:
            raise _stale(resource, known["name"], field)
    if subresource == "status":
        return {**before, "status": after.get("status", {})}
    fixed = {k: known[k] for k in FIXED if k in known}
    changed = {**after, "metadata": {**about, **fixed}}
    if "status" in before:
        changed["status"] = before["status"]
    validation.check_change(before, changed)
    validation.check(resource, changed)
    return changed


FIXED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")


def _check_preconditions(resource: Resource, found: Object, wanted: Object) -> None:
    for field, value in wanted.items():
        if found["metadata"][field] != value:
            raise _stale(resource, found["metadata"]["name"], field)


def _stale(resource: Resource, name: str, field: str) -> ApiError:
    if field == "uid":
        message = "Precondition failed: UID in precondition differs from UID in object meta"
    else:
        message = "the object has been modified; please apply your changes to the latest version"
    where = f'Operation cannot be fulfilled on {resource.plural} "{name}": {message}'
    return ApiError(409, "Conflict", where)


def _grace(resource: Resource, pod: Object, asked: int | None) -> int | None:
    """The seconds that a pod is given; none where nothing runs in it."""
    if resource != PODS:
        return None
    idle = "nodeName" not in pod["spec"] or pod.get("status", {}).get("phase") in OVER
    own = int(pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE))
    return 0 if idle else own if asked is None else asked


def _scale(resource: Resource, thing: Object) -> Object:
    value: Any = thing
    for key in _replicas(resource):
        value = value.get(key, {}) if isinstance(value, dict) else 0
    about = {k: thing["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")}
    spec = {"replicas": value or 0}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": about,
        "spec": spec,
        "status": dict(spec),
    }


def _scaled(resource: Resource, thing: Object, replicas: int) -> Object:
    patch: Any = replicas
    for key in reversed(_replicas(resource)):
        patch = {key: patch}
    after: Object = patched("application/merge-patch+json", thing, patch)
    return after


def _replicas(resource: Resource) -> tuple[str, ...]:
    if resource.plural not in REPLICAS:
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    return REPLICAS[resource.plural]


__all__ = ["Api", "already_there"]
