"""The page on which people make and revoke their tokens for the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import person, registered
from accounts.models import ApiToken, User
from accounts.tokens import DEFAULT_DAYS, MOST_DAYS, issue_token, revoke_token
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm

PER_PAGE = 25


class TokenForm(PortalForm):
    """A new token; the tables of file servers are for administrators."""

    name = forms.CharField(max_length=60, help_text="What it is for: “notebook backup”.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        widget=forms.CheckboxSelectMultiple,
        choices=ApiToken.Scope.choices,
        initial=[ApiToken.Scope.READ],
    )
    days = forms.IntegerField(
        label="Valid for (days)",
        initial=DEFAULT_DAYS,
        min_value=1,
        max_value=MOST_DAYS,
        help_text=f"At most {MOST_DAYS}.",
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not owner.is_staff:
            scopes: Any = self.fields["scopes"]
            scopes.choices = [
                choice for choice in ApiToken.Scope.choices if choice[0] != ApiToken.Scope.POSIX
            ]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def tokens(request: HttpRequest) -> HttpResponseBase:
    """One's tokens, and the form for a new one, which is shown once."""
    owner = person(request)
    form = TokenForm(request.POST if request.method == "POST" else None, owner=owner)
    if not form.is_valid():
        return _page(request, form, status=400 if form.errors else 200)
    at = clock.now()
    token, text = issue_token(
        name=form.cleaned_data["name"],
        user=owner,
        scopes=form.cleaned_data["scopes"],
        created_by=owner,
        expires_at=at + timedelta(days=form.cleaned_data["days"]),
        at=at,
    )
    return _page(request, TokenForm(owner=owner), made=token, text=text)


@require_POST
@registered
def revoke(request: HttpRequest, number: int) -> HttpResponseBase:
    """One's token opens nothing any more."""
    token = ApiToken.objects.filter(user=person(request), pk=number).first()
    if token is None:
        raise Http404("No such token.")
    revoke_token(token, at=clock.now())
    messages.success(request, f"The token “{token.name}” is revoked.")
    return redirect("tokens")


def _page(
    request: HttpRequest, form: TokenForm, *, status: int = 200, **shown: Any
) -> HttpResponseBase:
    rows = ApiToken.objects.filter(user=person(request)).order_by("-pk")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": page, "now": clock.now(), **shown}
    return render(request, "accounts/tokens.html", context, status=status)
