"""Merging two accounts, for superusers: choose, read what would happen, do it."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from accounts.merging import Merge, merge, preview
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import conflict, note_changes

UNKNOWN = {"invalid_choice": "There is no account with this user name."}


class MergeForm(forms.Form):
    keep, old = (
        forms.ModelChoiceField(
            User.objects.all(),
            to_field_name="username",
            widget=forms.TextInput,
            label=label,
            error_messages=UNKNOWN,
        )
        for label in ("Account that goes on", "Account that ends")
    )


class MergesAccounts(admin.ModelAdmin[User]):
    """Adds the action and the page to the administration of people."""

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return cast(User, request.user).is_superuser

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.merge_page)
        return [path("merge/", page, name="accounts_user_merge"), *super().get_urls()]

    @admin.action(description="Merge two accounts …", permissions=["merge"])
    def merge(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        names = list(queryset.order_by("date_joined", "pk").values_list("username", flat=True)[:3])
        if len(names) != 2:
            self.message_user(request, "Choose two accounts to merge.", messages.ERROR)
            return None
        return HttpResponseRedirect(_address(keep=names[0], old=names[1]))

    def merge_page(self, request: HttpRequest) -> HttpResponse:
        """GET shows what would happen, POST does it."""
        if not self.has_merge_permission(request):
            raise PermissionDenied
        form = MergeForm((request.POST or request.GET) or None)
        plan = self._plan(request, form) if form.is_valid() else None
        if plan is not None and request.method == "POST":
            note_changes(request, [plan.keep, plan.old], f"Merged {plan.old} into {plan.keep}.")
            self.message_user(request, f"Merged {plan.old} into {plan.keep}.")
            return redirect("admin:accounts_user_change", plan.keep.pk)
        return self._show(request, form, plan)

    def _plan(self, request: HttpRequest, form: MergeForm) -> Merge | None:
        """What would happen, or what did; None with the form's errors where it cannot."""
        act = merge if request.method == "POST" else preview
        by = cast(User, request.user)
        try:
            return act(**form.cleaned_data, by=by, at=clock.now())
        except ValidationError as error:
            form.add_error(None, error)
        except IntegrityError as error:
            form.add_error(None, f"Nothing was merged. {conflict(error)}")
        return None

    def _show(self, request: HttpRequest, form: MergeForm, plan: Merge | None) -> HttpResponse:
        swapped = _address(keep=plan.old.username, old=plan.keep.username) if plan else ""
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Merge two accounts",
            "opts": self.model._meta,
            "form": form,
            "plan": plan,
            "swapped": swapped,
        }
        status = 400 if form.errors else 200
        return render(request, "accounts/merge.html", context, status=status)


def _address(**names: str) -> str:
    return f"{reverse('admin:accounts_user_merge')}?{urlencode(names)}"
