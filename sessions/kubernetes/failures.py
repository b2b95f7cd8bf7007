"""What can go wrong between the portal and the cluster's API: every failure is one of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOO_MANY_SECONDS = 1.0  # when the server does not say how long to wait


class KubernetesError(Exception):
    """Something went wrong; the text says what, for people."""


class NotFound(KubernetesError):
    """The object, or the namespace it would live in, is not there."""


class AlreadyThere(KubernetesError):
    """An object of that name exists."""


class Foreign(KubernetesError):
    """An object of that name exists and is not the one that is meant."""


class Conflict(KubernetesError):
    """The object is not as was thought, or is being deleted; looking again may help."""


class Gone(KubernetesError):
    """What was to be continued is too old: list anew."""


class Refused(KubernetesError):
    """The server says no. `reason` is its word for why, such as `Forbidden` or `Invalid`."""

    def __init__(self, message: str, reason: str = "", status: int = 403) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status

    @property
    def is_passing(self) -> bool:
        """Whether the same may be allowed in a moment: a new namespace is still being filled."""
        return "error looking up service account" in str(self)


class TooMany(KubernetesError):
    """The server wants fewer requests; nothing was done. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = TOO_MANY_SECONDS) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(KubernetesError):
    """No usable answer. `perhaps_done`: what was asked for may have happened all the same."""

    def __init__(self, message: str, *, perhaps_done: bool) -> None:
        super().__init__(message)
        self.perhaps_done = perhaps_done


def failure(status: int, answer: Mapping[str, Any], headers: Mapping[str, str]) -> KubernetesError:
    """What an answer of the server that is no success means; `answer` is its Status object."""
    message = str(answer.get("message") or f"The cluster answered {status}.")
    reason = str(answer.get("reason") or "")
    if status == 404:
        return NotFound(message)
    if status == 409:
        return AlreadyThere(message) if reason == "AlreadyExists" else Conflict(message)
    if status == 410:
        return Gone(message)
    if status == 429:
        return TooMany(message, _seconds(headers.get("Retry-After", "")))
    if status >= 500:
        return Unavailable(message, perhaps_done=True)
    return Refused(message, reason, status)


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else TOO_MANY_SECONDS
