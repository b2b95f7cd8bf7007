"""The controllers of namespaces and claims: what others expect to find, and slow ends."""

from __future__ import annotations

from contextlib import suppress

from tests.kubernetes.fake.api import Api
from tests.kubernetes.fake.resources import ACCOUNTS, CLAIMS, NAMESPACES, ApiError, Change, Object
from tests.kubernetes.fake.timeline import Timeline

LOOK_SECONDS = 0.02


class Controllers:
    def __init__(self, api: Api, timeline: Timeline) -> None:
        self._api, self._store, self._timeline = api, api.store, timeline
        self.account_seconds = 0.0
        self.end_seconds = 0.0
        self.bind_claims = True
        self._store.listeners.append(self._heard)

    def _heard(self, change: Change) -> None:
        thing = change.object
        if change.resource == NAMESPACES and change.kind == "ADDED":
            if self.account_seconds:
                self._timeline.after(self.account_seconds, lambda: self._make_account(thing))
            else:
                self._make_account(thing)
        is_ending = change.kind == "MODIFIED" and "deletionTimestamp" in thing["metadata"]
        if change.resource == NAMESPACES and is_ending:
            self._timeline.after(0, lambda: self._empty(thing))
        if change.resource == CLAIMS and change.kind == "ADDED" and self.bind_claims:
            self._timeline.after(0, lambda: self._bind(thing))

    def _make_account(self, namespace: Object) -> None:
        account = {"metadata": {"name": "default"}}
        with suppress(ApiError):
            self._store.create(ACCOUNTS, namespace["metadata"]["name"], account)

    def _bind(self, claim: Object) -> None:
        about = claim["metadata"]
        storage = claim["spec"]["resources"]["requests"]
        status = {"phase": "Bound", "capacity": storage}
        with suppress(ApiError):
            self._store.update(
                CLAIMS, about["namespace"], about["name"], lambda now: {**now, "status": status}
            )

    def _empty(self, namespace: Object) -> None:
        self._delete_all(namespace["metadata"]["name"])
        self._timeline.after(self.end_seconds, lambda: self._end(namespace))

    def _end(self, namespace: Object) -> None:
        """Content that came late, such as events about the end, is deleted, too."""
        name = namespace["metadata"]["name"]
        if self._store.contents(name):
            self._delete_all(name)
            self._timeline.after(LOOK_SECONDS, lambda: self._end(namespace))
            return
        with suppress(ApiError):
            self._store.remove(NAMESPACES, "", name)

    def _delete_all(self, namespace: str) -> None:
        for resource, place, name in self._store.contents(namespace):
            found = self._store.find(resource, place, name)
            if found is not None and "deletionTimestamp" not in found["metadata"]:
                with suppress(ApiError):
                    self._api.delete(resource, place, name)
