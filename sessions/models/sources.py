"""Repositories whose tags become images."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value

from accounts.models import Group, User
from sessions.models.hubs import Hub
from sessions.registry.repositories import BadRepositoryError, Repository
from sessions.registry.tags import Kind

SOURCE_NAME_REGEX = r"^[a-z][a-z0-9-]{0,11}$"


def validate_repository(text: str) -> None:
    try:
        Repository.read(text)
    except BadRepositoryError as error:
        raise ValidationError(str(error), code="bad_repository") from error


class ImageSourceQuerySet(models.QuerySet["ImageSource"]):
    def due(self, *, at: datetime) -> Self:
        """Those to be read again at that moment."""
        minutes = ExpressionWrapper(
            F("refresh_minutes") * Value(timedelta(minutes=1)), output_field=DurationField()
        )
        is_due = Q(tried_at=None) | Q(tried_at__lte=Value(at) - minutes)
        return self.filter(is_due, is_active=True)


class ImageSource(models.Model):
    """A repository of a registry whose tags become images by themselves.

    What it says of hubs and groups holds for all its images. `read_at` is the last reading that
    counted; `last_error` is empty after it.
    """

    name = models.CharField(
        max_length=12,
        unique=True,
        validators=[RegexValidator(SOURCE_NAME_REGEX[:-1] + r"\Z", "Use 1 to 12 characters: "
            "lower-case letters, digits and hyphens, beginning with a letter.")],
        help_text="The names of its images begin with it.",
    )  # fmt: skip
    title = models.CharField(max_length=30, help_text="The titles of its images begin with it.")
    repository = models.CharField(
        max_length=150,
        validators=[validate_repository],
        help_text="Host and path, as registry.example.org/lsst/lab.",
    )
    credentials = models.CharField(
        max_length=60,
        blank=True,
        help_text="A name from the setting REGISTRY_CREDENTIALS; empty: none are needed.",
    )
    is_active = models.BooleanField("active", default=True, help_text="Whether it is read.")
    refresh_minutes = models.PositiveIntegerField(
        "read every (minutes)", default=60, validators=[MinValueValidator(1)]
    )
    aliases = models.CharField(
        max_length=255,
        blank=True,
        default="recommended",
        help_text="Tags to show that move from one image to another, comma separated.",
    )
    releases = models.PositiveSmallIntegerField(default=2)
    candidates = models.PositiveSmallIntegerField("release candidates", default=0)
    weeklies = models.PositiveSmallIntegerField(default=3)
    dailies = models.PositiveSmallIntegerField(default=5)
    experimentals = models.PositiveSmallIntegerField("experiments", default=0)
    others = models.PositiveSmallIntegerField(default=0)
    grace_days = models.PositiveSmallIntegerField(
        default=7, help_text="How long an image stays in the form once others have replaced it."
    )
    position = models.PositiveSmallIntegerField(
        default=100, help_text="Of its first image; lower comes first."
    )
    hubs = models.ManyToManyField(
        Hub, blank=True, related_name="image_sources", help_text="None: every hub."
    )
    allowed_groups = models.ManyToManyField(
        Group, blank=True, related_name="+", help_text="None: every group."
    )
    owner = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        help_text="Whom to ask about its images.",
    )  # fmt: skip
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    read_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)

    objects = ImageSourceQuerySet.as_manager()

    class Meta:
        ordering = ("position", "name")
        constraints = (
            models.CheckConstraint(
                condition=Q(name__regex=SOURCE_NAME_REGEX), name="source_name_is_a_slug"
            ),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def counts(self) -> dict[Kind, int]:
        """How many images of each kind are offered."""
        return {
            Kind.RELEASE: self.releases,
            Kind.CANDIDATE: self.candidates,
            Kind.WEEKLY: self.weeklies,
            Kind.DAILY: self.dailies,
            Kind.EXPERIMENTAL: self.experimentals,
            Kind.OTHER: self.others,
        }

    @property
    def alias_names(self) -> list[str]:
        return [name.strip() for name in self.aliases.split(",") if name.strip()]

    def offering_hubs(self) -> list[Hub]:
        """The hubs that offer its images."""
        return list(self.hubs.all()) or list(Hub.objects.all())

    def claim(self, *, at: datetime) -> bool:
        """Take the reading that is due; False where somebody else was faster."""
        mine = type(self).objects.due(at=at).filter(pk=self.pk)
        return mine.update(tried_at=at) == 1
