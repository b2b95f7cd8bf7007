"""What people are told once: on their pages, and by mail; and how they want to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q

from accounts.models.people import User
from lsp_portal.lib import clock


class Topic(models.TextChoices):
    """What a notice is about; people choose for each how they are told."""

    QUOTA = "quota", "how far a quota is used"
    FORECAST = "forecast", "when a quota runs out, or what of it will expire"
    REQUEST = "request", "requests for hours and storage, and to move sessions"
    STORAGE = "storage", "how full homes and group areas are"
    MEMBERSHIP = "membership", "memberships that end"
    PERIOD = "period", "allocation periods that end"
    AFFILIATION = "affiliation", "affiliations to confirm"
    IMAGE = "image", "images of own sessions that will not be offered any more"
    SESSION = "session", "own sessions that are going to be stopped"
    MAIL = "mail", "mails that could not be sent"


class Way(models.TextChoices):
    """How somebody is told about a topic; the pages have it in any case."""

    AT_ONCE = "at_once", "a mail at once"
    DIGEST = "digest", "in one mail a day"
    PAGES = "pages", "only on the pages"


class MailState(models.TextChoices):
    """What became of a mail."""

    WAITING = "waiting", "waiting to be sent"
    SENT = "sent", "sent"
    MUTED = "muted", "only on the pages"
    OFF = "off", "not sent: the account is off"
    NO_ADDRESS = "no_address", "not sent: no address"
    FAILED = "failed", "failed"


Row = TypeVar("Row", bound="Delivery")


class DeliveryQuerySet(models.QuerySet[Row]):
    def unclaimed(self, *, at: datetime) -> Self:
        """Mails that wait and that no worker has taken, or none within the time of its claim."""
        free = Q(claimed_until=None) | Q(claimed_until__lte=at)
        return self.filter(free, state=MailState.WAITING)

    def due(self, *, at: datetime) -> Self:
        """Mails that may be sent at that moment, longest due first."""
        return self.unclaimed(at=at).filter(due_at__lte=at).order_by("due_at", "pk")


class NoticeQuerySet(DeliveryQuerySet["Notice"]):
    def due(self, *, at: datetime) -> Self:
        """Notices with a mail of their own that may be sent at that moment."""
        return super().due(at=at).filter(in_digest=False)

    def due_in_digest(self, *, at: datetime) -> Self:
        """Notices that the next daily mail of their person takes along."""
        waiting = self.filter(state=MailState.WAITING, in_digest=True, digest=None)
        return waiting.filter(due_at__lte=at)

    def unread(self) -> Self:
        return self.filter(read_at=None)


class Delivery(models.Model):
    """A mail on its way: when it is due, who has taken it, and what became of it."""

    state = models.CharField(max_length=10, choices=MailState, default=MailState.WAITING)
    due_at = models.DateTimeField("due", default=clock.now)
    claimed_until = models.DateTimeField(
        null=True, help_text="A worker sends it; if it dies, another may from then on."
    )
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField("sent", null=True)
    error = models.TextField(blank=True, help_text="What the mail server said last.")

    class Meta:
        abstract = True

    def claim(self, *, at: datetime, until: datetime) -> bool:
        """Take the mail, if nobody was faster; counts as an attempt."""
        rows = type(self)._default_manager.filter(
            Q(claimed_until=None) | Q(claimed_until__lte=at),
            pk=self.pk,
            state=MailState.WAITING,
            due_at__lte=at,
        )
        taken = rows.update(claimed_until=until, attempts=F("attempts") + 1)
        self.refresh_from_db(fields=["state", "due_at", "claimed_until", "attempts"])
        return taken == 1

    def put_back(self, *, due_at: datetime, attempts: int, error: str = "") -> None:
        """Let go of the mail until then, unless somebody took it over."""
        mine = type(self)._default_manager.filter(pk=self.pk, claimed_until=self.claimed_until)
        mine.filter(state=MailState.WAITING).update(
            due_at=due_at, claimed_until=None, attempts=attempts, error=error
        )


class Digest(Delivery):
    """The one mail of a day with what somebody wants to read together."""

    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="digests")
    day = models.DateField(help_text="In the site's time zone.")

    objects = DeliveryQuerySet["Digest"].as_manager()

    class Meta:
        ordering = ("-day", "-pk")
        constraints = (
            models.UniqueConstraint(fields=["recipient", "day"], name="one_digest_a_day"),
        )
        indexes = (
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="digests_to_send"),
        )

    def __str__(self) -> str:
        return f"What is new for {self.recipient}, {self.day}"


class Notice(Delivery):
    """Something that one person is told, once: the key names topic, object, step and period."""

    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="notices")
    topic = models.CharField(max_length=12, choices=Topic)
    key = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    text = models.TextField(help_text="Plain paragraphs, with an empty line between them.")
    link = models.CharField(max_length=600, blank=True, help_text="A path of the portal.")
    link_label = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    read_at = models.DateTimeField(null=True)
    in_digest = models.BooleanField("in the daily mail", default=False)
    digest = models.ForeignKey(Digest, null=True, on_delete=models.PROTECT, related_name="notices")

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints = (
            models.UniqueConstraint(fields=["recipient", "key"], name="one_notice_per_key"),
            models.CheckConstraint(
                condition=Q(digest=None) | Q(in_digest=True), name="a_digest_has_what_waits_for_it"
            ),
        )
        indexes = (
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="notices_to_send"),
            models.Index(fields=["id"], condition=Q(state="failed"), name="notices_that_failed"),
            models.Index(fields=["recipient"], condition=Q(read_at=None), name="notices_unread"),
            models.Index(fields=["recipient", "-created_at"], name="notices_of_somebody"),
        )

    def __str__(self) -> str:
        return self.subject


class NoticeWay(models.Model):
    """How somebody chose to be told about a topic; without a row the topic's own way counts."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notice_ways")
    topic = models.CharField(max_length=12, choices=Topic)
    way = models.CharField(max_length=7, choices=Way)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "topic"], name="one_way_per_topic"),
            models.CheckConstraint(
                condition=~Q(topic="session") | Q(way="at_once"),
                name="stops_of_sessions_are_told_at_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_topic_display()}: {self.get_way_display()}"


class NoticeHours(models.Model):
    """When mails may reach somebody, in the site's time zone."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="notice_hours")
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)
    digest_hour = models.PositiveSmallIntegerField(
        null=True, validators=[MaxValueValidator(23)], help_text="Empty: the site's."
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False)
                & ~Q(quiet_from=F("quiet_until")),
                name="quiet_hours_have_two_ends",
            ),
            models.CheckConstraint(
                condition=Q(digest_hour=None) | Q(digest_hour__lte=23),
                name="a_day_has_24_hours",
            ),
        )

    def __str__(self) -> str:
        return f"hours of {self.user}"
