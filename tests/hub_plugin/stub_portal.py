"""A small portal that is strict about the contract and misbehaves when it is told to."""

import base64
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

from tests.hub_plugin.contract import faults_of, is_uuid
from tests.hub_plugin.stub_driver import StubDriver

SECRET = "whsec_" + base64.b64encode(b"hub and portal share these bytes").decode()
MAX_BYTES = 2**20
DROP = 0  # a status that stands for closing the connection without an answer

Reply = tuple[int, dict[str, Any]]

OPTIONS: dict[str, Any] = {
    "groups": [
        {
            "name": "transients",
            "title": "Transients",
            "default": True,
            "remaining_core_hours": "12.500000",
            "allowed": True,
            "why_not": None,
        },
        {
            "name": "galaxies",
            "title": "Galaxies",
            "default": False,
            "remaining_core_hours": "0.000000",
            "allowed": False,
            "why_not": "The quota is used up until 2026-10-01.",
        },
    ],
    "images": [
        {"name": "stable", "title": "Stable", "default": True, "allowed_groups": None},
        {"name": "weekly", "title": "Weekly", "default": False, "allowed_groups": []},
    ],
    "sizes": [
        {
            "name": "tiny",
            "title": "Tiny",
            "default": False,
            "cpu_millicores": 500,
            "memory_mib": 1024,
            "gpus": 0,
            "allowed_groups": None,
        },
        {
            "name": "small",
            "title": "Small",
            "default": True,
            "cpu_millicores": 1000,
            "memory_mib": 2048,
            "gpus": 0,
            "allowed_groups": ["transients"],
        },
    ],
}


@dataclass(frozen=True)
class Fault:
    """One answer to a batch of events, instead of the right one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    delay: float = 0.0
    stores: bool = False  # take the events and answer wrongly all the same


@dataclass(frozen=True)
class Seen:
    """A request as it came, with the status of the answer."""

    method: str
    target: str
    message: str
    events: int
    status: int
    at: float


class StubPortal:
    """Takes events, grants launches, and keeps a list of every breach of the contract."""

    def __init__(self, hub: str = "demo", secret: str = SECRET) -> None:
        self.hub = hub
        self.secret = secret
        self.breaches: list[str] = []
        self.seen: list[Seen] = []
        self.events: list[dict[str, Any]] = []
        self.launches: list[dict[str, Any]] = []
        self.faults: deque[Fault] = deque()
        self.poison: set[str] = set()  # a batch with one of these users is a 400
        self.rejected: set[str] = set()  # an event of one of these users is rejected
        self.most_events = 500  # a bigger batch is a 413
        self.delay = 0.0  # of launch options and launches, in seconds
        self.environment: dict[str, str] = {}
        self.options: Callable[[str], Reply] = lambda user: (200, {"user": user, **OPTIONS})
        self.decide: Callable[[dict[str, Any]], Reply | None] = lambda wish: None
        self.driver: StubDriver | None = None
        self.lock = threading.Lock()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> "StubPortal":
        portal = self

        class Handler(PortalHandler):
            stub = portal

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def of_type(self, kind: str, **subject: str) -> list[dict[str, Any]]:
        """The events of a type, each once, that carry these fields."""
        with self.lock:
            once = {event["id"]: event for event in self.events}
        return [
            event
            for event in once.values()
            if event["type"] == kind and subject.items() <= event.items()
        ]

    def wait_for(self, kind: str, seconds: float = 10.0, count: int = 1, **subject: str) -> Any:
        """The latest event of a type, waited for."""
        deadline = time.monotonic() + seconds
        while len(found := self.of_type(kind, **subject)) < count:
            assert time.monotonic() < deadline, f"no {kind} {subject}: {self.events}"
            time.sleep(0.02)
        return found[-1]

    # What the handler asks

    def answer(self, method: str, target: str, body: bytes) -> Reply:
        path = urlsplit(target).path.removeprefix(f"/api/v1/hubs/{self.hub}/")
        if (method, path) == ("POST", "sessions"):
            return self._launch(json.loads(body))
        if (method, path) == ("GET", "launch-options"):
            time.sleep(self.delay)
            return self.options(parse_qs(urlsplit(target).query)["user"][0])
        if self.driver and path.startswith("sessions/"):
            query = parse_qs(urlsplit(target).query)
            return self.driver.answer(method, path.split("/"), query, json.loads(body or b"null"))
        self.breaches.append(f"no such thing: {method} {target}")
        return 404, {}

    def take(self, events: list[dict[str, Any]]) -> Reply:
        """The answer of the contract to a batch."""
        users = {event.get("user") for event in events}
        if len(events) > self.most_events:
            return 413, {"code": "too_large"}
        if users & self.poison:
            return 400, {"code": "malformed"}
        return 200, self.store(events)

    def store(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        rejected = []
        with self.lock:
            known = {event["id"] for event in self.events}
            duplicates = sum(event["id"] in known for event in events)
            for index, event in enumerate(events):
                self.breaches += faults_of(event)
                if event.get("user") in self.rejected:
                    why = {"code": "bad_value", "detail": "not this one"}
                    rejected.append({"index": index, "id": event["id"], **why})
                else:
                    self.events.append(event)
        accepted = len(events) - duplicates - len(rejected)
        return {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}

    def _launch(self, wish: dict[str, Any]) -> Reply:
        needed = {"session", "user", "server", "actor"}
        if not needed <= set(wish) <= needed | {"group", "image", "size", "sub_name"}:
            self.breaches.append(f"not a wish: {wish}")
        if not is_uuid(wish["session"]):
            self.breaches.append(f"not a session id: {wish}")
        self.launches.append(wish)
        time.sleep(self.delay)
        return self.decide(wish) or (201, self.grant(wish))

    def grant(self, wish: dict[str, Any]) -> dict[str, Any]:
        names = {"group": "transients", "image": "stable", "size": "tiny"}
        size = next(s for s in OPTIONS["sizes"] if s["name"] == wish.get("size", "tiny"))
        resources = {name: size[name] for name in ("cpu_millicores", "memory_mib", "gpus")}
        return {
            "session": wish["session"],
            "number": len(self.launches),
            **{name: wish.get(name, default) for name, default in names.items()},
            "resources": resources,
            "environment": {"LSP_TOKEN": f"token-{uuid.uuid4().hex}", **self.environment},
            "lease_until": "2030-01-01T00:00:00Z",
        }


class PortalHandler(BaseHTTPRequestHandler):
    """Checks signature, size and shape in the contract's order, then asks the stub."""

    stub: StubPortal
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = body if self.command == "POST" else f"{self.command} {self.path}".encode()
        if len(body) > MAX_BYTES:
            self.stub.breaches.append(f"{len(body)} bytes in one request")
        elif not self._is_signed(content):
            self._reply(401, {"code": "bad_signature"})
        elif self.path.endswith("/events"):
            self._take_events(json.loads(body)["events"])
        else:
            self._reply(*self.stub.answer(self.command, self.path, body))

    def _is_signed(self, content: bytes) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            Webhook(self.stub.secret).verify(content, headers, json_parse=False)
        except WebhookVerificationError as error:
            self.stub.breaches.append(f"{error}: {self.command} {self.path}")
            return False
        return True

    def _take_events(self, events: list[dict[str, Any]]) -> None:
        if not 1 <= len(events) <= 500:
            self.stub.breaches.append(f"{len(events)} events in one request")
        if not self.stub.faults:
            self._reply(*self.stub.take(events), events=len(events))
            return
        fault = self.stub.faults.popleft()
        if fault.stores:
            self.stub.store(events)
        time.sleep(fault.delay)
        self._reply(fault.status, fault.body, events=len(events), headers=fault.headers)

    def _reply(
        self,
        status: int,
        content: dict[str, Any] | bytes,
        *,
        events: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        message = self.headers["webhook-id"]
        seen = Seen(self.command, self.path, message, events, status, time.monotonic())
        self.stub.seen.append(seen)
        if status == DROP:
            self.close_connection = True
            return
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        body = b"" if status == 204 else body
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        with suppress(OSError):  # who asked has given up
            self.end_headers()
            self.wfile.write(body)
