"""The pages of storage: of one's own home, of a group, and of everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from accounting.pages import csv_answer, storage
from accounting.pages.period import Choice, choose
from accounting.views import page, staff_page, table
from accounts.access import group_visible_or_404
from accounts.access import person as asking
from lsp_portal.lib import clock


@page
def my_storage(request: HttpRequest) -> HttpResponseBase:
    """One's own home, now and in a window."""
    choice = choose(request.GET, at=clock.now())
    stored = storage.of_home(asking(request), choice.window)
    return render(request, "accounting/storage.html", {"choice": choice, "stored": stored})


@page
@table
def my_storage_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """Every measurement of one's own home in the window."""
    cells = storage.history_cells(asking(request), choice.window)
    return csv_answer.answer(_file("my-storage", choice), storage.CSV_COLUMNS, cells)


@page
def group_storage(request: HttpRequest, name: str) -> HttpResponseBase:
    """What a group stores, now and in a window."""
    choice = choose(request.GET, at=clock.now())
    group = group_visible_or_404(asking(request), name, at=choice.window.at)
    stored = storage.of_group(group, choice.window)
    shown = {"choice": choice, "stored": stored, "group": group}
    return render(request, "accounting/storage.html", shown)


@page
@table
def group_storage_csv(request: HttpRequest, choice: Choice, name: str) -> HttpResponseBase:
    """Every measurement of the group in the window."""
    group = group_visible_or_404(asking(request), name, at=choice.window.at)
    cells = storage.history_cells(group, choice.window)
    return csv_answer.answer(_file(f"{name}-storage", choice), storage.CSV_COLUMNS, cells)


@staff_page
def storage_overview(request: HttpRequest) -> HttpResponseBase:
    """Everybody who stores something, page by page."""
    asked = request.GET
    search = asked.get("q", "")
    view = storage.owners(
        search=search, order=asked.get("order", ""), page=asked.get("page", ""), at=clock.now()
    )
    shown = {"view": view, "search": search, "order": asked.get("order", "")}
    return render(request, "accounting/storage_overview.html", shown)


def _file(name: str, choice: Choice) -> str:
    return f"{name}-{choice.first_day}-{choice.last_day}.csv"
