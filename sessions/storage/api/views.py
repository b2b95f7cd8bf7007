"""Measured storage for programs: reading what one may see, and telling what was measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.response import Response

from accounts.api.permissions import require
from accounts.api.views import Records, writes
from accounts.api.visible import led_groups
from accounts.models import User
from lsp_portal.lib import clock
from sessions.models import StorageSample
from sessions.storage.api import filters, serializers
from sessions.storage.recording import Recorded, Rejected, Sample, record


class StorageSampleViewSet(Records):
    """Samples of one's own home, and of the groups whose usage one may see."""

    serializer_class = serializers.StorageSampleSerializer
    filterset_class = filters.StorageSampleFilter
    ordering_fields = ("taken_at", "used_bytes")
    ordering = ("-taken_at", "-pk")
    lookup_url_kwarg = "sample"
    lookup_value_regex = "[0-9]{1,18}"

    def visible(self) -> QuerySet[StorageSample]:
        caller: Any = self.request.user
        rows = StorageSample.objects.select_related("user", "group")
        if not isinstance(caller, User) or caller.is_staff:
            return rows
        groups = led_groups(caller, at=clock.now())
        return rows.filter(Q(user=caller) | Q(group__in=groups.values("pk")))

    @writes(serializers.NewSamplesSerializer, serializers.RecordedSerializer, 200)
    def create(self, request: Any) -> Response:
        """Tell what was measured, up to 500 samples at once; telling again changes nothing."""
        require(request, "hub_sessions.add_storagesample")
        samples, bad = _read(self.checked(serializers.NewSamplesSerializer)["samples"])
        recorded = record([sample for _, sample in samples], at=clock.now())
        return Response(_answer(recorded, [index for index, _ in samples], bad))


def _read(contents: list[dict[str, Any]]) -> tuple[list[tuple[int, Sample]], list[Rejected]]:
    """The samples with their places, and those that are none."""
    samples, bad = [], []
    for index, content in enumerate(contents):
        one = serializers.NewSampleSerializer(data=content)
        if one.is_valid():
            samples.append((index, Sample(**one.validated_data)))
        else:
            said = "; ".join(f"{name}: {errors[0]}" for name, errors in one.errors.items())
            bad.append(Rejected(index, "bad_value", said))
    return samples, bad


def _answer(recorded: Recorded, places: list[int], bad: list[Rejected]) -> dict[str, Any]:
    rejected = [{**asdict(one), "index": places[one.index]} for one in recorded.rejected]
    rejected += [asdict(one) for one in bad]
    return {
        "accepted": recorded.accepted,
        "duplicates": recorded.duplicates,
        "rejected": sorted(rejected, key=lambda one: one["index"]),
    }
