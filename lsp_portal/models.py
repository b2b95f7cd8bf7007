"""The services of the platform that the landing page shows, and the pulse of background work."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

from lsp_portal.lib.display import Tone

FRESH = timedelta(minutes=5)
"""A status light older than this says nothing any more."""


class Service(models.Model):
    """A card of the landing page, with the light of its last check."""

    class Status(models.TextChoices):
        UNKNOWN = "unknown", "Not checked"
        UP = "up", "Running"
        DOWN = "down", "Not answering"

    TONES: dict[str, Tone] = {Status.UNKNOWN: "none", Status.UP: "ok", Status.DOWN: "bad"}

    title = models.CharField(max_length=60, unique=True)
    text = models.CharField(max_length=200)
    icon = models.CharField(
        max_length=30,
        default="box-arrow-up-right",
        choices=[
            ("book", "book"),
            ("box-arrow-up-right", "arrow"),
            ("database", "database"),
            ("journal-code", "notebook"),
            ("stars", "stars"),
        ],
    )
    url = models.CharField(
        "address",
        max_length=255,
        blank=True,
        help_text="Where the card leads: a URL, or a path of this portal. Empty: announced only.",
    )
    status_url = models.URLField(
        "status address",
        blank=True,
        help_text="Asked every minute; any answer below 400 counts as running. Empty: no light.",
    )
    position = models.PositiveSmallIntegerField(default=100, help_text="Lower comes first.")
    is_shown = models.BooleanField("shown", default=True)
    status = models.CharField(max_length=7, choices=Status, default=Status.UNKNOWN, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("position", "title")

    def __str__(self) -> str:
        return self.title

    def light(self, *, at: datetime) -> tuple[str, Tone]:
        """The word and the tone of the status light; an old check says nothing."""
        if not self.url:
            return "Not connected yet", "none"
        if not self.status_url:
            return "", "none"
        fresh = self.checked_at is not None and at - self.checked_at <= FRESH
        status = self.Status(self.status) if fresh else self.Status.UNKNOWN
        return str(status.label), self.TONES[status]


class Heartbeat(models.Model):
    """One row: when beat and a worker did their last task of every minute."""

    at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="one_heartbeat"),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"
