"""Measured storage."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import Group, User


class StorageSampleQuerySet(models.QuerySet["StorageSample"]):
    def newest(self) -> Self:
        """The last sample of each mount (of the one owner that was filtered for)."""
        return self.order_by("mount", "-taken_at").distinct("mount")


class StorageSample(models.Model):
    """Bytes that a person's home or a group's area took on a mount at a moment; never changed."""

    class Source(models.TextChoices):
        XFS = "xfs", "quota of XFS"
        EXT = "ext", "quota of ext4"
        WALK = "walk", "walk through folders"
        CEPH = "ceph", "CephFS"
        VOLUME = "volume", "volume claim"
        DATABASE = "database", "PostgreSQL"
        FILE = "file", "table that was uploaded"
        OTHER = "other", "another program"

    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="storage_samples"
    )
    group = models.ForeignKey(
        Group, null=True, blank=True, on_delete=models.PROTECT, related_name="storage_samples"
    )
    mount = models.CharField(max_length=120)
    taken_at = models.DateTimeField()
    used_bytes = models.PositiveBigIntegerField()
    limit_bytes = models.PositiveBigIntegerField(
        "hard limit", null=True, blank=True, help_text="As the file server enforces it; 0: none."
    )
    soft_bytes = models.PositiveBigIntegerField("soft limit", null=True, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.OTHER)
    is_stale = models.BooleanField(
        "stale",
        default=False,
        help_text="Older than its moment, or not all of it could be read.",
    )
    files = models.PositiveBigIntegerField(null=True, blank=True)

    objects = StorageSampleQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(user=None, group__isnull=False) | Q(user__isnull=False, group=None),
                name="sample_is_of_a_person_or_a_group",
            ),
            models.UniqueConstraint(
                fields=["user", "mount", "taken_at"],
                condition=Q(group=None),
                name="one_sample_of_a_home",
            ),
            models.UniqueConstraint(
                fields=["group", "mount", "taken_at"],
                condition=Q(user=None),
                name="one_sample_of_a_group",
            ),
        )
        indexes = (models.Index(fields=["taken_at"], name="sample_taken"),)

    def __str__(self) -> str:
        return f"{self.used_bytes} bytes on {self.mount}"
