"""Why a server ended: who asked for it, or what its spawner saw.

JupyterHub tells a hook neither, so two things watch: `stop_single_user`, through which every
stop that somebody asks for goes, and a subclass of the site's spawner that notes what `poll` and
`stop` meet. Where one of them is missing the reason is "unknown"; nothing else depends on them.
"""

import functools
import inspect
from collections.abc import Callable, Container
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from lsp_hub.events import REASONS, exit_code, short_text
from lsp_hub.pods import NO_END, PodEnd, pod_end, pod_of
from lsp_hub.service import SERVICE_NAME

ACTOR_HEADER = "X-LSP-Actor"
REASON_HEADER = "X-LSP-Reason"


@dataclass(frozen=True)
class Asker:
    """Who sent a request to the hub."""

    name: str
    kind: str  # "user" or "service"
    reason: str | None = None  # what the portal's service says about a stop


@dataclass
class Witness:
    """What a spawner saw of its server since the start."""

    asked_to_stop: bool = False
    status: Any = None  # of the first poll that found it ended by itself
    pod: PodEnd = NO_END


@dataclass(frozen=True)
class Ending:
    """The data of session.stopped or session.failed."""

    reason: str
    exit_code: int | None = None
    actor: str | None = None


# Set while a stop that somebody asked for runs; tasks made meanwhile inherit it.
STOP_ASKED_BY: ContextVar[Asker | None] = ContextVar("lsp_stop_asked_by", default=None)
# Set while a spawner polls: KubeSpawner's poll itself stops a pod that has ended.
POLLING: ContextVar[bool] = ContextVar("lsp_polling", default=False)


def asker_of(handler: Any) -> Asker | None:
    """Who sent the request that `handler` serves; the portal's service names the person."""
    who = getattr(handler, "current_user", None)
    if who is None:
        return None
    kind = str(getattr(who, "kind", "user"))
    if kind == "service" and who.name == SERVICE_NAME:
        headers = handler.request.headers
        actor = headers.get(ACTOR_HEADER)
        reason = headers.get(REASON_HEADER)
        if actor:
            return Asker(short_text(actor), "user", reason if reason in REASONS else None)
        return Asker(SERVICE_NAME, kind, reason if reason in REASONS else None)
    return Asker(short_text(who.name), kind)


def watch_stops(handler_class: Any) -> None:
    """Let `stop_single_user` of the hub's handlers tell who asked; a second call does nothing."""
    original = getattr(handler_class, "stop_single_user", None)
    if original is None or hasattr(original, "lsp_original"):
        return

    @functools.wraps(original)
    async def stop_single_user(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = STOP_ASKED_BY.set(_asker_or_none(self))
        try:
            return await original(self, *args, **kwargs)
        finally:
            STOP_ASKED_BY.reset(token)

    stop_single_user.lsp_original = original  # type: ignore[attr-defined]  # the mark of ours
    handler_class.stop_single_user = stop_single_user


def _asker_or_none(handler: Any) -> Asker | None:
    try:
        return asker_of(handler)
    except Exception:  # a stop must not fail because its book-keeping does
        return None


def ending(
    user: str, asker: Asker | None, witness: Witness | None, *, cullers: Container[str]
) -> Ending:
    """The reason of an end, from who asked and what was seen."""
    if asker is not None:
        return Ending(_asked_reason(user, asker, cullers), actor=asker.name)
    if witness is None:
        return Ending("unknown")
    code = witness.pod.exit_code
    code = exit_code(witness.status) if code is None else code
    if witness.pod.reason:
        return Ending(witness.pod.reason, code)
    if witness.status is not None:
        return Ending("crashed" if code else "unknown", code)
    return Ending("hub" if witness.asked_to_stop else "unknown")


def _asked_reason(user: str, asker: Asker, cullers: Container[str]) -> str:
    if asker.reason:
        return asker.reason
    if asker.kind == "service":
        return "culled" if asker.name in cullers else "admin"
    return "user" if asker.name == user else "admin"


def watched(spawner_class: Any, session_of: Callable[[Any], str | None]) -> Any:
    """A subclass of the site's spawner that notes how its servers end.

    Its stored state also carries our session id, which so survives the loss of the outbox.
    """

    def get_state(self: Any) -> Any:
        state = spawner_class.get_state(self)
        session = session_of(self)
        return {**state, "lsp_session": session} if session else state

    async def poll(self: Any) -> Any:
        witness, pod = witness_of(self), pod_of(self)
        status = await _poll(spawner_class, self)
        if status is not None and witness.status is None and not witness.asked_to_stop:
            witness.status, witness.pod = status, pod_end(pod)
        return status

    async def stop(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not POLLING.get():
            witness_of(self).asked_to_stop = True
        return await _result(spawner_class.stop(self, *args, **kwargs))

    members = {"get_state": get_state, "poll": poll, "stop": stop, "lsp_witness": None}
    members["__module__"] = spawner_class.__module__  # as the hub's log names it
    return type(spawner_class)(spawner_class.__name__, (spawner_class,), members)


async def _poll(spawner_class: Any, spawner: Any) -> Any:
    token = POLLING.set(True)
    try:
        return await _result(spawner_class.poll(spawner))
    finally:
        POLLING.reset(token)


def witness_of(spawner: Any) -> Witness:
    """What this spawner saw; a new witness for one that nobody asked before."""
    witness = getattr(spawner, "lsp_witness", None)
    if not isinstance(witness, Witness):
        witness = spawner.lsp_witness = Witness()
    return witness


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
