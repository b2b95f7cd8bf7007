"""A thin client of the cluster's API: plain dicts, by the names of kinds.

Nothing is kept between calls, and nothing may be called inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.connection import Connection, connection
from sessions.kubernetes.failures import (
    AlreadyThere,
    Conflict,
    Foreign,
    Gone,
    KubernetesError,
    NotFound,
    Refused,
    TooMany,
    Unavailable,
    failure,
)
from sessions.kubernetes.kinds import KINDS
from sessions.kubernetes.names import CONTENT, Manifest

__all__ = [
    "AlreadyThere", "Client", "Conflict", "Foreign", "Gone", "KubernetesError", "Listing",
    "Manifest", "NotFound", "Refused", "TooMany", "Unavailable", "WatchEvent",
]  # fmt: skip

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PAGE = 500
SILENCE_SECONDS = 90.0  # bookmarks come about once a minute


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """ADDED, MODIFIED or DELETED, and the object; or BOOKMARK, which only has a version."""

    kind: str
    object: Manifest

    @property
    def resource_version(self) -> str:
        return str(self.object["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects as they were at one version, page after page; iterate once.

    The iteration raises Gone where the version is forgotten before its last page.
    """

    resource_version: str
    items: Iterator[Manifest]

    def __iter__(self) -> Iterator[Manifest]:
        return self.items


@dataclass(frozen=True, slots=True)
class Client:
    """One cluster's API. Whatever goes wrong is a KubernetesError."""

    connection: Connection

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        """The client of a cluster. Raises NotConfigured."""
        return cls(connection(cluster))

    def get(self, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        try:
            return self.connection.send("GET", KINDS[kind].path(namespace, name))
        except NotFound:
            return None

    def may(self, verb: str, kind: str, namespace: str | None = None) -> bool:
        """Whether the cluster lets the portal do this; without a namespace in all of it.

        A kind may have a subresource: `DaskCluster/scale`.
        """
        name, _, subresource = kind.partition("/")
        known = KINDS[name]
        asked = {"verb": verb, "group": known.group, "resource": known.plural}
        about = {**asked, "subresource": subresource, "namespace": namespace or ""}
        kind = "SelfSubjectAccessReview"
        review = {
            "apiVersion": KINDS[kind].api_version,
            "kind": kind,
            "metadata": {},
            "spec": {"resourceAttributes": about},
        }
        return bool(self.create(review)["status"]["allowed"])

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """The object as it was made. It is never sent twice: look before you call again.

        With `dry_run` the cluster only says whether it would make it.
        """
        path = KINDS[manifest["kind"]].path(manifest["metadata"].get("namespace"))
        query = {"dryRun": "All"} if dry_run else None
        return self.connection.send("POST", path, query=query, body=manifest)

    def ensure(self, manifest: Manifest, *, owner: Mapping[str, str]) -> Manifest:
        """The object as it is; made where it is missing.

        One that is there must have the annotations of `owner`, else it is Foreign; one that is
        being deleted is a Conflict. Where the annotation `lsp.portal/content` differs, the spec
        is replaced.
        """
        live = self._live(manifest)
        if live is None:
            try:
                return self.create(manifest)
            except AlreadyThere:
                live = self._live(manifest)
        return self._adopted(live, manifest, owner)

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> bool:
        """Ask for the end of an object, with `uid` of that very one. False: it was gone before."""
        body: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        try:
            self.connection.send("DELETE", KINDS[kind].path(namespace, name), body=body)
        except (NotFound, Conflict):  # Conflict: the name is another object's by now
            return False
        return True

    def patch(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        body: Mapping[str, Any],
        *,
        subresource: str = "",
    ) -> Manifest:
        """Merge `body` into the object: what it does not name stays, null removes."""
        path = KINDS[kind].path(namespace, name, subresource)
        return self.connection.send("PATCH", path, body=dict(body), content_type=MERGE)

    def list(
        self, kind: str, namespace: str | None = None, *, selector: str = "", limit: int = PAGE
    ) -> Listing:
        """The objects with these labels, in a namespace or in all. Pages come as they are read."""
        path, query = KINDS[kind].path(namespace), _query(selector) | {"limit": limit}
        first = self.connection.send("GET", path, query=query)
        version = str(first["metadata"]["resourceVersion"])
        return Listing(version, self._items(path, query, first))

    def watch(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        resource_version: str,
        timeout_seconds: int,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Iterator[WatchEvent]:
        """What happens after `resource_version`, until the server ends it at `timeout_seconds`.

        Raises Gone where the version is forgotten, Unavailable where the connection breaks or
        nothing, not even a bookmark, comes for `silence_seconds`.
        """
        query = _query(selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": timeout_seconds,
        }
        path = KINDS[kind].path(namespace)
        for line in self.connection.stream(path, query=query, silence_seconds=silence_seconds):
            if line["type"] == "ERROR":
                raise failure(int(line["object"].get("code", 500)), line["object"], {})
            yield WatchEvent(line["type"], line["object"])

    def _items(
        self, path: str, query: Mapping[str, str | int], page: Manifest
    ) -> Iterator[Manifest]:
        yield from page["items"]
        while following := page["metadata"].get("continue"):
            page = self.connection.send("GET", path, query={**query, "continue": following})
            yield from page["items"]

    def _live(self, manifest: Manifest) -> Manifest | None:
        about = manifest["metadata"]
        return self.get(manifest["kind"], about["name"], about.get("namespace"))

    def _adopted(
        self, live: Manifest | None, manifest: Manifest, owner: Mapping[str, str]
    ) -> Manifest:
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        if live is None or "deletionTimestamp" in live["metadata"]:
            raise Conflict(f"{what} is being deleted.")
        known = live["metadata"].get("annotations", {})
        if any(known.get(name) != value for name, value in owner.items()):
            raise Foreign(f"{what} exists and belongs to something else.")
        wanted = manifest["metadata"].get("annotations", {}).get(CONTENT)
        return live if known.get(CONTENT) == wanted else self._renewed(live, manifest)

    def _renewed(self, live: Manifest, manifest: Manifest) -> Manifest:
        """The object with the spec and the annotations of the manifest."""
        about = live["metadata"]
        annotations = about.get("annotations", {}) | manifest["metadata"]["annotations"]
        steps = [
            {"op": "test", "path": "/metadata/uid", "value": about["uid"]},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
            {"op": "add", "path": "/spec", "value": manifest["spec"]},
        ]
        path = KINDS[live["kind"]].path(about.get("namespace"), about["name"])
        return self.connection.send("PATCH", path, body=steps, content_type=JSON_PATCH)


def _query(selector: str) -> dict[str, str | int]:
    return {"labelSelector": selector} if selector else {}
