"""What the trail of changes watches in this app."""

from accounts.audit import watch
from quotas.models import (
    AllocationPeriod,
    Award,
    Caps,
    ComputeQuota,
    Grant,
    HomeQuota,
    QuotaRequest,
    StorageQuota,
)


def watch_quotas() -> None:
    watch(
        AllocationPeriod, "title", "starts_on", "ends_on",
        about=lambda period: f"the allocation period {period.title}",
    )  # fmt: skip
    watch(
        ComputeQuota, "group", "period", "core_hours", "mode",
        about=lambda quota: f"the compute quota for {quota.period.title}",
    )  # fmt: skip
    watch(
        Grant, "core_hours", "reason", "author", "valid_from", "valid_to",
        about=lambda grant: f"a grant for {grant.quota.period.title}",
        group=lambda grant: grant.quota.group,
    )  # fmt: skip
    watch(
        Award, "period", "source", "core_hours",
        about=lambda award: f"the award of {award.source}",
    )  # fmt: skip
    watch(
        StorageQuota, "group", "period", "limit_bytes",
        about=lambda quota: f"the storage quota for {quota.period.title}",
    )  # fmt: skip
    watch(
        QuotaRequest, "period", "kind", "state", "amount", "offered", "reason", "asked_by",
        "decided_by", "answer", "closed_by",
        about=lambda request: f"the request for {request.get_kind_display()} in {request.period}",
    )  # fmt: skip
    watch(
        Caps, "group", "member_core_hours", "member_sessions", "sessions", "gpus", "workers",
        about=lambda caps: "the caps",
    )  # fmt: skip
    watch(
        HomeQuota, "user", "limit_bytes", "reason", "author", "valid_from", "valid_to",
        about=lambda quota: f"the home of {quota.user}",
    )  # fmt: skip
