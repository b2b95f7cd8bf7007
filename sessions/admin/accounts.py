"""What people and groups have to do with hubs and sessions, on their own pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.admin import PersonAdmin
from accounts.models import Group, User
from lsp_portal.lib.admin import ChoicesReadOnce, list_link
from quotas.admin import ComputeQuotaAdmin, GroupWithQuotasAdmin
from quotas.models import ComputeQuota
from sessions.admin.warnings import WarnsOfGroups
from sessions.models import Charge, HubUserName, Session

for model in (Group, User, ComputeQuota):
    admin.site.unregister(model)


class HubNameInline(ChoicesReadOnce[HubUserName, User], admin.TabularInline[HubUserName, User]):
    """What hubs call the person."""

    model = HubUserName
    extra = 0
    verbose_name_plural = "names at hubs, where they differ"

    def get_queryset(self, request: HttpRequest) -> QuerySet[HubUserName]:
        return super().get_queryset(request).select_related("hub", "user")


@admin.register(User)
class PersonWithSessionsAdmin(PersonAdmin):
    inlines = (*PersonAdmin.inlines, HubNameInline)

    @admin.display(description="see also")
    def links(self, person: User) -> SafeString:
        sessions = list_link(Session, "sessions", user__id__exact=person.pk)
        return format_html_join(" · ", "{}", [(super().links(person),), (sessions,)])


@admin.register(Group)
class GroupWithSessionsAdmin(WarnsOfGroups, GroupWithQuotasAdmin):
    @admin.display(description="see also")
    def links(self, group: Group) -> SafeString:
        of_group = {"group__id__exact": group.pk}
        links = [
            (super().links(group),),
            (list_link(Session, "sessions", **of_group),),
            (list_link(Charge, "charges", **of_group),),
        ]
        return format_html_join(" · ", "{}", links)


@admin.register(ComputeQuota)
class ComputeQuotaOfUseAdmin(WarnsOfGroups, ComputeQuotaAdmin):
    """Compute quotas, with a word on what was used of them."""
