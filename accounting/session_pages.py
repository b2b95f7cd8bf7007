"""The page of one session."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from accounting.pages import session as session_page
from accounting.views import page
from accounts.access import person
from lsp_portal.lib import clock


@page
def detail(request: HttpRequest, number: int) -> HttpResponseBase:
    """A session from its evidence to its core-hours."""
    found = session_page.visible_or_404(person(request), number, at=(now := clock.now()))
    shown = session_page.explained(found, at=now)
    return render(request, "accounting/session.html", {"session": found, "view": shown, "at": now})
