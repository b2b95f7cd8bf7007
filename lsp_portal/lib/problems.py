"""Errors of the API as RFC 9457 describes them: `application/problem+json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate

import orjson
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

View = Callable[Concatenate[HttpRequest, ...], HttpResponse]

RETRY_AFTER = {"Retry-After": "5"}  # seconds; a database that restarts is back after a few


class Problem(Exception):  # noqa: N818  # the word of RFC 9457
    """A request that cannot be answered as asked.

    `code` is for programs, `title` names the kind of problem, `detail` tells a person what is
    wrong with this request; `extra` becomes further members of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.members = {"status": status, "code": code, "title": title, "detail": detail, **extra}

    def answer(self) -> HttpResponse:
        body = orjson.dumps(self.members)
        return HttpResponse(
            body, status=self.status, content_type="application/problem+json", headers=self.headers
        )


def endpoint(*methods: str) -> Callable[[View], View]:
    """Make a view one of the API for programs: signed instead of guarded by a CSRF token.

    Other methods are answered with 405, a `Problem` that the view raises becomes the answer, and
    a database that cannot be reached is a 503: whoever asked tries again.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                _check_method(request, methods)
                return view(request, *args, **kwargs)
            except Problem as problem:
                return problem.answer()
            except UnreadablePostError as error:
                return _incomplete(error).answer()
            except (OperationalError, InterfaceError):
                return _unavailable().answer()

        return csrf_exempt(answer)

    return decorate


def _check_method(request: HttpRequest, methods: tuple[str, ...]) -> None:
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise Problem(
            405,
            "method_not_allowed",
            "Method not allowed",
            f"Use {allowed} here.",
            headers={"Allow": allowed},
        )


def _incomplete(error: UnreadablePostError) -> Problem:
    return Problem(400, "incomplete", "Incomplete request", f"The body did not arrive: {error}")


def _unavailable() -> Problem:
    return Problem(
        503,
        "unavailable",
        "The portal cannot reach its database",
        "Nothing was stored. Send the request again later.",
        headers=RETRY_AFTER,
    )
