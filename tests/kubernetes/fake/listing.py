"""Lists in pages, all of one version, and watches."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

from tests.kubernetes.fake.api import Api
from tests.kubernetes.fake.resources import (
    QUOTAS,
    ApiError,
    Change,
    Object,
    Resource,
    kind_of,
)
from tests.kubernetes.fake.selectors import Test, selected

Query = dict[str, str]


class Lister:
    """Pages of lists that were begun: what is left of each, by its token."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tokens = itertools.count(1)
        self._begun: dict[str, tuple[int, list[Object]]] = {}

    def page(self, resource: Resource, namespace: str | None, query: Query) -> Object:
        store = self._api.store
        with store.lock:
            version, things = self._continued(query.get("continue", ""))
            if version == 0:
                version, things = store.version, self._all(resource, namespace, query)
            limit = int(query.get("limit", "0")) or len(things)
            about: Object = {"resourceVersion": str(version)}
            if rest := things[limit:]:
                token = f"page-{next(self._tokens)}"
                self._begun[token] = (version, rest)
                about |= {"continue": token, "remainingItemCount": len(rest)}
        items = [_plain(thing) for thing in things[:limit]]
        kind = f"{kind_of(resource)}List"
        return {
            "kind": kind, "apiVersion": resource.api_version, "metadata": about, "items": items,
        }  # fmt: skip

    def _continued(self, token: str) -> tuple[int, list[Object]]:
        if not token:
            return 0, []
        version, things = self._begun.get(token, (-1, []))
        if version < self._api.store.compacted:
            message = "The provided continue parameter is too old to display a consistent list"
            raise ApiError(410, "Expired", message)
        return version, things

    def _all(self, resource: Resource, namespace: str | None, query: Query) -> list[Object]:
        test = selected(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        found = [thing for thing in self._api.store.all(resource, namespace) if test(thing)]
        return [self._api.quotas.status(q) for q in found] if resource == QUOTAS else found


def watch(
    api: Api, resource: Resource, namespace: str | None, query: Query, bookmark_seconds: float
) -> Iterator[Object | None]:
    """Events as they come; None about every tenth of a second, so that the caller can look up."""
    store, version = api.store, int(query.get("resourceVersion") or 0)
    test = _inside(namespace, query)
    ends = time.monotonic() + int(query.get("timeoutSeconds", "1800"))
    if version > store.version + 1000:
        raise ApiError(504, "Timeout", f"Too large resource version: {version}")
    if version == 0:
        with store.lock:
            version, things = store.version, store.all(resource, namespace)
        yield from (_event("ADDED", thing) for thing in things if test(thing))
    bookmark = time.monotonic() + bookmark_seconds
    while (now := time.monotonic()) < ends:
        try:
            changes, version = _news(api, resource, version)
        except ApiError as error:
            yield {"type": "ERROR", "object": error.content()}
            return
        yield from (event for change in changes if (event := _seen(change, test)))
        if now >= bookmark and query.get("allowWatchBookmarks") == "true":
            bookmark = now + bookmark_seconds
            yield _bookmark(resource, version)
        yield None


def _news(api: Api, resource: Resource, version: int) -> tuple[list[Change], int]:
    store = api.store
    with store.lock:
        changes = store.since(resource, version)
        if not changes:
            store.lock.wait(0.1)
            changes = store.since(resource, version)
        return changes, max(store.version, version)


def _inside(namespace: str | None, query: Query) -> Test:
    test = selected(query.get("labelSelector", ""), query.get("fieldSelector", ""))

    def inside(thing: Object) -> bool:
        place = thing["metadata"].get("namespace", "")
        return (namespace is None or place == namespace) and test(thing)

    return inside


def _seen(change: Change, test: Test) -> Object | None:
    """The event for somebody who sees only what passes the test."""
    now = change.kind != "DELETED" and test(change.object)
    before = change.before is not None and test(change.before)
    if not now and not before:
        return None
    if now and before:
        return _event("MODIFIED", change.object)
    return _event("ADDED" if now else "DELETED", change.object)


def _event(kind: str, thing: Object) -> Object:
    return {"type": kind, "object": thing}


def _bookmark(resource: Resource, version: int) -> Object:
    about: Any = {"resourceVersion": str(version), "creationTimestamp": None}
    thing = {"kind": kind_of(resource), "apiVersion": resource.api_version, "metadata": about}
    return {"type": "BOOKMARK", "object": thing}


def _plain(thing: Object) -> Object:
    """As items of a list are: without their kind."""
    return {key: value for key, value in thing.items() if key not in ("kind", "apiVersion")}
