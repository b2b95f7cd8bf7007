"""The tables of people and groups, as file servers fetch them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from accounts import posix
from accounts.models import User
from accounts.tokens import BadTokenError, find_token
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem, endpoint

TEXT = "text/plain; charset=utf-8"


@endpoint("GET", "HEAD")
def passwd(request: HttpRequest) -> HttpResponse:
    """People, as passwd(5) has them."""
    return _answer(request, TEXT, lambda at: posix.passwd(at=at).encode())


@endpoint("GET", "HEAD")
def group(request: HttpRequest) -> HttpResponse:
    """Groups, as group(5) has them."""
    return _answer(request, TEXT, lambda at: posix.group(at=at).encode())


@endpoint("GET", "HEAD")
def accounts(request: HttpRequest) -> HttpResponse:
    """Both tables as JSON."""
    return _answer(request, "application/json", lambda at: orjson.dumps(posix.tables(at=at)))


def _answer(
    request: HttpRequest, content_type: str, make: Callable[[datetime], bytes]
) -> HttpResponse:
    """The table, or 304 for who has it already."""
    at = clock.now()
    _authorise(request, at=at)
    body = make(at)
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    answer = HttpResponse(body, content_type=content_type, headers=headers)
    unchanged = get_conditional_response(request, etag, None, answer)
    return unchanged if isinstance(unchanged, HttpResponse) else answer


def _authorise(request: HttpRequest, *, at: datetime) -> None:
    """Lets a token with the scope `posix` pass, and administrators who are signed in."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        user = request.user
        if not (isinstance(user, User) and user.is_registered and user.is_staff):
            raise _unauthorised("Send a token with the scope “posix”.")
        return
    try:
        token = find_token(text.strip(), at=at)
    except BadTokenError as error:
        raise _unauthorised(str(error)) from error
    if "posix" not in token.scopes or not _may_see_everybody(token.user):
        raise Problem(403, "forbidden", "Not allowed", "The token has not the scope “posix”.")


def _may_see_everybody(owner: User | None) -> bool:
    return owner is None or (owner.is_registered and owner.is_staff)


def _unauthorised(detail: str) -> Problem:
    headers = {"WWW-Authenticate": "Bearer"}
    return Problem(401, "not_authenticated", "Who asks is not known", detail, headers=headers)
