"""A hub's API that only stops servers, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class StubHub:
    """A hub that stops what it is asked to stop, or answers as it is told."""

    status: int = 202
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def stub_hub() -> Iterator[StubHub]:
    stub = StubHub()

    class Handler(BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            headers = ("Authorization", "X-LSP-Actor", "X-LSP-Reason")
            token, actor, reason = (self.headers.get(name, "") for name in headers)
            stub.asked.append((self.path, token, actor, reason))
            self.send_response(stub.status)
            self.send_header("Content-Length", "16")
            self.end_headers()
            self.wfile.write(b'{"message": "x"}')

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/hub/api"
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()
