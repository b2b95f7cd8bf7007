"""Servers that the stub of the portal pretends to run: all of them are one small lab."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, Any]]


class LabHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class OneLab:
    """A lab that answers everything with 200 and the path that was asked for."""

    def __enter__(self) -> "OneLab":
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), LabHandler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@dataclass
class Driven:
    """One server: when it was asked for, and what it has been told."""

    wish: dict[str, Any]
    asked: float = field(default_factory=time.monotonic)
    stops: int = 0
    failure: dict[str, Any] | None = None
    removed: bool = False


@dataclass
class StubDriver:
    """What the portal answers about servers; times are in seconds."""

    address: str
    ready_seconds: float = 0.0
    stops_needed: int = 1  # requests to stop until nothing is left
    failure: dict[str, Any] | None = None
    away: bool = False
    servers: dict[str, Driven] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)

    def answer(
        self, method: str, parts: list[str], query: dict[str, list[str]], body: Any
    ) -> Reply:
        if self.away:
            return 503, {"code": "unavailable"}
        session = parts[1]
        if method == "POST":
            return self._start(session, body)
        if session not in self.servers:
            return 404, {"code": "unknown_session", "detail": "There is no such session."}
        if method == "DELETE":
            return self._stop(self.servers[session])
        return 200, self._content(self.servers[session], int(query.get("after", ["0"])[0]))

    def _start(self, session: str, wish: dict[str, Any]) -> Reply:
        if set(wish) != {"command", "environment", "port"}:
            self.breaches.append(f"not a wish for a server: {wish}")
        known = self.servers.setdefault(session, Driven(wish, failure=self.failure))
        if known.wish != wish:
            return 409, {"code": "conflict", "detail": "Asked for with other content."}
        return 202, self._content(known, 0)

    def _stop(self, server: Driven) -> Reply:
        server.stops += 1
        if server.stops <= self.stops_needed:
            return 202, {}
        server.removed = True
        return 204, {}

    def _content(self, server: Driven, after: int) -> dict[str, Any]:
        age = time.monotonic() - server.asked
        is_ready = age >= self.ready_seconds and not server.failure
        steps = ["Granted", "The image is being fetched on node-1", "The server starts"]
        if is_ready:
            steps.append("The server is ready")
        state = "failed" if server.failure else "ready" if is_ready else "pending"
        if server.stops:
            state = "ended" if server.removed else "stopping"
        return {
            "state": state,
            "server_url": self.address if is_ready else None,
            "failure": server.failure,
            "removed": server.removed,
            "progress": [
                {"seq": seq, "at": "2026-05-01T08:00:00Z", "message": message}
                for seq, message in enumerate(steps, start=1)
                if seq > after
            ],
        }
