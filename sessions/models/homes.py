"""Homes in the cluster: where each is, written down before anything is made."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.models import User
from lsp_portal.lib import clock

DNS_NAME = RegexValidator(
    r"\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z",
    "Lower-case letters, digits, hyphens and dots, with a letter or digit at both ends.",
)
DIRECTORY = RegexValidator(
    r"\A(?!\.\.?\Z)[A-Za-z0-9._-]*\Z", "One directory: letters, digits, dots, hyphens, underscores."
)


class Home(models.Model):
    """Where a person's home is: stored at the first launch, never computed again.

    Without a directory the claim is the person's own.
    """

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.PROTECT, related_name="cluster_home"
    )
    namespace = models.CharField(max_length=63, validators=[DNS_NAME])
    claim = models.CharField("volume claim", max_length=253, validators=[DNS_NAME])
    directory = models.CharField(
        max_length=255,
        blank=True,
        validators=[DIRECTORY],
        help_text="Its directory on a claim that many share; empty: the claim is the person's own.",
    )
    size_bytes = models.PositiveBigIntegerField(
        "size in bytes",
        default=0,
        help_text="What the claim asks for when it is made; 0 for a directory.",
    )
    full_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When a server found it full; empty since a server found room.",
    )
    rescued_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When the last rescue session began: samples from before say nothing any more.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = "home in the cluster"
        verbose_name_plural = "homes in the cluster"
        constraints = (
            models.UniqueConstraint(
                fields=["namespace", "claim", "directory"],
                name="a_home_is_one_persons",
                violation_error_message="This is the home of somebody else.",
            ),
            models.CheckConstraint(
                condition=Q(directory__gt="") | Q(size_bytes__gte=1),
                name="a_claim_of_ones_own_has_a_size",
                violation_error_message="A claim of one's own needs a size.",
            ),
        )

    def __str__(self) -> str:
        return f"home of {self.user}"
