"""What people without an account open: links to statements, and answers to mails."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounting.group_statements import files
from accounting.group_statements.content import GroupStatement
from accounting.sharing import links, recipients
from accounting.sharing.links import TooManyUses
from lsp_portal.lib import clock

PRIVATE = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
"""The address is the key: nobody is to find it in an index or in another site's log."""


@never_cache
@require_safe
def shared_statement(request: HttpRequest, token: str) -> HttpResponseBase:
    """The statement behind a link, without signing in."""
    try:
        found = _statement(token, clock.now())
    except TooManyUses:
        return _too_many()
    if found is None:
        answer = render(request, "accounting/shared_gone.html", status=404)
    else:
        shown = {"statement": found, "token": token, "kinds": files.MEDIA_TYPES}
        answer = render(request, "accounting/shared_statement.html", shown)
    return _private(answer)


@never_cache
@require_safe
def shared_statement_file(request: HttpRequest, token: str, kind: str) -> HttpResponseBase:
    """The same as a file."""
    if kind not in files.MEDIA_TYPES:
        raise Http404("No such kind of file.")
    try:
        found = _statement(token, clock.now())
    except TooManyUses:
        return _too_many()
    if found is None:
        return _private(render(request, "accounting/shared_gone.html", status=404))
    return _private(files.answer(found, kind))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_report(request: HttpRequest, token: str) -> HttpResponseBase:
    """Asks whether the mails are wanted, and notes it: programs that follow links do not press."""
    found = recipients.asked(token)
    if found is None:
        raise Http404("No such question.")
    is_done = request.method == "POST"
    if is_done:
        recipients.confirm(found, at=clock.now())
    shown = {"recipient": found, "is_done": is_done}
    return _private(render(request, "accounting/confirm_report.html", shown))


@csrf_exempt  # the mail program of somebody who is not signed in posts here (RFC 8058)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def leave_report(request: HttpRequest, token: str) -> HttpResponseBase:
    """Asks whether the mails shall end, and ends them: the link itself is the authority."""
    found = recipients.leaving(token)
    if found is None:
        raise Http404("No such link.")
    is_done = request.method == "POST"
    if is_done:
        recipients.leave(found, at=clock.now())
    shown = {"recipient": found, "is_done": is_done}
    return _private(render(request, "accounting/leave_report.html", shown))


def _statement(token: str, at: datetime) -> GroupStatement | None:
    link = links.opened(token, at=at)
    return None if link is None else links.statement_of(link, at=at)


def _too_many() -> HttpResponse:
    text = "This link was opened very often just now. Try again in a minute.\n"
    headers = {"Retry-After": "60", **PRIVATE}
    return HttpResponse(text, "text/plain; charset=utf-8", status=429, headers=headers)


def _private(answer: HttpResponse) -> HttpResponse:
    for name, value in PRIVATE.items():
        answer.headers[name] = value
    return answer
