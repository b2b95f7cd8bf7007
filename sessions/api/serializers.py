"""What the API says about requests that another group pays for a session, and what it takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.api.serializers import Refusing
from sessions.models import Reattribution

REATTRIBUTION: dict[str, Any] = {
    "id": 8,
    "session": 4711,
    "user": "bob",
    "from_group": "transients",
    "to_group": "galaxies",
    "state": "open",
    "reason": "It was for the galaxies paper",
    "asked_by": "bob",
    "asked_at": "2026-03-01T09:00:00Z",
    "expires_at": "2026-03-31T09:00:00Z",
    "decided_by": None,
    "decided_at": None,
    "answer": "",
}
REASON = 400


def _example(name: str, value: dict[str, Any]) -> Any:
    return extend_schema_serializer(examples=[OpenApiExample(name, value=value)])


def _named(field: str, **options: Any) -> Any:
    return serializers.SlugRelatedField(slug_field=field, read_only=True, **options)


@_example("a request", REATTRIBUTION)
class ReattributionSerializer(serializers.ModelSerializer[Reattribution]):
    session: Any = serializers.PrimaryKeyRelatedField(read_only=True)
    user = _named("username", source="session.user")
    from_group = _named("name")
    to_group = _named("name")
    asked_by = _named("username")
    decided_by = _named("username")

    class Meta:
        model = Reattribution
        fields = tuple(REATTRIBUTION)
        read_only_fields = fields


@_example("a new request", {"session": 4711, "to_group": "galaxies", "reason": "For the paper"})
class NewReattributionSerializer(Refusing):
    session = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    to_group = serializers.CharField(max_length=30)
    reason = serializers.CharField(max_length=REASON)


@_example("accept", {"answer": "Yes, ours", "beyond_quota": False})
class AcceptSerializer(Refusing):
    answer = serializers.CharField(max_length=REASON, required=False, default="", allow_blank=True)
    beyond_quota = serializers.BooleanField(
        required=False, default=False, help_text="Accept even beyond the hard quota."
    )


@_example("decline", {"answer": "It was for transients"})
class DeclineSerializer(Refusing):
    answer = serializers.CharField(max_length=REASON)
