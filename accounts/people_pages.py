"""The people of a group: who they are and were, and what those who look after them change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import group_managed_or_404, person, registered
from accounts.membership_changes import (
    Authority,
    MembershipRefusedError,
    Terms,
    add_member,
    authority,
    change_member,
    remove_member,
)
from accounts.models import Group, HeldSync, Membership, User
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm

PER_PAGE = 50
Role = Membership.Role
page = require_http_methods(["GET", "HEAD", "POST"])


class TermsForm(PortalForm):
    """Role and end; for who appoints managers also their rights and ceiling."""

    role = forms.ChoiceField()
    until = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="In UTC. Empty: no end.",
    )
    rights = forms.MultipleChoiceField(
        label="A manager may",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=Membership.Right.choices,
        initial=Membership.Right.values,
        help_text="Counts for managers only: PIs may do all of it, members nothing.",
    )
    ceiling = forms.IntegerField(
        label="Ceiling for a manager",
        required=False,
        min_value=0,
        max_value=1_000_000,
        help_text="A manager adds people only while the group has fewer. Empty: any number.",
    )

    def __init__(self, *args: Any, power: Authority, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles: Any = self.fields["role"]
        roles.choices = [(role.value, role.label) for role in reversed(power.roles)]
        if not power.appoints:
            del self.fields["rights"], self.fields["ceiling"]

    def terms(self) -> Terms:
        said = self.cleaned_data
        return Terms(
            role=said["role"],
            valid_to=_end_of(said["until"]),
            rights=said.get("rights", ()),
            ceiling=said.get("ceiling"),
        )


class AddForm(TermsForm):
    """Somebody who has an account here, by the exact user name or address."""

    who = forms.CharField(
        label="User name or e-mail address",
        max_length=254,
        help_text="Exactly as the account has it.",
    )
    field_order = ("who", "role", "until", "rights", "ceiling")

    def clean_who(self) -> str:
        who: str = self.cleaned_data["who"].strip()
        found = find_people(who)
        if len(found) > 1:
            raise forms.ValidationError(
                "Several accounts have this address. Give the user name.", code="ambiguous"
            )
        if not found:
            raise forms.ValidationError("Nobody here has this name or address.", code="unknown")
        self.user = found[0]
        return who


def find_people(who: str) -> list[User]:
    """Accounts that are on and have that user name, or else that address; two at most."""
    active = User.objects.filter(is_active=True)
    named = list(active.filter(username=who))
    return named or list(active.filter(email__iexact=who).order_by("pk")[:2] if "@" in who else [])


@never_cache
@page
@registered
def people(request: HttpRequest, name: str) -> HttpResponseBase:
    """Who is and was in the group, and the form that adds somebody."""
    group, power = _managed(request, name)
    form = AddForm(request.POST if request.method == "POST" else None, power=power)
    if form.is_bound and form.is_valid():
        user = form.user

        def add() -> None:
            add_member(
                group=group, user=user, terms=form.terms(), by=person(request), at=clock.now()
            )

        if _done(form, add):
            messages.success(request, f"{user.title} is in the group now.")
            return redirect("group_people", group.name)
    return _list(request, group, power, form)


@never_cache
@page
@registered
def membership(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """The terms of one membership, to change them."""
    group, power = _managed(request, name)
    row = _changeable_or_404(group, number, power)
    form = TermsForm(_posted(request), power=power, initial=_said(row))
    if form.is_bound and form.is_valid():

        def change() -> None:
            change_member(membership=row, terms=form.terms(), by=person(request), at=clock.now())

        if _done(form, change):
            messages.success(request, f"The membership of {row.user.title} is changed.")
            return redirect("group_people", group.name)
    shown = {"group": group, "row": row, "form": form}
    status = 400 if form.errors else 200
    return render(request, "accounts/group_people_change.html", shown, status=status)


@require_POST
@registered
def remove(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """Somebody is in the group no longer."""
    group, power = _managed(request, name)
    row = _changeable_or_404(group, number, power)
    try:
        remove_member(membership=row, by=person(request), at=clock.now())
    except MembershipRefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request,
            f"{row.user.title} is no longer {row.get_role_display()} of the group. Servers that "
            "run end after a while.",
        )
    return redirect("group_people", group.name)


def _list(request: HttpRequest, group: Group, power: Authority, form: AddForm) -> HttpResponseBase:
    at = clock.now()
    rows = _rows(group, former="former" in request.GET, at=at)
    search = request.GET.get("q", "").replace("\0", "").strip()
    if search:
        names = ("username", "first_name", "last_name", "email")
        found = (Q((f"user__{name}__icontains", search)) for name in names)
        rows = rows.filter(next(found) | next(found) | next(found) | next(found))
    shown = {
        "group": group,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "former": "former" in request.GET,
        "search": search,
        "form": form,
        "roles": power.roles,
        "invite_url": _invite_url(group) if form.has_error("who", "unknown") else None,
        "held": HeldSync.objects.filter(group=group, decision="open").first(),
        "ancestors": group.ancestors(),
        "now": at,
    }
    status = 400 if form.errors else 200
    return render(request, "accounts/group_people.html", shown, status=status)


def _rows(group: Group, *, former: bool, at: datetime) -> QuerySet[Membership]:
    over = Q(valid_to__lte=at)
    rows = Membership.objects.filter(over if former else ~over | Q(valid_to=None), group=group)
    related = rows.select_related("user", "added_by", "rule", "invitation__invited_by", "identity")
    return related.order_by(F("valid_to").desc(nulls_first=True), "user__username", "pk")


def _managed(request: HttpRequest, name: str) -> tuple[Group, Authority]:
    user, at = person(request), clock.now()
    group = group_managed_or_404(user, name, at=at)
    return group, authority(user, group, at=at)


def _changeable_or_404(group: Group, number: int, power: Authority) -> Membership:
    """A row that people made; who may not appoint sees no other's terms."""
    rows = Membership.objects.select_related("user", "group")
    row = rows.filter(group=group, pk=number, synced=False, role__in=power.roles).first()
    if row is None:
        raise Http404("No such membership.")
    return row


def _done(form: TermsForm, change: Callable[[], None]) -> bool:
    """Whether the change was made; what was wrong is told at the form."""
    try:
        change()
    except MembershipRefusedError as refusal:
        form.add_error(None, str(refusal))
    except ValidationError as error:
        form.add_error(None, error.messages)
    else:
        return True
    return False


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _said(row: Membership) -> dict[str, Any]:
    last = (row.valid_to - timedelta(microseconds=1)).date() if row.valid_to else None
    rights = row.rights if row.role == Role.MANAGER else Membership.Right.values
    return {"role": row.role, "until": last, "rights": rights, "ceiling": row.ceiling}


def _end_of(day: Any) -> datetime | None:
    """The end of that day: memberships are half-open."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1) if day else None


def _invite_url(group: Group) -> str | None:
    try:
        return reverse("group_invitations", args=[group.name])
    except NoReverseMatch:
        return None
