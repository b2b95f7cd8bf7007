"""Who somebody is at identity providers, and what these say about them."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from accounts.models.people import User
from lsp_portal.lib import clock


class Identity(models.Model):
    """Somebody at an identity provider; the pair (issuer, subject) is the only key."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="identities")
    provider = models.CharField(
        max_length=30, blank=True, help_text="The name of the provider in the settings."
    )
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    claims = models.JSONField(default=dict, help_text="What the provider said last.")
    first_seen_at = models.DateTimeField(default=clock.now)
    last_seen_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name_plural = "identities"
        constraints = (
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_is_unique"),
        )

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class SignIn(models.Model):
    """One attempt to sign in or to link an identity, and what came of it."""

    OK = "ok"

    at = models.DateTimeField(default=clock.now)
    provider = models.CharField(max_length=30)
    outcome = models.CharField(max_length=30, help_text="“ok”, or the code of the failure.")
    detail = models.CharField(max_length=300, blank=True)
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="sign_ins"
    )
    remote_ip = models.GenericIPAddressField("address", null=True, blank=True)

    class Meta:
        verbose_name = "sign-in"
        indexes = (models.Index(fields=["user", "-at"]), models.Index(fields=["-at"]))

    def __str__(self) -> str:
        return f"{self.provider} at {self.at:%Y-%m-%d %H:%M:%S}: {self.outcome}"


class AffiliationQuerySet(models.QuerySet["Affiliation"]):
    def confirmed_since(self, moment: datetime) -> Self:
        """Affiliations that a provider asserted at that moment or later."""
        return self.filter(last_seen_at__gte=moment)


class Affiliation(models.Model):
    """What a provider asserted about somebody's institution, and when first and last."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="affiliations")
    issuer = models.CharField(max_length=255)
    claim = models.CharField(max_length=60, help_text="The claim that carried it.")
    value = models.CharField(max_length=255, help_text="As asserted: “member@ed.ac.uk”.")
    organisation = models.CharField(max_length=255, blank=True)
    first_seen_at = models.DateTimeField(default=clock.now)
    last_seen_at = models.DateTimeField(default=clock.now)

    objects = AffiliationQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "issuer", "claim", "value"], name="affiliation_is_unique"
            ),
        )
        indexes = (models.Index(fields=["user", "-last_seen_at"]),)

    def __str__(self) -> str:
        return self.value
