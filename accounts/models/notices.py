"""What people are told once: on their pages, and by mail."""

from __future__ import annotations

from django.db import models

from accounts.models.people import User
from lsp_portal.lib import clock


class Topic(models.TextChoices):
    """What a notice is about; people choose for each how they are told."""

    QUOTA = "quota", "how far a quota is used"
    FORECAST = "forecast", "when a quota runs out, or what of it will expire"
    REQUEST = "request", "requests for more hours or storage"
    STORAGE = "storage", "how full homes and group areas are"
    MEMBERSHIP = "membership", "memberships that end"
    PERIOD = "period", "allocation periods that end"
    AFFILIATION = "affiliation", "affiliations to confirm"
    SESSION = "session", "own sessions that are going to be stopped"


class Notice(models.Model):
    """Something that one person is told, once: the key names topic, object, step and period."""

    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="notices")
    topic = models.CharField(max_length=12, choices=Topic)
    key = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    text = models.TextField(help_text="Plain paragraphs, with an empty line between them.")
    link = models.CharField(max_length=600, blank=True, help_text="A path of the portal.")
    link_label = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints = (
            models.UniqueConstraint(fields=["recipient", "key"], name="one_notice_per_key"),
        )

    def __str__(self) -> str:
        return self.subject
