"""Hubs, their secrets, and what they call people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.views.decorators.cache import never_cache

from lsp_portal.lib import clock
from lsp_portal.lib.admin import EvidenceInline, KeptAdmin, PortalAdmin, list_link
from sessions.hub.registry import only_secret, rotate_secret
from sessions.hub.secrets import issue_secret
from sessions.models import (
    Alert,
    Hub,
    HubEvent,
    HubSecret,
    HubUserName,
    Image,
    QuarantinedEvent,
    Session,
    Size,
    Snapshot,
)

YEAR_OF_HOURS = 366 * 24


class SecretInline(EvidenceInline[HubSecret, Hub]):
    """When secrets are valid; the secrets themselves are shown once, when they are made."""

    model = HubSecret
    fields = ("valid_from", "valid_to", "is_valid")
    readonly_fields = fields
    ordering = ("-valid_from", "-pk")

    @admin.display(boolean=True, description="valid now")
    def is_valid(self, secret: HubSecret) -> bool:
        now = clock.now()
        return secret.valid_from <= now and (secret.valid_to is None or now < secret.valid_to)


class RotationForm(forms.Form):
    """How long the earlier secrets of a hub stay valid beside the new one."""

    overlap_hours = forms.IntegerField(
        label="Earlier secrets stay valid for (hours)",
        initial=24,
        min_value=0,
        max_value=YEAR_OF_HOURS,
        help_text="Time to give the hub the new secret. 0 ends the earlier secrets at once, as a "
        "secret that leaked requires.",
    )


@admin.register(Hub)
class HubAdmin(KeptAdmin[Hub]):
    """JupyterHubs. A new one gets a secret, which is shown once."""

    list_display = ("name", "title", "public_url", "maintenance", "last_snapshot")
    search_fields = ("name", "title")
    ordering = ("name",)
    filter_horizontal = ("images", "sizes")
    autocomplete_fields = ("default_image", "default_size")
    inlines = (SecretInline,)
    change_form_template = "admin/hub_sessions/hub/change_form.html"
    fieldsets = (
        (None, {"fields": ("name", "title", "public_url", "api_url", "mode")}),
        (
            "Starting sessions",
            {"fields": ("maintenance", "lease_seconds", "max_sessions_per_user", "idle_rule")},
        ),
        ("Offered", {"fields": ("images", "default_image", "sizes", "default_size")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Hub | None = None) -> tuple[str, ...]:
        return ("name", "links") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Hub | None = None) -> Any:
        links = () if obj is None else ((None, {"fields": ("links",)}),)
        return (*links, *self.fieldsets)

    def get_inlines(self, request: HttpRequest, obj: Hub | None) -> Any:
        return self.inlines if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "images": list(Image.objects.values_list("pk", flat=True)),
            "sizes": list(Size.objects.values_list("pk", flat=True)),
            **super().get_changeform_initial_data(request),
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hub]:
        newest = Snapshot.objects.filter(hub=OuterRef("pk")).order_by("-time").values("time")[:1]
        return super().get_queryset(request).annotate(_heard=Subquery(newest))

    @admin.display(description="last snapshot", ordering="_heard", empty_value="never")
    def last_snapshot(self, hub: Hub) -> Any:
        return getattr(hub, "_heard")  # noqa: B009 - annotated

    @admin.display(description="see also")
    def links(self, hub: Hub) -> str:
        of_hub = {"hub__id__exact": hub.pk}
        links = [
            list_link(Session, "sessions", **of_hub),
            list_link(HubEvent, "events", **of_hub),
            list_link(QuarantinedEvent, "quarantined events", **of_hub),
            list_link(Snapshot, "snapshots", **of_hub),
            list_link(Alert, "alerts", **of_hub),
            list_link(HubUserName, "names at the hub", **of_hub),
        ]
        return format_html_join(" · ", "{}", ((link,) for link in links))

    def save_model(self, request: HttpRequest, obj: Hub, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            issue_secret(obj, clock.now())

    def response_add(
        self, request: HttpRequest, obj: Hub, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The new hub's secret, on the only page that shows it."""
        return self._show_secret(request, obj, only_secret(obj))

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(never_cache(self.rotate_view))
        name = "hub_sessions_hub_rotate"
        return [path("<int:key>/new-secret/", rotate, name=name), *super().get_urls()]

    def rotate_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask for the overlap, then make a new secret and show it."""
        hub = Hub.objects.filter(pk=key).first()
        if hub is None:
            raise Http404("No such hub.")
        if not self.has_change_permission(request, hub):
            raise PermissionDenied
        form = RotationForm(request.POST or None)
        if form.is_valid():
            return self._rotated(request, hub, form.cleaned_data["overlap_hours"])
        return self._page(request, hub, "new_secret", title=f"New secret of {hub}", form=form)

    def _rotated(self, request: HttpRequest, hub: Hub, hours: int) -> HttpResponse:
        text = rotate_secret(hub, overlap=timedelta(hours=hours), at=clock.now())
        self.log_change(request, hub, f"New secret; earlier ones end in {hours} hours.")
        return self._show_secret(request, hub, text)

    def _show_secret(self, request: HttpRequest, hub: Hub, text: str) -> HttpResponse:
        answer = self._page(request, hub, "secret", title=f"The secret of {hub}", secret=text)
        answer["Cache-Control"] = "no-store"
        return answer

    def _page(
        self, request: HttpRequest, hub: Hub, template: str, **context: Any
    ) -> TemplateResponse:
        everywhere = {**self.admin_site.each_context(request), "opts": self.opts, "hub": hub}
        address = f"admin/hub_sessions/hub/{template}.html"
        return TemplateResponse(request, address, {**everywhere, **context})


@admin.register(HubUserName)
class HubUserNameAdmin(PortalAdmin[HubUserName]):
    """What a hub calls people, where it differs from their user name."""

    list_display = ("name", "hub", "user")
    list_filter = ("hub",)
    list_select_related = ("hub", "user")
    search_fields = ("name", "user__username")
    ordering = ("hub__name", "name")
    autocomplete_fields = ("hub", "user")
