"""PortalSpawner: the hub lets the portal run its servers.

JupyterHub forgets servers whose spawner raises in `poll`, and forgets them as well when `stop`
raises; so `poll` never does, and `stop` goes on until the portal says that nothing is left.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from jupyterhub.spawner import Spawner
from traitlets import Float, default

from lsp_hub.portal import Portal, PortalAwayError, PortalRefusedError
from lsp_hub.refusal import refusal
from lsp_hub.runtime import Runtime
from lsp_hub.service import SERVICE_NAME

OVER = {"ended", "failed"}
UNKNOWN_ENDED = 1  # the exit status of a server of which no exit code is known
MOST_STEPS = 300
NOT_DRIVING = (
    "This hub lets the portal run its servers, but has no decision of the portal on this one. "
    "Please try again."
)
AWAY = "The portal, which runs this hub's servers, cannot be reached. Please try again later."


class PortalSpawner(Spawner):  # type: ignore[misc]  # untyped base
    """Servers in the portal's cluster. `lsp_hub.configure` tells it which portal."""

    lsp_runtime: Runtime | None = None

    portal_seconds = Float(10.0, config=True, help="How long one request to the portal may take.")
    look_seconds = Float(1.0, config=True, help="Between two looks at a server on its way.")
    away_seconds = Float(
        120.0, config=True, help="How long a start waits for a portal that cannot be reached."
    )

    @default("ip")  # type: ignore[untyped-decorator]  # traitlets
    def _every_address(self) -> str:
        return "0.0.0.0"  # noqa: S104 - inside the server's own pod

    @default("port")  # type: ignore[untyped-decorator]  # traitlets
    def _notebook_port(self) -> int:
        return 8888

    @default("start_timeout")  # type: ignore[untyped-decorator]  # traitlets
    def _longer_than_the_portal(self) -> int:
        return 660  # the portal gives up after 600 s, and says why

    @default("env_keep")  # type: ignore[untyped-decorator]  # traitlets
    def _nothing_of_the_hub(self) -> list[str]:
        return []

    @default("cmd")  # type: ignore[untyped-decorator]  # traitlets
    def _notebook_command(self) -> list[str]:
        return ["jupyterhub-singleuser"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session = ""
        self._steps: list[dict[str, Any]] = []
        self._cursor = 0

    # What the hub keeps over a restart

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.session = str(state.get("lsp_session") or "")

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        return {**state, "lsp_session": self.session} if self.session else state

    def clear_state(self) -> None:
        super().clear_state()
        self.session = ""

    # What the hub asks

    async def start(self) -> str:
        """Ask the portal for the server and wait for it; its address. Says why there is none."""
        self._steps, self._cursor = [], 0
        self.session = self._granted_session()
        wish = {
            "command": [*self.cmd, *self.get_args()],
            "environment": {name: str(value) for name, value in self.get_env().items()},
            "port": self.port,
        }
        patience = Patience(self.away_seconds)
        while True:
            try:
                await self._portal.start_server(self.session, wish, self.portal_seconds)
                break
            except PortalRefusedError as error:
                raise refusal(error.detail, code=error.code) from error
            except PortalAwayError as error:
                await self._wait(patience, error)
        return await self._until_ready(patience)

    async def poll(self) -> int | None:
        """None while the server runs or nobody can tell; else its exit status. Never raises."""
        if not self.session:
            return 0
        try:
            content = await self._look()
        except PortalRefusedError as error:
            return UNKNOWN_ENDED if error.status == 404 else None
        except Exception as error:  # unknown is running: else the hub would forget a live server
            self.log.warning("The server of %s cannot be asked for: %s", self._log_name, error)
            return None
        return _exit_status(content)

    async def stop(self, now: bool = False) -> None:
        """End the server; returns when nothing of it is left, however long that takes.

        Meanwhile the hub shows it as stopping. If it returned sooner or raised, the hub would
        forget a server that still runs.
        """
        waits = 0
        while self.session:
            try:
                if await self._portal.stop_server(self.session, self.portal_seconds):
                    return
            except PortalRefusedError as error:
                if error.status == 404:
                    return
                self.log.warning("The portal does not stop %s: %s", self._log_name, error)
            except Exception as error:
                self.log.warning("The portal cannot stop %s yet: %s", self._log_name, error)
            waits += 1
            await asyncio.sleep(_pause(self.look_seconds, waits))

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The steps so far, then those that come; whoever looks sees all. Never raises."""
        seen = 0
        while True:
            fresh = self._steps[seen:]
            for step in fresh:
                yield step
            seen += len(fresh)
            await asyncio.sleep(self.look_seconds / 2)

    # The steps of all that

    async def _until_ready(self, patience: "Patience") -> str:
        while True:
            try:
                content = await self._look()
            except PortalRefusedError as error:
                raise refusal(error.detail, code=error.code) from error
            except PortalAwayError as error:
                await self._wait(patience, error)
                continue
            patience.is_met()
            address = content.get("server_url")
            if content.get("state") == "ready" and address:
                return str(address)
            if (why := _failure(content)) is not None:
                raise refusal(why, code="start_failed")
            await asyncio.sleep(self.look_seconds)

    async def _look(self) -> dict[str, Any]:
        """The session as the portal has it; new steps are kept for `progress`."""
        content = await self._portal.session(self.session, self._cursor, self.portal_seconds)
        with suppress(KeyError, TypeError, ValueError):  # steps are only for reading
            self._keep(content["progress"])
        return content

    def _keep(self, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            seq, message = int(step["seq"]), str(step["message"])
            if seq > self._cursor:
                self._cursor = seq
                done = min(90, 10 * len(self._steps))
                self._steps.append({"progress": done, "message": message})
        del self._steps[MOST_STEPS:]

    async def _wait(self, patience: "Patience", error: Exception) -> None:
        """A pause for a portal that is away; the refusal for the person after too many."""
        self.log.warning("The portal is away while %s starts: %s", self._log_name, error)
        if patience.is_over():
            raise refusal(AWAY, code="portal_away") from error
        await asyncio.sleep(_pause(self.look_seconds, 1))

    def _granted_session(self) -> str:
        """The session that the launch decision was about."""
        session = self.lsp_runtime.session_of(self) if self.lsp_runtime else None
        if not session:
            raise refusal(NOT_DRIVING, code="not_granted")
        return session

    @property
    def _portal(self) -> Portal:
        if self.lsp_runtime is None:
            raise RuntimeError(f"lsp_hub.configure was not called: no service {SERVICE_NAME}")
        return self.lsp_runtime.portal


class Patience:
    """How long the portal may be away at a stretch, in seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.since: float | None = None

    def is_met(self) -> None:
        self.since = None

    def is_over(self) -> bool:
        self.since = self.since or time.monotonic()
        return time.monotonic() - self.since > self.seconds


def _pause(seconds: float, attempts: int) -> float:
    """Longer with every attempt, up to half a minute, and never the same for two servers."""
    return min(seconds * 1.5 ** min(attempts - 1, 10), 30.0) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def _failure(content: dict[str, Any]) -> str | None:
    """Why nothing will come of a start; None while there is hope."""
    failure = content.get("failure")
    if failure:
        return str(failure.get("message") or "The server could not be started.")
    if content.get("state") in OVER or content.get("removed"):
        return "The server was stopped before it was ready."
    return None


def _exit_status(content: dict[str, Any]) -> int | None:
    failure = content.get("failure")
    if failure:
        code = failure.get("exit_code")
        return code if isinstance(code, int) else UNKNOWN_ENDED
    return 0 if content.get("state") in OVER else None
