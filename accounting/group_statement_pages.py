"""The statement of a group in a time: as a page, as files, and checked by who has the paper."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounting.group_statements import files
from accounting.group_statements.content import of_window
from accounting.group_statements.verifying import stated
from accounting.pages.period import Choice, choose
from accounting.views import page, table
from accounts.access import group_visible_or_404, may_share, person
from lsp_portal.lib import clock


@page
def group_statement(request: HttpRequest, name: str) -> HttpResponseBase:
    """What the group used, against its quota, by month, image, size and person."""
    choice = choose(request.GET, at=clock.now())
    group = group_visible_or_404(person(request), name, at=choice.window.at)
    statement = of_window(group, choice.window, choice.period)
    shown = {"group": group, "choice": choice, "statement": statement, "kinds": files.MEDIA_TYPES}
    shown["shares"] = may_share(person(request), group, at=choice.window.at)
    return render(request, "accounting/group_statement.html", shown)


@page
@table
def group_statement_file(
    request: HttpRequest, choice: Choice, name: str, kind: str
) -> HttpResponseBase:
    """The same as PDF, ODS or CSV; `?names=no` leaves people out."""
    group = group_visible_or_404(person(request), name, at=choice.window.at)
    if kind not in files.MEDIA_TYPES:
        raise Http404("No such kind of file.")
    with_names = request.GET.get("names") != "no"
    statement = of_window(group, choice.window, choice.period, with_names=with_names)
    return files.answer(statement, kind)


@never_cache
@require_safe
def verify_statement(request: HttpRequest, token: str) -> HttpResponseBase:
    """What was stated of a group, for whoever has the address from the paper; no sign-in."""
    found = stated(token)
    if found is None:
        raise Http404("No such statement.")
    statement, line = found
    answer = render(
        request, "accounting/verify_statement.html", {"statement": statement, "line": line}
    )
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer
