"""What hubs told us: events, quarantine, snapshots, alerts, storage; to read only."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from lsp_portal.lib import clock
from lsp_portal.lib.admin import (
    BigTableAdmin,
    EvidenceAdmin,
    EvidenceInline,
    list_link,
    note_changes,
    object_link,
    page_link,
    pretty_document,
)
from lsp_portal.lib.display import NOTHING, byte_size
from sessions.admin.search import in_hubs, session_ids_found
from sessions.models import (
    Alert,
    HubEvent,
    QuarantinedEvent,
    Session,
    Snapshot,
    SnapshotPart,
    StorageSample,
)

SHORT = 40


@admin.register(HubEvent)
class HubEventAdmin(BigTableAdmin[HubEvent]):
    list_display = ("event_id", "type", "time", "hub", "person", "of_session", "received_at")
    list_filter = ("hub",)
    list_select_related = ("hub",)
    search_help_text = "Event id, session id or session number"
    fields = (
        "hub", "event_id", ("epoch", "seq"), "type", "time", "received_at", "user_name", "server",
        "the_session", "document",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return in_hubs() & (Q(event_id=term) | Q(session__in=session_ids_found(term)))

    @admin.display(description="user")
    def person(self, event: HubEvent) -> str:
        return Truncator(event.user_name).chars(SHORT)

    @admin.display(description="session")
    def of_session(self, event: HubEvent) -> SafeString | str:
        """A link to the list of the one session; reading it would be a query for each row."""
        if event.session is None:
            return NOTHING
        keys = {"hub__id__exact": event.hub_id, "key__exact": event.session}
        return list_link(Session, str(event.session)[:8] + "…", **keys)

    @admin.display(description="session")
    def the_session(self, event: HubEvent) -> SafeString | str:
        if event.session is None:
            return NOTHING
        session = Session.objects.filter(hub=event.hub_id, key=event.session).first()
        return object_link(session) if session else str(event.session)

    @admin.display(description="as the hub sent it")
    def document(self, event: HubEvent) -> SafeString | str:
        return pretty_document(event.raw) if event.raw else "The body is no longer kept."


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(BigTableAdmin[QuarantinedEvent]):
    list_display = ("received_at", "hub", "code", "id_given", "what")
    list_filter = ("hub",)
    list_select_related = ("hub",)
    search_help_text = "Event id"
    fields = ("hub", "received_at", "code", "detail", "event_id", "document")

    def found(self, term: str) -> Q:
        return Q(event_id=term)  # bad events are few

    @admin.display(description="event id")
    def id_given(self, event: QuarantinedEvent) -> str:
        return Truncator(event.event_id or NOTHING).chars(SHORT)

    @admin.display(description="what is wrong")
    def what(self, event: QuarantinedEvent) -> str:
        return Truncator(event.detail).chars(120)

    @admin.display(description="as the hub sent it")
    def document(self, event: QuarantinedEvent) -> SafeString:
        return pretty_document(event.raw)


class PartInline(EvidenceInline[SnapshotPart, Snapshot]):
    model = SnapshotPart
    fields = ("part", "listed", "without_id", "the_event")
    readonly_fields = fields
    ordering = ("part",)
    show_change_link = False

    @admin.display(description="sessions listed")
    def listed(self, part: SnapshotPart) -> int:
        return len(part.sessions)

    @admin.display(description="servers without a session id")
    def without_id(self, part: SnapshotPart) -> int:
        return len(part.seats)

    @admin.display(description="event")
    def the_event(self, part: SnapshotPart) -> SafeString:
        return page_link(HubEvent, part.event_id, f"event {part.event_id}")


@admin.register(Snapshot)
class SnapshotAdmin(BigTableAdmin[Snapshot]):
    list_display = ("time", "hub", "listed", "parts", "is_complete", "name")
    list_filter = ("hub",)
    list_select_related = ("hub",)
    search_help_text = "The hub's id of a snapshot"
    inlines = (PartInline,)
    fields = ("hub", "name", "time", "parts", "listed", "is_complete")

    def found(self, term: str) -> Q:
        digest = hashlib.md5(term.encode(errors="replace"), usedforsecurity=False).hexdigest()
        return in_hubs() & Q(key=UUID(hex=digest))


class ResolvedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("resolved", "resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() is None:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(Alert)
class AlertAdmin(EvidenceAdmin[Alert]):
    list_display = ("last_seen_at", "hub", "kind", "about", "raised_at", "resolved_at")
    list_filter = (ResolvedFilter, "hub", "kind")
    list_select_related = ("hub",)
    search_fields = ("subject", "detail")
    ordering = ("-last_seen_at", "-pk")
    fields = (
        "hub", "kind", "subject", "detail", "raised_at", "last_seen_at", "resolved_at",
    )  # fmt: skip
    actions = ("resolve",)

    @admin.display(description="subject", ordering="subject")
    def about(self, alert: Alert) -> str:
        return Truncator(alert.subject).chars(SHORT + 20)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hub_sessions.change_alert")

    @admin.action(description="Resolve", permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        found = list(queryset.filter(resolved_at=None))
        Alert.objects.filter(pk__in=[alert.pk for alert in found]).update(resolved_at=clock.now())
        note_changes(request, found, "Resolved.")
        self.message_user(request, f"Resolved {len(found)} alerts.")


@admin.register(StorageSample)
class StorageSampleAdmin(BigTableAdmin[StorageSample]):
    list_display = ("taken_at", "owner", "mount", "used", "limit", "files")
    list_select_related = ("user", "group")
    search_help_text = "Name of a person or a group"
    fields = ("owner", "mount", "taken_at", "used", "limit", "files")

    def found(self, term: str) -> Q:
        return Q(user__username=term) | Q(group__name=term)

    @admin.display
    def owner(self, sample: StorageSample) -> SafeString | str:
        return object_link(sample.user or sample.group)

    @admin.display
    def used(self, sample: StorageSample) -> str:
        return byte_size(sample.used_bytes)

    @admin.display
    def limit(self, sample: StorageSample) -> str:
        return byte_size(sample.limit_bytes)
