"""Who waits for approval, for administrators: the list, the evidence, and the decisions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import administration, approvals
from accounts.access import person, signed_in, staff
from accounts.approval_forms import ApproveForm, AskAgainForm, FilterForm, RejectForm
from accounts.identity.providers import providers
from accounts.models import Invitation, User
from accounts.models.people import PeopleQuerySet
from lsp_portal.lib import clock

PER_PAGE = 50


@never_cache
@require_safe
@staff
def registrations(request: HttpRequest) -> HttpResponseBase:
    """Everybody who waits, the longest first."""
    form = FilterForm(request.GET)
    found = _chosen(form) if form.is_valid() else User.objects.get_queryset().none()
    waiting = found.prefetch_related("identities", "affiliations").order_by("date_joined", "pk")
    page = Paginator(waiting, PER_PAGE).get_page(request.GET.get("page"))
    shown = {
        "page": page,
        "rows": _rows(page, clock.now()),
        "form": form,
        "providers": providers(),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render(request, "accounts/registrations.html", shown, status=400 if form.errors else 200)


@require_POST
@staff
def approve_many(request: HttpRequest) -> HttpResponseBase:
    """Let those in who were ticked; who was decided about meanwhile is left alone."""
    ticked = [int(key) for key in request.POST.getlist("person") if _is_key(key)]
    found = administration.approve(approvals.queue().filter(pk__in=ticked), at=clock.now())
    if found:
        messages.success(request, f"Approved {len(found)} people.")
    else:
        messages.warning(request, "Nobody was ticked who waits.")
    return redirect("registrations")


@never_cache
@require_safe
@staff
def registration(request: HttpRequest, username: str) -> HttpResponseBase:
    """All that is known about somebody who waits or was decided about."""
    return _detail(request, _user_or_404(username))


@require_POST
@staff
def approve(request: HttpRequest, username: str) -> HttpResponseBase:
    """Let the person in, perhaps into a group at once."""
    user, form, at = _user_or_404(username), ApproveForm(request.POST), clock.now()
    if not form.is_valid():
        return _detail(request, user, status=400, approving=form)
    try:
        approvals.approve(
            user=user,
            by=person(request),
            at=at,
            reason=form.cleaned_data["reason"],
            sponsor=form.cleaned_data["sponsor"],
            membership=form.membership(at=at),
        )
    except ValidationError as error:
        form.add_error(None, error.messages)
        return _detail(request, user, status=400, approving=form)
    except approvals.NotWaitingError as error:
        return _detail(request, user, status=error.status, problem=str(error))
    messages.success(request, f"{user.title} is approved.")
    return redirect("registrations")


@require_POST
@staff
def reject(request: HttpRequest, username: str) -> HttpResponseBase:
    """Tell the person no, and why."""
    user, form = _user_or_404(username), RejectForm(request.POST)
    if not form.is_valid():
        return _detail(request, user, status=400, rejecting=form)
    try:
        approvals.reject(
            user=user, by=person(request), reason=form.cleaned_data["reason"], at=clock.now()
        )
    except approvals.NotWaitingError as error:
        return _detail(request, user, status=error.status, problem=str(error))
    messages.success(request, f"{user.title} is rejected and told why.")
    return redirect("registrations")


@never_cache
@signed_in
def waiting(request: HttpRequest) -> HttpResponseBase:
    """What people see who wait or were rejected; these can ask again once."""
    user = request.user
    if not isinstance(user, User) or user.is_registered:
        return redirect("landing")
    form = AskAgainForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _waiting(request, user, form, status=400 if form.errors else 200)
    try:
        approvals.ask_again(user=user, note=form.cleaned_data["note"], at=clock.now())
    except approvals.AlreadyAskedError as error:
        form.add_error(None, str(error))
        return _waiting(request, user, form, status=error.status)
    return redirect("waiting")


def _waiting(
    request: HttpRequest, user: User, form: AskAgainForm, *, status: int
) -> HttpResponseBase:
    shown = {
        "rejection": approvals.rejection_of(user),
        "can_ask": approvals.can_ask_again(user),
        "form": form,
    }
    return render(request, "accounts/waiting.html", shown, status=status)


def _detail(
    request: HttpRequest,
    user: User,
    *,
    status: int = 200,
    approving: ApproveForm | None = None,
    rejecting: RejectForm | None = None,
    problem: str = "",
) -> HttpResponseBase:
    decisions = user.registrations.select_related("decided_by", "sponsor").order_by("-pk")
    invitations = _invitations([user], clock.now())
    suggested = invitations[0].group.name if invitations else None
    sponsor = invitations[0].invited_by.username if invitations else ""
    shown = {
        "found": user,
        "identities": user.identities.order_by("pk"),
        "affiliations": user.affiliations.order_by("-last_seen_at"),
        "decisions": decisions,
        "invitations": invitations,
        "waits": approvals.queue().filter(pk=user.pk).exists(),
        "approve_form": approving or ApproveForm(initial={"group": suggested, "sponsor": sponsor}),
        "reject_form": rejecting or RejectForm(auto_id="id_reject_%s"),
        "problem": problem,
    }
    return render(request, "accounts/registration.html", shown, status=status)


def _chosen(form: FilterForm) -> PeopleQuerySet:
    found, wanted = approvals.queue(), form.cleaned_data
    text = wanted["q"]
    if text:
        names = ("username", "first_name", "last_name", "email")
        conditions = [Q(**{f"{name}__icontains": text}) for name in names]
        found = found.filter(Q(*conditions, _connector=Q.OR))
    if wanted["provider"]:
        found = found.filter(identities__provider=wanted["provider"]).distinct()
    if wanted["days"]:
        found = found.filter(date_joined__lte=clock.now() - timedelta(days=wanted["days"]))
    return found


def _rows(page: Page[User], at: datetime) -> list[dict[str, Any]]:
    people = list(page)
    invitations = _invitations(people, at)
    return [
        {
            "user": user,
            "days": (at - user.date_joined).days,
            "invitations": [i for i in invitations if _concerns(i, user)],
        }
        for user in people
    ]


def _invitations(people: list[User], at: datetime) -> list[Invitation]:
    """What hints at a sponsor: invitations that they accepted, or open ones to their address."""
    mine = Q(accepted_by__in=people)
    addressed = Q(accepted_at=None, revoked_at=None, expires_at__gt=at)
    addressed &= Q(email__in=[user.email for user in people if user.email])
    rows = Invitation.objects.filter(mine | addressed).select_related("group", "invited_by")
    return list(rows.order_by("-pk"))


def _concerns(invitation: Invitation, user: User) -> bool:
    return invitation.accepted_by_id == user.pk or invitation.email == user.email


def _user_or_404(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise Http404("No such person.")
    return found


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
