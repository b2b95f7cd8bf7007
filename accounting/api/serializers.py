"""What the API says about usage and forecasts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

BY = ("group", "user", "day")


class WishSerializer(serializers.Serializer[Any]):
    """What is asked for beside the window."""

    group = serializers.CharField(max_length=30, required=False)
    user = serializers.CharField(max_length=30, required=False)
    by = serializers.ChoiceField(BY, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        by = attrs.get("by", "")
        if by in attrs:
            wrong = f"One {by} is named already. Ask by another dimension, or for the total."
            raise serializers.ValidationError({"by": wrong})
        return attrs


class AmountSerializer(serializers.Serializer[Any]):
    """Computing time."""

    core_hours = serializers.CharField(help_text="A decimal number with six digits.")
    millicore_seconds = serializers.IntegerField(help_text="The same, exactly.")


class SumsSerializer(AmountSerializer):
    """Everything that is summed."""

    mib_seconds = serializers.IntegerField()
    gpu_seconds = serializers.IntegerField()


class UsageRowSerializer(SumsSerializer):
    """A row has the one of group, user and day by which was asked; null for what is not known."""

    group = serializers.CharField(required=False, allow_null=True)
    user = serializers.CharField(required=False, allow_null=True)
    day = serializers.DateField(required=False)


class UsageSerializer(serializers.Serializer[Any]):
    """Usage in a window. `total` is the sum over all rows, not only of those on this page."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="The window ends before this moment.")
    at = serializers.DateTimeField(help_text="Running sessions count up to this moment.")
    group = serializers.CharField(allow_null=True, help_text="Null: every group.")
    user = serializers.CharField(allow_null=True, help_text="Null: everybody.")
    total = SumsSerializer()
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UsageRowSerializer(many=True)


class BandSerializer(serializers.Serializer[Any]):
    """What is left at the end of the period; between low and high in 8 of 10 cases."""

    low = AmountSerializer()
    expected = AmountSerializer()
    high = AmountSerializer()


class PredictionSerializer(serializers.Serializer[Any]):
    """What becomes of the quota at the pace of the last four weeks."""

    per_day = AmountSerializer()
    runs_out = serializers.DateTimeField(allow_null=True, help_text="Null: it lasts.")
    earliest = serializers.DateTimeField(allow_null=True)
    latest = serializers.DateTimeField(allow_null=True)
    expires = BandSerializer()


class ForecastSerializer(serializers.Serializer[Any]):
    """The quota of the current period; `limit` and `remaining` are null without one.

    `forecast` is null also where fewer than seven full days can be looked at.
    """

    group = serializers.CharField()
    at = serializers.DateTimeField()
    period = serializers.IntegerField(allow_null=True)
    limit = AmountSerializer(allow_null=True)
    remaining = AmountSerializer(allow_null=True, help_text="Below zero beyond the quota.")
    forecast = PredictionSerializer(allow_null=True)
