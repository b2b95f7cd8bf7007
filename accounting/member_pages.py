"""The page of who belonged to which group when, and the same as files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from accounting.pages import csv_answer, members
from accounting.pages.period import Choice, choose
from accounting.views import page, table
from accounts.access import person
from lsp_portal.lib import clock, ods


@page
def report_members(request: HttpRequest) -> HttpResponseBase:
    """Memberships in a time, with their dates."""
    choice = choose(request.GET, at=clock.now())
    form = members.MembersForm(request.GET)
    rows = members.found(person(request), _wish(form), choice.window)
    listed = members.page(rows, choice, number=request.GET.get("page", ""))
    shown = {"choice": choice, "form": form, "page": listed}
    return render(request, "accounting/members.html", shown)


@page
@table
def report_members_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """All of them."""
    rows = members.found(person(request), _wish(members.MembersForm(request.GET)), choice.window)
    return csv_answer.answer(_file(choice, "csv"), members.COLUMNS, members.every(rows, choice))


@page
@table
def report_members_ods(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """The same for spreadsheets."""
    rows = members.found(person(request), _wish(members.MembersForm(request.GET)), choice.window)
    return ods.answer(_file(choice, "ods"), members.COLUMNS, members.every(rows, choice))


def _wish(form: members.MembersForm) -> dict[str, str]:
    form.is_valid()
    return form.cleaned_data


def _file(choice: Choice, kind: str) -> str:
    return f"members-{choice.first_day}-{choice.last_day}.{kind}"
