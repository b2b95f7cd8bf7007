"""The dry run of claim rules: what would follow if somebody came with these claims."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import staff
from accounts.claims.dry_run import try_claims
from accounts.identity.providers import Provider, providers
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm

MOST_TEXT = 1_000_000  # characters of claims


class ClaimsForm(PortalForm):
    """A provider, what it says, and of whom."""

    provider = forms.ChoiceField()
    claims = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        max_length=MOST_TEXT,
        help_text="A JSON object, as the provider's userinfo has it.",
    )
    username = forms.CharField(
        label="User name",
        required=False,
        max_length=30,
        help_text="With it, the memberships of now are compared.",
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        field = self.fields["provider"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(provider.name, provider.title) for provider in providers()]

    def clean_claims(self) -> dict[str, Any]:
        try:
            found = json.loads(self.cleaned_data["claims"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"This is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise forms.ValidationError('Paste an object: {"eduperson_entitlement": [...]}.')
        return found

    def clean_username(self) -> User | None:
        name = self.cleaned_data["username"]
        user = User.objects.filter(username=name).first() if name else None
        if name and user is None:
            raise forms.ValidationError(f"There is no person “{name}”.")
        return user

    def chosen(self) -> Provider:
        """The provider of a valid form."""
        [found] = [p for p in providers() if p.name == self.cleaned_data["provider"]]
        return found


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff
def claim_rules_try(request: HttpRequest) -> HttpResponseBase:
    """The form, and what would follow. Nothing is written."""
    form = ClaimsForm(request.POST if request.method == "POST" else None)
    shown: dict[str, Any] = {"form": form}
    if form.is_valid():
        shown["found"] = try_claims(
            provider=form.chosen(),
            claims=form.cleaned_data["claims"],
            user=form.cleaned_data["username"],
            at=clock.now(),
        )
    status = 400 if form.errors else 200
    return render(request, "accounts/claim_rules_try.html", shown, status=status)
