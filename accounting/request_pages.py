"""The pages of requests for more hours or storage: of a group, and the administrators' queue."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounting.pages import requests as shown_requests
from accounting.pages.requests import AnswerForm, AskForm
from accounts.access import group_asking_or_404, person, registered, staff
from lsp_portal.lib import clock
from quotas import requests
from quotas.models import QuotaRequest
from quotas.requests import RequestError
from quotas.vocabulary import millicore_seconds

PER_PAGE = 25
GROUP_ACTIONS = {
    "withdraw": requests.withdraw,
    "accept": requests.accept,
    "turn_down": requests.turn_down,
}


@never_cache
@require_safe
@registered
def group_requests(request: HttpRequest, name: str) -> HttpResponseBase:
    """All requests of a group, the newest first."""
    user, at = person(request), clock.now()
    group = group_asking_or_404(user, name, at=at)
    rows = group.quota_requests.select_related("group", "period", "asked_by")
    shown = {
        "group": group,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "may_ask": requests.may_ask(user, group, at=at),
    }
    return render(request, "accounting/requests.html", shown)


@never_cache
@registered
def ask(request: HttpRequest, name: str) -> HttpResponseBase:
    """Ask for more; the form begins with what the group would need to go on."""
    user, at = person(request), clock.now()
    group = group_asking_or_404(user, name, at=at)
    if not requests.may_ask(user, group, at=at):
        raise PermissionDenied
    known, initial = shown_requests.initial(group, at=at)
    form = AskForm(request.POST or None, initial=initial, at=at)
    if request.method == "POST" and form.is_valid():
        try:
            made = requests.ask(group=group, by=user, facts=known, at=at, **form.cleaned_data)
        except RequestError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, "The request is on its way to the administrators.")
            return redirect("quota_request", group.name, made.pk)
    shown = {"group": group, "form": form, "facts": known}
    status = 400 if form.errors else 200
    return render(request, "accounting/request_ask.html", shown, status=status)


@never_cache
@registered
def detail(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """One request, with what those who look at it may do."""
    group = group_asking_or_404(person(request), name, at=clock.now())
    rows = group.quota_requests.select_related(
        "group", "period", "asked_by", "decided_by", "closed_by"
    )
    row = get_object_or_404(rows, pk=number)
    if request.method != "POST":
        return _detail(request, row)
    if "decision" in request.POST:
        return _decide(request, row)
    return _answer(request, row)


@never_cache
@require_safe
@staff
def queue(request: HttpRequest) -> HttpResponseBase:
    """What waits for a decision, the longest first."""
    if not requests.may_decide(person(request)):
        raise PermissionDenied
    rows = QuotaRequest.objects.undecided().select_related("group", "period", "asked_by")
    page = Paginator(rows.order_by("asked_at", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    at = clock.now()
    left = {
        period: shown_requests.not_given(period, at=at) for period in {row.period for row in page}
    }
    shown = {"page": page, "rows": [(row, _effect(row, left[row.period])) for row in page]}
    return render(request, "accounting/request_queue.html", shown)


def _answer(request: HttpRequest, row: QuotaRequest) -> HttpResponseBase:
    action = GROUP_ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        raise Http404("No such action.")
    try:
        changed = action(row, by=person(request), at=clock.now())
    except RequestError as error:
        return _detail(request, row, problem=str(error), status=error.status)
    messages.success(request, f"The request is {changed.get_state_display()}.")
    return redirect("quota_request", row.group.name, row.pk)


def _decide(request: HttpRequest, row: QuotaRequest) -> HttpResponseBase:
    if not requests.may_decide(person(request)):
        raise PermissionDenied
    form = AnswerForm(request.POST, kind=row.kind)
    if not form.is_valid():
        return _detail(request, row, form=form, status=400)
    try:
        _decided(request, row, form.cleaned_data)
    except RequestError as error:
        row.refresh_from_db()
        return _detail(request, row, problem=str(error), status=error.status)
    return redirect("quota_requests")


def _decided(request: HttpRequest, row: QuotaRequest, values: dict[str, Any]) -> None:
    by, at, answer = person(request), clock.now(), values["answer"]
    match values["decision"]:
        case "grant":
            requests.grant(row, by=by, answer=answer, at=at)
        case "counter":
            requests.counter(row, by=by, amount=values["amount"], answer=answer, at=at)
        case _:
            requests.decline(row, by=by, answer=answer, at=at)
    messages.success(request, f"Decided about the request of {row.group.title}.")


def _detail(
    request: HttpRequest,
    row: QuotaRequest,
    *,
    form: AnswerForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    user, at = person(request), clock.now()
    decides = requests.may_decide(user) and row.state == QuotaRequest.State.OPEN
    left = shown_requests.not_given(row.period, at=at) if user.is_staff else None
    shown = {
        "request_row": row,
        "group": row.group,
        "facts": row.facts,
        "problem": problem,
        "may_ask": requests.may_ask(user, row.group, at=at),
        "form": (form or AnswerForm(kind=row.kind)) if decides else None,
        "effect": _effect(row, left),
    }
    return render(request, "accounting/request.html", shown, status=status)


def _effect(row: QuotaRequest, left: int | None) -> tuple[int, int] | None:
    """What the service has not given out, before and after a grant; None where it is not known."""
    if left is None or row.kind != QuotaRequest.Kind.HOURS:
        return None
    return left, left - millicore_seconds(row.amount)
