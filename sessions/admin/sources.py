"""Repositories whose tags become images, and a look at what the next reading would change."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.views.decorators.cache import never_cache

from lsp_portal.lib import clock
from lsp_portal.lib.admin import KeptAdmin, list_link
from lsp_portal.lib.display import NOTHING, plain_moment
from sessions.models import Image, ImageSource
from sessions.registry.failures import RegistryFailed
from sessions.registry.planning import Plan
from sessions.registry.syncing import look, sync


@admin.register(ImageSource)
class ImageSourceAdmin(KeptAdmin[ImageSource]):
    """Sessions are named by the images of a source, so it is never deleted; it can be inactive."""

    list_display = ("title", "name", "repository", "is_active", "number", "state")
    list_filter = ("is_active",)
    search_fields = ("name", "title", "repository")
    ordering = ("position", "name")
    autocomplete_fields = ("hubs", "allowed_groups", "owner")
    change_form_template = "admin/hub_sessions/imagesource/change_form.html"
    fieldsets = (
        (None, {"fields": ("name", "title", "repository", "credentials", "owner")}),
        ("Last reading", {"fields": ("state", "links")}),
        ("Reading", {"fields": ("is_active", "refresh_minutes")}),
        (
            "How many are offered",
            {
                "fields": (
                    "aliases", ("releases", "candidates"), ("weeklies", "dailies"),
                    ("experimentals", "others"), "grace_days", "position",
                ),
            },
        ),
        ("Who may use its images, and where", {"fields": ("hubs", "allowed_groups")}),
    )  # fmt: skip

    def get_readonly_fields(
        self, request: HttpRequest, obj: ImageSource | None = None
    ) -> tuple[str, ...]:
        return ("name", "state", "links") if obj else ("state", "links")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageSource]:
        return super().get_queryset(request).annotate(_number=Count("images"))

    @admin.display(description="images", ordering="_number")
    def number(self, source: ImageSource) -> int:
        return int(getattr(source, "_number"))  # noqa: B009 - annotated

    @admin.display(description="last reading")
    def state(self, source: ImageSource) -> str:
        """One line: when it was read, and what is wrong."""
        when = f"read {plain_moment(source.read_at)}" if source.read_at else "not read yet"
        return f"{when}. {source.last_error}" if source.last_error else when

    @admin.display(description="see also")
    def links(self, source: ImageSource) -> str:
        if not source.pk:
            return NOTHING
        found = [list_link(Image, "its images", source__id__exact=source.pk)]
        return format_html_join(" · ", "{}", ((link,) for link in found))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.look_view))
        name = "hub_sessions_imagesource_look"
        return [path("<int:key>/look/", view, name=name), *super().get_urls()]

    def look_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """What the registry would change now, and on POST the change."""
        source = get_object_or_404(ImageSource, pk=key)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        try:
            if request.method == "POST":
                return self._carried_out(request, source)
            return self._page(request, source, plan=look(source, at=clock.now()))
        except RegistryFailed as error:
            return self._page(request, source, failure=str(error))

    def _carried_out(self, request: HttpRequest, source: ImageSource) -> HttpResponse:
        plan = sync(source, at=clock.now(), confirmed="confirmed" in request.POST)
        if plan.doubt and "confirmed" not in request.POST:
            return self._page(request, source, plan=plan)
        self.log_change(request, source, f"Read the registry: {plan.summary()}.")
        messages.success(request, f"The registry was read: {plan.summary()}.")
        return HttpResponseRedirect(
            reverse("admin:hub_sessions_imagesource_change", args=(source.pk,))
        )

    def _page(
        self, request: HttpRequest, source: ImageSource, *, plan: Plan | None = None,
        failure: str = "",
    ) -> TemplateResponse:  # fmt: skip
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts, "source": source, "plan": plan, "failure": failure,
            "title": f"What {source.repository} has now",
        }  # fmt: skip
        return TemplateResponse(request, "admin/hub_sessions/imagesource/look.html", shown)
