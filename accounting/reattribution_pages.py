"""The pages of requests that another group pays for a session, and all requests of a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounting.pages import reattribution as shown
from accounting.pages import session as session_page
from accounting.pages.reattribution import AnswerForm, AskForm
from accounts.access import person, registered
from accounts.models import Group, User
from lsp_portal.lib import clock
from quotas.models import QuotaRequest
from quotas.requests import may_decide
from sessions.models import Reattribution, Session
from sessions.reattributing import requests
from sessions.reattributing.choices import choices, payer
from sessions.reattributing.requests import ReattributionRefused

PER_PAGE = 25
MOST_OFFERS = 25

Done = Callable[[], Reattribution]


@never_cache
@require_safe
@registered
def my_requests(request: HttpRequest) -> HttpResponseBase:
    """What waits for the person, and all requests to move sessions that concern the person."""
    user, at = person(request), clock.now()
    shows_all = request.GET.get("show") == "all"
    rows = Reattribution.objects.visible_to(user, at=at) if shows_all else _waiting(user, at=at)
    rows = rows.select_related("from_group", "to_group", "asked_by", "session__user")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    undecided = QuotaRequest.objects.undecided().of_groups_of(user, at=at)
    offers = undecided.select_related("group", "period")[:MOST_OFFERS]
    values = {"page": page, "shows_all": shows_all, "offers": offers}
    return render(request, "accounting/my_requests.html", values | {"decides": may_decide(user)})


@never_cache
@registered
def ask(request: HttpRequest, number: int) -> HttpResponseBase:
    """Ask that another group pays; what would move is shown for the group that is chosen."""
    user, at = person(request), clock.now()
    session, paying = _movable(user, number, at=at)
    found = choices(session, paying)
    form = AskForm(request.POST or None, groups=[one.group for one in found if not one.refusal])
    if request.method == "POST" and form.is_valid():
        try:
            made = requests.ask(session, by=user, at=at, **form.cleaned_data)
        except ReattributionRefused as refusal:
            _say(form, refusal)
        else:
            messages.success(request, shown.what_follows(made))
            return redirect("reattribution", made.pk)
    values = {"session": session, "paying": paying, "form": form}
    values |= {"refused": shown.refused(session, found, reader=user, at=at)}
    values |= {"effects": shown.effects(session, paying, found, reader=user, at=at)}
    status = 400 if form.errors else 200
    return render(request, "accounting/reattribution_ask.html", values, status=status)


@never_cache
@registered
def detail(request: HttpRequest, number: int) -> HttpResponseBase:
    """One request: what would move, and what those who look at it may do."""
    user, at = person(request), clock.now()
    rows = Reattribution.objects.visible_to(user, at=at).select_related(
        "session__user", "session__hub", "from_group", "to_group", "asked_by", "decided_by",
        "adjustment__author",
    )  # fmt: skip
    row = get_object_or_404(rows, pk=number)
    if request.method == "POST":
        return _answered(request, row, user, at=at)
    return _detail(request, row, user, at=at)


def _waiting(user: User, *, at: datetime) -> QuerySet[Reattribution]:
    return Reattribution.objects.waiting_for(user, at=at).order_by("asked_at", "pk")


def _movable(user: User, number: int, *, at: datetime) -> tuple[Session, Group]:
    """The session, and the group that pays. Http404, or PermissionDenied for who may not ask."""
    session = session_page.visible_or_404(user, number, at=at)
    paying = payer(session)
    if paying is None:
        raise Http404("No group pays for this session.")
    if not requests.may_ask(user, session, paying, at=at):
        raise PermissionDenied
    return session, paying


def _answered(
    request: HttpRequest, row: Reattribution, user: User, *, at: datetime
) -> HttpResponseBase:
    form = AnswerForm(request.POST)
    action = request.POST.get("action", "")
    if not form.is_valid():
        return _detail(request, row, user, at=at, form=form, status=400)
    actions: dict[str, Done] = {
        "accept": partial(requests.accept, row, by=user, at=at, **form.cleaned_data),
        "decline": partial(
            requests.decline, row, by=user, at=at, answer=form.cleaned_data["answer"]
        ),
        "withdraw": partial(requests.withdraw, row, by=user, at=at),
    }
    if action not in actions:
        raise Http404("No such action.")
    try:
        changed = actions[action]()
    except ReattributionRefused as refusal:
        _say(form, refusal)
        return _detail(request, row, user, at=at, form=form, status=refusal.status)
    messages.success(request, f"The request is {changed.get_state_display()}.")
    return redirect("reattribution", row.pk)


def _say(form: AskForm | AnswerForm, refusal: ReattributionRefused) -> None:
    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))


def _detail(
    request: HttpRequest,
    row: Reattribution,
    user: User,
    *,
    at: datetime,
    form: AnswerForm | None = None,
    status: int = 200,
) -> HttpResponse:
    row.refresh_from_db(fields=["state", "answer", "decided_at"])
    is_open = row.is_open and row.expires_at > at
    answers = is_open and requests.may_answer(user, row.to_group, at=at)
    values = {
        "row": row,
        "is_open": is_open,
        "effect": shown.effect_of(row, reader=user, at=at) if is_open else None,
        "form": (form or AnswerForm()) if answers or form else None,
        "answers": answers,
        "withdraws": is_open and requests.may_withdraw(user, row),
        "moved": shown.moved(row),
    }
    return render(request, "accounting/reattribution.html", values, status=status)
