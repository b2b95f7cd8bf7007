"""The pages of closed periods."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from accounting.models import Statement
from accounting.pages import statements
from accounting.views import page
from accounts.access import person as asking
from lsp_portal.lib import clock


@page
def statement_list(request: HttpRequest) -> HttpResponseBase:
    """Every closed period, newest first."""
    found = Statement.objects.order_by("-number")
    return render(request, "accounting/statements.html", {"statements": found})


@page
def statement(request: HttpRequest, number: int) -> HttpResponseBase:
    """What was stated, as far as the person may see it."""
    found = statements.statement_or_404(number)
    lines = statements.lines_or_404(found, asking(request), at=clock.now())
    view = statements.shown(found, lines, name=request.GET.get("group", ""))
    return render(request, "accounting/statement.html", {"view": view})


@page
def statement_csv(request: HttpRequest, number: int) -> HttpResponseBase:
    """All of it as a file."""
    found = statements.statement_or_404(number)
    lines = statements.lines_or_404(found, asking(request), at=clock.now())
    return statements.file_answer(found, lines, "csv")


@page
def statement_ods(request: HttpRequest, number: int) -> HttpResponseBase:
    """The same for spreadsheets."""
    found = statements.statement_or_404(number)
    lines = statements.lines_or_404(found, asking(request), at=clock.now())
    return statements.file_answer(found, lines, "ods")
