"""A group's invitations, for those who may invite: the list, new ones, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import invitation_csv, invitations
from accounts.access import inviting_group_or_404, person, registered
from accounts.approval_forms import DayInput, midnight
from accounts.csv_files.table import BadFileError
from accounts.invitations import InvitationError, Wish
from accounts.models import Group, Invitation, Membership
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm

PER_PAGE = 50
MOST_BYTES = 1024**2


class InviteForm(PortalForm):
    """One person."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField()
    valid_from = forms.DateField(
        label="Member from",
        required=False,
        widget=DayInput,
        help_text="Empty: from the acceptance on.",
    )
    valid_to = forms.DateField(
        label="Member until",
        required=False,
        widget=DayInput,
        help_text="The first day on which the person is no member any more. Empty: no end.",
    )

    def __init__(self, *args: Any, roles: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["role"]
        field.choices = [(role, Membership.Role(role).label) for role in roles]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        begins, ends = found.get("valid_from"), found.get("valid_to")
        if ends and ends <= max(begins or ends.min, clock.now().date()):
            self.add_error("valid_to", "The end must be in the future and after the beginning.")
        return found

    def wish(self) -> Wish:
        found = self.cleaned_data
        return Wish(
            found["email"],
            found["role"],
            midnight(found["valid_from"]),
            midnight(found["valid_to"]),
        )


class BulkForm(PortalForm):
    """A table, as a file or as text."""

    file = forms.FileField(label="CSV file", required=False, allow_empty_file=True)
    text = forms.CharField(
        label="Or the table as text",
        required=False,
        strip=False,
        max_length=MOST_BYTES,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("file") and found["file"].size > MOST_BYTES:
            self.add_error("file", "At most 1 MiB. Split the file.")
        elif not found.get("file") and not (found.get("text") or "").strip():
            raise forms.ValidationError("Choose a file or paste the table.")
        return found

    def raw(self) -> bytes:
        file = self.cleaned_data["file"]
        raw: bytes = file.read() if file else self.cleaned_data["text"].encode(errors="replace")
        return raw


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def group_invitations(request: HttpRequest, name: str) -> HttpResponseBase:
    """The group's invitations, and the form for one more."""
    user, at = person(request), clock.now()
    group = inviting_group_or_404(user, name, at=at)
    roles = invitations.roles_to_invite(user, group, at=at)
    form = InviteForm(request.POST or None, roles=roles)
    if request.method != "POST" or not form.is_valid():
        return _page(request, group, form)
    made = invitations.invite(group=group, wish=form.wish(), by=user, at=at)
    messages.success(request, f"{made.email} is invited.")
    return redirect("group_invitations", name)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def invite_many(request: HttpRequest, name: str) -> HttpResponseBase:
    """A table is checked first; sent once more, everybody in it is invited, or nobody."""
    user, at = person(request), clock.now()
    group = inviting_group_or_404(user, name, at=at)
    form = BulkForm(request.POST or None, request.FILES or None)
    shown: dict[str, Any] = {"group": group, "form": form, "columns": invitation_csv.COLUMNS}
    if request.method == "POST" and form.is_valid():
        raw = form.raw()
        roles = invitations.roles_to_invite(user, group, at=at)
        try:
            checked = invitation_csv.check(raw, roles=roles, at=at)
        except BadFileError as error:
            form.add_error(None, str(error))
        else:
            if "confirm" in request.POST and not checked.problems:
                invitations.invite_all(group=group, wishes=checked.wishes, by=user, at=at)
                messages.success(request, f"{len(checked.wishes)} people are invited.")
                return redirect("group_invitations", name)
            shown |= {"checked": checked, "text": raw.decode("utf-8-sig", errors="replace")}
    wrong = bool(form.errors) or ("checked" in shown and bool(shown["checked"].problems))
    return render(request, "accounts/invitations_bulk.html", shown, status=400 if wrong else 200)


@require_POST
@registered
def renew_invitation(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """The invitation goes out again with a new link."""
    found = _invitation_or_404(request, name, number)
    try:
        invitations.renew(invitation=found, at=clock.now())
    except InvitationError as error:
        return _refused(request, error)
    messages.success(request, f"{found.email} gets a new link; the old one is void.")
    return redirect("group_invitations", name)


@require_POST
@registered
def revoke_invitation(request: HttpRequest, name: str, number: int) -> HttpResponseBase:
    """The invitation can be accepted no more."""
    found = _invitation_or_404(request, name, number)
    try:
        invitations.revoke(invitation=found, at=clock.now())
    except InvitationError as error:
        return _refused(request, error)
    messages.success(request, f"The invitation of {found.email} is taken back.")
    return redirect("group_invitations", name)


def _page(request: HttpRequest, group: Group, form: InviteForm) -> HttpResponseBase:
    at = clock.now()
    rows = group.invitations.select_related("invited_by", "accepted_by").order_by("-pk")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    lines = [(row, invitations.state(row, at=at)) for row in page]
    shown = {"group": group, "form": form, "page": page, "lines": lines}
    return render(request, "accounts/invitations.html", shown, status=400 if form.errors else 200)


def _invitation_or_404(request: HttpRequest, name: str, number: int) -> Invitation:
    """One that the person could have made; a manager does not touch those of PIs and managers."""
    user, at = person(request), clock.now()
    group = inviting_group_or_404(user, name, at=at)
    roles = invitations.roles_to_invite(user, group, at=at)
    found = group.invitations.filter(pk=number, role__in=roles).first()
    if found is None:
        raise Http404("No such invitation.")
    return found


def _refused(request: HttpRequest, error: InvitationError) -> HttpResponseBase:
    shown = {"text": str(error)}
    return render(request, "accounts/invitation_failed.html", shown, status=error.status)
