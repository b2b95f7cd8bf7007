"""The page on which people read and accept the acceptable-use policy."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import policies
from accounts.access import local_path, signed_in
from accounts.models import Policy, PolicyAcceptance, User
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm


class AcceptForm(PortalForm):
    """Names the version that the person read."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)
    agrees = forms.BooleanField(
        label="I have read the policy and will follow it",
        error_messages={"required": "Tick the box to accept the policy."},
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def policy(request: HttpRequest) -> HttpResponseBase:
    """The version in force, and whether the person accepted it."""
    form = AcceptForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, form, status=400 if form.errors else 200)
    try:
        found = policies.accept(
            user=_self(request), number=form.cleaned_data["version"], at=clock.now()
        )
    except policies.PolicyChangedError as error:
        form.add_error(None, str(error))
        return _page(request, form, status=error.status)
    messages.success(request, f"You accepted version {found.version} of the policy.")
    return redirect(local_path(request, request.GET.get("next", "/account/policy/")))


def _page(request: HttpRequest, form: AcceptForm, *, status: int) -> HttpResponseBase:
    current = Policy.objects.current(at=clock.now())
    accepted = PolicyAcceptance.objects.filter(user=_self(request), policy=current).first()
    form.initial = {"version": current.pk if current else None}
    if form.errors:  # the version shown is the one that will be accepted
        form.data = {**form.data, "version": form.initial["version"]}
    shown = {"policy": current, "accepted": accepted, "form": form}
    return render(request, "accounts/policy.html", shown, status=status)


def _self(request: HttpRequest) -> User:
    return cast(User, request.user)
