"""Statements for programs: those of closed periods, and that of a group in any time."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from accounting.api.answers import amount, sums
from accounting.api.report_views import AnyFormat, asked_format, asked_window, refuse_others
from accounting.api.serializers import AmountSerializer, SumsSerializer
from accounting.api.views import PAGE, WINDOW
from accounting.group_statements import files
from accounting.group_statements.content import GroupStatement, Line, Part, of_window
from accounting.models import Statement, StatementLine
from accounting.pages import statements
from accounting.statements.content import Sums
from accounts.api import visible
from accounts.api.paging import Pages
from accounts.api.views import JSON, PROBLEM, REFUSALS
from accounts.models import User
from lsp_portal.lib import clock, ods
from quotas.vocabulary import Usage

LIST_FORMATS = ("json", "csv", "ods")
GROUP_FORMATS = ("json", *files.MEDIA_TYPES)


class StatementSerializer(serializers.ModelSerializer[Statement]):
    """A closed allocation period, frozen; the hash covers the statement before it."""

    class Meta:
        model = Statement
        fields = (
            "number", "title", "starts_on", "ends_on", "closed_at", "hash", "previous_hash",
        )  # fmt: skip
        read_only_fields = fields


class CountedSerializer(SumsSerializer):
    """With how many sessions used something."""

    sessions = serializers.IntegerField()


class StatementLineSerializer(CountedSerializer):
    """`about_period` is another one in corrections; `user` is null for lines of groups."""

    kind = serializers.ChoiceField(StatementLine.Kind.choices)
    about_period = serializers.CharField()
    group = serializers.CharField(allow_null=True)
    group_title = serializers.CharField(allow_null=True)
    user = serializers.CharField(allow_null=True)
    role = serializers.CharField()


class StatementDetailSerializer(StatementSerializer):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = StatementLineSerializer(many=True)

    class Meta(StatementSerializer.Meta):
        fields = (  # type: ignore[assignment]  # more of them
            *StatementSerializer.Meta.fields, "count", "next", "previous", "results",
        )  # fmt: skip


class PersonSerializer(CountedSerializer):
    """`user` is null for people whom the portal does not know."""

    user = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    role = serializers.CharField()


class CorrectionSerializer(PersonSerializer):
    about_period = serializers.CharField()


class PartSerializer(SumsSerializer):
    name = serializers.CharField(allow_null=True)
    title = serializers.CharField()


class GroupStatementSerializer(serializers.Serializer[Any]):
    """What a group used; `statement` is null while the numbers are provisional."""

    group = serializers.CharField()
    group_title = serializers.CharField()
    period = serializers.CharField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    at = serializers.DateTimeField(help_text="When it was closed, or the moment of the numbers.")
    statement = serializers.IntegerField(allow_null=True)
    hash = serializers.CharField(allow_null=True)
    quota = AmountSerializer(allow_null=True)
    total = CountedSerializer()
    people_count = serializers.IntegerField()
    people = PersonSerializer(many=True, allow_null=True)
    corrections = CorrectionSerializer(many=True)
    months = PartSerializer(many=True)
    images = PartSerializer(many=True)
    sizes = PartSerializer(many=True)


class StatementsView(ListAPIView[Statement]):
    """Closed allocation periods, the newest first."""

    serializer_class = StatementSerializer
    queryset = Statement.objects.order_by("-number")

    @extend_schema(operation_id="statements", responses={200: StatementSerializer, **REFUSALS})
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """All of them: that a period is closed is no secret."""
        refuse_others(request.query_params, PAGE)
        return self.list(request, *args, **kwargs)


class StatementView(APIView):
    """One closed period."""

    content_negotiation_class = AnyFormat

    @extend_schema(
        operation_id="statement",
        parameters=[
            *(OpenApiParameter(name, OpenApiTypes.INT) for name in PAGE),
            OpenApiParameter("format", enum=LIST_FORMATS, description="Files have every line."),
        ],
        responses={
            200: StatementDetailSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, ods.MEDIA_TYPE): OpenApiTypes.BINARY,
            (400, JSON): PROBLEM,
            **REFUSALS,
        },
    )
    def get(self, request: Any, number: int) -> HttpResponseBase:
        """Its lines: of the groups that one leads; administrators and services see all."""
        asked, caller = request.query_params, request.user
        refuse_others(asked, {*PAGE, "format"})
        kind = asked_format(asked, LIST_FORMATS)
        found = statements.statement_or_404(number)
        if isinstance(caller, User):
            lines = statements.lines_or_404(found, caller, at=clock.now())
        else:
            lines = statements.lines_of(found, None)
        if kind != "json":
            return statements.file_answer(found, lines, kind)
        pages = Pages()
        shown: Any = pages.paginate_queryset(lines, request)
        page = pages.get_paginated_response([_line(line) for line in shown])
        return Response({**StatementSerializer(found).data, **page.data})


class GroupStatementView(APIView):
    """The statement of a group in a window."""

    content_negotiation_class = AnyFormat

    @extend_schema(
        operation_id="group_statement",
        parameters=[
            *WINDOW[:3],
            OpenApiParameter("names", enum=["yes", "no"], description="No: without people."),
            OpenApiParameter("format", enum=GROUP_FORMATS),
        ],
        responses={
            200: GroupStatementSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, ods.MEDIA_TYPE): OpenApiTypes.BINARY,
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (400, JSON): PROBLEM,
            **REFUSALS,
        },
    )
    def get(self, request: Any, name: str) -> HttpResponseBase:
        """Frozen where the window is a closed period, else provisional; for those who lead it.

        Without a window the current allocation period counts.
        """
        asked = request.query_params
        refuse_others(asked, {"period", "first", "last", "names", "format"})
        kind, names = asked_format(asked, GROUP_FORMATS), asked.get("names", "yes")
        if names not in ("yes", "no"):
            raise ValidationError({"names": ["Choose yes or no."]})
        choice = asked_window(asked)
        led = visible.led_groups(request.user, at=choice.window.at)
        group = get_object_or_404(led, name=name)
        statement = of_window(group, choice.window, choice.period, with_names=names == "yes")
        if kind != "json":
            return files.answer(statement, kind)
        return Response(_statement(statement))


def _line(line: StatementLine) -> dict[str, Any]:
    used = Sums(line.millicore_seconds, line.mib_seconds, line.gpu_seconds, line.sessions)
    return {
        "kind": line.kind,
        "about_period": line.about.title,
        "group": line.group_name or None,
        "group_title": line.group_title or None,
        "user": line.user.username if line.user else None,
        "role": line.role,
        **_sums(used),
    }


def _statement(found: GroupStatement) -> dict[str, Any]:
    people = None if found.people is None else [_person(line) for line in found.people]
    corrections = [{**_person(line), "about_period": line.about} for line in found.corrections]
    return {
        "group": found.group,
        "group_title": found.group_title,
        "period": found.title,
        "first_day": found.starts_on,
        "last_day": found.last_day,
        "at": found.at,
        "statement": found.closed and found.closed.number,
        "hash": found.closed and found.closed.hash,
        "quota": None if found.limit is None else amount(found.limit),
        "total": _sums(found.total),
        "people_count": found.people_count,
        "people": people,
        "corrections": corrections,
        "months": [_part(part) for part in found.months],
        "images": [_part(part) for part in found.images],
        "sizes": [_part(part) for part in found.sizes],
    }


def _person(line: Line) -> dict[str, Any]:
    return {
        "user": line.name or None, "title": line.title, "role": line.role, **_sums(line.sums),
    }  # fmt: skip


def _part(part: Part) -> dict[str, Any]:
    return {"name": part.name or None, "title": part.title, **sums(part.usage)}


def _sums(of: Sums) -> dict[str, Any]:
    used = Usage(of.millicore_seconds, of.mib_seconds, of.gpu_seconds)
    return {**sums(used), "sessions": of.sessions}
