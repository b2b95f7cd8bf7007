"""Requests to a registry: proving who we are, waiting when told to, and giving up in words."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.auth import AuthBase

from sessions.registry.failures import ImageMissing, RegistryFailed
from sessions.registry.repositories import HERE

TIMEOUT = (3.05, 20)  # seconds to connect, and between two parts of an answer
ATTEMPTS = 3
LONGEST_WAIT = 20  # seconds; a registry that wants more is asked at the next reading
LARGEST = 8 * 1024 * 1024  # bytes of an answer; registries keep manifests below 4 MiB
BUSY = (429, 502, 503, 504)
PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, or a token in its place, for one registry."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Headers and body of a good answer."""

    headers: Mapping[str, str]
    body: bytes

    def document(self, what: str) -> dict[str, Any]:
        """The body as a JSON object. Raises RegistryFailed."""
        try:
            content = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise RegistryFailed(f"The registry's {what} is no JSON object.")
        return content


class _Header(AuthBase):
    """Sends this header; requests takes it away where a redirection leads to another host."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.value:
            request.headers["Authorization"] = self.value
        return request


class Transport:
    """Conversations with one registry about one repository."""

    def __init__(self, repository: str, credentials: Credentials | None) -> None:
        self._session = requests.Session()
        self._scope = f"repository:{repository}:pull"
        self._credentials = credentials
        self._authorization = ""

    def close(self) -> None:
        self._session.close()

    def ask(self, method: str, url: str, *, accept: str = "application/json") -> Answer:
        """A good answer; ImageMissing on 404, RegistryFailed for whatever else is wrong."""
        answer = self._patiently(method, url, accept)
        if answer.status_code == 401:
            with answer:
                self._authorization = self._prove(answer)
            answer = self._patiently(method, url, accept)
        if answer.status_code != 200:
            raise _failure(answer)
        return Answer(answer.headers, _body(answer))

    def _patiently(self, method: str, url: str, accept: str) -> requests.Response:
        """The answer, asked again a few times while the registry is too busy."""
        auth, headers = _Header(self._authorization), {"Accept": accept}
        answer = self._send(method, url, auth=auth, headers=headers)
        for _ in range(ATTEMPTS - 1):
            wait = _wait(answer)
            if wait is None:
                break
            answer.close()
            time.sleep(wait)
            answer = self._send(method, url, auth=auth, headers=headers)
        return answer

    def _send(self, method: str, url: str, **arguments: Any) -> requests.Response:
        try:
            return self._session.request(method, url, timeout=TIMEOUT, stream=True, **arguments)
        except requests.RequestException as error:
            host = urlsplit(url).netloc
            raise RegistryFailed(f"{host} cannot be reached: {_cause(error)}.") from error

    def _prove(self, answer: requests.Response) -> str:
        """The header that the registry asks for."""
        scheme, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic" and self._credentials:
            _ensure_private(answer.url)
            return _basic(self._credentials)
        if scheme.lower() != "bearer":
            raise _failure(answer)
        found = {name: quoted or plain for name, quoted, plain in PARAMETER.findall(rest)}
        if "realm" not in found:
            raise RegistryFailed("The registry asks for a token and does not say where to get it.")
        return f"Bearer {self._token(found)}"

    def _token(self, challenge: Mapping[str, str]) -> str:
        realm = challenge["realm"]
        query = {"scope": challenge.get("scope", self._scope)}
        query |= {"service": challenge["service"]} if "service" in challenge else {}
        if self._credentials:
            _ensure_private(realm)
        auth = _Header(_basic(self._credentials) if self._credentials else "")
        answer = self._send("GET", realm, params=query, auth=auth)
        if answer.status_code != 200:
            raise _failure(answer)
        content = Answer(answer.headers, _body(answer)).document("answer with a token")
        token = content.get("token") or content.get("access_token")
        if not isinstance(token, str):
            raise RegistryFailed(f"{urlsplit(realm).netloc} gave no token.")
        return token


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _ensure_private(url: str) -> None:
    """Refuse to send a password over an open line."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in HERE:
        raise RegistryFailed(f"{parts.netloc} wants the password without https; it is not sent.")


def _wait(answer: requests.Response) -> float | None:
    """Seconds after which to ask again; None to take the answer as it is."""
    if answer.status_code not in BUSY:
        return None
    asked = answer.headers.get("Retry-After", "1")
    seconds = int(asked) if re.fullmatch(r"\d{1,9}", asked) else 1
    return seconds if seconds <= LONGEST_WAIT else None


def _body(answer: requests.Response) -> bytes:
    """What came, if it all came and is no longer than anything that a registry should say."""
    body = bytearray()
    try:
        for part in answer.iter_content(64 * 1024):
            body += part
            if len(body) > LARGEST:
                raise RegistryFailed("The registry's answer does not end.")
    except requests.RequestException as error:
        raise RegistryFailed("The registry's answer broke off.") from error
    finally:
        answer.close()
    return bytes(body)


def _failure(answer: requests.Response) -> RegistryFailed:
    host, status = urlsplit(answer.url).netloc, answer.status_code
    said = _said(answer)
    if status == 404:
        return ImageMissing(f"{host} has no such repository, tag or digest{said}.")
    if status in (401, 403):
        return RegistryFailed(
            f"{host} does not let the portal read{said}. Look whether the credentials are right "
            "and may pull."
        )
    if status == 429:
        return RegistryFailed(f"{host} is asked too often{said}; it is asked again later.")
    if status >= 500:
        return RegistryFailed(f"{host} is in trouble: it answered {status}{said}.")
    return RegistryFailed(f"{host} answered {status}{said}, which no registry should.")


def _said(answer: requests.Response) -> str:
    """What the registry itself says is wrong."""
    try:
        first = orjson.loads(_body(answer))["errors"][0]
        return f" ({str(first.get('message') or first['code'])[:200]})"
    except (RegistryFailed, orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return ""


def _cause(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.TooManyRedirects):
        return "it sends us round in a circle"
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return "its address is none"
    return "no connection"
