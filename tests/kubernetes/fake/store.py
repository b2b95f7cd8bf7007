"""The objects, and the log of what happened to them. Objects are replaced, never changed in place,
so whoever has one may keep it.
"""

from __future__ import annotations

import bisect
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from tests.kubernetes.fake.resources import (
    ApiError,
    Change,
    Object,
    Resource,
    kind_of,
    not_found,
    stamp,
)

Key = tuple[Resource, str, str]


class Store:
    """All that is written happens under `lock`, which also wakes those who watch."""

    def __init__(self) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.version = 1
        self.compacted = 0
        self.listeners: list[Callable[[Change], None]] = []
        self.cascade: Callable[[Resource, str, str], object] = self.delete
        self._objects: dict[Resource, dict[str, dict[str, Object]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._log: dict[Resource, list[Change]] = defaultdict(list)
        self._owned: dict[str, set[Key]] = defaultdict(set)

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        with self.lock:
            return self._objects[resource][namespace].get(name)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        found = self.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def all(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """In the order of namespaces and names, as etcd keeps them."""
        with self.lock:
            places = self._objects[resource]
            chosen = sorted(places) if namespace is None else [namespace]
            return [places[place][name] for place in chosen for name in sorted(places[place])]

    def contents(self, namespace: str) -> list[Key]:
        with self.lock:
            return [
                (resource, namespace, name)
                for resource, places in self._objects.items()
                for name in list(places.get(namespace, ()))
                if namespace
            ]

    def create(self, resource: Resource, namespace: str, thing: Object) -> Object:
        about = dict(thing["metadata"])
        if "generateName" in about and "name" not in about:
            about["name"] = about["generateName"] + uuid.uuid4().hex[:5]
        about |= {"uid": str(uuid.uuid4()), "creationTimestamp": stamp(), "generation": 1}
        if namespace:
            about["namespace"] = namespace
        made = {**deepcopy(thing), "metadata": about}
        made |= {"apiVersion": resource.api_version, "kind": kind_of(resource)}
        with self.lock:
            if self.find(resource, namespace, about["name"]) is not None:
                raise already_there(resource, about["name"])
            return self._write("ADDED", resource, made, None)

    def update(
        self, resource: Resource, namespace: str, name: str, change: Callable[[Object], Object]
    ) -> Object:
        """The object as `change` made it of the earlier one, which it must not touch.

        An object that waits for its last finalizer and lost it is gone.
        """
        with self.lock:
            before = self.get(resource, namespace, name)
            after = change(before)
            if after == before:
                return before
            about = after["metadata"]
            if "deletionTimestamp" in about and _is_held(before) and not _is_held(after):
                return self.remove(resource, namespace, name, after)
            if after.get("spec") != before.get("spec"):
                after["metadata"] = about | {"generation": about.get("generation", 1) + 1}
            return self._write("MODIFIED", resource, after, before)

    def remove(
        self, resource: Resource, namespace: str, name: str, last: Object | None = None
    ) -> Object:
        """Take it out, and what it owns."""
        with self.lock:
            before = self.get(resource, namespace, name)
            gone = self._write("DELETED", resource, dict(last or before), before)
            for owned in list(self._owned.pop(before["metadata"]["uid"], ())):
                if self.find(*owned) is not None:
                    self.cascade(*owned)
            return gone

    def delete(
        self, resource: Resource, namespace: str, name: str, grace: int | None = None
    ) -> Object:
        """Ask for its end. What has a finalizer, or a grace, is only marked."""
        with self.lock:
            before = self.get(resource, namespace, name)
            if not grace and not _is_held(before):
                return self.remove(resource, namespace, name)
            marks: dict[str, Any] = {"deletionTimestamp": stamp()}
            if grace is not None:
                marks["deletionGracePeriodSeconds"] = grace
            about = {**marks, **before["metadata"], "deletionGracePeriodSeconds": grace or 0}
            after = {**before, "metadata": about}
            return self._write("MODIFIED", resource, after, before)

    def since(self, resource: Resource, version: int) -> list[Change]:
        """What happened after a version. Raises 410 where that is forgotten."""
        with self.lock:
            if version < self.compacted:
                message = f"too old resource version: {version} ({self.compacted})"
                raise ApiError(410, "Expired", message)
            log = self._log[resource]
            return log[bisect.bisect_right(log, version, key=lambda change: change.version) :]

    def compact(self) -> None:
        """Forget what happened so far."""
        with self.lock:
            self.compacted = self.version
            self._log.clear()
            self.lock.notify_all()

    def events(self) -> Iterator[Change]:
        with self.lock:
            yield from (change for log in self._log.values() for change in log)

    def _write(self, kind: str, resource: Resource, thing: Object, before: Object | None) -> Object:
        self.version += 1
        about = thing["metadata"] | {"resourceVersion": str(self.version)}
        written = {**thing, "metadata": about}
        place = self._objects[resource][about.get("namespace", "")]
        if kind == "DELETED":
            place.pop(about["name"])
        else:
            place[about["name"]] = written
            for owner in about.get("ownerReferences", []):
                key = (resource, about.get("namespace", ""), about["name"])
                self._owned[owner["uid"]].add(key)
        change = Change(self.version, kind, resource, written, before)
        self._log[resource].append(change)
        for listener in self.listeners:
            listener(change)
        self.lock.notify_all()
        return written


def already_there(resource: Resource, name: str) -> ApiError:
    where = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    return ApiError(409, "AlreadyExists", f'{where} "{name}" already exists')


def _is_held(thing: Object) -> bool:
    return bool(thing["metadata"].get("finalizers"))
