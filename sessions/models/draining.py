"""Nodes of the cluster that are emptied: nothing new is placed there, and people are told."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Q

from accounts.models import User


class NodeDrainQuerySet(models.QuerySet["NodeDrain"]):
    def open(self) -> Self:
        """Those of nodes that are being emptied."""
        return self.filter(finished_at=None)

    def of_portal(self) -> Self:
        """Those that administrators began here; the others follow the cluster's cordons."""
        return self.filter(asked_by__isnull=False)

    def of_cluster(self) -> Self:
        return self.filter(asked_by=None)


class NodeDrain(models.Model):
    """A node is emptied: because an administrator said so here, or because it was cordoned."""

    node = models.CharField(max_length=253)
    asked_by = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Nobody: the node was cordoned in the cluster.",
    )
    reason = models.CharField(max_length=255, blank=True, help_text="What people read.")
    started_at = models.DateTimeField()
    stops_at = models.DateTimeField(
        null=True, help_text="When servers that are left are stopped; empty: never."
    )
    finished_at = models.DateTimeField(null=True, help_text="When it was called off or over.")

    objects = NodeDrainQuerySet.as_manager()

    class Meta:
        verbose_name = "node being emptied"
        verbose_name_plural = "nodes being emptied"
        constraints = (
            models.UniqueConstraint(
                fields=["node"], condition=Q(finished_at=None), name="a_node_is_emptied_once"
            ),
            models.CheckConstraint(
                condition=Q(stops_at=None)
                | Q(asked_by__isnull=False, stops_at__gt=F("started_at")),
                name="a_drain_with_an_end_was_asked_for",
            ),
        )

    def __str__(self) -> str:
        return f"{self.node} since {self.started_at:%Y-%m-%d %H:%M}"
