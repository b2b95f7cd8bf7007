"""Sessions and charges, which follow from evidence: to read only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.views.decorators.cache import never_cache

from accounts.models import Group, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import (
    BigTableAdmin,
    EvidenceInline,
    list_link,
    object_link,
    page_link,
    pretty_json,
)
from lsp_portal.lib.display import NOTHING, cores, duration, mebibytes, moment
from sessions.admin.adjustments import AdjustingAdmin
from sessions.admin.search import HELP, sessions_found
from sessions.attribution import AttributionRefused, attribute, attribute_each
from sessions.models import Charge, HubEvent, Session

MOST_EVENTS = 100
SHORT = 40


class AttributionFilter(admin.SimpleListFilter):
    title = "attribution"
    parameter_name = "attribution"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", "unattributed"), ("group", "charged to a group")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        unattributed = {"group": None, "ready_at__isnull": False, "is_rescue": False}
        if self.value() == "none":
            return queryset.filter(**unattributed)
        return queryset.filter(group__isnull=False) if self.value() == "group" else queryset


class AttributionForm(forms.Form):
    """Whose session it was, and who pays."""

    user = forms.ModelChoiceField(
        User.objects.all(),
        label="User name",
        to_field_name="username",
        widget=forms.TextInput,
        error_messages={"invalid_choice": "There is no such person."},
    )
    group = forms.ModelChoiceField(
        Group.objects.all(),
        to_field_name="name",
        widget=forms.TextInput,
        error_messages={"invalid_choice": "There is no such group."},
    )
    reason = forms.CharField(max_length=200, help_text="Kept in the history of the session.")


class SeveralForm(forms.Form):
    """Who pays for several sessions."""

    group = AttributionForm.base_fields["group"]
    reason = AttributionForm.base_fields["reason"]


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("pending", "pending"), ("running", "running"), ("over", "ended or failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        now = clock.now()
        conditions = {
            "pending": Q(ended_at=None, ready_at=None, lease_until__gt=now),
            "running": Q(ended_at=None, ready_at__isnull=False),
            "over": Q(ended_at__isnull=False) | Q(ready_at=None, lease_until__lte=now),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class ChargeColumns:
    """How charges show what they book."""

    @admin.display(description="resources")
    def resources(self, charge: Charge) -> str:
        gpus = f", {charge.gpus} GPUs" if charge.gpus else ""
        return f"{cores(charge.cpu_millicores)} CPU, {mebibytes(charge.memory_mib)}{gpus}"

    @admin.display
    def length(self, charge: Charge) -> str:
        return duration(charge.ended_at - charge.started_at) if charge.ended_at else "open"


class ChargeInline(ChargeColumns, EvidenceInline[Charge, Session]):
    model = Charge
    fields = ("origin", "user", "group", "started_at", "ended_at", "length", "resources", "sign")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Charge]:
        return super().get_queryset(request).select_related("user", "group").order_by("pk")


@admin.register(Session)
class SessionAdmin(AdjustingAdmin):
    list_display = (
        "number", "person", "group", "hub", "size", "current_state", "ready_at", "length",
    )  # fmt: skip
    list_filter = (AttributionFilter, StateFilter, "hub")
    list_select_related = ("hub", "user", "group")
    search_help_text = HELP
    inlines = (ChargeInline,)
    change_form_template = "admin/hub_sessions/session/change_form.html"
    fieldsets = (
        (None, {"fields": (("number", "key"), "hub", "current_state", "links")}),
        ("Who", {"fields": (
            "user_name", "sub_name", "server", "user", "group", "group_name", "deciding_event",
            "attributed_at", "actor", "affiliated",
        )}),
        ("What", {"fields": (
            "image", "size", "resources", "is_rescue", ("pod", "node"), "pod_uid",
        )}),
        ("When", {"fields": (
            "requested_at", "ready_at", "ended_at", "length", "end_source", "end_reason",
            "exit_code", "message", "doubts",
        )}),
        ("Evidence", {"fields": (
            "events", ("stopped_at", "superseded_at", "absent_at"), "recorded_at",
        )}),
        ("Launch", {"classes": ("collapse",), "fields": (
            "checked", "granted_at", "lease_until", "granted_group", "stop_requested_at",
            "stop_note", "granted",
        )}),
    )  # fmt: skip

    actions = ("attribute_several",)

    def has_attribute_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("hub_sessions.change_session"))

    @admin.action(description="Attribute to one group …", permissions=["attribute"])
    def attribute_several(
        self, request: HttpRequest, queryset: QuerySet[Session]
    ) -> HttpResponse | None:
        """Ask for group and reason, then book each session that may be; says why others not."""
        chosen = list(queryset.select_related("hub", "user").order_by("pk"))
        form = SeveralForm(request.POST if "reason" in request.POST else None)
        if not form.is_valid():
            shown = {**self.admin_site.each_context(request), "opts": self.opts, "form": form}
            shown |= {"sessions": chosen, "title": "Attribute sessions"}
            return render(request, "admin/hub_sessions/session/attribute_several.html", shown)
        group, reason = form.cleaned_data["group"], form.cleaned_data["reason"]
        booked, refusals = attribute_each(chosen, group=group, at=clock.now())
        for session in booked:
            self.log_change(request, session, f"Attributed to {group}: {reason}")
        self.message_user(request, f"{group} pays for {len(booked)} sessions.")
        for refusal in refusals:
            self.message_user(request, refusal, messages.WARNING)
        return None

    def found(self, term: str) -> Q:
        return sessions_found(term)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.attribute_view))
        route = path("<int:number>/attribute/", view, name="hub_sessions_session_attribute")
        return [route, *super().get_urls()]

    def attribute_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask who pays for a session that nobody pays for, and book it."""
        session = get_object_or_404(Session.objects.select_related("hub", "user"), pk=number)
        if not request.user.has_perm("hub_sessions.change_session"):
            raise PermissionDenied
        form = AttributionForm(request.POST or None, initial={"user": session.user})
        if form.is_valid() and self._attributed(request, session, form):
            return redirect("admin:hub_sessions_session_change", session.pk)
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "session": session}
        shown |= {"form": form, "title": f"Attribute {session}"}
        return render(request, "admin/hub_sessions/session/attribute.html", shown)

    def _attributed(self, request: HttpRequest, session: Session, form: forms.Form) -> bool:
        user, group = form.cleaned_data["user"], form.cleaned_data["group"]
        try:
            attribute(session, user=user, group=group, at=clock.now())
        except AttributionRefused as refusal:
            form.add_error(None, str(refusal))
            return False
        reason = form.cleaned_data["reason"]
        self.log_change(request, session, f"Attributed to {user} and {group}: {reason}")
        self.message_user(request, f"{group} pays for the session of {user}.")
        return True

    @admin.display(description="person")
    def person(self, session: Session) -> str:
        if session.user is None:
            return f"{Truncator(session.user_name).chars(SHORT)} (unknown here)"
        name = session.user.username
        return f"{name}: {session.sub_name}" if session.sub_name else name

    @admin.display(description="state")
    def current_state(self, session: Session) -> str:
        return str(session.state(at=clock.now()).label)

    @admin.display
    def length(self, session: Session) -> str:
        """The time that is charged: from ready to end."""
        if session.ready_at is None:
            return NOTHING
        return duration(session.ended_at - session.ready_at) if session.ended_at else "running"

    @admin.display(description="resources")
    def resources(self, session: Session) -> str:
        gpus = f", {session.gpus} GPUs" if session.gpus else ""
        return f"{cores(session.cpu_millicores)} CPU, {mebibytes(session.memory_mib)}{gpus}"

    @admin.display(description="affiliation then")
    def affiliated(self, session: Session) -> str:
        return session.institution or NOTHING

    @admin.display
    def doubts(self, session: Session) -> str:
        return "Some evidence puts the end before ready." if session.ended_before_ready else NOTHING

    @admin.display(description="see also")
    def links(self, session: Session) -> SafeString:
        explained = reverse("session", args=(session.pk,))
        links: list[str] = [
            format_html('<a href="{}">how its core-hours come about</a>', explained),
            list_link(HubEvent, "all events", hub__id__exact=session.hub_id,
                      session__exact=session.key),
            list_link(Charge, "charges", session__number__exact=session.pk),
        ]  # fmt: skip
        if session.group is not None:
            links.append(object_link(session.group, f"group {session.group}"))
        if session.user is not None:
            links.append(object_link(session.user, f"person {session.user}"))
        return format_html_join(" · ", "{}", ((link,) for link in links))

    @admin.display(description="decided by")
    def deciding_event(self, session: Session) -> SafeString | str:
        if not session.attributed_by:
            return NOTHING
        keys = {"hub__id__exact": session.hub_id, "event_id__exact": session.attributed_by}
        return list_link(HubEvent, session.attributed_by, **keys)

    @admin.display
    def events(self, session: Session) -> SafeString | str:
        """The events of the session in the order of their times."""
        found = HubEvent.objects.filter(hub=session.hub_id, session=session.key)
        rows = found.order_by("time", "event_id").values_list("time", "pk", "type")[:MOST_EVENTS]
        lines = ((moment(time), page_link(HubEvent, key, kind)) for time, key, kind in rows)
        listed = format_html_join("", "<li>{} {}</li>", lines)
        return format_html("<ol>{}</ol>", listed) if listed else NOTHING

    @admin.display(description="what was granted")
    def granted(self, session: Session) -> SafeString | str:
        return pretty_json(session.grant) if session.grant else NOTHING


@admin.register(Charge)
class ChargeAdmin(ChargeColumns, BigTableAdmin[Charge]):
    list_display = (
        "id", "session", "group", "user", "origin", "started_at", "ended_at", "length",
        "resources", "sign",
    )  # fmt: skip
    list_select_related = ("session", "group", "user")
    search_help_text = HELP
    fields = (
        "the_session", "group", "user", "origin", "started_at", "ended_at", "length",
        ("cpu_millicores", "memory_mib", "gpus"), "sign",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        return Q(session__in=Session.objects.filter(sessions_found(term)))

    @admin.display(description="session")
    def the_session(self, charge: Charge) -> SafeString | str:
        return object_link(charge.session)
