"""What the API says about measured storage."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from sessions.models import StorageSample

MOST_BYTES = 2**63 - 1
MOST_SAMPLES = 500


class StorageSampleSerializer(serializers.ModelSerializer[StorageSample]):
    """What a person or a group stored on a mount at a moment."""

    user = serializers.CharField(source="user.username", allow_null=True, default=None)
    group = serializers.CharField(source="group.name", allow_null=True, default=None)
    hard_bytes = serializers.IntegerField(source="limit_bytes", allow_null=True)
    stale = serializers.BooleanField(source="is_stale")

    class Meta:
        model = StorageSample
        fields = (
            "user", "group", "mount", "taken_at", "used_bytes", "files", "soft_bytes",
            "hard_bytes", "source", "stale",
        )  # fmt: skip


class NewSampleSerializer(serializers.Serializer[Any]):
    """One sample; its owner is known by `name` or by `number` (uid or gid)."""

    kind = serializers.ChoiceField(("user", "group"))
    name = serializers.CharField(max_length=255, required=False)
    number = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    mount = serializers.CharField(max_length=120)
    taken_at = serializers.DateTimeField()
    used_bytes = serializers.IntegerField(min_value=0, max_value=MOST_BYTES)
    files = serializers.IntegerField(min_value=0, max_value=MOST_BYTES, required=False)
    soft_bytes = serializers.IntegerField(min_value=0, max_value=MOST_BYTES, required=False)
    hard_bytes = serializers.IntegerField(
        min_value=0, max_value=MOST_BYTES, required=False, help_text="0: no limit."
    )
    stale = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            wrong = f"There is no such field. There are {', '.join(self.fields)}."
            raise serializers.ValidationError(dict.fromkeys(unknown, wrong))
        if ("name" in attrs) == ("number" in attrs):
            wrong = "An owner has a name or a number, and not both."
            raise serializers.ValidationError({"name": wrong})
        return attrs

    def get_fields(self) -> dict[str, Any]:
        """With `source`, which as an attribute would hide that of every field."""
        known = serializers.ChoiceField(StorageSample.Source.choices, required=False)
        return {**super().get_fields(), "source": known}


class NewSamplesSerializer(serializers.Serializer[Any]):
    """A list of samples; each is looked at for itself."""

    samples = serializers.ListField(
        child=serializers.DictField(), min_length=1, max_length=MOST_SAMPLES
    )


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    code = serializers.CharField(help_text="bad_value, bad_time, unknown_owner or conflict.")
    detail = serializers.CharField()


class RecordedSerializer(serializers.Serializer[Any]):
    """What became of the samples; the three add up to their number."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Known already, word for word.")
    rejected = RejectedSerializer(many=True)
