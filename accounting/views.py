"""The pages on usage, and their tables as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from hashlib import sha256
from typing import Any, Concatenate

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounting.pages import (
    csv_answer,
    enforced,
    group_list,
    outlook,
    overview,
    period,
    person,
    replay,
    session_list,
    total,
)
from accounting.pages import group as group_pages
from accounting.pages.period import Choice
from accounting.pages.total import Asked
from accounting.replay.report import COLUMNS
from accounts.access import group_visible_or_404, registered, staff
from accounts.access import person as asking
from accounts.models import Group, Membership, User
from lsp_portal.lib import clock
from sessions.forms import start_forms
from sessions.models import ClusterWatch, Repair, Session
from sessions.reconciling.silence import silent_hubs

View = Callable[Concatenate[HttpRequest, ...], HttpResponseBase]


def page(view: View) -> View:
    """A page for registered people, read only and never kept by a cache."""
    return never_cache(require_safe(registered(view)))


def staff_page(view: View) -> View:
    """The same for administrators."""
    return never_cache(require_safe(staff(view)))


def table(view: View) -> View:
    """A download, which is given the window: a wrong wish is answered with what is wrong."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        choice = _choice(request)
        if choice.errors:
            text = "\n".join(choice.errors)
            return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
        return view(request, choice, *args, **kwargs)

    return checked


@page
def my_usage(request: HttpRequest) -> HttpResponseBase:
    """One's own servers, sessions and usage, and the form that starts a server."""
    return render(request, "accounting/my_usage.html", _my_all(request, _my_live(request)))


@page
def my_live(request: HttpRequest) -> HttpResponseBase:
    """The parts of that page that change by themselves; 204 while they do not.

    The start forms come with them only when another is due: nobody loses a choice half made.
    """
    live = _my_live(request)
    if _is_seen(request, live):
        return HttpResponse(status=204)
    shown = _my_all(request, live)
    shown["starts_changed"] = request.GET.get("starts") != shown["starts_mark"]
    return render(request, "accounting/my_live.html", shown | {"is_part": True})


@page
@table
def my_sessions_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """One's own sessions in the window."""
    return _sessions_csv("my-sessions", total.of_person(asking(request)), choice)


@page
def groups(request: HttpRequest) -> HttpResponseBase:
    """The groups whose usage one is responsible for, page by page."""
    found = Group.objects.visible_to(asking(request), at=(now := clock.now()))
    number, search = request.GET.get("page", ""), request.GET.get("q", "")
    listed = group_list.page(found, search=search, number=number, at=now)
    return render(request, "accounting/groups.html", {"page": listed, "search": search})


@page
def group(request: HttpRequest, name: str) -> HttpResponseBase:
    """A group's usage, members and sessions in a window."""
    live = _group_live(request, name)
    shown = _group_all(request, live) | _group_place(live["group"], asking(request), live["choice"])
    return render(request, "accounting/group.html", shown)


@page
def group_live(request: HttpRequest, name: str) -> HttpResponseBase:
    """The numbers and the sessions of that page; 204 while they do not change."""
    live = _group_live(request, name)
    if _is_seen(request, live):
        return HttpResponse(status=204)
    return render(
        request, "accounting/group_live.html", _group_all(request, live) | {"is_part": True}
    )


@page
@table
def group_members_csv(request: HttpRequest, choice: Choice, name: str) -> HttpResponseBase:
    """The table by member."""
    rows = group_pages.member_rows(_group(request, name, choice), choice.window)
    cells = (row.cells() for row in rows)
    return csv_answer.answer(_file(f"{name}-members", choice), group_pages.MEMBER_COLUMNS, cells)


@page
@table
def group_sessions_csv(request: HttpRequest, choice: Choice, name: str) -> HttpResponseBase:
    """The group's sessions in the window."""
    asked = total.of_group(_group(request, name, choice))
    return _sessions_csv(f"{name}-sessions", asked, choice)


@page
@table
def group_days_csv(request: HttpRequest, choice: Choice, name: str) -> HttpResponseBase:
    """What the chart draws: core-hours per day and member."""
    cells = group_pages.day_cells(_group(request, name, choice), choice.window)
    return csv_answer.answer(_file(f"{name}-days", choice), group_pages.DAY_COLUMNS, cells)


@page
def group_what_if(request: HttpRequest, name: str) -> HttpResponseBase:
    """What a workshop would need of the group's quota."""
    found = group_visible_or_404(asking(request), name, at=(now := clock.now()))
    form = outlook.WorkshopForm(request.GET or None)
    present = outlook.outlook(found, at=now)
    shown = {"group": found, "form": form, "outlook": present}
    if form.is_valid():
        shown["found"] = outlook.what_if(found, present, form.plan(), at=now)
    return render(request, "accounting/what_if.html", shown)


@staff_page
def service_overview(request: HttpRequest) -> HttpResponseBase:
    """The use of the whole service in a window, by group and by person."""
    choice, asked = _choice(request), request.GET
    view = overview.overview(
        choice.window,
        choice.period,
        search=asked.get("q", ""),
        groups=asked.get("groups", ""),
        users=asked.get("users", ""),
    )
    running = Session.objects.open().running(at=choice.window.at)
    shown = {
        "choice": choice,
        "view": view,
        "search": asked.get("q", ""),
        "running": session_list.page(running, choice.window, asked),
        "silent_hubs": silent_hubs(at=choice.window.at),
        "silent_cluster": ClusterWatch.objects.silent(at=choice.window.at),
        "repairs": Repair.objects.of_late(at=choice.window.at).count(),
        "unattributed": session_list.page(Session.objects.unattributed(), choice.window, {}),
    }
    return render(request, "accounting/overview.html", shown)


@staff_page
@table
def usage_by_group_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """Usage by group."""
    lines = overview.group_lines(choice.window, choice.period)
    cells = map(overview.group_cells, lines)
    return csv_answer.answer(_file("usage-by-group", choice), overview.GROUP_COLUMNS, cells)


@staff_page
@table
def usage_by_user_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """Usage by person."""
    cells = map(overview.cells, overview.user_lines(choice.window))
    return csv_answer.answer(_file("usage-by-user", choice), overview.COLUMNS, cells)


@staff_page
@table
def unattributed_csv(request: HttpRequest, choice: Choice) -> HttpResponseBase:
    """All sessions that no group pays for, with what they used in the window."""
    rows = session_list.every(Session.objects.unattributed(), choice.window)
    return _rows_csv("unattributed", rows, choice)


@staff_page
def policy_replay(request: HttpRequest) -> HttpResponseBase:
    """What a quota or caps would have done in the past months."""
    form, now = replay.ReplayForm(request.GET or None), clock.now()
    shown: dict[str, Any] = {"form": form, "query": request.GET.urlencode()}
    if form.is_short(at=now):
        shown["found"] = replay.result(form, at=now)
    return render(request, "accounting/replay.html", shown)


@staff_page
def policy_replay_csv(request: HttpRequest) -> HttpResponseBase:
    """All warnings, refusals and stops of a replay."""
    form, now = replay.ReplayForm(request.GET), clock.now()
    if not form.is_short(at=now):
        text = form.errors.as_text()
        return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
    cells = form.report(at=now).cells()
    return csv_answer.answer("replay.csv", COLUMNS, cells)


def _choice(request: HttpRequest) -> Choice:
    return period.choose(request.GET, at=clock.now())


def _group(request: HttpRequest, name: str, choice: Choice) -> Group:
    return group_visible_or_404(asking(request), name, at=choice.window.at)


def _my_live(request: HttpRequest) -> dict[str, Any]:
    user, choice = asking(request), _choice(request)
    servers = person.my_servers(user, choice.window)
    listed = _listed(request, total.of_person(user), choice)
    told = [server.newest for server in servers]
    seen = _mark(choice, [*(server.row for server in servers), *listed.rows], len(servers), told)
    return {"choice": choice, "servers": servers, "listed": listed, "seen": seen}


def _my_all(request: HttpRequest, live: dict[str, Any]) -> dict[str, Any]:
    user, window = asking(request), live["choice"].window
    starts = start_forms(user, at=window.at)
    mark = _digest([(start.hub.name, start.refusal, start.notes) for start in starts])
    return live | {
        "mine": person.my_usage(user, window),
        "starts": starts,
        "starts_mark": mark,
        "silent_hubs": silent_hubs(at=window.at),
    }


def _group_live(request: HttpRequest, name: str) -> dict[str, Any]:
    choice = _choice(request)
    found = _group(request, name, choice)
    listed = _listed(request, total.of_group(found), choice)
    running = group_pages.running(found, at=choice.window.at)
    seen = _mark(choice, listed.rows, running)
    members = request.GET.get("members", "")
    return {"group": found, "choice": choice, "listed": listed, "seen": seen, "members": members}


def _group_all(request: HttpRequest, live: dict[str, Any]) -> dict[str, Any]:
    choice = live["choice"]
    group, window = live["group"], choice.window
    board = group_pages.dashboard(group, window, choice.period, members=live["members"])
    return live | {
        "board": board,
        "outlook": outlook.outlook(group, at=window.at),
        "enforced": enforced.enforced(group, asking(request), at=window.at),
        "silent_hubs": silent_hubs(at=window.at),
    }


def _group_place(group: Group, user: User, choice: Choice) -> dict[str, Any]:
    """Where the group stands among others, and the pages beside its own that the person may see."""
    at = choice.window.at

    def may(right: Membership.Right) -> bool:
        return user.is_staff or Group.objects.where(user, may=right, at=at).contains(group)

    ancestors, children = group.ancestors(), list(group.children.all())
    related = [relative.pk for relative in (*ancestors, *children)]
    opened = Group.objects.visible_to(user, at=at).filter(pk__in=related) if related else []
    return {
        "ancestors": ancestors,
        "children": children,
        "may_open": set(opened),
        "is_early": group.opens_at is not None and group.opens_at > at,
        "looks_after": may(Membership.Right.MEMBERS),
        "invites": may(Membership.Right.INVITATIONS),
        "asks": may(Membership.Right.QUOTA),
    }


def _listed(request: HttpRequest, asked: Asked, choice: Choice) -> session_list.Page:
    found = asked.sessions(choice.window)
    return session_list.page(found, choice.window, request.GET, paid=asked.paid)


def _mark(
    choice: Choice,
    rows: Sequence[session_list.Row],
    open_count: int,
    told: Sequence[str] = (),
) -> str:
    """Stays the same while nothing happens; with servers open, usage moves on each minute."""
    happened = [
        (row.session.number, row.state, row.session.ready_at, row.session.stops_at) for row in rows
    ]
    minute = choice.window.at.replace(second=0) if open_count else None
    return _digest((happened, open_count, minute, told))


def _digest(seen: Any) -> str:
    return sha256(repr(seen).encode()).hexdigest()[:16]


def _is_seen(request: HttpRequest, live: dict[str, Any]) -> bool:
    return bool(request.GET.get("seen") == live["seen"])


def _sessions_csv(name: str, asked: Asked, choice: Choice) -> HttpResponseBase:
    rows = session_list.every(asked.sessions(choice.window), choice.window, paid=asked.paid)
    return _rows_csv(name, rows, choice)


def _rows_csv(name: str, rows: Iterable[session_list.Row], choice: Choice) -> HttpResponseBase:
    cells = (row.cells() for row in rows)
    return csv_answer.answer(_file(name, choice), session_list.COLUMNS, cells)


def _file(name: str, choice: Choice) -> str:
    return f"{name}-{choice.first_day}-{choice.last_day}.csv"
