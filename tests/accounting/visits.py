"""Visits to the pages on usage, at a moment that the test chooses."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import time_machine
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from tests.html_tables import tables

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PERIOD = (date(2026, 1, 1), date(2026, 7, 1))


def visit(
    who: User | None, path: str, *, at: datetime = NOW, htmx: bool = False, **data: Any
) -> HttpResponse:
    """The answer to somebody's GET, sent by htmx where `htmx` is true."""
    headers = {"HX-Request": "true"} if htmx else {}
    with time_machine.travel(at, tick=False):
        client = Client(headers=headers)
        if who is not None:
            client.force_login(who)
        answer: Any = client.get(path, data)
        if answer.streaming:
            answer = HttpResponse(
                b"".join(answer.streaming_content),
                status=answer.status_code,
                headers=answer.headers,
            )
        return answer  # type: ignore[no-any-return]  # the client's own subclass


def text(who: User | None, path: str, *, at: datetime = NOW, **data: Any) -> str:
    """The page that somebody reads."""
    answer = visit(who, path, at=at, **data)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def rows(who: User, path: str, table: str, *, at: datetime = NOW, **data: Any) -> list[list[str]]:
    """The rows of a table of the page, without its head; none where it is not there."""
    return tables(text(who, path, at=at, **data)).get(table, [[]])[1:]


def records(who: User, path: str, *, at: datetime = NOW, **data: Any) -> list[dict[str, str]]:
    """The rows of a CSV, by its column names."""
    answer = visit(who, path, at=at, **data)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))
