"""The API over HTTP/1.1: addresses, verbs, rights, faults, watches in chunks."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from tests.kubernetes.fake import rbac
from tests.kubernetes.fake.api import Api
from tests.kubernetes.fake.faults import Fault, Faults
from tests.kubernetes.fake.listing import Lister, watch
from tests.kubernetes.fake.resources import (
    BUILT_IN,
    NAMESPACES,
    REVIEWS,
    ApiError,
    Object,
    Resource,
    is_known,
)

CONTROL = "/fake/"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Behind(Protocol):
    """What the server needs of the cluster."""

    api: Api
    lister: Lister
    faults: Faults
    bookmark_seconds: float
    calls: list[rbac.Call]

    def check(self, token: str, call: rbac.Call) -> None: ...
    def review(self, token: str, wish: Object) -> Object: ...
    def control(self, name: str, arguments: dict[str, Any]) -> Any: ...


class Place:
    """What an address names."""

    def __init__(self, path: str) -> None:
        root, *parts = [unquote(part) for part in path.strip("/").split("/")]
        group, parts = ("", parts) if root == "api" else (parts[0], parts[1:])
        if root not in ("api", "apis") or len(parts) < 2:
            raise _nothing_there()
        version, *parts = parts
        self.namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
            self.namespace, parts = parts[1], parts[2:]
        self.resource = Resource(group, version, parts[0])
        self.name = parts[1] if len(parts) > 1 else ""
        self.subresource = parts[2] if len(parts) > 2 else ""
        if not is_known(self.resource):
            raise _nothing_there()

    @property
    def scope(self) -> str | None:
        """The namespace of a list; None: all."""
        namespaced = BUILT_IN.get(self.resource, ("", True))[1]
        return None if namespaced and not self.namespace else self.namespace


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cluster: Behind

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        try:
            if split.path.startswith(CONTROL):
                self._control(split.path.removeprefix(CONTROL), body)
                return
            self._serve(Place(split.path), dict(parse_qsl(split.query)), body)
        except ApiError as error:
            self._send(error.status, error.content(), error.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _control(self, name: str, body: bytes) -> None:
        answer = self.cluster.control(name, orjson.loads(body or b"{}"))
        self._send(200, {"answer": answer})

    def _serve(self, place: Place, query: dict[str, str], body: bytes) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if place.resource == REVIEWS:  # everybody may ask about themselves
            self._send(201, self.cluster.review(token, orjson.loads(body)))
            return
        verb = self._verb(place, query)
        scope = place.namespace
        if place.resource == NAMESPACES and place.name:
            scope = place.name
        call = rbac.call(verb, place.resource, place.subresource, scope)
        self.cluster.check(token, call)
        fault = self.cluster.faults.take(verb, place.resource.plural, place.name)
        if fault is not None and self._went_wrong(fault):
            return
        if verb == "watch":
            self._watch(place, query, fault)
            return
        answer = self._done(place, query, body)
        if fault is not None and fault.kind == "lost":
            self._hang_up()
            return
        self._send(201 if verb == "create" else 200, answer)

    def _verb(self, place: Place, query: dict[str, str]) -> str:
        if self.command != "GET":
            return VERBS[self.command]
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if place.name else "list"

    def _went_wrong(self, fault: Fault) -> bool:
        """Whether the fault is all that the client gets."""
        if fault.kind == "too_many":
            self._too_many(int(fault.seconds))
            return True
        if fault.kind == "error":
            raise ApiError(500, "InternalError", "Internal error occurred: etcdserver: no leader")
        if fault.kind == "dropped":
            self._hang_up()
            return True
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        return False

    def _done(self, place: Place, query: dict[str, str], body: bytes) -> Object:
        api, where = self.cluster.api, (place.resource, place.namespace)
        content: Any = orjson.loads(body) if body else None
        if self.command == "GET" and not place.name:
            return self.cluster.lister.page(place.resource, place.scope, query)
        ways: dict[str, Callable[[], Object]] = {
            "GET": lambda: api.get(*where, place.name, place.subresource),
            "POST": lambda: api.create(*where, content, is_dry=query.get("dryRun") == "All"),
            "PUT": lambda: api.replace(*where, place.name, content, place.subresource),
            "PATCH": lambda: api.patch(
                *where, place.name, content, self.headers["Content-Type"], place.subresource
            ),
            "DELETE": lambda: api.delete(*where, place.name, content),
        }
        return ways[self.command]()

    def _watch(self, place: Place, query: dict[str, str], fault: Fault | None) -> None:
        events = watch(
            self.cluster.api, place.resource, place.scope, query, self.cluster.bookmark_seconds
        )
        first = next(events, None)  # an error before the first event is an answer of its own
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault is not None and fault.kind == "stalled":
            time.sleep(fault.seconds)
            self._hang_up()
            return
        self._stream(first, events, fault)

    def _stream(self, first: Object | None, events: Any, fault: Fault | None) -> None:
        for event in itertools.chain([first], events):
            if event is not None and fault is not None and fault.kind == "cut":
                line = orjson.dumps(event)
                self.wfile.write(f"{len(line):x}\r\n".encode() + line[: len(line) // 2])
                self._hang_up()
                return
            self._chunk(event)
            if self._is_closing():
                self._hang_up()
                return
        self.wfile.write(b"0\r\n\r\n")

    def _is_closing(self) -> bool:
        return bool(getattr(self.server, "closing", False))

    def _chunk(self, event: Object | None) -> None:
        if event is not None:
            line = orjson.dumps(event) + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()

    def _send(self, status: int, content: Object, headers: dict[str, str] | None = None) -> None:
        body = orjson.dumps(content)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _too_many(self, seconds: int) -> None:
        """In plain text, as the server's own limits say it."""
        text = b"Too many requests, please try again later.\n"
        self.send_response(429)
        self.send_header("Retry-After", str(seconds))
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    closing = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


def serve(cluster: Behind, port: int = 0) -> Server:
    """A server on that port of this machine; 0: on a free one."""
    handler = type("ClusterHandler", (Handler,), {"cluster": cluster})
    return Server(("127.0.0.1", port), handler)


def _nothing_there() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")
