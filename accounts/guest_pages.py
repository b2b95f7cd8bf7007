"""The page on which owners make, prolong and end guests and shared accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import guests
from accounts.access import person, registered
from accounts.approval_forms import DayInput, midnight
from accounts.models import Group, GroupQuerySet, User
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm

PER_PAGE = 25


class EndForm(PortalForm):
    ends = forms.DateField(
        label="Ends on", widget=DayInput, help_text="The first day without access (UTC)."
    )


class AccountForm(PortalForm):
    """A new account; the link that opens it goes to the address."""

    kind = forms.ChoiceField()
    username = forms.CharField(label="User name", max_length=30)
    email = forms.EmailField(label="E-mail address", max_length=254)
    group = forms.ModelChoiceField(Group.objects.none(), to_field_name="name")
    ends = EndForm.base_fields["ends"]

    def __init__(
        self, *args: Any, kinds: Sequence[str], groups: GroupQuerySet, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        kind: Any = self.fields["kind"]
        group: Any = self.fields["group"]
        kind.choices = [(name, User.Kind(name).label) for name in kinds]
        group.queryset = groups


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def owned(request: HttpRequest) -> HttpResponseBase:
    """The accounts for which the person answers, and the form for another."""
    user, at = person(request), clock.now()
    kinds = guests.kinds_to_make(user, at=at)
    groups = guests.groups_to_host(user, at=at)
    if not kinds and not user.owned_accounts.exists():
        raise Http404("There are no guests here.")
    form = AccountForm(request.POST or None, kinds=kinds, groups=groups)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data | {"ends": midnight(form.cleaned_data["ends"])}
        try:
            made = guests.make_account(owner=user, at=at, **values)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{made.username} can be opened by the link in the mail.")
            return redirect("guests")
    accounts = user.owned_accounts.order_by("-pk")
    page = Paginator(accounts, PER_PAGE).get_page(request.GET.get("page"))
    shown = {"form": form if kinds else None, "page": page, "now": at, "end_form": EndForm()}
    return render(request, "accounts/guests.html", shown, status=400 if form.errors else 200)


@require_POST
@registered
def prolong(request: HttpRequest, username: str) -> HttpResponseBase:
    """Another end for the account."""
    account, form = _owned_or_404(request, username), EndForm(request.POST)
    ends = midnight(form.cleaned_data["ends"]) if form.is_valid() else None
    try:
        if ends is None:
            raise ValidationError("Say the day on which the account ends.")
        guests.prolong(account=account, by=person(request), ends=ends, at=clock.now())
    except ValidationError as error:
        shown = {"text": " ".join(error.messages)}
        return render(request, "accounts/guest_refused.html", shown, status=400)
    messages.success(request, f"{username} has a new end.")
    return redirect("guests")


@require_POST
@registered
def end(request: HttpRequest, username: str) -> HttpResponseBase:
    """The account ends now."""
    guests.end(account=_owned_or_404(request, username), at=clock.now())
    messages.success(request, f"{username} has ended.")
    return redirect("guests")


def _owned_or_404(request: HttpRequest, username: str) -> User:
    found = person(request).owned_accounts.filter(username=username).first()
    if found is None:
        raise Http404("No such account.")
    return found
