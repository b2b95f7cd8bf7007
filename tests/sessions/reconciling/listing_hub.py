"""A hub that lists its servers over real HTTP, or answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lsp_portal.lib import clock


@dataclass
class ListingHub:
    """What the hub has, by person; `body` and `status` replace its answer, `date` its clock."""

    servers: dict[str, datetime] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    status: int = 200
    date: datetime | None = None
    delay: float = 0
    page: int = 2  # people in one answer
    url: str = ""

    def answer(self, offset: int) -> bytes:
        if self.body is not None:
            return self.body
        names = sorted(self.servers)
        end = offset + self.page
        items = [self._person(name) for name in names[offset:end]]
        following = {"offset": end, "limit": self.page} if end < len(names) else None
        return json.dumps({"items": items, "_pagination": {"next": following}}).encode()

    def _person(self, name: str) -> dict[str, Any]:
        started = self.servers[name].isoformat()
        server = {"name": "", "ready": True, "pending": None, "started": started}
        server |= {"user_options": self.options}
        return {"name": name, "servers": {"": server}}


@contextmanager
def listing_hub() -> Iterator[ListingHub]:
    hub = ListingHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(hub.delay)
            offset = int(parse_qs(urlsplit(self.path).query)["offset"][0])
            content = hub.answer(offset)
            self.send_response(hub.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(hub.date or clock.now(), usegmt=True)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}/hub/api"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()
