"""Reports for programs: rows, totals and files of the pages, for those who may see the pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpResponseBase, QueryDict
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from accounting.api import answers
from accounting.api.serializers import SumsSerializer
from accounting.api.views import PAGE, WINDOW
from accounting.pages import members
from accounting.pages.period import Choice, choose
from accounting.pages.report_form import SEVERAL, ReportForm
from accounting.report_pages import file_answer
from accounting.reports import files, report
from accounting.reports.report import Row
from accounting.reports.wish import DIMENSIONS
from accounts.api.filters import refuse_unknown
from accounts.api.paging import Pages
from accounts.api.views import JSON, PROBLEM, REFUSALS
from accounts.models import Membership, User
from lsp_portal.lib import clock

FORMATS = ("json", "csv", "ods")
NAMES = [name for name, _ in SEVERAL]
OWN = [
    OpenApiParameter("by", enum=NAMES, description="The dimension of the rows."),
    OpenApiParameter("then", enum=NAMES, description="A second one."),
    OpenApiParameter(
        "whose", enum=["all", "groups", "mine"],
        description="Everything (administrators, services), the groups one leads, or one's own.",
    ),
    *(
        OpenApiParameter(name, description="Only of this; “-” where none is known.")
        for name in DIMENSIONS
    ),
    OpenApiParameter(
        "order", description="A dimension or core_hours; with a minus the other way round."
    ),
    OpenApiParameter("format", enum=FORMATS, description="Files have every row."),
]  # fmt: skip


class LabelSerializer(serializers.Serializer[Any]):
    """`name` is null where nobody knows it; `note` says what became of it since."""

    name = serializers.CharField(allow_null=True)
    title = serializers.CharField(allow_null=True)
    note = serializers.CharField()


class ReportRowSerializer(SumsSerializer):
    """A row has those dimensions by which was asked."""

    group = LabelSerializer(required=False)
    user = LabelSerializer(required=False)
    hub = LabelSerializer(required=False)
    image = LabelSerializer(required=False)
    size = LabelSerializer(required=False)
    institution = LabelSerializer(required=False)


class ReportSerializer(serializers.Serializer[Any]):
    """Usage in a window. `total` is the sum over all rows, not only of those on this page."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="The window ends before this moment.")
    at = serializers.DateTimeField(help_text="Running sessions count up to this moment.")
    whose = serializers.ChoiceField(["all", "groups", "mine"])
    by = serializers.ListField(child=serializers.ChoiceField(DIMENSIONS))
    total = SumsSerializer()
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ReportRowSerializer(many=True)


class AnyFormat(DefaultContentNegotiation):
    """Leaves the parameter `format` to the view, which says what it can be."""

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        return renderers


class ReportView(APIView):
    """Usage by one or two of group, person, hub, image, size and institution."""

    content_negotiation_class = AnyFormat

    @extend_schema(
        operation_id="reports",
        parameters=[*OWN, *WINDOW],
        responses={
            200: ReportSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/vnd.oasis.opendocument.spreadsheet"): OpenApiTypes.BINARY,
            (400, JSON): PROBLEM,
            **REFUSALS,
        },
    )
    def get(self, request: Any) -> HttpResponseBase:
        """The rows of the page `/reports/`, to the last digit.

        Without a window the current allocation period counts.
        """
        asked, at = request.query_params, clock.now()
        refuse_others(asked, {*ReportForm.base_fields, *PAGE, "period", "first", "last", "format"})
        kind = asked_format(asked, FORMATS)
        choice = asked_window(asked)
        reader = request.user if isinstance(request.user, User) else None
        form = ReportForm(asked, reader=reader, at=at)
        if not form.is_valid():
            raise DjangoValidationError(form.errors.as_data())
        if kind != "json":
            return file_answer(form, choice, kind)
        return _page(request, form, choice)


class MembersFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    user = filters.CharFilter(field_name="user__username", max_length=30)
    group = filters.CharFilter(field_name="group__name", max_length=30)

    class Meta:
        model = Membership
        fields = ("role", "synced")


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """Who belonged to which group, from when to when."""

    group: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    user: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = Membership
        fields = ("group", "user", "role", "synced", "valid_from", "valid_to")
        read_only_fields = fields


class MembersView(ListAPIView[Membership]):
    """Memberships at some moment of a window, also those that ended since."""

    serializer_class = MemberSerializer
    filterset_class = MembersFilter

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Membership.objects.none()
        reader = self.request.user if isinstance(self.request.user, User) else None
        return members.found(reader, {}, asked_window(self.request.query_params).window)

    @extend_schema(
        operation_id="reports_members",
        parameters=WINDOW,
        responses={200: MemberSerializer(many=True), (400, JSON): PROBLEM, **REFUSALS},
    )
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """One's own, and those of groups that one leads; administrators and services all."""
        asked = {name for name in request.query_params if name not in ("period", "first", "last")}
        refuse_unknown(dict.fromkeys(asked), self)
        return self.list(request, *args, **kwargs)


def asked_format(asked: QueryDict, formats: Sequence[str]) -> str:
    """What the parameter `format` says, JSON without it. Raises ValidationError."""
    kind = asked.get("format", "json")
    if kind not in formats:
        said = f"“{kind}” is no format of this. Choose one of: {', '.join(formats)}."
        raise ValidationError({"format": [said]})
    return kind


def refuse_others(asked: QueryDict, known: Iterable[str]) -> None:
    """Raises ValidationError for parameters that are not known."""
    if unknown := asked.keys() - set(known):
        raise ValidationError({name: ["There is no such parameter."] for name in unknown})


def asked_window(asked: QueryDict) -> Choice:
    """The window that is asked for. Raises ValidationError."""
    choice = choose(asked, at=clock.now())
    if choice.form.errors:
        raise DjangoValidationError(choice.form.errors.as_data())
    return choice


def _page(request: Any, form: ReportForm, choice: Choice) -> Response:
    wish, window = form.wish(), choice.window
    if wish.is_wide:
        said = "Everybody together with another dimension: name a group or a person, or ask for"
        raise ValidationError({"then": [f"{said} format=csv or format=ods."]})
    pages = Pages()
    pages.request = request
    pages.limit = pages.get_limit(request) or pages.default_limit
    pages.offset = pages.get_offset(request)
    order = form.cleaned_data["order"]
    found = report.page(wish, window, order=order, offset=pages.offset, limit=pages.limit)
    pages.count = found.count
    known = files.noted(wish, found.rows)
    rows = [{**_labels(row, known), **answers.sums(row.usage)} for row in found.rows]
    about: dict[str, Any] = {"start": window.start, "end": window.end, "at": window.at}
    about |= {"whose": form.scope, "by": list(wish.by), "total": answers.sums(found.total)}
    return Response({**about, **pages.get_paginated_response(rows).data})


def _labels(row: Row, known: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        label.dimension: {
            "name": label.name or None,
            "title": label.title or None,
            "note": known.get(label.dimension, {}).get(label.name, ""),
        }
        for label in row.labels
    }
