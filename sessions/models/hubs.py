"""Hubs, their secrets and names, and the catalogue of images and sizes."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from accounts.models import Group, User
from accounts.names import NAME_REGEX, validate_name
from lsp_portal.lib import clock
from sessions.models import placements
from sessions.registry.tags import TITLES

HUB_NAME_REGEX = r"^[a-z][a-z0-9-]{0,19}$"

validate_hub_name = RegexValidator(
    r"^[a-z][a-z0-9-]{0,19}\Z",
    "Use 1 to 20 characters: lower-case letters, digits and hyphens, beginning with a letter.",
    code="bad_name",
)

# Django's own check refuses hosts without a dot, as container networks have them.
validate_address = RegexValidator(
    r"^https?://[^\s/?#]+(/[^\s?#]*)?\Z",
    "Enter an address that starts with http:// or https://.",
    code="bad_address",
)


class CatalogueEntry(models.Model):
    """What images and sizes have in common."""

    name = models.CharField(max_length=30, unique=True, validators=[validate_name])
    title = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(default=100, help_text="Lower comes first.")
    allowed_groups = models.ManyToManyField(
        Group, blank=True, related_name="+", help_text="None: every group."
    )

    class Meta:
        abstract = True
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.title


class ImageQuerySet(models.QuerySet["Image"]):
    def offered(self, *, at: datetime) -> Self:
        """Those that have not retired by then."""
        return self.filter(Q(retires_at=None) | Q(retires_at__gt=at))


class Image(CatalogueEntry):
    """A container image that sessions may run.

    One that was made by hand has no source, tag and digest. `size_bytes` is that of its packed
    layers. From `retires_at` on nobody can start it; the row stays, as sessions are named by it.
    """

    reference = models.CharField(
        max_length=255, blank=True, help_text="As a registry knows it, with tag or digest."
    )
    description = models.CharField(max_length=255, blank=True)
    kind = models.CharField(
        max_length=12,
        blank=True,
        db_default="",
        choices=[(kind.value, title) for kind, title in TITLES.items()],
        help_text="Under which heading it stands in the form.",
    )
    recommended = models.BooleanField(
        default=False, db_default=False, help_text="Stands before all others in the form."
    )
    retires_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on nobody can start it; empty: it stays."
    )
    source = models.ForeignKey(
        "ImageSource", null=True, blank=True, on_delete=models.PROTECT, related_name="images"
    )
    tag = models.CharField(max_length=128, blank=True, db_default="")
    digest = models.CharField(max_length=135, blank=True, db_default="")
    size_bytes = models.BigIntegerField("size", null=True, blank=True)
    built_at = models.DateTimeField(null=True, blank=True)

    objects = ImageQuerySet.as_manager()

    class Meta(CatalogueEntry.Meta):
        abstract = False
        constraints = (
            models.UniqueConstraint(
                fields=["source", "tag"],
                condition=Q(source__isnull=False),
                name="one_image_per_tag",
            ),
            models.CheckConstraint(
                condition=Q(name__regex=NAME_REGEX), name="image_name_is_a_slug"
            ),
        )


class Size(CatalogueEntry):
    """What a session is given: CPU, memory and GPUs."""

    cpu_millicores = models.PositiveIntegerField(
        "CPU (millicores)", validators=[MinValueValidator(1)]
    )
    memory_mib = models.PositiveIntegerField("memory (MiB)")
    gpus = models.PositiveIntegerField("GPUs", default=0)
    node_selector = models.JSONField(
        default=dict,
        blank=True,
        validators=[placements.validate_node_selector],
        help_text=placements.NODE_SELECTOR_HELP,
    )
    tolerations = models.JSONField(
        default=list,
        blank=True,
        validators=[placements.validate_tolerations],
        help_text=placements.TOLERATIONS_HELP,
    )
    priority_class = models.CharField(
        max_length=253,
        blank=True,
        validators=[placements.validate_priority_class],
        help_text=placements.PRIORITY_CLASS_HELP,
    )
    placeholders = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(100)],
        help_text="Pods that keep room for so many servers of this size, and give way to them.",
    )

    class Meta(CatalogueEntry.Meta):
        abstract = False
        constraints = (
            models.CheckConstraint(condition=Q(name__regex=NAME_REGEX), name="size_name_is_a_slug"),
            models.CheckConstraint(
                condition=Q(cpu_millicores__gte=1),
                name="size_has_cpu",
                violation_error_message="A size needs at least 1 millicore.",
            ),
        )


class Hub(models.Model):
    """One JupyterHub."""

    class Mode(models.TextChoices):
        OBSERVE = "observe", "observe: the hub starts servers itself"
        DRIVE = "drive", "drive: the portal starts servers in its cluster"

    name = models.CharField(max_length=20, unique=True, validators=[validate_hub_name])
    title = models.CharField(max_length=60)
    public_url = models.CharField(
        "public URL",
        max_length=200,
        blank=True,
        validators=[validate_address],
        help_text="Where people open the hub.",
    )
    api_url = models.CharField(
        "API URL",
        max_length=200,
        blank=True,
        validators=[validate_address],
        help_text="The hub's REST API as the portal reaches it (…/hub/api).",
    )
    mode = models.CharField(
        max_length=7,
        choices=Mode,
        default=Mode.OBSERVE,
        db_default=Mode.OBSERVE,
        help_text="Drive needs the plugin's PortalSpawner at the hub.",
    )
    maintenance = models.CharField(
        max_length=255, blank=True, help_text="While this is set nobody can start; people read it."
    )
    lease_seconds = models.PositiveIntegerField(
        default=3600,
        validators=[MinValueValidator(60)],
        help_text="How long a grant waits for its server, and what a running session holds ahead.",
    )
    max_sessions_per_user = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Pending and running at once; empty: no limit."
    )
    idle_rule = models.CharField(
        max_length=255, blank=True, help_text="What people read about the culling of idle servers."
    )
    images = models.ManyToManyField(Image, blank=True, related_name="hubs")
    sizes = models.ManyToManyField(Size, blank=True, related_name="hubs")
    default_image = models.ForeignKey(
        Image, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    default_size = models.ForeignKey(
        Size, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(name__regex=HUB_NAME_REGEX), name="hub_name_is_a_slug"
            ),
            models.CheckConstraint(
                condition=Q(mode__in=("observe", "drive")), name="hub_mode_is_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


class HubSecretQuerySet(models.QuerySet["HubSecret"]):
    def valid(self, *, at: datetime) -> Self:
        return self.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)


class HubSecret(models.Model):
    """A signing secret of a hub. The secret itself is derived from the nonce, never stored."""

    hub = models.ForeignKey(Hub, on_delete=models.CASCADE, related_name="secrets")
    nonce = models.CharField(max_length=64, unique=True)
    valid_from = models.DateTimeField(default=clock.now)
    valid_to = models.DateTimeField(null=True, blank=True)

    objects = HubSecretQuerySet.as_manager()

    def __str__(self) -> str:
        return f"secret of {self.hub} from {self.valid_from:%Y-%m-%d}"


class HubUserName(models.Model):
    """The name that a person has at a hub, where it differs from the portal's."""

    hub = models.ForeignKey(Hub, on_delete=models.CASCADE, related_name="user_names")
    name = models.CharField("name at the hub", max_length=255)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="hub_names")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["hub", "name"], name="hub_user_name_is_unique"),
        )

    def __str__(self) -> str:
        return f"{self.name} at {self.hub} is {self.user}"
