"""Session records: what follows from the evidence."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Self
from urllib.parse import quote

from django.db import models
from django.db.models import (
    DurationField,
    ExpressionWrapper,
    F,
    FilteredRelation,
    Max,
    Min,
    Q,
    Sum,
    Value,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Least, NullIf
from django.db.models.lookups import (
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)

from accounts.models import Group, User
from lsp_portal.lib import clock
from sessions import sub_names
from sessions.models.hubs import Hub

# Where lists put a session: its begin by the evidence, before that the grant.
BEGAN = Coalesce(F("begins_at"), F("granted_at"), F("ended_at"))
LENGTH = ExpressionWrapper(F("ended_at") - BEGAN, output_field=DurationField())

# The institution of the person as it was known then; empty where nothing was.
NONE = Value("", output_field=models.TextField())
INSTITUTION = Coalesce(
    NullIf(KT("affiliation__organisation"), NONE), KT("affiliation__value"), NONE
)

# What a session holds ahead: its server, and what its Dask cluster may grow to.
RATE = Cast("cpu_millicores", models.BigIntegerField()) + Coalesce(
    Cast("dask__most", models.BigIntegerField()) * F("dask__cpu_millicores"), 0
)
HOLD = RATE * F("hub__lease_seconds")

# Longer sessions are few and have indexes of their own.
LONG = timedelta(days=1)


class SessionQuerySet(models.QuerySet["Session"]):
    def open(self) -> Self:
        """Neither ended nor failed, as far as evidence goes."""
        return self.filter(ended_at=None)

    def pending(self, *, at: datetime) -> Self:
        """Asked for, not ready, and the lease has not run out."""
        return self.open().filter(ready_at=None, lease_until__gt=at)

    def running(self, *, at: datetime) -> Self:
        """Ready at that moment and not ended by it."""
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=at), ready_at__lte=at)

    def holding(self, *, at: datetime) -> Self:
        """Pending or running: what counts against limits besides usage."""
        return self.open().filter(Q(ready_at__isnull=False) | Q(lease_until__gt=at))

    def with_holds(self) -> Self:
        """Each with its own hold, as `hold`."""
        wanted = Q(dask_clusters__cleaned_at=None, dask_clusters__desired="running")
        dask = FilteredRelation("dask_clusters", condition=wanted)  # one for each query
        return self.annotate(dask=dask, hold=HOLD)

    def hold(self) -> int:
        """Millicore-seconds that these sessions reserve ahead: each its rate times the lease."""
        held: int | None = self.with_holds().aggregate(held=Sum("hold"))["held"]
        return held or 0

    def hold_by_group(self) -> dict[int, int]:
        """The same for each group that holds something, by the id of the group."""
        holding = self.filter(group__isnull=False).with_holds().order_by()
        sums = holding.values_list("group").annotate(held=Sum("hold"))
        return {group: held or 0 for group, held in sums}

    def unattributed(self) -> Self:
        """Billable sessions that no group pays for."""
        return self.filter(group=None, ready_at__isnull=False, is_rescue=False).told_once()

    def told_once(self) -> Self:
        """Without those made from lists whose own events came since, as other sessions."""
        return self.exclude(adopted_until__isnull=False, ended_at=F("ready_at"))

    def of_kind(
        self,
        *,
        hub: str | None = None,
        image: str | None = None,
        size: str | None = None,
        institution: str | None = None,
    ) -> Self:
        """Those of that hub, image and size, and of people of that institution; None: any."""
        names = {"hub__name": hub, "image": image, "size": size}
        found = self.filter(**{name: value for name, value in names.items() if value is not None})
        if institution is None:
            return found
        return found.alias(from_where=INSTITUTION).filter(from_where=institution)

    def newest_first(self) -> Self:
        """In the order of the indexes of a person and of a group."""
        return self.order_by(BEGAN.desc(), F("number").desc())

    def before(self, began: datetime, number: int) -> Self:
        """Those that come after a session in that order."""
        older = Q(LessThan(BEGAN, began)) | Q(number__lt=number)
        return self.filter(older, LessThanOrEqual(BEGAN, began))

    def after(self, began: datetime, number: int) -> Self:
        """Those that come before a session in that order."""
        newer = Q(GreaterThan(BEGAN, began)) | Q(number__gt=number)
        return self.filter(newer, GreaterThanOrEqual(BEGAN, began))

    def during(self, start: datetime, end: datetime) -> Self:
        """Those that were there in [start, end), the waiting and the failed ones included.

        The sessions of a person or a group are one stretch of their index, however many there are.
        """
        there = self._not_over_by(start).filter(LessThan(BEGAN, end))
        return there.filter(GreaterThanOrEqual(BEGAN, self._began_from(start)))

    def _not_over_by(self, moment: datetime) -> Self:
        waits = Q(ready_at__isnull=False) | Q(lease_until=None) | Q(lease_until__gte=moment)
        return self.filter(Q(ended_at__gte=moment) | Q(ended_at=None) & waits)

    def _began_from(self, moment: datetime) -> datetime:
        """No session that was there at that moment or later began before."""
        # The sum with zero keeps the planner from walking a whole list until it finds an open one.
        began = ExpressionWrapper(BEGAN + timedelta(0), output_field=models.DateTimeField())
        still_there = self.open()._not_over_by(moment).aggregate(began=Min(began))["began"]
        long = self.filter(GreaterThan(LENGTH, LONG)).aggregate(length=Max(LENGTH))["length"]
        return min(still_there or moment, moment - (long or LONG))


class Session(models.Model):
    """One single-user server from request to end.

    The evidence columns and everything derived from them are written by
    `sessions.hub.apply` alone; the grant by `sessions.launch`.
    """

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        READY = "ready", "ready"
        STOPPING = "stopping", "stopping"
        ENDED = "ended", "ended"
        FAILED = "failed", "failed"

    class EndSource(models.TextChoices):
        STOP = "stop", "the hub reported the end"
        SUPERSEDED = "superseded", "a later session took the place"
        SNAPSHOT = "snapshot", "absent from two of the hub's snapshots"
        REST = "rest", "absent from the hub's answers to the portal"
        POD = "pod", "its pod showed the end"
        LEASE = "lease", "never became ready in time"

    number = models.BigAutoField(primary_key=True)
    hub = models.ForeignKey(Hub, on_delete=models.PROTECT, related_name="sessions", db_index=False)
    key = models.UUIDField("session id", default=uuid.uuid4, editable=False)
    user_name = models.TextField("name at the hub", blank=True)
    server = models.TextField(blank=True)
    seat = models.UUIDField(
        null=True, help_text="MD5 of hub user name and server: an index key of fixed length."
    )

    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="sessions", db_index=False
    )
    group = models.ForeignKey(
        Group, null=True, on_delete=models.PROTECT, related_name="sessions", db_index=False
    )
    attributed_by = models.CharField(
        max_length=36,
        blank=True,
        db_collation="C",
        help_text="The event that decided user and group.",
    )
    attributed_at = models.DateTimeField(
        null=True, help_text="When an administrator decided user and group instead."
    )
    group_name = models.TextField("group asked for", blank=True)
    image = models.TextField(blank=True)
    size = models.TextField(blank=True)
    cpu_millicores = models.PositiveIntegerField("CPU (millicores)", null=True)
    memory_mib = models.PositiveIntegerField("memory (MiB)", null=True)
    gpus = models.PositiveIntegerField("GPUs", null=True)
    actor = models.TextField(blank=True)
    sub_name = models.CharField(
        max_length=sub_names.LENGTH,
        blank=True,
        db_default="",
        help_text="Who it was of those who share the account.",
    )
    checked = models.BooleanField(null=True, help_text="Whether the hub had asked the portal.")
    is_rescue = models.BooleanField(
        "rescue session",
        default=False,
        db_default=False,
        help_text="To make room in a full home: no group pays for it.",
    )
    affiliation = models.JSONField(
        null=True, help_text="What was known of the person's institution when it began."
    )

    granted_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    granted_group = models.ForeignKey(
        Group, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    grant = models.JSONField(null=True, help_text="What was asked and what was granted.")
    stop_requested_at = models.DateTimeField(null=True)
    stop_note = models.TextField(
        blank=True, db_default="", help_text="Why the portal asked it to stop."
    )
    stops_at = models.DateTimeField(
        null=True, help_text="When it is stopped because the group's quota is used up."
    )

    requested_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True, help_text="By the hub's own word.")
    superseded_at = models.DateTimeField(null=True)
    adopted_from = models.DateTimeField(
        null=True, help_text="Start by the hub's lists, of which alone the session follows."
    )
    adopted_until = models.DateTimeField(
        null=True, help_text="The list because of which it was made a session."
    )
    absent_at = models.DateTimeField(null=True, help_text="First snapshot without it.")
    begins_at = models.GeneratedField(
        expression=Least(F("requested_at"), F("ready_at")),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
    )
    ended_at = models.DateTimeField(null=True)
    end_source = models.CharField(max_length=10, choices=EndSource, blank=True)
    stop_source = models.TextField(
        blank=True, db_default="", help_text="Empty for the hub, “pod” where its pod showed it."
    )
    end_reason = models.TextField(blank=True)
    exit_code = models.PositiveIntegerField(null=True)
    message = models.TextField(blank=True)
    ended_before_ready = models.BooleanField(
        default=False, help_text="Some evidence puts the end before ready."
    )
    pod = models.TextField(blank=True)
    node = models.TextField(blank=True)
    pod_uid = models.TextField(blank=True)
    recorded_at = models.DateTimeField(default=clock.now, editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["hub", "key"], name="session_key_is_unique"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ready_at=None) | Q(ended_at__gte=F("ready_at")),
                name="session_ends_after_ready",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_source="")
                | Q(ended_at__isnull=False, end_source__gt=""),
                name="session_end_has_a_source",
            ),
        )
        indexes = (
            models.Index(fields=["hub", "seat", "begins_at"], name="session_seat"),
            models.Index(BEGAN.desc(), F("number").desc(), name="session_newest"),
            models.Index("user", BEGAN.desc(), F("number").desc(), name="session_of_user"),
            models.Index("group", BEGAN.desc(), F("number").desc(), name="session_of_group"),
            models.Index(
                "user", LENGTH, condition=Q(GreaterThan(LENGTH, LONG)), name="session_long_of_user"
            ),
            models.Index(
                "group",
                LENGTH,
                condition=Q(GreaterThan(LENGTH, LONG)),
                name="session_long_of_group",
            ),
            models.Index(
                BEGAN.desc(),
                F("number").desc(),
                condition=Q(group=None, ready_at__isnull=False),
                name="session_unattributed",
            ),
            models.Index(fields=["hub", "ended_at"], name="session_end"),
            models.Index(
                fields=["hub"], condition=Q(absent_at__isnull=False), name="session_absent"
            ),
            # Leases that ran out stay open: what holds is found without passing them.
            models.Index(
                fields=["group"],
                include=["hub", "cpu_millicores"],
                condition=Q(ended_at=None, ready_at__isnull=False),
                name="session_running",
            ),
            models.Index(
                fields=["group", "lease_until"],
                include=["hub", "cpu_millicores"],
                condition=Q(ended_at=None, ready_at=None),
                name="session_pending",
            ),
            models.Index(fields=["user"], condition=Q(ended_at=None), name="session_open_of_user"),
            models.Index(
                fields=["hub", "seat"],
                condition=Q(adopted_until__isnull=False),
                name="session_adopted",
            ),
        )

    def __str__(self) -> str:
        return f"session {self.number}"

    @property
    def began(self) -> datetime | None:
        """Where lists put the session: `BEGAN` of this one."""
        return self.begins_at or self.granted_at or self.ended_at

    @property
    def institution(self) -> str:
        """What was known of the person's institution, in words; empty where nothing was."""
        known = self.affiliation
        if not known:
            return ""
        return f"{known['value']} ({known['issuer']}, last seen {known['last_seen_at']})"

    @property
    def url(self) -> str | None:
        """Where a person opens the server; None where the hub's address is not known."""
        if not self.hub.public_url:
            return None
        parts = [quote(part, safe="@~") for part in (self.user_name, self.server) if part]
        return "/".join([self.hub.public_url.rstrip("/"), "user", *parts, ""])

    @property
    def is_told_by_another(self) -> bool:
        """Whether it was made from lists, and its own events came since as another session."""
        return self.adopted_until is not None and self.ended_at == self.ready_at

    def state(self, *, at: datetime) -> State:
        """What the session is at that moment, an expired lease included."""
        if self.ended_at is not None:
            return self.State.FAILED if self.ready_at is None else self.State.ENDED
        if self.ready_at is None and self.lease_until is not None and self.lease_until <= at:
            return self.State.FAILED
        if self.stop_requested_at is not None:
            return self.State.STOPPING
        return self.State.PENDING if self.ready_at is None else self.State.READY
