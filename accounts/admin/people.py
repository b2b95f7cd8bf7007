"""People, their identities, and the names that were ever given."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group as Permissions
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.affiliations import AffiliationFilter, AffiliationInline, ShowsAffiliations
from accounts.admin.memberships import GroupsInline
from accounts.admin.merging import MergesAccounts
from accounts.admin.numbers import NumberedForm
from accounts.administration import approve, deactivate, ensure_never_used, reactivate
from accounts.models import Identity, Membership, Name, SignIn, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import (
    EvidenceAdmin,
    EvidenceInline,
    KeptAdmin,
    list_link,
    note_changes,
    object_link,
    pretty_json,
)
from lsp_portal.lib.display import NOTHING

# Groups are those of accounts; permissions are given to each administrator.
admin.site.unregister(Permissions)


class NewPersonForm(NumberedForm):
    """Somebody whom an administrator registers before the first sign-in."""

    number_field, kind = "uid", "user"

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "registered_at")
        field_classes = {"registered_at": forms.SplitDateTimeField}

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        ensure_never_used(name)
        return name


class PersonForm(UserChangeForm[User]):
    class Meta:
        model = User
        fields = "__all__"


class ApprovalFilter(admin.SimpleListFilter):
    title = "approval"
    parameter_name = "approval"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting for approval"), ("approved", "approved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() == "waiting":
            return queryset.filter(registered_at=None, is_active=True)
        return queryset.filter(registered_at__isnull=False) if self.value() else queryset


class IdentityInline(EvidenceInline[Identity, User]):
    model = Identity
    fields = ("provider", "issuer", "subject", "email", "first_seen_at", "last_seen_at")
    readonly_fields = fields
    verbose_name_plural = "identities at identity providers"


@admin.register(User)
class PersonAdmin(ShowsAffiliations, MergesAccounts, KeptAdmin[User], UserAdmin[User]):
    """People. Apps above add what they know about a person."""

    form = PersonForm
    add_form = NewPersonForm
    list_display = (
        "username", "first_name", "last_name", "email", "organisation", "confirmed",
        "registered_at", "is_active",
    )  # fmt: skip
    list_filter = (ApprovalFilter, AffiliationFilter, "is_active", "is_staff", "date_joined")
    search_fields = (
        "username", "first_name", "last_name", "email", "identities__email", "=identities__subject",
    )  # fmt: skip
    search_help_text = "Names, e-mail addresses, or the subject of an identity"
    ordering = ("username",)
    filter_horizontal = ("user_permissions",)
    autocomplete_fields = ("default_group",)
    readonly_fields = ("uid", "date_joined", "last_login", "merged_into", "merged", "links")
    inlines: ClassVar[tuple[type[InlineModelAdmin[Any, Any]], ...]] = (
        GroupsInline,
        AffiliationInline,
        IdentityInline,
    )
    actions: tuple[str, ...] = ("approve", "deactivate", "reactivate", "merge", "ask_to_confirm")
    fieldsets = (
        (None, {"fields": ("username", ("first_name", "last_name"), "email", "links")}),
        ("Access", {"fields": ("registered_at", "is_active", "default_group")}),
        ("Record", {"fields": ("uid", "date_joined", "last_login", "merged_into", "merged")}),
    )
    privileges = (
        "Administration",
        {"classes": ("collapse",), "fields": ("is_staff", "is_superuser", "password",
                                              "user_permissions")},
    )  # fmt: skip
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "username",
                    "first_name",
                    "last_name",
                    "email",
                    "registered_at",
                    "number",
                ),
                "description": "The name is permanent. Who signs in through an identity provider "
                "for the first time is registered alone and needs no form.",
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only superusers see and give privileges."""
        found = super().get_fieldsets(request, obj)
        return (*found, self.privileges) if obj and _person(request).is_superuser else found

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "username") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"registered_at": clock.now(), **super().get_changeform_initial_data(request)}

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return super().get_inlines(request, obj) if obj else (GroupsInline,)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whether one may; administrators are changed by superusers only."""
        allowed = super().has_change_permission(request, obj)
        above = obj is not None and (obj.is_staff or obj.is_superuser)
        return allowed and (_person(request).is_superuser or not above)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        if not _person(request).is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    @admin.display(description="see also")
    def links(self, person: User) -> str:
        memberships = list_link(Membership, "memberships", user__id__exact=person.pk)
        sign_ins = list_link(SignIn, "sign-ins", q=person.username)
        return format_html("{} · {}", memberships, sign_ins)

    @admin.display(description="accounts merged into this one")
    def merged(self, person: User) -> SafeString | str:
        found = [(object_link(old),) for old in person.merged_accounts.order_by("pk")]
        return format_html_join(", ", "{}", found) or NOTHING

    @admin.action(description="Approve", permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        found = approve(queryset, at=clock.now())
        note_changes(request, found, "Approved.")
        self.message_user(request, f"Approved {len(found)} people.")

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        found = deactivate(queryset, by=_person(request))
        note_changes(request, found, "Deactivated.")
        self.message_user(request, f"Deactivated {len(found)} people.")

    @admin.action(description="Activate again", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        found = reactivate(queryset, by=_person(request))
        note_changes(request, found, "Activated again.")
        self.message_user(request, f"Activated {len(found)} people again.")


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


@admin.register(Identity)
class IdentityAdmin(EvidenceAdmin[Identity]):
    """Who signed in from where, and what the provider said about them last."""

    list_display = ("subject", "issuer", "email", "person", "last_seen_at")
    list_filter = ("last_seen_at",)
    list_select_related = ("user",)
    search_fields = ("subject", "email", "user__username")
    search_help_text = "Subject, e-mail address or user name"
    ordering = ("-pk",)
    fields = (
        "person", "provider", "issuer", "subject", "email", "first_seen_at", "last_seen_at", "said",
    )  # fmt: skip

    @admin.display(description="person", ordering="user__username")
    def person(self, identity: Identity) -> SafeString | str:
        return object_link(identity.user)

    @admin.display(description="claims")
    def said(self, identity: Identity) -> SafeString:
        return pretty_json(identity.claims)


@admin.register(Name)
class NameAdmin(EvidenceAdmin[Name]):
    """Every name that was ever given, which is never given again."""

    list_display = ("name", "kind")
    list_filter = ("kind",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "kind")
