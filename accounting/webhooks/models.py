"""Who is told, and what was told."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q

from accounts.models import Group
from lsp_portal.lib import clock

validate_url = URLValidator(schemes=["https", "http"])


class Kind(models.TextChoices):
    """What can be told; the value is the `type` of the message."""

    USAGE = "usage.day", "what a group used on a day"
    QUOTA = "quota.step", "a quota reached a step: 80 %, 95 %, used up"
    STORAGE = "storage.sample", "how much a person or group stores"
    STATEMENT = "statement.closed", "an allocation period was closed"


def new_nonce() -> str:
    """What the secret of a new webhook is derived from."""
    return secrets.token_hex(16)


def every_kind() -> list[str]:
    return list(Kind.values)


def validate_kinds(kinds: object) -> None:
    """Raises ValidationError for what is no list of kinds."""
    if not isinstance(kinds, list) or not kinds or not set(kinds) <= set(Kind.values):
        raise ValidationError(f"Choose from {', '.join(Kind.values)}.", code="bad_kinds")


class Webhook(models.Model):
    """An address that is told of what happens from its making on."""

    title = models.CharField(max_length=60, unique=True)
    url = models.CharField(
        "URL", max_length=300, validators=[validate_url], help_text="Where messages are posted."
    )
    kinds = models.JSONField(default=every_kind, validators=[validate_kinds])
    group = models.ForeignKey(
        Group,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        help_text="Only what concerns this group. Empty: everything.",
    )
    is_active = models.BooleanField("active", default=True)
    nonce = models.CharField(max_length=64, default=new_nonce, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return self.title


class WebhookMessageQuerySet(models.QuerySet["WebhookMessage"]):
    def due(self, *, at: datetime) -> Self:
        """Those to be posted now, the oldest first; one that is claimed waits for its claim."""
        waiting = self.filter(state=WebhookMessage.State.WAITING, due_at__lte=at)
        free = Q(claimed_until=None) | Q(claimed_until__lte=at)
        return waiting.filter(free, webhook__is_active=True).order_by("pk")


class WebhookMessage(models.Model):
    """One message: what it is about (`key`), what it said, and what became of it."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        FAILED = "failed", "given up"
        OVERTAKEN = "overtaken", "overtaken by a newer one"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=20, choices=Kind)
    key = models.CharField(max_length=200)
    content = models.JSONField()
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True, help_text="Of the last attempt.")

    objects = WebhookMessageQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["webhook", "kind", "key", "-id"], name="webhook_message_newest"),
            models.Index(
                fields=["due_at"], condition=Q(state="waiting"), name="webhook_message_waiting"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    def claim(self, *, at: datetime, until: datetime) -> bool:
        """Take the message for one attempt; False where another worker was faster."""
        rows = WebhookMessage.objects.due(at=at).filter(pk=self.pk).order_by()
        return bool(rows.update(claimed_until=until, attempts=models.F("attempts") + 1))
