"""Tokens for the API, and the answers that a repeated request gets again."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models.people import User
from lsp_portal.lib import clock


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def valid(self, *, at: datetime) -> Self:
        """Tokens that open something at that moment."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), revoked_at=None)


class ApiToken(models.Model):
    """A key to the API: a person's, with the person's rights, or a service's.

    Only the SHA-256 of the token is stored; 256 random bits need no slow hash.
    """

    class Scope(models.TextChoices):
        READ = "read", "read what the owner may see"
        WRITE = "write", "change what the owner may change"
        POSIX = "posix", "read the user and group tables of file servers"

    name = models.CharField(max_length=60, help_text="What it is for.")
    user = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="api_tokens",
        help_text="Empty: a service's token, with the rights of an administrator in its scopes.",
    )
    scopes = ArrayField(models.CharField(max_length=5, choices=Scope))
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField("begins with", max_length=12, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class KeptAnswer(models.Model):
    """The answer to a write that carried an idempotency key, for when it is sent again."""

    caller = models.CharField(max_length=40, help_text="Whose key: “user 7” or “token 3”.")
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_is_unique"),
        )
        indexes = (models.Index(fields=["created_at"]),)

    def __str__(self) -> str:
        return f"{self.caller}: {self.key}"
