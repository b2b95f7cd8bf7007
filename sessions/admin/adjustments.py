"""Adjusting the charge of a session, after a preview; adjustments themselves are to read only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from accounts.models import Group, User
from lsp_portal.lib import clock
from lsp_portal.lib.admin import BigTableAdmin, object_link
from sessions.adjustments import (
    AdjustmentRefused,
    Proposal,
    adjust,
    propose,
    propose_undo,
    standing,
    undo,
)
from sessions.admin.search import HELP, sessions_found
from sessions.models import Adjustment, Session


class AdjustmentForm(forms.Form):
    """Who pays, from when to when; or that it is charged as its evidence says."""

    group = forms.ModelChoiceField(
        Group.objects.all(),
        to_field_name="name",
        widget=forms.TextInput,
        error_messages={"invalid_choice": "There is no such group."},
    )
    started_at = forms.DateTimeField(label="Charged from")
    ended_at = forms.DateTimeField(label="Charged to")
    as_evidence = forms.BooleanField(
        required=False,
        label="Undo",
        help_text="Charge it as its evidence says, whatever stands above.",
    )
    reason = forms.CharField(max_length=500, help_text="Kept with the correction, for ever.")

    def wanted(self) -> dict[str, Any]:
        names = ("group", "started_at", "ended_at")
        return {name: self.cleaned_data[name] for name in names}

    def proposal(self, session: Session, *, at: datetime) -> Proposal | None:
        """What would be booked; None where it is refused, which the form then says."""
        try:
            if self.cleaned_data["as_evidence"]:
                return propose_undo(session)
            return propose(session, at=at, **self.wanted())
        except AdjustmentRefused as refusal:
            self.add_error(None, str(refusal))
            return None

    def book(self, session: Session, *, author: User, at: datetime) -> bool:
        """Whether it was booked; the form says why not."""
        kept = {"author": author, "reason": self.cleaned_data["reason"], "at": at}
        try:
            if self.cleaned_data["as_evidence"]:
                undo(session, **kept)
            else:
                adjust(session, **kept, **self.wanted())
        except AdjustmentRefused as refusal:
            self.add_error(None, str(refusal))
            return False
        return True


class AdjustingAdmin(BigTableAdmin[Session]):
    """The page of a session on which its charge is adjusted."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.adjust_view))
        route = path("<int:number>/adjust/", view, name="hub_sessions_session_adjust")
        return [route, *super().get_urls()]

    def adjust_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask what is right, show what would move, and book it once confirmed."""
        session = get_object_or_404(Session.objects.select_related("hub", "user"), pk=number)
        if not request.user.has_perm("hub_sessions.add_adjustment"):
            raise PermissionDenied
        form = AdjustmentForm(request.POST or None, initial=_charged(session))
        summary = ""
        if form.is_valid() and (proposal := form.proposal(session, at=clock.now())):
            summary = proposal.summary
            if request.POST.get("confirmed") == summary and self._booked(request, session, form):
                self.message_user(request, summary)
                return redirect("admin:hub_sessions_session_change", session.pk)
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "session": session}
        shown |= {"form": form, "title": f"Adjust {session}", "summary": summary}
        return render(request, "admin/hub_sessions/session/adjust.html", shown)

    def _booked(self, request: HttpRequest, session: Session, form: AdjustmentForm) -> bool:
        author = get_object_or_404(User, pk=request.user.pk)
        if not form.book(session, author=author, at=clock.now()):
            return False
        self.log_change(request, session, f"Adjusted: {form.cleaned_data['reason']}")
        return True


def _charged(session: Session) -> dict[str, Any]:
    """What the form begins with."""
    try:
        charged = standing(session).charged
    except AdjustmentRefused:
        return {}
    group = Group.objects.filter(pk=charged.group_id or 0).values_list("name", flat=True).first()
    return {"group": group, "started_at": charged.started_at, "ended_at": charged.ended_at}


@admin.register(Adjustment)
class AdjustmentAdmin(BigTableAdmin[Adjustment]):
    list_display = ("id", "session", "made_at", "author", "taken_from", "booked_to", "reason")
    list_select_related = ("session", "author", "taken_back__group", "booked__group")
    search_help_text = HELP
    fields = ("the_session", "made_at", "author", "reason", "before", "after", "from_evidence")

    def found(self, term: str) -> Q:
        return Q(session__in=Session.objects.filter(sessions_found(term)))

    @admin.display(description="taken back from")
    def taken_from(self, adjustment: Adjustment) -> str:
        return str(adjustment.taken_back.group)

    @admin.display(description="charged to")
    def booked_to(self, adjustment: Adjustment) -> str:
        return str(adjustment.booked.group)

    @admin.display(description="session")
    def the_session(self, adjustment: Adjustment) -> SafeString | str:
        return object_link(adjustment.session)

    @admin.display(description="taken back")
    def before(self, adjustment: Adjustment) -> SafeString | str:
        return object_link(adjustment.taken_back)

    @admin.display(description="booked")
    def after(self, adjustment: Adjustment) -> SafeString | str:
        return object_link(adjustment.booked)
