"""The pages of sessions: those that make up a total, and one by itself."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from accounting.pages import corrections, csv_answer, session_list, total
from accounting.pages import session as session_page
from accounting.pages.period import Choice, choose
from accounting.views import page, table
from accounts.access import person
from lsp_portal.lib import clock
from sessions.dask import showing


@page
def listed(request: HttpRequest) -> HttpResponseBase:
    """The sessions that make up a total, with their sum."""
    choice = choose(request.GET, at=clock.now())
    form = total.FilterForm(request.GET)
    asked = total.asked_for(person(request), _wish(form), choice.window)
    found = asked.sessions(choice.window)
    shown = {
        "choice": choice,
        "form": form,
        "listed": session_list.page(found, choice.window, request.GET, paid=asked.paid),
        "total": asked.total(choice.window),
    }
    return render(request, "accounting/sessions.html", shown)


@page
@table
def listed_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """The same as a file."""
    wish = _wish(total.FilterForm(request.GET))
    asked = total.asked_for(person(request), wish, choice.window)
    rows = session_list.every(asked.sessions(choice.window), choice.window, paid=asked.paid)
    name = f"sessions-{choice.first_day}-{choice.last_day}.csv"
    return csv_answer.answer(name, session_list.COLUMNS, (row.cells() for row in rows))


@page
def detail(request: HttpRequest, number: int) -> HttpResponseBase:
    """A session from its evidence to its core-hours."""
    found = session_page.visible_or_404(person(request), number, at=(now := clock.now()))
    shown = session_page.explained(found, at=now)
    corrected = corrections.corrections(found, person(request), at=now)
    values = {"session": found, "view": shown, "corrections": corrected, "at": now}
    values["dask"] = showing.panel(found, user=person(request), at=now)
    return render(request, "accounting/session.html", values)


def _wish(form: total.FilterForm) -> dict[str, str]:
    """What was asked for, without what makes no sense."""
    form.is_valid()
    return form.cleaned_data
