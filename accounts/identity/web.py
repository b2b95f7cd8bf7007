"""Requests to identity providers: no redirects, bounded in time and size, JSON or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import requests

from accounts.identity.failures import SignInFailedError

TIMEOUT = (3.05, 10)  # seconds to connect and between bytes; a person is waiting
TOTAL = 15.0  # seconds for a whole answer
SIZE = 1_048_576  # bytes of an answer
PIECE = 16_384


class Answer:
    """A JSON document, with the status and headers that it came with."""

    def __init__(self, status: int, headers: Mapping[str, str], document: Any) -> None:
        self.status = status
        self.headers = headers
        self.document = document


def ask(method: str, address: str, **how: Any) -> Answer:
    """What the provider answers. Raises SignInFailedError (`provider_unavailable`)."""
    try:
        with requests.request(
            method, address, timeout=TIMEOUT, allow_redirects=False, stream=True, **how
        ) as answer:
            document = json.loads(_body(answer))
            return Answer(answer.status_code, answer.headers, document)
    except (requests.RequestException, ValueError, RecursionError) as error:
        why = f"{address}: {type(error).__name__} {error}"
        raise SignInFailedError(
            "provider_unavailable",
            "The identity provider does not answer as it should. Please try again later.",
            detail=why,
        ) from error


def good(answer: Answer, address: str) -> Any:
    """The document of an answer with status 200. Raises SignInFailedError."""
    if answer.status != 200:
        raise SignInFailedError(
            "provider_unavailable",
            "The identity provider does not answer as it should. Please try again later.",
            detail=f"{address}: status {answer.status}",
        )
    return answer.document


def _body(answer: requests.Response) -> bytes:
    latest = time.monotonic() + TOTAL
    body = bytearray()
    for piece in answer.iter_content(PIECE):
        body += piece
        if len(body) > SIZE:
            raise ValueError("the answer is too large")
        if time.monotonic() > latest:
            raise ValueError("the answer takes too long")
    return bytes(body)
