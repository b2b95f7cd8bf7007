"""The page of reports, and reports as files."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from accounting.pages import csv_answer
from accounting.pages import report as pages
from accounting.pages.period import Choice, choose
from accounting.pages.report_form import WORDS, ReportForm
from accounting.reports import files, report
from accounting.views import page, table
from accounts.access import person
from lsp_portal.lib import clock, ods


@page
def reports(request: HttpRequest) -> HttpResponseBase:
    """Usage by one or two dimensions."""
    choice = choose(request.GET, at=clock.now())
    form = ReportForm(request.GET, reader=person(request), at=choice.window.at)
    shown: dict[str, Any] = {"choice": choice, "form": form}
    shown["presets"] = pages.presets(at=choice.window.at)
    if form.is_valid():
        wish = form.wish()
        shown["is_wide"] = wish.is_wide
        shown["names"] = " and ".join(WORDS[name] for name in wish.by)
        if not wish.is_wide:
            shown["view"] = pages.view(form, choice, number=request.GET.get("page", ""))
    return render(request, "accounting/report.html", shown)


@page
@table
def report_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """Every row."""
    return _file(request, choice, "csv")


@page
@table
def report_ods(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """The same for spreadsheets."""
    return _file(request, choice, "ods")


def file_answer(form: ReportForm, choice: Choice, kind: str) -> HttpResponseBase:
    """A report as a download, `csv` or `ods`."""
    wish = form.wish()
    name = f"usage-by-{'-'.join(wish.by)}-{choice.first_day}-{choice.last_day}.{kind}"
    rows = files.cells(wish, report.every(wish, choice.window, order=form.cleaned_data["order"]))
    if kind == "ods":
        return ods.answer(name, files.columns(wish), rows)
    texts = ([str(cell) for cell in row] for row in rows)
    return csv_answer.answer(name, files.columns(wish), texts)


def _file(request: HttpRequest, choice: Choice, kind: str) -> HttpResponseBase:
    form = ReportForm(request.GET, reader=person(request), at=choice.window.at)
    if form.is_valid():
        return file_answer(form, choice, kind)
    text = form.errors.as_text()
    return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
