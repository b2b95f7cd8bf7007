"""What the watcher remembers of pods: a digest each, so that what is known is not told again."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sessions.kubernetes.watching.pods import Manifest, digest


class Memory:
    """The pods of one source, 16 bytes of identity and 16 of content each."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._known)

    def is_news(self, pod: Manifest) -> bool:
        return self._known.get(_identity(uid_of(pod))) != digest(pod)

    def keep(self, pod: Manifest) -> None:
        """Once it was acted upon, not before: what fails is told again."""
        self._known[_identity(uid_of(pod))] = digest(pod)

    def forget(self, uid: str) -> None:
        self._known.pop(_identity(uid), None)

    def keep_only(self, uids: Iterable[str]) -> None:
        there = set(map(_identity, uids))
        for key in self._known.keys() - there:
            del self._known[key]


def uid_of(pod: Manifest) -> str:
    return str(pod["metadata"]["uid"])


def _identity(uid: str) -> bytes:
    try:
        return UUID(uid).bytes
    except ValueError:
        return uid.encode()
