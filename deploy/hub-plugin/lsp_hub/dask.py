"""A Dask cluster of this server's session, for notebooks and for dask-labextension.

    from lsp_hub.dask import new_cluster

    cluster = new_cluster(workers=4)
    client = cluster.get_client()

The portal makes it, charges its workers to the group of the session, and ends it with the session.
Needs nothing but the standard library; `get_client` needs `distributed`. What has to be known is in
the server's environment: LSP_PORTAL, LSP_SESSION, LSP_TOKEN.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

REQUEST_SECONDS = 30.0
LOOK_SECONDS = 2.0  # between two looks at a cluster on its way
START_SECONDS = 600.0
ATTEMPTS = 4
PASSING = (429, 500, 502, 503, 504)
MIB = 1024 * 1024


class PortalError(Exception):
    """The portal does not do it; the text says why. `code` and `status` are those of its API."""

    def __init__(self, text: str, code: str = "", status: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Adaptive:
    """The range within which the number of workers follows the work."""

    minimum: int
    maximum: int


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for the portal alone."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


class PortalCluster:
    """The Dask cluster of this session: made when it is not there, else taken as it is.

    With `asynchronous` it is to be awaited, as dask-labextension does; `close` gives an awaitable
    then. Raises PortalError.
    """

    def __init__(
        self,
        workers: int | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
        *,
        asynchronous: bool = False,
        timeout: float = START_SECONDS,
    ) -> None:
        try:
            portal, session = os.environ["LSP_PORTAL"], os.environ["LSP_SESSION"]
            self._token = os.environ["LSP_TOKEN"]
        except KeyError as missing:
            raise PortalError(
                f"{missing} is not set: this is no server that LSP Portal knows."
            ) from missing
        self._address = f"{portal.rstrip('/')}/api/v1/sessions/{session}/dask-cluster"
        if not self._address.startswith(("http://", "https://")):
            raise PortalError("LSP_PORTAL must begin with http:// or https://.")
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._size = _size(workers=workers, minimum=minimum, maximum=maximum)
        self._timeout = timeout
        self._known: dict[str, Any] = {}
        self.asynchronous = asynchronous
        self.name = f"session {session[:8]}"
        if not asynchronous:
            self._start()

    def __await__(self) -> Generator[Any, None, PortalCluster]:
        return self._started().__await__()

    def __enter__(self) -> PortalCluster:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    async def __aenter__(self) -> PortalCluster:
        return await self._started()

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._end)

    def __repr__(self) -> str:
        known = self._known
        return f"<PortalCluster {known.get('state')}, {known.get('workers_running', 0)} workers>"

    @property
    def scheduler_address(self) -> str:
        return str(self._known["scheduler_address"])

    @property
    def dashboard_link(self) -> str:
        return f"{self._known['dashboard_url']}/status"

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """What runs now, in the shape that dask-labextension reads."""
        known = self.refresh()
        worker = {
            "nthreads": max(1, -(-known["cpu_millicores"] // 1000)),
            "memory_limit": known["memory_mib"] * MIB,
        }
        return {"workers": {str(n): dict(worker) for n in range(known["workers_running"])}}

    def refresh(self) -> dict[str, Any]:
        """How the portal says that the cluster is now."""
        self._known = self._send("GET")
        return self._known

    def scale(self, workers: int) -> None:
        """Let it have so many workers."""
        self._known = self._send("PUT", _size(workers=workers))

    def adapt(self, minimum: int = 0, maximum: int = 10) -> Adaptive:
        """Let the number of workers follow the work, within this range."""
        self._known = self._send("PUT", _size(minimum=minimum, maximum=maximum))
        return Adaptive(minimum, maximum)

    def close(self) -> Any:
        """Let it end. Gives an awaitable where it is asynchronous."""
        if self.asynchronous:
            return asyncio.to_thread(self._end)
        self._end()
        return None

    def get_client(self) -> Any:
        """A `distributed.Client` of the cluster."""
        from distributed import Client  # type: ignore[import-not-found]

        return Client(self.scheduler_address, asynchronous=self.asynchronous)

    async def _started(self) -> PortalCluster:
        if not self._known:
            await asyncio.to_thread(self._start)
        return self

    def _start(self) -> None:
        """Wait until its scheduler answers."""
        ends = time.monotonic() + self._timeout
        self._known = self._send("PUT", self._size)
        while self._known["state"] != "running":
            if self._known["state"] == "deleting":
                raise PortalError(f"The cluster ended. {self._known['note']}".strip(), "ended")
            if time.monotonic() > ends:
                raise PortalError(f"Not running in time. {self._known['note']}".strip(), "timeout")
            time.sleep(LOOK_SECONDS)
            self.refresh()

    def _end(self) -> None:
        try:
            self._send("DELETE")
        except PortalError as error:
            if error.status not in (401, 404):  # gone, or the session with it
                raise

    def _send(self, method: str, body: dict[str, int] | None = None) -> dict[str, Any]:
        """The portal's answer. Each of these requests may be sent again."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return self._once(method, body)
            except PortalError as error:
                if error.status not in (0, *PASSING):
                    raise
                time.sleep(2.0**attempt / 2)
        return self._once(method, body)

    def _once(self, method: str, body: dict[str, int] | None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._address,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
        )
        try:
            with self._opener.open(request, timeout=REQUEST_SECONDS) as answer:
                content: dict[str, Any] = json.load(answer)
                return content
        except urllib.error.HTTPError as error:
            raise _problem(error) from error
        except (OSError, ValueError) as error:
            raise PortalError(f"The portal cannot be reached: {error}") from error


def new_cluster(
    workers: int | None = None,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    timeout: float = START_SECONDS,
) -> PortalCluster:
    """The session's Dask cluster, once it runs: of so many workers, or within a range.

    Without a size it is the platform's, or that of the cluster that is there. Waits up to
    `timeout` seconds. Raises PortalError.
    """
    return PortalCluster(workers, minimum, maximum, timeout=timeout)


def _size(**numbers: int | None) -> dict[str, int]:
    return {name: number for name, number in numbers.items() if number is not None}


def _problem(error: urllib.error.HTTPError) -> PortalError:
    try:
        content = json.load(error)
        text = str(content.get("detail") or content.get("title"))
        return PortalError(text, str(content.get("code", "")), error.code)
    except (OSError, ValueError, AttributeError):
        return PortalError(f"The portal answered {error.code}.", "", error.code)
