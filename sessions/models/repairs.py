"""What hubs answered when the portal asked for their servers, and what was repaired by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Count, Q

from accounts.models import Group
from sessions.models.hubs import Hub
from sessions.models.records import Session


class HubReading(models.Model):
    """One list of its servers that a hub gave; it is evidence once it is believed."""

    class Doubt(models.TextChoices):
        EMPTY = "empty", "it lists nothing while servers run"
        CROWD = "crowd", "it lacks a large share of the servers that run"
        OTHER_HUB = "other_hub", "it lists other servers than this hub's"
        CLOCK = "clock", "the hub's clock is off"

    hub = models.ForeignKey(Hub, on_delete=models.CASCADE, related_name="readings", db_index=False)
    time = models.DateTimeField(help_text="As of when the list is, by the hub's clock.")
    listed = models.PositiveIntegerField(help_text="Servers in the list.")
    running = models.PositiveIntegerField(help_text="Sessions that ran by the records.")
    missing = models.PositiveIntegerField(help_text="Those of them that the list lacks.")
    doubt = models.CharField(max_length=10, choices=Doubt, blank=True)
    servers = models.JSONField(null=True, help_text="The list, while it is not believed.")
    is_taken = models.BooleanField(default=False, help_text="Whether it became evidence.")

    class Meta:
        indexes = (models.Index(fields=["hub", "-time"], name="reading_time"),)

    def __str__(self) -> str:
        return f"servers of {self.hub} at {self.time:%Y-%m-%d %H:%M:%S}"


class RepairQuerySet(models.QuerySet["Repair"]):
    def of_late(self, *, at: datetime) -> Self:
        """Found in the week before that moment."""
        return self.filter(found_at__gt=at - timedelta(days=7), found_at__lte=at)

    def of_groups(self, groups: models.QuerySet[Group]) -> Self:
        """Those of sessions that these groups pay for."""
        return self.filter(session__group__in=groups.values("pk"))

    def counts(self) -> dict[tuple[str, str], int]:
        """How many there are of each kind at each hub, by name of the hub and kind."""
        rows = self.order_by().values_list("hub__name", "kind")
        return {(hub, kind): number for hub, kind, number in rows.annotate(number=Count("pk"))}


class Repair(models.Model):
    """What a list of servers changed, or brought to light; written once, then history."""

    class Kind(models.TextChoices):
        ENDED = "ended", "end that was never reported"
        UNRECORDED = "unrecorded", "server without a session"
        ADOPTED = "adopted", "session made from lists"
        LOST = "lost", "outbox that began anew"

    class Confidence(models.TextChoices):
        HIGH = "high", "high"
        MEDIUM = "medium", "medium"
        LOW = "low", "low"

    hub = models.ForeignKey(Hub, on_delete=models.CASCADE, related_name="repairs", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind)
    session = models.ForeignKey(
        Session, null=True, on_delete=models.CASCADE, related_name="repairs"
    )
    user_name = models.TextField("name at the hub")
    server = models.TextField(blank=True)
    seat = models.UUIDField(null=True)
    moment = models.DateTimeField(
        help_text="The end, the start of the server, or of the new outbox."
    )
    said = models.TextField("what the hub said")
    changed = models.TextField("what was changed")
    confidence = models.CharField(max_length=6, choices=Confidence)
    found_at = models.DateTimeField()

    objects = RepairQuerySet.as_manager()

    class Meta:
        ordering = ("-found_at", "-pk")
        indexes = (models.Index(fields=["-found_at", "-id"], name="repair_newest"),)
        constraints = (
            models.UniqueConstraint(
                fields=["session", "moment"],
                condition=Q(session__isnull=False),
                name="an_end_is_repaired_once",
            ),
            models.UniqueConstraint(
                fields=["hub", "seat", "moment"],
                condition=Q(session=None),
                name="a_server_is_found_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.user_name} {self.server}".strip()
