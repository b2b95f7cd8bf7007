"""A web server in a thread whose pages are functions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as the pages see it."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Reply:
    """An answer: a document that becomes JSON, or bytes as they are, whole or in pieces."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    pieces: Iterator[bytes] | None = None

    def content(self) -> bytes:
        return self.body if self.body is not None else json.dumps(self.document).encode()


Page = Callable[[Asked], Reply]


class Site:
    """The pages by path; what is not there is not found."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        page = self.pages.get(asked.path)
        return page(asked) if page else Reply({"message": "Not Found"}, 404)


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length", 0))
        form = dict(parse_qsl(self.rfile.read(size).decode()))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query))
        self._send(self.site.answer(Asked(self.command, parts.path, query, form, headers)))

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for piece in reply.pieces or iter([reply.content()]):
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:  # the portal has heard enough
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Site]:
    """A site at an address of this machine."""

    class SiteHandler(Handler):
        """Of this site alone."""

    with ThreadingHTTPServer(("127.0.0.1", 0), SiteHandler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        SiteHandler.site = site
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
