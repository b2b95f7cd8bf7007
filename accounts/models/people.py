"""People, and the names that are given once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import F, Q

from accounts.models.numbers import AllocatedNumber
from accounts.names import NAME_REGEX, validate_name
from lsp_portal.lib import clock


class Name(models.Model):
    """A name that a person or a group has or once had.

    Database triggers write it, so a name is never given twice, whatever inserts the row.
    """

    class Kind(models.TextChoices):
        USER = "user", "person"
        GROUP = "group", "group"

    name = models.CharField(max_length=30, primary_key=True)
    kind = models.CharField(max_length=5, choices=Kind)

    def __str__(self) -> str:
        return self.name


class PeopleQuerySet(models.QuerySet["User"]):
    def waiting_for_approval(self) -> Self:
        """People who signed in and were neither approved nor switched off."""
        return self.filter(registered_at=None, is_active=True)

    def registered(self, *, at: datetime) -> Self:
        """People who may use the platform at that moment."""
        lasting = Q(expires_at=None) | Q(expires_at__gt=at)
        return self.filter(lasting, registered_at__isnull=False, is_active=True)


class PeopleManager(UserManager["User"]):
    def get_queryset(self) -> PeopleQuerySet:
        return PeopleQuerySet(self.model, using=self._db)

    def registered(self, *, at: datetime) -> PeopleQuerySet:
        return self.get_queryset().registered(at=at)

    def waiting_for_approval(self) -> PeopleQuerySet:
        return self.get_queryset().waiting_for_approval()

    def create_superuser(self, username: str, *args: Any, **fields: Any) -> User:
        """An administrator, who waits for nobody's approval."""
        fields.setdefault("registered_at", clock.now())
        return super().create_superuser(username, *args, **fields)


class User(AbstractUser):
    """A person. The user name is permanent: hubs, file servers and exports key on it."""

    class Kind(models.TextChoices):
        PERSON = "person", "person"
        GUEST = "guest", "guest"
        BUCKET = "bucket", "shared account"

    username = models.CharField(
        "user name",
        max_length=30,
        unique=True,
        validators=[validate_name],
        error_messages={"unique": "This name is taken."},
    )
    uid = AllocatedNumber("UID", kind="user")
    kind = models.CharField(max_length=6, choices=Kind, default=Kind.PERSON)
    registered_at = models.DateTimeField(
        "approved", null=True, blank=True, help_text="Empty while the person waits for approval."
    )
    default_group = models.ForeignKey(
        "accounts.Group", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="From this moment on nobody signs in. Empty: no end."
    )
    owner = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="owned_accounts",
        help_text="Who answers for a guest or a shared account.",
    )
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="merged_accounts",
        help_text="The account that goes on instead of this one.",
    )
    shares_git_identity = models.BooleanField(
        "name and e-mail for git",
        default=True,
        help_text="Notebooks know name and e-mail address, so that commits carry them.",
    )
    affiliation_asked_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since when the person is asked to sign in by institution. Empty: not asked.",
    )

    pseudonymised_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the name was taken from the account, for good.",
    )
    data_sent_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When all data were last sent."
    )

    objects: ClassVar[PeopleManager] = PeopleManager()

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = (
            models.CheckConstraint(
                condition=Q(username__regex=NAME_REGEX), name="user_name_is_a_slug"
            ),
            models.CheckConstraint(
                condition=Q(kind="person") | Q(owner__isnull=False, expires_at__isnull=False),
                name="guests_have_an_owner_and_an_end",
                violation_error_message="Guests and shared accounts need an owner and an end.",
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | Q(is_active=False),
                name="a_merged_account_is_off",
            ),
            models.CheckConstraint(
                condition=Q(pseudonymised_at=None) | Q(is_active=False),
                name="a_pseudonymised_account_is_off",
                violation_error_message="The name was taken from this account for good.",
            ),
            models.CheckConstraint(
                condition=~Q(merged_into=F("id")), name="no_account_is_merged_into_itself"
            ),
        )

    @property
    def is_registered(self) -> bool:
        """Whether the person may use the platform: approved, not switched off, not expired."""
        return (
            self.is_active and self.registered_at is not None and not self.has_ended(at=clock.now())
        )

    def has_ended(self, *, at: datetime) -> bool:
        """Whether the account's end has come."""
        return self.expires_at is not None and self.expires_at <= at

    @property
    def title(self) -> str:
        """The full name where it is known, else the user name."""
        return self.get_full_name() or self.username
