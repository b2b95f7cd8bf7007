"""What the init containers of a pod say, in words for the person who waits. Pure.

The scripts in `manifests/scripts` leave exit codes and one line each; the cluster brings them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sessions.driving.vocabulary import Reason
from sessions.kubernetes.last_words import last_words
from sessions.kubernetes.manifests.preparation import LOOK, NOTEBOOKS
from sessions.kubernetes.moments import moment
from sessions.kubernetes.reason_rules import ADMIN, AGAIN

Manifest = Mapping[str, Any]

HOME_FULL = "home_full"
FULL, NOT_THEIRS = 28, 13  # exit codes of the look at the home: ENOSPC, EACCES
ROOM = "Start a rescue session, which costs nothing, and remove files in it."
TRIED_AGAIN = "It is tried again at the next start."

# By the first word of what the refresh of the standard notebooks says; {} is the rest.
REFRESHED = {
    "refreshed": ("notebooks_refreshed", "The standard notebooks in “{}” are refreshed.", ""),
    "kept": (
        "notebooks_kept", "The standard notebooks are refreshed. You had changed them: what you "
        "had is now in “{}”.", "",
    ),
    "taken": (
        "notebooks_taken", "The standard notebooks are left out, since “{}” in your home is "
        "something of yours.", "Rename it to have them at the next start.",
    ),
    "failed": (
        "notebooks_old", "The standard notebooks could not be refreshed ({}). Those that you have "
        "stay as they are.", TRIED_AGAIN,
    ),
}  # fmt: skip


def steps(pod: Manifest) -> Iterator[Reason]:
    """What init containers did that ended well."""
    for name, ended in _ended(pod):
        word, _, rest = last_words(ended).partition(" ")
        if name == NOTEBOOKS and not ended.get("exitCode") and word in REFRESHED:
            code, text, advice = REFRESHED[word]
            yield Reason(code, text.format(rest), advice, at=moment(ended.get("finishedAt")))


def end(pod: Manifest) -> Reason | None:
    """Why the server is not even begun."""
    for name, ended in _ended(pod):
        if code := ended.get("exitCode"):
            code_of_reason, text, advice = _words(name, code, ended)
            return Reason(
                code_of_reason, text, advice, is_final=True, at=moment(ended.get("finishedAt")),
                facts={"exit_code": code},
            )  # fmt: skip
    return None


def _words(name: str, code: int, ended: Manifest) -> tuple[str, str, str]:
    said = last_words(ended)
    hint = f" Its last words: “{said}”." if said else ""
    if (name, code) == (LOOK, FULL):
        return HOME_FULL, "Your home is full, so no server can work in it.", ROOM
    if (name, code) == (LOOK, NOT_THEIRS):
        return "home_closed", f"Your home cannot be written.{hint}", ADMIN
    text = f"The preparation of the server failed ({name}, exit code {code}).{hint}"
    return "init_failed", text, AGAIN


def _ended(pod: Manifest) -> Iterator[tuple[str, Manifest]]:
    for container in (pod.get("status") or {}).get("initContainerStatuses") or ():
        if ended := (container.get("state") or {}).get("terminated"):
            yield str(container.get("name")), ended
