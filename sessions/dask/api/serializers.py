"""What the API says about Dask clusters."""

from __future__ import annotations

from rest_framework import serializers

from accounts.api.serializers import Refusing
from sessions.models import DaskCluster

MOST = 100_000


class DaskClusterSerializer(serializers.ModelSerializer[DaskCluster]):
    """A Dask cluster: `workers` as asked for, or `minimum` and `maximum`, and what runs."""

    session = serializers.UUIDField(source="session.key")
    workers = serializers.SerializerMethodField(help_text="Null where they follow the work.")
    workers_running = serializers.SerializerMethodField()
    scheduler_address = serializers.SerializerMethodField()
    dashboard_url = serializers.SerializerMethodField()

    class Meta:
        model = DaskCluster
        fields = (
            "session", "state", "note", "workers", "minimum", "maximum", "workers_running",
            "cpu_millicores", "memory_mib", "idle_seconds", "scheduler_address", "dashboard_url",
            "asked_at", "running_at", "stop_asked_at",
        )  # fmt: skip

    def get_workers(self, row: DaskCluster) -> int | None:
        return None if row.is_adaptive else row.workers

    def get_workers_running(self, row: DaskCluster) -> int:
        return row.recorded_workers.running().count()

    def get_scheduler_address(self, row: DaskCluster) -> str | None:
        return row.scheduler_address

    def get_dashboard_url(self, row: DaskCluster) -> str | None:
        return row.dashboard_url


class DaskSizeSerializer(Refusing):
    """A number of workers, or a range within which it follows the work; nothing: as it is."""

    workers = serializers.IntegerField(min_value=0, max_value=MOST, required=False)
    minimum = serializers.IntegerField(min_value=0, max_value=MOST, required=False)
    maximum = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
