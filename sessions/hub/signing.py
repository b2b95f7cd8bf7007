"""Who sent this request: signatures as Standard Webhooks describes them, over raw bytes.

The order of the checks is part of the contract: size (413), then headers, time, hub and signature
(401). A hub that does not exist answers exactly like a wrong signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.db import connection
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path

from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from sessions.hub import secrets
from sessions.models import Hub
from sessions.models.hubs import HUB_NAME_REGEX

MAX_BODY = 1024 * 1024  # bytes
MAX_DISCARDED = 16 * MAX_BODY  # of a body that is too large
TOLERANCE = 300  # seconds, both ways

HUB_FIELDS = [field.attname for field in Hub._meta.concrete_fields]
VALID_SECRETS = f"""
    SELECT s.nonce, {", ".join(f"h.{field.column}" for field in Hub._meta.concrete_fields)}
    FROM hub_sessions_hubsecret s JOIN hub_sessions_hub h ON h.id = s.hub_id
    WHERE h.name = %(name)s AND s.valid_from <= %(at)s
        AND (s.valid_to IS NULL OR s.valid_to > %(at)s)
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """The three headers of a signed request."""

    id: str
    timestamp: str
    signatures: str

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """The headers; Problem 401 where one is missing."""
        names = ("HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE")
        headers = [request.META.get(name, "") for name in names]
        if not all(headers):
            raise _refusal(
                "missing_header",
                "webhook-id, webhook-timestamp and webhook-signature are needed.",
            )
        return cls(*headers)

    def check_time(self, at: datetime) -> None:
        """Problem 401 for a timestamp that is not within the tolerance."""
        seconds = re.fullmatch(r"[0-9]{1,12}", self.timestamp)
        if not seconds or abs(int(self.timestamp) - int(at.timestamp())) > TOLERANCE:
            raise _refusal(
                "bad_timestamp",
                f"webhook-timestamp must be within {TOLERANCE} seconds of {int(at.timestamp())}.",
            )

    def is_made_with(self, key: bytes, content: bytes) -> bool:
        """Whether one of the signatures is that of the content under the key."""
        signed = f"{self.id}.{self.timestamp}.".encode("latin-1") + content
        expected = hmac.digest(key, signed, hashlib.sha256)
        return any(hmac.compare_digest(expected, given) for given in self._values())

    def _values(self) -> list[bytes]:
        pairs = (signature.partition(",") for signature in self.signatures.split(" "))
        return [_decoded(value) for version, _, value in pairs if version == "v1"]


def verified_hub(request: HttpRequest, name: str) -> Hub:
    """The hub that signed the request; afterwards `request.body` is the raw body.

    Raises Problem: 413 for a body over 1 MiB, 401 for everything else that is wrong.
    """
    content = _content(request)
    signature, at = Signature.of(request), clock.now()
    signature.check_time(at)
    hub, nonces = _hub_and_nonces(name, at)
    # An unknown hub takes the same way with a key that nobody has.
    keys = [secrets.secret_bytes(name, nonce) for nonce in nonces or [""]]
    matches = [signature.is_made_with(key, content) for key in keys]
    if hub is None or not any(matches):
        raise _refusal("bad_signature", "The signature is not one of this hub.")
    return hub


def _content(request: HttpRequest) -> bytes:
    """What was signed: the raw body of a POST, else the method and the target as it was sent."""
    if request.method == "POST":
        request._body = _limited_body(request)
        return request.body
    return f"{request.method} {_target(request)}".encode("latin-1")


def _target(request: HttpRequest) -> str:
    for name in ("RAW_URI", "REQUEST_URI"):
        if given := request.META.get(name):
            return str(given)
    query = request.META.get("QUERY_STRING", "")
    return escape_uri_path(request.path) + (f"?{query}" if query else "")


def _limited_body(request: HttpRequest) -> bytes:
    """The body, of which never more than one byte over the limit is kept.

    Django knows no body without a length, and has a limit of its own that answers 400.
    """
    length = request.META.get("CONTENT_LENGTH") or ""
    announced = int(length) if length.isascii() and length.isdigit() else 0
    body = b"" if announced > MAX_BODY else _unread_body(request)
    if max(announced, len(body)) > MAX_BODY:
        _discard(request)
        raise _too_large()
    return body


def _discard(request: HttpRequest) -> None:
    """Read on for a while: who is cut off in mid-sentence sees a reset, not the answer."""
    is_endless = request.META.get("wsgi.input_terminated")
    stream = request.META["wsgi.input"] if is_endless else request
    for _ in range(MAX_DISCARDED // MAX_BODY):
        if not stream.read(MAX_BODY):
            return


def _unread_body(request: HttpRequest) -> bytes:
    if request.META.get("wsgi.input_terminated"):
        body: bytes = request.META["wsgi.input"].read(MAX_BODY + 1)
        return body
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise Problem(
            411, "length_required", "Length required", "Send the body with a Content-Length."
        )
    return request.read(MAX_BODY + 1)


def _hub_and_nonces(name: str, at: datetime) -> tuple[Hub | None, list[str]]:
    """The hub of that name and the nonces of its valid secrets; None where it has none.

    By hand, since this stands before every request and the ORM would take most of its time.
    """
    if not re.fullmatch(HUB_NAME_REGEX, name):
        name = ""
    with connection.cursor() as cursor:
        cursor.execute(VALID_SECRETS, {"name": name, "at": at})
        rows = cursor.fetchall()
    hub = Hub.from_db(connection.alias, HUB_FIELDS, rows[0][1:]) if rows else None
    return hub, [row[0] for row in rows]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _too_large() -> Problem:
    return Problem(413, "too_large", "Too large", f"A body may have at most {MAX_BODY} bytes.")


def _refusal(code: str, detail: str) -> Problem:
    return Problem(
        401, code, "Not verified", detail, headers={"WWW-Authenticate": "Standard-Webhooks"}
    )
