"""HTTP to the cluster's API: JSON in and out, a timeout on everything, nothing but GET repeated.

The official client loads the configuration and signs requests. Its models are left out: they drop
fields that they do not know, and cost four times the time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import Retry, Timeout

from sessions.kubernetes.configuration import Cluster, NotConfigured
from sessions.kubernetes.failures import Unavailable, failure

CONNECT_SECONDS = 3.05
READ_SECONDS = 20.0
LONGEST_TEXT = 500
JSON = "application/json"
NOT_SENT = (ConnectTimeoutError, NewConnectionError, NameResolutionError)
# What was not sent can be sent again, whatever it is; of what was sent only a GET.
RETRIES = Retry(
    total=2, redirect=0, status=0, allowed_methods=["GET"], backoff_factor=0.1,
    respect_retry_after_header=False, raise_on_status=False,
)  # fmt: skip


class Connection:
    """Requests to one API server; several threads may share it."""

    def __init__(self, configuration: Any) -> None:
        from kubernetes.client.rest import RESTClientObject

        configuration.retries = RETRIES
        self._configuration = configuration
        self._pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager

    @property
    def address(self) -> str:
        return str(self._configuration.host)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """The answer's content. Raises the failures of `sessions.kubernetes.failures`."""
        sent = self._request(method, path, query, body, content_type, _patience(READ_SECONDS))
        return _content(sent)

    def stream(
        self, path: str, *, query: Mapping[str, str | int], silence_seconds: float
    ) -> Iterator[dict[str, Any]]:
        """One JSON value of the answer after the other, as its lines come."""
        answer = self._request(
            "GET", path, query, None, JSON, _patience(silence_seconds), preload_content=False
        )
        with closing(answer):
            if answer.status != 200:
                _content(answer)
            try:
                yield from map(_parsed, _lines(answer))
            except HTTPError as error:
                raise _unavailable(error) from error

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None,
        body: Any,
        content_type: str,
        timeout: Timeout,
        **how: Any,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._configuration.host.rstrip('/')}{path}"
        headers = {"Accept": JSON, **({"Content-Type": content_type} if body is not None else {})}
        try:
            return self._pool.request(
                method,
                f"{url}?{urlencode(query)}" if query else url,
                body=None if body is None else orjson.dumps(body),
                headers=headers | self._authorization(),
                timeout=timeout,
                **how,
            )
        except HTTPError as error:
            raise _unavailable(error) from error

    def _authorization(self) -> dict[str, str]:
        ways = self._configuration.auth_settings().values()
        return {way["key"]: way["value"] for way in ways if way["in"] == "header"}


def connection(cluster: Cluster) -> Connection:
    """The connection to the cluster, one for each process. Raises NotConfigured."""
    if not cluster.kubeconfig:
        return _connection("", 0)
    return _connection(cluster.kubeconfig, os.stat(cluster.kubeconfig).st_mtime_ns)


@lru_cache(maxsize=4)
def _connection(kubeconfig: str, changed: int) -> Connection:
    from kubernetes import client, config

    configuration = client.Configuration()
    load: Callable[..., None] = config.load_incluster_config
    if kubeconfig:
        load = partial(config.load_kube_config, kubeconfig)
    try:
        load(client_configuration=configuration)
    except config.ConfigException as error:
        raise NotConfigured(f"The cluster's configuration cannot be used: {error}") from error
    return Connection(configuration)


def _patience(read_seconds: float) -> Timeout:
    return Timeout(connect=CONNECT_SECONDS, read=read_seconds)


def _content(answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    if answer.status >= 300:
        raise failure(answer.status, _status(answer.data), answer.headers)
    return _parsed(answer.data) if answer.data else {}


def _status(text: bytes) -> dict[str, Any]:
    """What a refusal says; the server's own limits and proxies before it say it in plain text."""
    try:
        return _parsed(text)
    except Unavailable:
        return {"message": text[:LONGEST_TEXT].decode(errors="replace").strip()}


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        content = None
    if isinstance(content, dict):
        return content
    raise Unavailable("What answers is no API of a cluster.", perhaps_done=True)


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in answer.stream(None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(None, whole)
    if rest:
        yield rest


def _unavailable(error: HTTPError) -> Unavailable:
    cause = error.reason if isinstance(error, MaxRetryError) else error
    return Unavailable(
        "The cluster's API does not answer.", perhaps_done=not isinstance(cause, NOT_SENT)
    )
