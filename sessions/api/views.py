"""Requests that another group pays for a session, for programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.serializers import NothingSerializer
from accounts.api.views import Records, writes
from accounts.models import Group, User
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from sessions.api import filters, serializers
from sessions.models import Reattribution, Session
from sessions.reattributing import requests
from sessions.reattributing.choices import payer
from sessions.reattributing.requests import ReattributionRefused, may_ask

ANSWER = serializers.ReattributionSerializer


class ReattributionViewSet(Records):
    """Requests that concern the caller: asked, of own sessions, of groups that one leads."""

    serializer_class = ANSWER
    filterset_class = filters.ReattributionFilter
    ordering_fields = ("asked_at", "expires_at")
    ordering = ("-asked_at",)
    lookup_url_kwarg = "request_id"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[Reattribution]:
        caller: Any = self.request.user
        rows = Reattribution.objects.all()
        if isinstance(caller, User):
            rows = Reattribution.objects.visible_to(caller, at=clock.now())
        return rows.select_related(
            "session__user", "from_group", "to_group", "asked_by", "decided_by"
        )

    @writes(serializers.NewReattributionSerializer, ANSWER, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Ask that another group pays for a session."""
        values, by, at = (
            self.checked(serializers.NewReattributionSerializer),
            _person(request),
            clock.now(),
        )
        session = _session(values["session"], by, at=at)
        group = Group.objects.filter(name=values["to_group"]).first()
        if group is None:
            raise Http404("No such group.")
        made = _told(lambda: requests.ask(session, to=group, reason=values["reason"], by=by, at=at))
        return self.answer(made, status.HTTP_201_CREATED)

    @writes(serializers.AcceptSerializer, ANSWER)
    @action(detail=True, methods=["post"])
    @idempotent
    def accept(self, request: Any, request_id: str) -> Response:
        """Let the group pay, as one of its PIs or as administrator."""
        row, values = self.get_object(), self.checked(serializers.AcceptSerializer)
        by, at = _person(request), clock.now()
        return self.answer(_told(lambda: requests.accept(row, by=by, at=at, **values)))

    @writes(serializers.DeclineSerializer, ANSWER)
    @action(detail=True, methods=["post"])
    @idempotent
    def decline(self, request: Any, request_id: str) -> Response:
        """Say no, and why."""
        row, values = self.get_object(), self.checked(serializers.DeclineSerializer)
        by, at = _person(request), clock.now()
        return self.answer(_told(lambda: requests.decline(row, by=by, at=at, **values)))

    @writes(NothingSerializer, ANSWER)
    @action(detail=True, methods=["post"])
    @idempotent
    def withdraw(self, request: Any, request_id: str) -> Response:
        """Take it back before it is answered."""
        self.checked(NothingSerializer)
        row, by, at = self.get_object(), _person(request), clock.now()
        return self.answer(_told(lambda: requests.withdraw(row, by=by, at=at)))


def _person(request: Any) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied("A request has an author: use a personal token.")
    return request.user


def _session(number: int, by: User, *, at: datetime) -> Session:
    """The session, where the person may ask about it. Http404 for anything else."""
    session = Session.objects.select_related("user").filter(pk=number).first()
    if session is None or not may_ask(by, session, payer(session), at=at):
        raise Http404("No such session.")
    return session


def _told(act: Callable[[], Reattribution]) -> Reattribution:
    """What the act gives. Raises Problem where it is refused."""
    try:
        return act()
    except ReattributionRefused as refusal:
        code = 403 if refusal.code == "forbidden" else refusal.status
        raise Problem(code, refusal.code, "This is not possible", str(refusal)) from refusal
