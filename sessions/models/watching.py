"""When the cluster was last heard, list by list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q

SILENT_AFTER = timedelta(minutes=10)  # two full lists


class ClusterWatchQuerySet(models.QuerySet["ClusterWatch"]):
    def silent(self, *, at: datetime) -> Self:
        """Those that are not heard now, and were within the week before."""
        lately = self.filter(Q(heard_at=None) | Q(heard_at__gt=at - timedelta(days=7)))
        is_silent = Q(heard_at=None) | Q(heard_at__lt=at - SILENT_AFTER) | Q(trouble__gt="")
        return lately.filter(is_silent).order_by("source")


class ClusterWatch(models.Model):
    """One list of objects in the cluster that is kept up with."""

    source = models.CharField(max_length=200, primary_key=True)
    listed_at = models.DateTimeField(null=True, help_text="When it was listed from the start.")
    heard_at = models.DateTimeField(null=True, help_text="When anything came, if only a bookmark.")
    listed = models.PositiveIntegerField(default=0, help_text="Objects in the last list.")
    doubted_at = models.DateTimeField(
        null=True, help_text="Since when its lists lack too much at once to be believed."
    )
    trouble = models.TextField(blank=True, help_text="Why it is not heard now.")

    objects = ClusterWatchQuerySet.as_manager()

    class Meta:
        verbose_name = "watch of the cluster"
        verbose_name_plural = "watches of the cluster"

    def __str__(self) -> str:
        return self.source
