"""Memberships as they are written in forms: begun and ended, never altered in between."""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest

from accounts.models import Group, Membership, User
from lsp_portal.lib.admin import CheckedRows

Parent = TypeVar("Parent", bound=Model)


class MembershipForm(forms.ModelForm[Membership]):
    """A new membership, or the end of one."""

    class Meta:
        model = Membership
        fields = ("user", "group", "role", "valid_from", "valid_to")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            # Disabled, not left out: the constraints compare all of them.
            for name in self.fields.keys() - {"valid_to"}:
                self.fields[name].disabled = True


class NewMemberships(CheckedRows[Membership, Parent]):
    """The rows added to a group or to a person."""

    def clean(self) -> None:
        super().clean()
        other = "group" if self.fk.name == "user" else "user"
        added = [form.cleaned_data.get(other) for form in self.extra_forms if form.has_changed()]
        chosen = [row for row in added if row is not None]
        if len(chosen) != len(set(chosen)):
            raise forms.ValidationError(
                f"One {other} is there twice: add one role, save, and then the other."
            )


class MembershipInline(admin.TabularInline[Membership, Parent]):
    """The memberships, to read; a new one can be added, and each can be opened to end it."""

    model = Membership
    form = MembershipForm
    formset: Any = NewMemberships
    extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        rows = super().get_queryset(request).select_related("user", "group")
        return rows.order_by(F("valid_to").desc(nulls_first=True), "pk")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembersInline(MembershipInline[Group]):
    verbose_name_plural = "members, now and formerly"
    fields = ("user", "role", "valid_from", "valid_to")
    autocomplete_fields = ("user",)


class GroupsInline(MembershipInline[User]):
    fk_name = "user"
    verbose_name_plural = "groups, now and formerly"
    fields = ("group", "role", "valid_from", "valid_to")
    autocomplete_fields = ("group",)
