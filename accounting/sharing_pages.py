"""The pages on which PIs make links to statements and monthly mails with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounting.group_statements import files
from accounting.models import ReportSchedule
from accounting.pages import sharing as shown_sharing
from accounting.pages.period import choose
from accounting.pages.sharing import LinkForm, RecipientForm, ScheduleForm
from accounting.sharing import links, recipients, schedules
from accounting.sharing.links import LinkRefused
from accounting.sharing.schedules import ScheduleRefused
from accounts.access import group_of_pi_or_404, person, registered
from accounts.letters import address
from accounts.models import Group
from lsp_portal.lib import clock

PER_PAGE = 25


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def group_links(request: HttpRequest, name: str) -> HttpResponseBase:
    """The links of a group, and the form for a new one, whose address is shown once."""
    user, at = person(request), clock.now()
    group = group_of_pi_or_404(user, name, at=at)
    choice = choose(request.GET, at=at)
    form = LinkForm(request.POST if request.method == "POST" else None)
    shown: dict[str, Any] = {"group": group, "choice": choice}
    if form.is_valid() and not choice.errors:
        try:
            link, secret = links.make_link(group, choice, by=user, at=at, **form.cleaned_data)
        except LinkRefused as error:
            form.add_error(None, str(error))
        else:
            shown |= {"made": link, "address": address("shared_statement", secret)}
            form = LinkForm()
    rows = group.report_links.select_related("period", "created_by").order_by("-pk")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    lines = [(row, shown_sharing.state_of(row, at=at)) for row in page]
    shown |= {"form": form, "page": page, "lines": lines}
    is_wrong = form.is_bound and bool(form.errors or choice.errors)
    return render(request, "accounting/links.html", shown, status=400 if is_wrong else 200)


@require_POST
@registered
def revoke_link(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """The link opens nothing any more."""
    group = group_of_pi_or_404(person(request), name, at=clock.now())
    link = get_object_or_404(group.report_links, pk=number)
    links.revoke_link(link, at=clock.now())
    messages.success(request, f"The link for “{link.note}” opens nothing any more.")
    return redirect("group_links", group.name)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def group_schedules(request: HttpRequest, name: str) -> HttpResponseBase:
    """The monthly mails of a group, and the form for new ones."""
    user, at = person(request), clock.now()
    group = group_of_pi_or_404(user, name, at=at)
    form = ScheduleForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = schedules.make_schedule(group, by=user, at=at, **form.cleaned_data)
        except ScheduleRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The mails are set up. Now say who gets them.")
            return redirect("group_schedule", group.name, made.pk)
    rows = group.report_schedules.going_on().order_by("pk")
    shown = {"group": group, "form": form, "schedules": rows}
    return render(request, "accounting/schedules.html", shown, status=400 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def group_schedule(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """Who gets the mails, what became of the last ones, and what can be done about them."""
    at = clock.now()
    schedule = _schedule_or_404(request, name, number, at)
    if request.method != "POST":
        return _schedule_page(request, schedule, RecipientForm(schedule=schedule, at=at))
    match request.POST.get("action"):
        case "add":
            return _add(request, schedule, at)
        case "remove":
            _remove(request, schedule, at)
        case "pause":
            schedules.pause(schedule, at=at)
        case "resume":
            schedules.resume(schedule, at=at)
        case "end":
            schedules.end(schedule, at=at)
            messages.success(request, "These mails have ended.")
            return redirect("group_schedules", name)
        case _:
            raise Http404("No such action.")
    return redirect("group_schedule", name, number)


@never_cache
@require_safe
@registered
def preview_schedule(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """The file of the next mail, as things stand."""
    at = clock.now()
    schedule = _schedule_or_404(request, name, number, at)
    statement = schedules.statement_of(schedule, schedule.next_month, at=at)
    return files.answer(statement, schedule.file)


def _schedule_or_404(request: HttpRequest, name: str, number: int, at: datetime) -> ReportSchedule:
    group: Group = group_of_pi_or_404(person(request), name, at=at)
    found: ReportSchedule = get_object_or_404(
        group.report_schedules.going_on().select_related("group", "created_by"), pk=number
    )
    return found


def _add(request: HttpRequest, schedule: ReportSchedule, at: datetime) -> HttpResponseBase:
    form = RecipientForm(request.POST, schedule=schedule, at=at)
    if not form.is_valid():
        return _schedule_page(request, schedule, form, status=400)
    try:
        if leader := form.cleaned_data["leader"]:
            recipients.add_leader(schedule, form.people[leader], at=at)
        else:
            asked = recipients.ask_address(schedule, form.cleaned_data["email"], at=at)
            messages.success(request, f"{asked} is asked whether they want the mails.")
    except ScheduleRefused as error:
        form.add_error(None, ValidationError(str(error)))
        return _schedule_page(request, schedule, form, status=400)
    return redirect("group_schedule", schedule.group.name, schedule.pk)


def _remove(request: HttpRequest, schedule: ReportSchedule, at: datetime) -> None:
    number = request.POST.get("recipient", "")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise Http404("No such recipient.")
    recipients.leave(get_object_or_404(schedule.recipients, pk=int(number)), at=at)


def _schedule_page(
    request: HttpRequest, schedule: ReportSchedule, form: RecipientForm, *, status: int = 200
) -> HttpResponseBase:
    current = schedule.recipients.current().select_related("user").order_by("pk")
    shown = {
        "group": schedule.group,
        "schedule": schedule,
        "recipients": [(one, shown_sharing.standing(one)) for one in current],
        "mails": shown_sharing.last_mails(schedule),
        "form": form,
    }
    return render(request, "accounting/schedule.html", shown, status=status)
