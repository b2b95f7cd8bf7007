"""What is measured against one quota: a home on each mount, a group on all its mounts together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Group, User
from quotas.models import HomeQuota, StorageQuota
from sessions.models import StorageSample


@dataclass(frozen=True, slots=True)
class Area:
    """The newest samples of an owner that count together.

    `wanted` is the quota that the portal was told, in bytes, None without one; `limit` is what
    counts: in homes what the file server enforces before what is wanted. `mount` is empty where
    all mounts of a group count together.
    """

    owner: User | Group
    mount: str
    samples: tuple[StorageSample, ...]
    wanted: int | None

    @property
    def used(self) -> int:
        return sum(sample.used_bytes for sample in self.samples)

    @property
    def enforced(self) -> int | None:
        """The bytes that the file server lets them take; None where a limit is missing."""
        limits = [sample.limit_bytes for sample in self.samples if sample.limit_bytes]
        return sum(limits) if limits and len(limits) == len(self.samples) else None

    @property
    def limit(self) -> int | None:
        return (self.enforced or self.wanted) if self.mount else self.wanted

    @property
    def taken_at(self) -> datetime | None:
        """When the oldest of the samples was measured."""
        return min((sample.taken_at for sample in self.samples), default=None)

    @property
    def is_stale(self) -> bool:
        return any(sample.is_stale for sample in self.samples)


def of_home(user: User, *, at: datetime) -> list[Area]:
    """The person's home on each mount where it was measured."""
    wanted = HomeQuota.objects.limit_of(user, at=at)
    samples = StorageSample.objects.filter(user=user).newest()
    return homes(user, samples, wanted)


def homes(user: User, samples: Iterable[StorageSample], wanted: int) -> list[Area]:
    """An area for each of the newest samples of a home."""
    return [Area(user, sample.mount, (sample,), wanted) for sample in samples]


def of_group(group: Group, *, at: datetime) -> Area:
    """All that a group stores; it may not have been measured."""
    quota = StorageQuota.objects.of(group, at=at).first()
    samples = tuple(StorageSample.objects.filter(group=group).newest())
    return Area(group, "", samples, quota.limit_bytes if quota else None)
