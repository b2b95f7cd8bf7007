"""All numbers as the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import connection
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accounting import usage
from accounting.usage import Window
from lsp_portal.lib.display import MILLICORE_SECONDS_PER_CORE_HOUR
from lsp_portal.lib.version import VERSION
from lsp_portal.metrics.statements import GAUGES, Gauge
from quotas.models import AllocationPeriod, ComputeQuota

PREFIX = "lsp_portal_"


def exposition(*, at: datetime) -> bytes:
    """Every number of that moment in the Prometheus text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PortalCollector(at))
    return generate_latest(registry)


class PortalCollector(Collector):
    """Reads the numbers anew each time that it is asked."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        build = _family("build_info", "The version of the portal.", ("version",))
        build.add_metric([VERSION], 1)
        yield build
        for gauge in GAUGES:
            yield _read(gauge, self.at)
        yield from _hours(self.at)


def _read(gauge: Gauge, at: datetime) -> GaugeMetricFamily:
    family = _family(gauge.name, gauge.words, gauge.labels)
    with connection.cursor() as cursor:
        cursor.execute(gauge.statement, {"at": at})
        for *labels, value in cursor.fetchall():
            family.add_metric([str(label) for label in labels], float(value))
    return family


def _hours(at: datetime) -> Iterable[GaugeMetricFamily]:
    """Core-hours of the current allocation period, of each group where the settings want it."""
    period = AllocationPeriod.objects.current(at=at)
    used, limits = _used(period, at), _limits(period, at)
    words = "Core-hours in the current allocation period: {}."
    for name, found, what in (("usage", used, "used"), ("quota", limits, "given to groups")):
        family = _family(f"{name}_core_hours", words.format(what), ())
        if period is not None:
            family.add_metric([], sum(found.values()))
        yield family
        if settings.METRICS_GROUPS:
            by_group = _family(
                f"group_{name}_core_hours", words.format(f"{what}, by group"), ("group",)
            )
            for group, hours in found.items():
                by_group.add_metric([group], hours)
            yield by_group


def _used(period: AllocationPeriod | None, at: datetime) -> dict[str, float]:
    if period is None:
        return {}
    rows = usage.by_group(Window(period.starts_at, period.ends_at, at))
    return {
        row.group.name if row.group else "": row.usage.millicore_seconds
        / MILLICORE_SECONDS_PER_CORE_HOUR
        for row in rows
    }


def _limits(period: AllocationPeriod | None, at: datetime) -> dict[str, float]:
    quotas = ComputeQuota.objects.filter(period=period).with_limit(at=at).select_related("group")
    return {quota.group.name: float(quota.limit) for quota in quotas.order_by("group__name")}


def _family(name: str, words: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, words, labels=labels)
