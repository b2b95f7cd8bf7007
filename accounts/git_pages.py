"""What git in notebooks knows about the person."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import person, registered
from accounts.models import User
from lsp_portal.lib.forms import PortalForm


class GitForm(PortalForm):
    shares = forms.BooleanField(
        label="Tell my notebooks my name and e-mail address",
        required=False,
        help_text="Commits that you make there then carry them. Counts from the next start on.",
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def git(request: HttpRequest) -> HttpResponseBase:
    """Whether commits made in notebooks carry the person's name and address."""
    user = person(request)
    if request.method == "POST":
        form = GitForm(request.POST)
        share_git_identity(user, shares=form.is_valid() and form.cleaned_data["shares"])
        messages.success(request, "Saved. It counts from the next server that you start.")
        return redirect("account_git")
    form = GitForm(initial={"shares": user.shares_git_identity})
    return render(request, "accounts/git.html", {"form": form})


def share_git_identity(user: User, *, shares: bool) -> None:
    """From the next start on notebooks know name and address of the person, or do not."""
    user.shares_git_identity = shares
    user.save(update_fields=["shares_git_identity"])
