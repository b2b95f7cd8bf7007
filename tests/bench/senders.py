"""Hubs that send as fast as they can: keep-alive connections and requests signed beforehand.

One process with plain sockets, so that it takes little of the processors that the portal needs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import orjson

PEOPLE = 200
KINDS = ("requested", "ready", "stopped")
DATA = {
    "requested": {
        "group": "bench",
        "image": "base",
        "size": "small",
        "resources": {"cpu_millicores": 1000, "memory_mib": 2048, "gpus": 0},
        "actor": "user-1",
        "checked": False,
    },
    "ready": {"pod": "jupyter-user-1", "node": "node-17", "pod_uid": str(uuid4())},
    "stopped": {"reason": "culled", "exit_code": 0},
}

Event = dict[str, object]


def lives() -> Iterator[Event]:
    """Events of one sender without end: session after session, each requested, ready, stopped."""
    epoch, start, seq = uuid4().hex, int(time.time()) - 7 * 86400, 0
    while True:
        session, user = str(uuid4()), f"user-{seq % PEOPLE}"
        for step, kind in enumerate(KINDS):
            seq += 1
            moment = time.gmtime(start + seq // 10 + 20 * step)
            yield {
                "id": f"evt_{uuid4().hex}",
                "epoch": epoch,
                "seq": seq,
                "type": f"session.{kind}",
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
                "user": user,
                "server": str(seq),
                "session": session,
                "data": DATA[kind],
            }


def request(path: str, key: bytes, events: list[Event]) -> bytes:
    """A signed request with everything that goes over the wire."""
    body = orjson.dumps({"events": events})
    message, timestamp = f"msg_{uuid4().hex}", str(int(time.time()))
    digest = hmac.digest(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"webhook-id: {message}\r\nwebhook-timestamp: {timestamp}\r\n"
        f"webhook-signature: v1,{base64.b64encode(digest).decode()}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Connection:
    """One sender: the next request goes out when the answer to the last is complete."""

    socket: socket.socket
    requests: list[bytes]
    answer: bytes = b""
    answered: int = 0

    def send(self) -> None:
        self.socket.sendall(self.requests.pop())

    def receive(self) -> None:
        """Take in what arrived; after a whole answer send the next request."""
        self.answer += self.socket.recv(65536)
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"rejected":[]' not in body:
            raise RuntimeError(self.answer.decode(errors="replace"))
        self.answer = b""
        self.answered += 1
        if not self.requests:
            raise RuntimeError("More was taken in than prepared: prepare more requests.")
        self.send()


def _length(head: bytes) -> int:
    name = b"content-length:"
    lines = (line for line in head.lower().split(b"\r\n") if line.startswith(name))
    return int(next(lines).removeprefix(name))


def answers(port: int, prepared: list[list[bytes]], seconds: float) -> float:
    """Answers per second to the senders together, each with its requests."""
    selector = selectors.DefaultSelector()
    connections = []
    for requests in prepared:
        channel = socket.create_connection(("127.0.0.1", port))
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections.append(Connection(channel, requests))
        selector.register(channel, selectors.EVENT_READ, connections[-1])
    begin = time.monotonic()
    for connection in connections:
        connection.send()
    while time.monotonic() - begin < seconds:
        for ready, _ in selector.select(timeout=0.1):
            ready.data.receive()
    taken = time.monotonic() - begin
    for connection in connections:
        connection.socket.close()
    return sum(connection.answered for connection in connections) / taken
