"""Errors of the API: RFC 9457, and never an unexplained 500."""

from __future__ import annotations

import orjson
import pytest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.test import RequestFactory

from lsp_portal.lib.problems import Problem, endpoint


def answer_to(error: Exception | None, method: str = "POST") -> HttpResponse:
    @endpoint("POST", "DELETE")
    def view(request: HttpRequest) -> HttpResponse:
        if error:
            raise error
        return HttpResponse("fine")

    return view(RequestFactory().generic(method, "/"))


def test_a_problem_becomes_the_answer() -> None:
    problem = Problem(
        403, "closed", "Closed", "Come back tomorrow.", headers={"Retry-After": "9"}, opens="08:00"
    )
    answer = answer_to(problem)
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert answer["Retry-After"] == "9"
    assert orjson.loads(answer.content) == {
        "status": 403,
        "code": "closed",
        "title": "Closed",
        "detail": "Come back tomorrow.",
        "opens": "08:00",
    }


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_without_a_database_one_is_told_to_come_again(error: Exception) -> None:
    answer = answer_to(error)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"gone" not in answer.content


def test_a_body_that_breaks_off_is_the_sender_s_problem() -> None:
    assert answer_to(UnreadablePostError("broken pipe")).status_code == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_other_methods_are_told_what_is_allowed(method: str) -> None:
    answer = answer_to(None, method)
    assert (answer.status_code, answer["Allow"]) == (405, "POST, DELETE")


def test_everything_else_goes_its_way() -> None:
    assert answer_to(None).content == b"fine"
    with pytest.raises(KeyError):
        answer_to(KeyError("a mistake of ours"))
