"""Which pages the header offers to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, QuerySet, Subquery, Value
from django.urls import reverse

from accounts.approvals import queue
from accounts.models import Group, Notice, User
from accounts.policies import unaccepted_by
from quotas.models import QuotaRequest
from quotas.requests import DECIDE
from sessions.models import Reattribution


class Audience(StrEnum):
    """What a visitor is to the portal, as far as the header cares."""

    ANYBODY = "anybody"
    SIGNED_IN = "signed in"
    PI = "PI"
    STAFF = "staff"


@dataclass(frozen=True)
class Entry:
    """A page of the header; `path` is where it stands and the prefix of the pages below it."""

    title: str
    path: str
    is_current: bool
    count: int = 0


@dataclass(frozen=True)
class Standing:
    """What the header has to know about a visitor."""

    audiences: frozenset[Audience]
    waiting: int = 0  # people about whom an administrator has to decide
    requests: int = 0  # that wait for the visitor's answer
    needs_policy: bool = False
    unread: int = 0  # notices


# Title, URL name, who sees it. The home page comes first and is current only at its own address.
PAGES: tuple[tuple[str, str, Audience], ...] = (
    ("Home", "landing", Audience.ANYBODY),
    ("My sessions and usage", "my_usage", Audience.SIGNED_IN),
    ("My groups", "groups", Audience.PI),
    ("Requests", "my_requests", Audience.PI),
    ("Reports", "reports", Audience.SIGNED_IN),
    ("Overview", "overview", Audience.STAFF),
    ("Registrations", "registrations", Audience.STAFF),
    ("Administration", "admin:index", Audience.STAFF),
)


def standing(user: User | AnonymousUser, *, at: datetime) -> Standing:
    """How the visitor stands at that moment; asks the database once for somebody signed in."""
    if not isinstance(user, User):
        return Standing(frozenset({Audience.ANYBODY}))
    leads, needs_policy, unread, waiting, *requests = _facts(user, at)
    found = {Audience.ANYBODY, Audience.SIGNED_IN}
    if user.is_staff:
        found.add(Audience.STAFF)
    asked = sum(number or 0 for number in requests)
    if leads or asked:
        found.add(Audience.PI)
    return Standing(frozenset(found), waiting or 0, asked, needs_policy, unread or 0)


def audiences(user: User | AnonymousUser, *, at: datetime) -> frozenset[Audience]:
    """What the visitor is at that moment."""
    return standing(user, at=at).audiences


def entries(user: User | AnonymousUser, path: str, *, at: datetime) -> list[Entry]:
    """The header's entries for a visitor who stands at `path`."""
    return entries_for(standing(user, at=at), path)


def entries_for(seen: Standing, path: str) -> list[Entry]:
    """The same for a visitor about whom the database was asked already."""
    shown = [(name, title, reverse(name)) for title, name, who in PAGES if who in seen.audiences]
    counts = {"registrations": seen.waiting, "my_requests": seen.requests}
    return [
        Entry(title, address, _is_current(address, path), counts.get(name, 0))
        for name, title, address in shown
    ]


def _facts(user: User, at: datetime) -> tuple[Any, ...]:
    """Whether the person leads a group and has a policy to accept; notices, people that wait, and
    the requests of each kind that do; all by one question.
    """
    facts = User.objects.filter(pk=user.pk).values_list(
        Exists(Group.objects.led_by(user, at=at)),
        Exists(unaccepted_by(user, at=at)),
        _number(Notice.objects.filter(recipient=user).unread()),
        _number(queue()) if user.is_staff else Value(0),
        _number(Reattribution.objects.waiting_for(user, at=at)),
        _number(QuotaRequest.objects.waiting_for(user, at=at)),
        _number(_undecided(user)) if user.is_staff else Value(0),
    )
    return facts.first() or (False, False, 0, 0)


def _undecided(user: User) -> QuerySet[QuotaRequest]:
    """Requests of groups that wait for administrators, where the person is one who may decide."""
    deciders = User.objects.with_perm(DECIDE)
    return QuotaRequest.objects.filter(
        Exists(deciders.filter(pk=user.pk)), state=QuotaRequest.State.OPEN
    )


def _number(rows: QuerySet[Any]) -> Subquery:
    """How many rows there are, as a part of a question; NULL for none."""
    together = rows.order_by().annotate(one=Value(1)).values("one")
    return Subquery(together.annotate(number=Count("pk")).values("number"))


def _is_current(address: str, path: str) -> bool:
    return path == address or (address != "/" and path.startswith(address))
