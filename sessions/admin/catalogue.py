"""Images and sizes."""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from lsp_portal.lib.admin import PortalAdmin
from lsp_portal.lib.display import byte_size, cores, mebibytes
from sessions.kubernetes.prepulling.prepull import fetch_again
from sessions.models import Image, NodeImage, Size
from sessions.models.hubs import CatalogueEntry

Entry = TypeVar("Entry", bound=CatalogueEntry)


class CatalogueAdmin(PortalAdmin[Entry]):
    """Sessions keep the names and the resources that they were started with."""

    list_editable = ("position",)
    search_fields = ("name", "title")
    ordering = ("position", "name")
    autocomplete_fields = ("allowed_groups",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Entry | None = None
    ) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).prefetch_related("allowed_groups", "hubs")

    @admin.display(description="groups")
    def groups(self, entry: Entry) -> str:
        return ", ".join(group.name for group in entry.allowed_groups.all()) or "every group"

    @admin.display(description="hubs")
    def offered_by(self, entry: Entry) -> str:
        return ", ".join(hub.name for hub in getattr(entry, "hubs").all())  # noqa: B009 - reverse


def _count(rows: QuerySet[NodeImage]) -> Subquery:
    """How many rows there are of one image."""
    return Subquery(rows.values("reference").annotate(number=Count("pk")).values("number"))


@admin.register(Image)
class ImageAdmin(CatalogueAdmin[Image]):
    """Those of a source follow its registry: only what people read is edited here."""

    list_display = (
        "title", "name", "kind", "what", "groups", "offered_by", "coverage", "position",
        "retires_at",
    )  # fmt: skip
    actions = ("fetch_now",)
    list_filter = ("source", "kind")
    fields = (
        "name", "title", "reference", "description", ("kind", "recommended"), "position",
        "retires_at", "allowed_groups",
    )  # fmt: skip
    of_source = (
        "source", "tag", "reference", "title", "kind", "recommended", "position", "size",
        "built_at", "retires_at",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Image | None = None) -> Any:
        is_followed = obj is not None and obj.source_id is not None
        return ("name", *self.of_source, "description") if is_followed else self.fields

    def get_readonly_fields(
        self, request: HttpRequest, obj: Image | None = None
    ) -> tuple[str, ...]:
        followed = self.of_source if obj is not None and obj.source_id is not None else ()
        return (*super().get_readonly_fields(request, obj), *followed)

    def has_delete_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        """Not of a source, whose next reading would bring it again."""
        is_followed = obj is not None and obj.source_id is not None
        return super().has_delete_permission(request, obj) and not is_followed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Image]:
        on_nodes = NodeImage.objects.filter(reference=OuterRef("reference")).order_by()
        usable = on_nodes.exclude(state=NodeImage.State.LEFT_OUT)
        there = usable.filter(state=NodeImage.State.PRESENT)
        return super().get_queryset(request).annotate(_usable=_count(usable), _there=_count(there))

    @admin.display(description="reference", ordering="reference", empty_value="")
    def what(self, image: Image) -> str:
        """The reference with as much of a digest as tells it apart."""
        path, at, digest = image.reference.partition("@")
        return f"{path}{at}{digest[:15]}{'…' if digest else ''}"

    @admin.display(description="on nodes", empty_value="")
    def coverage(self, image: Image) -> str:
        usable, there = getattr(image, "_usable"), getattr(image, "_there")  # noqa: B009 - annotated
        return f"{there or 0} of {usable}" if usable else ""

    @admin.action(description="Fetch now onto the nodes where it failed")
    def fetch_now(self, request: HttpRequest, queryset: QuerySet[Image]) -> None:
        number = fetch_again(list(queryset.values_list("reference", flat=True)))
        text = f"{number} failed fetches begin again at the next look, within a minute."
        self.message_user(request, text, messages.SUCCESS)

    @admin.display(ordering="size_bytes")
    def size(self, image: Image) -> str:
        return byte_size(image.size_bytes)


class SizeForm(forms.ModelForm[Size]):
    """An emptied field means none."""

    def clean_node_selector(self) -> dict[str, str]:
        return self.cleaned_data["node_selector"] or {}

    def clean_tolerations(self) -> list[dict[str, Any]]:
        return self.cleaned_data["tolerations"] or []


@admin.register(Size)
class SizeAdmin(CatalogueAdmin[Size]):
    form = SizeForm
    list_display = ("title", "name", "cpu", "memory", "gpus", "groups", "offered_by", "position")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name", "title", ("cpu_millicores", "memory_mib", "gpus"), "position",
                    "allowed_groups",
                )
            },
        ),
        (
            "Nodes",
            {
                "description": "For hubs whose servers the portal starts in a cluster.",
                "fields": ("node_selector", "tolerations", "priority_class", "placeholders"),
            },
        ),
    )  # fmt: skip

    @admin.display(description="CPU cores", ordering="cpu_millicores")
    def cpu(self, size: Size) -> str:
        return cores(size.cpu_millicores)

    @admin.display(ordering="memory_mib")
    def memory(self, size: Size) -> str:
        return mebibytes(size.memory_mib)
