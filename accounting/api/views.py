"""Usage and forecasts for programs: the numbers of the pages, for those who may see the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from accounting.api import answers, serializers
from accounting.pages import period
from accounting.pages.outlook import outlook
from accounting.usage import Window
from accounts.api import visible
from accounts.api.paging import Pages
from accounts.api.views import JSON, PROBLEM, REFUSALS, reads
from accounts.models import Group, User
from lsp_portal.lib import clock

PAGE = ("limit", "offset")
WINDOW = [
    OpenApiParameter("period", OpenApiTypes.INT, description="An allocation period."),
    OpenApiParameter("first", OpenApiTypes.DATE, description="First day of other dates (UTC)."),
    OpenApiParameter("last", OpenApiTypes.DATE, description="Last day, at most three years on."),
    *(OpenApiParameter(name, OpenApiTypes.INT) for name in PAGE),
]


class UsageView(APIView):
    """What was used in a window: the sums of the pages, to the last digit."""

    @extend_schema(
        parameters=[serializers.WishSerializer, *WINDOW],
        responses={200: serializers.UsageSerializer, (400, JSON): PROBLEM, **REFUSALS},
    )
    def get(self, request: Any) -> Response:
        """Of a group that one leads, or one's own; administrators may ask for everything.

        Without a window the current allocation period counts.
        """
        at, asked = clock.now(), _wish(request)
        window = _window(request, at=at)
        group, user = _subject(request.user, asked, at=at)
        total, rows = answers.usage_rows(window, by=asked.get("by"), group=group, user=user)
        paginator = Pages()
        shown: Any = paginator.paginate_queryset(rows, request)  # type: ignore[arg-type]  # a list
        page = paginator.get_paginated_response(shown)
        about: dict[str, Any] = {"start": window.start, "end": window.end, "at": at}
        about |= {"group": group and group.name, "user": user and user.username}
        return Response({**about, "total": answers.sums(total), **page.data})


class ForecastView(APIView):
    """How long a group's quota lasts."""

    @reads(serializers.ForecastSerializer)
    def get(self, request: Any, name: str) -> Response:
        """The forecast of the group's page, for those who may open it."""
        at = clock.now()
        group = get_object_or_404(visible.led_groups(request.user, at=at), name=name)
        answer = answers.forecast(group, outlook(group, at=at), at=at)
        return Response(serializers.ForecastSerializer(answer).data)


def _wish(request: Any) -> dict[str, Any]:
    wish = serializers.WishSerializer(data=request.query_params)
    known = {*wish.fields, *PAGE, "period", "first", "last"}
    unknown = request.query_params.keys() - known
    if unknown:
        raise ValidationError({name: ["There is no such parameter."] for name in unknown})
    wish.is_valid(raise_exception=True)
    found: dict[str, Any] = wish.validated_data
    return found


def _window(request: Any, *, at: datetime) -> Window:
    choice = period.choose(request.query_params, at=at)
    errors = choice.form.errors
    if errors:
        raise DjangoValidationError(errors.as_data())
    return choice.window


def _subject(
    caller: Any, asked: dict[str, Any], *, at: datetime
) -> tuple[Group | None, User | None]:
    """Of which group and person the caller may see what was asked for. Raises Http404."""
    name, username = asked.get("group"), asked.get("user")
    everybody = User.objects.get_queryset()
    if not isinstance(caller, User) or caller.is_staff:
        return _group(visible.groups(caller, at=at), name), _user(everybody, username)
    led = visible.led_groups(caller, at=at).filter(name=name or "").first()
    if led is not None:
        return led, _user(everybody.filter(memberships__group=led), username)
    own = everybody.filter(pk=caller.pk)
    return _group(visible.groups(caller, at=at), name), _user(own, username or caller.username)


def _group(among: QuerySet[Group], name: str | None) -> Group | None:
    return get_object_or_404(among, name=name) if name else None


def _user(among: QuerySet[User], name: str | None) -> User | None:
    return get_object_or_404(among.distinct(), username=name) if name else None
