"""Users, groups, memberships and invitations for programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.api import filters, serializers, visible
from accounts.api.idempotency import idempotent
from accounts.api.permissions import require, require_superuser
from accounts.models import ApiToken, Group, Membership, User
from accounts.records import change_group, change_person, create_group, create_person
from lsp_portal.lib import clock

PROBLEM = serializers.ApiProblemSerializer
Handler = TypeVar("Handler", bound=Callable[..., Any])

JSON = "application/problem+json"
REFUSALS = dict.fromkeys([(code, JSON) for code in (401, 403, 404)], PROBLEM)
KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Makes the write take effect once, however often it is sent within 24 hours.",
)


def reads(answer: Any) -> Callable[[Handler], Handler]:
    found: Callable[[Handler], Handler] = extend_schema(responses={200: answer, **REFUSALS})
    return found


def writes(body: Any, answer: Any, code: int = 200) -> Callable[[Handler], Handler]:
    responses: dict[Any, Any] = {
        code: answer,
        (400, JSON): PROBLEM,
        (409, JSON): PROBLEM,
        **REFUSALS,
    }
    found: Callable[[Handler], Handler] = extend_schema(
        request=body, responses=responses, parameters=[KEY]
    )
    return found


class Records(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Any]):
    """Lists and single rows of what the caller may see."""

    ordering: ClassVar[tuple[str, ...]] = ("pk",)
    http_method_names = ["get", "post", "patch", "head", "options"]

    def visible(self) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):  # the schema is made without a caller
            model: type[Model] = self.get_serializer_class().Meta.model  # type: ignore[attr-defined]
            return model._default_manager.none()
        return self.visible()

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.action == "list":
            filters.refuse_unknown(self.request.query_params, self)
        return super().filter_queryset(queryset)

    def checked(self, serializer: type[Any]) -> dict[str, Any]:
        """The body, as that serializer wants it. Raises ValidationError."""
        found = serializer(data=self.request.data)
        found.is_valid(raise_exception=True)
        values: dict[str, Any] = found.validated_data
        return values

    def answer(self, row: Model, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(row).data, status=code)


class UserViewSet(Records):
    """People: oneself, and those in groups that one looks after; administrators see all."""

    serializer_class = serializers.UserSerializer
    filterset_class = filters.UserFilter
    ordering_fields = ("username", "last_name", "registered_at")
    ordering = ("username",)
    lookup_field = "username"
    lookup_value_regex = "[a-z][a-z0-9-]{0,29}"

    def visible(self) -> QuerySet[User]:
        return visible.people(self.request.user, at=clock.now())  # type: ignore[arg-type]

    @writes(serializers.NewUserSerializer, serializers.UserSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Register somebody before the first sign-in."""
        require(request, "accounts.add_user")
        values = self.checked(serializers.NewUserSerializer)
        return self.answer(create_person(**values, at=clock.now()), status.HTTP_201_CREATED)

    @writes(serializers.UserChangeSerializer, serializers.UserSerializer)
    @idempotent
    def partial_update(self, request: Any, username: str) -> Response:
        """Change somebody's name, address or access."""
        user = self.get_object()
        require(request, "accounts.change_user")
        if user.is_staff or user.is_superuser:  # as in the administration
            require_superuser(request)
        values = self.checked(serializers.UserChangeSerializer)
        return self.answer(change_person(user, **values))


class GroupViewSet(Records):
    """Groups that one belongs to; administrators see all, and make and change them."""

    serializer_class = serializers.GroupSerializer
    filterset_class = filters.GroupFilter
    ordering_fields = ("name", "title", "created_at")
    ordering = ("name",)
    lookup_field = "name"
    lookup_value_regex = "[a-z][a-z0-9-]{0,29}"

    def visible(self) -> QuerySet[Group]:
        found = visible.groups(self.request.user, at=clock.now())  # type: ignore[arg-type]
        return found.select_related("parent")

    @writes(serializers.NewGroupSerializer, serializers.GroupSerializer, 201)
    @idempotent
    def create(self, request: Any) -> Response:
        """Make a group."""
        require(request, "accounts.add_group")
        values = self.checked(serializers.NewGroupSerializer)
        return self.answer(create_group(**values), status.HTTP_201_CREATED)

    @writes(serializers.GroupChangeSerializer, serializers.GroupSerializer)
    @idempotent
    def partial_update(self, request: Any, name: str) -> Response:
        """Change a group."""
        group = self.get_object()
        require(request, "accounts.change_group")
        return self.answer(change_group(group, **self.checked(serializers.GroupChangeSerializer)))


class MeView(APIView):
    """Who calls, with which token, and in which groups."""

    @reads(serializers.MeSerializer)
    def get(self, request: Any) -> Response:
        """The caller, the caller's token and present memberships."""
        user = request.user if isinstance(request.user, User) else None
        shown = {
            "user": user,
            "token": request.auth if isinstance(request.auth, ApiToken) else None,
            "memberships": own_memberships(user, at=clock.now()),
        }
        return Response(serializers.MeSerializer(shown).data)


def own_memberships(user: User | None, *, at: datetime) -> QuerySet[Membership]:
    own = Membership.objects.valid(at=at).filter(user=user) if user else Membership.objects.none()
    return own.select_related("user", "group", "added_by").order_by("pk")
