"""A hub's wish that the portal starts or stops the server of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.db import transaction

from sessions.driving import messages, sealing, states
from sessions.driving.steps import tell
from sessions.driving.vocabulary import Reason
from sessions.grants import Grant
from sessions.models import Hub, Server, Session

OVER = (Session.State.ENDED, Session.State.FAILED, Session.State.STOPPING)


@dataclass(frozen=True, slots=True)
class StartAsk:
    """What a hub wants to run: the command, its environment with the hub's token, and the port."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int

    def digest(self) -> bytes:
        content = {
            "command": self.command,
            "environment": dict(self.environment),
            "port": self.port,
        }
        return sealing.digest(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))


@dataclass
class StartRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The portal does not start the server."""

    code: str
    detail: str
    status: int = 409

    def __str__(self) -> str:
        return self.detail


@transaction.atomic
def ask_to_start(session: Session, ask: StartAsk, *, at: datetime) -> Server:
    """Write down that the session's server is wanted, once; a worker brings it up.

    Asked again with the same content it is the same server. Raises StartRefused: `not_driven`,
    `not_granted`, `conflict`, `ended`.
    """
    session = Session.objects.select_for_update(no_key=True, of=("self",)).get(pk=session.pk)
    _check(session, at=at)
    server, is_new = Server.objects.get_or_create(pk=session.pk, defaults=_row(ask, at))
    if not is_new:
        _check_same(server, ask)
    if is_new:
        tell(server, [Reason("asked", "Asked for; the portal is starting the server.")], at=at)
    messages.start_soon(server.pk)
    return server


def _check(session: Session, *, at: datetime) -> None:
    if session.hub.mode != Hub.Mode.DRIVE:
        raise StartRefused(
            "not_driven",
            f"{session.hub.title} starts its servers itself. To let the portal do it, an "
            "administrator sets the hub's mode to drive.",
        )
    if Grant.of(session) is None:
        raise StartRefused(
            "not_granted",
            "The portal has not granted this session, so it does not start its server. "
            "Start a new one.",
        )
    if session.state(at=at) in OVER:
        raise _ended(session)


def _check_same(server: Server, ask: StartAsk) -> None:
    if not server.is_wanted:
        raise _ended(server.session)
    if bytes(server.digest) != ask.digest():
        raise StartRefused(
            "conflict",
            f"The server of the session {server.session.key} was asked for with another command, "
            "environment or port. Start a new session.",
        )


def _ended(session: Session) -> StartRefused:
    return StartRefused("ended", f"The session {session.key} has ended. Start a new one.")


def _row(ask: StartAsk, at: datetime) -> dict[str, object]:
    return {
        "digest": ask.digest(),
        "command": list(ask.command),
        "port": ask.port,
        "sealed": sealing.seal(ask.environment),
        "asked_at": at,
        "deadline_at": at + timedelta(seconds=settings.KUBERNETES_START_SECONDS),
        "changed_at": at,
    }


def ask_to_stop(session: Session, *, at: datetime, why: str = "") -> bool | None:
    """Stop the server that the portal runs for the session; None where it runs none.

    Whether anything of it may still be in the cluster.
    """
    server = Server.objects.filter(pk=session.pk).first()
    if server is None:
        return None
    if server.cleaned_at is not None:
        return False
    states.stop(server, at=at, why=why)
    return True


def stop_without_hub(session: Session, *, reason: str, why: str, at: datetime) -> bool:
    """Stop the server that the portal runs for the session, and tell its end; False: it runs none.

    `reason` is one of those of `session.stopped`.
    """
    server = Server.objects.filter(pk=session.pk).first()
    if server is None:
        return False
    if server.cleaned_at is None:
        states.stop(server, at=at, why=f"The portal ends the server: {why}.", reason=reason)
    return True
