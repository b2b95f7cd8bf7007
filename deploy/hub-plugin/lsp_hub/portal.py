"""The signed requests to the portal, and what its answers mean."""

import asyncio
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from lsp_hub.signing import request_content, signed_headers

CONNECT_SECONDS = 5.0
EVENTS_SECONDS = 30.0
MAX_REQUESTS = 50  # at once; further ones wait inside their own timeout
MAX_DETAIL = 1000  # characters of a refusal shown to a person


class PortalAwayError(Exception):
    """The portal gave no usable answer; `perhaps_done` when it may have acted all the same."""

    def __init__(self, why: str, *, perhaps_done: bool) -> None:
        super().__init__(why)
        self.perhaps_done = perhaps_done


class PortalRefusedError(Exception):
    """The portal said no; `detail` is made for the person who asked."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Answer:
    """An answer of the portal, whatever its status."""

    status: int
    body: bytes
    retry_after: str | None = None

    def json(self) -> dict[str, Any]:
        """The body as an object, empty when it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


class Portal:
    """The portal's API for one hub. Every failure to get an answer is PortalAwayError."""

    def __init__(
        self, address: str, hub: str, keys: Sequence[bytes], *, ca_certs: str | None = None
    ) -> None:
        self.address = address.rstrip("/")
        self.hub = hub
        self.keys = keys
        self.ca_certs = ca_certs
        self._client: AsyncHTTPClient | None = None

    async def send_events(self, body: bytes, message: str) -> Answer:
        """POST a batch; `message` stays the same when the same batch is sent again."""
        return await self._ask("POST", "events", EVENTS_SECONDS, body=body, message=message)

    async def launch_options(self, user: str, seconds: float) -> dict[str, Any]:
        """What `user` may start. Raises PortalRefusedError or PortalAwayError."""
        answer = await self._ask("GET", "launch-options", seconds, query={"user": user})
        return _content(answer, expected=200)

    async def launch(self, wish: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The one decision on a start. Raises PortalRefusedError or PortalAwayError."""
        answer = await self._ask("POST", "sessions", seconds, body=json.dumps(wish).encode())
        return _content(answer, expected=201)

    async def start_server(
        self, session: str, wish: Mapping[str, Any], seconds: float
    ) -> dict[str, Any]:
        """Let the portal run the server of a session. Raises as `launch` does."""
        body = json.dumps(wish).encode()
        answer = await self._ask("POST", f"sessions/{session}/server", seconds, body=body)
        return _content(answer, expected=202)

    async def session(self, session: str, after: int, seconds: float) -> dict[str, Any]:
        """How a session is, with its steps behind the cursor. Raises as `launch` does."""
        query = {"after": str(after)}
        answer = await self._ask("GET", f"sessions/{session}", seconds, query=query)
        return _content(answer, expected=200)

    async def stop_server(self, session: str, seconds: float) -> bool:
        """Ask for the end; whether nothing of the server is left. Raises as `launch` does."""
        answer = await self._ask("DELETE", f"sessions/{session}", seconds)
        if answer.status == 202:
            return False
        return answer.status == 204 or bool(_content(answer, expected=204))

    async def _ask(
        self,
        method: str,
        path: str,
        seconds: float,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        message: str | None = None,
    ) -> Answer:
        request = self._request(method, path, query, body, message or f"msg_{uuid.uuid4().hex}")
        request.request_timeout = seconds
        request.connect_timeout = min(seconds, CONNECT_SECONDS)
        try:
            return await asyncio.wait_for(self._fetch(request), seconds)
        except (ConnectionRefusedError, HTTPClientError) as error:
            raise PortalAwayError(
                str(error), perhaps_done=isinstance(error, HTTPClientError)
            ) from error
        except TimeoutError as error:
            raise PortalAwayError(f"no answer in {seconds:g} s", perhaps_done=True) from error
        except Exception as error:  # names, sockets, TLS: each has its own class
            raise PortalAwayError(f"{type(error).__name__}: {error}", perhaps_done=True) from error

    async def _fetch(self, request: HTTPRequest) -> Answer:
        if self._client is None:
            self._client = AsyncHTTPClient(force_instance=True, max_clients=MAX_REQUESTS)
        response = await self._client.fetch(request, raise_error=False)
        if response.code == 599:  # tornado's code for no answer at all
            raise response.error or HTTPClientError(599)
        return Answer(response.code, response.body or b"", response.headers.get("Retry-After"))

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        message: str,
    ) -> HTTPRequest:
        url = f"{self.address}/api/v1/hubs/{self.hub}/{path}"
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        content = request_content(method, _target(url)) if body is None else body
        headers = signed_headers(
            self.keys, message=message, timestamp=int(time.time()), content=content
        )
        headers |= {"Accept": "application/json"}
        if body is not None:
            headers |= {"Content-Type": "application/json"}
        return HTTPRequest(
            url,
            method=method,
            headers=headers,
            body=body,
            follow_redirects=False,  # a signature holds for one target only
            ca_certs=self.ca_certs,
        )


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _content(answer: Answer, *, expected: int) -> dict[str, Any]:
    """The content of a good answer; a refusal with a code is passed on, the rest is no answer."""
    content = answer.json()
    if answer.status == expected and content:
        return content
    code = content.get("code")
    if answer.status in {400, 403, 404, 409} and isinstance(code, str):
        detail = content.get("detail") or content.get("title") or code
        raise PortalRefusedError(answer.status, code, str(detail)[:MAX_DETAIL])
    raise PortalAwayError(
        f"answered {answer.status} {code or ''}".strip(), perhaps_done=answer.status >= 500
    )
