"""People, their identities, groups and memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value

from accounts.names import NAME_REGEX, validate_name
from lsp_portal.lib import clock
from lsp_portal.lib.database import NextValue


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


class PeopleManager(UserManager["User"]):
    def get_queryset(self) -> PeopleQuerySet:
        return PeopleQuerySet(self.model, using=self._db)

    def waiting_for_approval(self) -> PeopleQuerySet:
        return self.get_queryset().waiting_for_approval()

    def create_superuser(self, username: str, *args: Any, **fields: Any) -> User:
        """An administrator, who waits for nobody's approval."""
        fields.setdefault("registered_at", clock.now())
        return super().create_superuser(username, *args, **fields)


class User(AbstractUser):
    """A person. The user name is permanent: hubs, file servers and exports key on it."""

    username = models.CharField(
        "user name",
        max_length=30,
        unique=True,
        validators=[validate_name],
        error_messages={"unique": "This name is taken."},
    )
    uid = models.PositiveIntegerField(
        unique=True, db_default=NextValue("accounts_uid"), editable=False
    )
    registered_at = models.DateTimeField(
        "approved", null=True, blank=True, help_text="Empty while the person waits for approval."
    )
    default_group = models.ForeignKey(
        "Group", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects: ClassVar[PeopleManager] = PeopleManager()

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = (
            models.CheckConstraint(
                condition=Q(username__regex=NAME_REGEX), name="user_name_is_a_slug"
            ),
        )

    @property
    def is_registered(self) -> bool:
        """Whether the person may use the platform: approved and not switched off."""
        return self.is_active and self.registered_at is not None

    @property
    def title(self) -> str:
        """The full name where it is known, else the user name."""
        return self.get_full_name() or self.username


class Identity(models.Model):
    """Somebody at an identity provider; the pair (issuer, subject) is the only key."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="identities")
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


class GroupQuerySet(models.QuerySet["Group"]):
    def of(self, user: User, *, at: datetime) -> Self:
        """Groups that the person may charge: any role, valid at that moment."""
        return self.filter(memberships__in=Membership.objects.valid(at=at).filter(user=user))

    def led_by(self, user: User, *, at: datetime) -> Self:
        """Groups whose usage the person is responsible for: PI or manager at that moment."""
        leading = Membership.objects.valid(at=at).filter(user=user, role__in=Membership.LEADING)
        return self.filter(memberships__in=leading)

    def visible_to(self, user: User, *, at: datetime) -> Self:
        """Groups whose page the person may open: those they lead; staff see all."""
        return self.all() if user.is_staff else self.led_by(user, at=at)


class Group(models.Model):
    """A science campaign: what sessions are charged to."""

    name = models.CharField(max_length=30, unique=True, validators=[validate_name])
    title = models.CharField(max_length=120)
    gid = models.PositiveIntegerField(
        unique=True, db_default=NextValue("accounts_gid"), editable=False
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="From this moment on nothing new is charged to the group."
    )

    objects = GroupQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(name__regex=NAME_REGEX), name="group_name_is_a_slug"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def is_closed(self, *, at: datetime) -> bool:
        return self.closed_at is not None and self.closed_at <= at


class MembershipQuerySet(models.QuerySet["Membership"]):
    def valid(self, *, at: datetime) -> Self:
        """Memberships in force at that moment (`valid_from <= at < valid_to`)."""
        return self.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)


class Membership(models.Model):
    """A role in a group for a half-open interval; ended, never deleted."""

    class Role(models.TextChoices):
        PI = "pi", "PI"
        MANAGER = "manager", "manager"
        MEMBER = "member", "member"

    LEADING = (Role.PI, Role.MANAGER)

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=7, choices=Role, default=Role.MEMBER)
    valid_from = models.DateTimeField(default=clock.now)
    valid_to = models.DateTimeField(null=True, blank=True, help_text="Empty: no end.")

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(role__in=["pi", "manager", "member"]), name="membership_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="membership_ends_after_it_begins",
                violation_error_message="The end must not be before the beginning.",
            ),
            ExclusionConstraint(
                name="one_role_at_a_time",
                # Integer ranges: the embedded server has no btree_gist.
                expressions=[
                    (Func("user", "user", Value("[]"), function="int8range"), "&&"),
                    (Func("group", "group", Value("[]"), function="int8range"), "&&"),
                    (
                        Func(
                            "valid_from",
                            "valid_to",
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message="The person already has a role in this group then.",
            ),
        )
        indexes = (models.Index(fields=["group", "valid_to"]),)

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()} of {self.group}"

    def clean(self) -> None:
        # Said of the field, so that the database is not asked about a range that is none.
        begins: datetime | None = self.valid_from  # a form may have left it empty
        if begins and self.valid_to and self.valid_to < begins:
            raise ValidationError({"valid_to": "The end must not be before the beginning."})

    def is_valid(self, *, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)
