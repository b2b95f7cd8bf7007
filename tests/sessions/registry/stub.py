"""A small registry over real HTTP: pages of tags, manifests, blobs, two ways to sign in, faults."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
USER, PASSWORD = "portal", "geheim ü"
PATH = "lsst/lab"


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass
class Fault:
    """What a request is answered instead, so many times."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    times: int = 1


@dataclass
class StubRegistry:
    """A repository `lsst/lab`. `auth` is "", "basic" or "bearer"; faults are by part of a path."""

    auth: str = ""
    page: int = 3
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    hides_digests: bool = False
    blobs_at: str = ""
    host: str = ""
    token: str = "token-1"

    @property
    def repository(self) -> str:
        return f"{self.host}/{PATH}"

    def push(self, *tags: str, content: str = "", created: str = "2026-11-01T10:00:00Z") -> str:
        """An image under these tags; its digest follows from the content."""
        labels = {"org.opencontainers.image.title": content or tags[0]}
        config = self._blob({"created": created, "config": {"Labels": labels}})
        layers = [{"digest": digest_of(b"layer"), "size": size} for size in (1000, 234)]
        manifest = {
            "schemaVersion": 2, "mediaType": OCI, "config": {"digest": config}, "layers": layers,
        }  # fmt: skip
        return self.keep(manifest, OCI, *tags)

    def push_index(self, tag: str, *images: tuple[str, str, str]) -> str:
        """An index of (digest, system, architecture)."""
        entries = [
            {"digest": digest, "platform": {"os": system, "architecture": architecture}}
            for digest, system, architecture in images
        ]
        return self.keep({"schemaVersion": 2, "manifests": entries}, OCI_INDEX, tag)

    def keep(self, manifest: dict[str, Any], kind: str, *tags: str) -> str:
        body = json.dumps(manifest).encode()
        digest = digest_of(body)
        self.manifests[digest] = (kind, body)
        self.tags |= dict.fromkeys(tags, digest)
        return digest

    def asked_for(self, part: str) -> int:
        return sum(part in path for _, path, _ in self.asked)

    def _blob(self, content: dict[str, Any]) -> str:
        body = json.dumps(content).encode()
        self.blobs[digest_of(body)] = body
        return digest_of(body)


class _Handler(BaseHTTPRequestHandler):
    stub: StubRegistry

    def do_GET(self) -> None:
        self.stub.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        if self._fault():
            return
        parts = urlsplit(self.path)
        if parts.path == "/token":
            self._give_token(parse_qs(parts.query))
        elif not self._is_known():
            self._challenge()
        else:
            self._serve(parts.path, parse_qs(parts.query))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _fault(self) -> bool:
        for part, fault in self.stub.faults.items():
            if part in self.path and fault.times:
                fault.times -= 1
                self._answer(fault.status, fault.body, fault.headers)
                return True
        return False

    def _is_known(self) -> bool:
        sent = self.headers.get("Authorization", "")
        wanted = {"": sent, "basic": _basic(), "bearer": f"Bearer {self.stub.token}"}
        return sent == wanted[self.stub.auth]

    def _challenge(self) -> None:
        ways = {
            "basic": 'Basic realm="lab"',
            "bearer": f'Bearer realm="http://{self.stub.host}/token",service="stub",'
            f'scope="repository:{PATH}:pull"',
        }
        self._answer(401, b"", {"WWW-Authenticate": ways[self.stub.auth]})

    def _give_token(self, query: dict[str, list[str]]) -> None:
        is_known = self.headers.get("Authorization", "") == _basic()
        expected = {"service": ["stub"], "scope": [f"repository:{PATH}:pull"]}
        if is_known and query == expected:
            self._answer(200, json.dumps({"access_token": self.stub.token}).encode())
        else:
            self._answer(401, b'{"errors": [{"code": "DENIED", "message": "who are you"}]}')

    def _serve(self, path: str, query: dict[str, list[str]]) -> None:
        start = f"/v2/{PATH}/"
        kind, _, reference = path.removeprefix(start).partition("/")
        if not path.startswith(start):
            self._answer(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')
        elif kind == "tags":
            self._list(query.get("last", [""])[0])
        elif kind == "manifests":
            self._manifest(self.stub.tags.get(reference, reference))
        else:
            self._blob(reference)

    def _list(self, last: str) -> None:
        rest = sorted(tag for tag in self.stub.tags if tag > last)
        page = rest[: self.stub.page]
        more = {}
        if len(rest) > len(page):
            more["Link"] = f'</v2/{PATH}/tags/list?last={page[-1]}>; rel="next"'
        self._answer(200, json.dumps({"name": PATH, "tags": page or None}).encode(), more)

    def _manifest(self, digest: str) -> None:
        if digest not in self.stub.manifests:
            self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
            return
        kind, body = self.stub.manifests[digest]
        told = {} if self.stub.hides_digests else {"Docker-Content-Digest": digest}
        self._answer(200, body, {"Content-Type": kind, **told})

    def _blob(self, digest: str) -> None:
        if self.stub.blobs_at:
            self._answer(307, b"", {"Location": f"{self.stub.blobs_at}/v2/{PATH}/blobs/{digest}"})
        elif digest in self.stub.blobs:
            self._answer(200, self.stub.blobs[digest])
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@contextmanager
def stub_registry(**values: Any) -> Iterator[StubRegistry]:
    stub = StubRegistry(**values)
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    stub.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
