"""A program that is told, over real HTTP: it verifies what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier


@dataclass
class Receiver:
    """What came, as (id, content), and what is answered: `status`."""

    url: str = ""
    secret: str = ""
    status: int = 204
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def contents(self) -> list[dict[str, Any]]:
        return [content for _, content in self.received]


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            Verifier(found.secret).verify(content, headers)
            found.received.append((headers["webhook-id"], json.loads(content)))
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/told"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
