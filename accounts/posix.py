"""People and groups as file servers know them: their numbers, and tables of both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import Error, connection
from django.db.models import Exists, OuterRef, Q

from accounts.identity.providers import Provider, providers
from accounts.models import Group, Membership, PosixId, Registration, User
from accounts.models.numbers import number_range
from lsp_portal.lib.plain_text import plain_text

NO_LOGIN = "/usr/sbin/nologin"
NEVER = range(65_534, 65_536)  # nobody, and “no number” in 16 bits
CLAIMED = re.compile(r"[0-9]{1,10}\Z")
LEFT = "posix_numbers_left"  # the name by which the database refuses


@dataclass(frozen=True, slots=True)
class ClaimedUid:
    """What a claim about the number of a newcomer comes to; without number one is allocated."""

    number: int | None
    note: str


def claimed_uid(value: object) -> ClaimedUid:
    """The number that an identity provider claims, where it can be given."""
    if value is None:
        return ClaimedUid(None, "")
    number = _number(value)
    if number is None:
        return ClaimedUid(None, f"The claimed UID {plain_text(repr(value)[:40])} is no number.")
    why_not = _why_not(number)
    if why_not:
        return ClaimedUid(None, f"The claimed UID {number} {why_not}, so another one was given.")
    return ClaimedUid(number, f"The UID {number} was claimed.")


def uid_claim(provider: Provider, claims: Mapping[str, Any]) -> object:
    """The number that the provider claims for somebody, as it came."""
    return claims.get(provider.uid_claim) if provider.uid_claim else None


def uid_notes(user: User) -> list[str]:
    """What became of the numbers that providers claim for the person."""
    known = {provider.name: provider for provider in providers()}
    notes = [
        uid_note(user, uid_claim(known[identity.provider], identity.claims))
        for identity in user.identities.all()
        if identity.provider in known
    ]
    return [note for note in notes if note]


def uid_note(user: User, value: object) -> str:
    """What became of a number that a provider claims for somebody."""
    if value is not None and _number(value) == user.uid:
        return f"The UID {user.uid} was claimed."
    claim = claimed_uid(value)
    return f"The claimed UID {claim.number} was not given." if claim.number else claim.note


def ensure_free_number(number: int) -> None:
    """Raises ValidationError for a number that cannot be given to anybody."""
    why_not = _why_not(number)
    if why_not:
        raise ValidationError(f"The number {number} {why_not}.", code="number_taken")


def ensure_numbers_left(kind: str) -> None:
    """Raises ValidationError where the range of people or groups is used up."""
    first, last = number_range(kind)
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_lowest_free(%s, %s)", [first, last])
        if cursor.fetchone()[0] is None:
            raise ValidationError(used_up(kind), code="no_numbers_left")


def used_up(kind: str) -> str:
    """What to tell an administrator when no number is left."""
    first, last = number_range(kind)
    setting = "UID_RANGE" if kind == PosixId.Kind.USER else "GID_RANGE"
    return f"All numbers from {first} to {last} have been given. Set {setting} to another range."


def is_used_up(error: Error) -> bool:
    """Whether the database refused a row because no number is left."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) == LEFT


def _number(value: object) -> int | None:
    if isinstance(value, str) and CLAIMED.match(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _why_not(number: int) -> str:
    first, last = settings.UID_IMPORT_RANGE
    if not first <= number <= last or number in NEVER:
        return f"is not one from {first} to {last} that can be given"
    if PosixId.objects.filter(number=number).exists():
        return "is or was that of another person or group"
    return ""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who is or was registered; `active`: whether they may work now."""

    name: str
    uid: int
    full_name: str
    active: bool

    @property
    def home(self) -> str:
        home: str = settings.POSIX_HOME.replace("{name}", self.name)
        return home.replace("{uid}", str(self.uid))

    @property
    def shell(self) -> str:
        return str(settings.POSIX_SHELL) if self.active else NO_LOGIN

    @property
    def gecos(self) -> str:
        """The full name, without what has a meaning in the table."""
        return plain_text(self.full_name, without=":,")

    def line(self) -> str:
        """As passwd(5) has it; the primary group has the person's own number."""
        numbers = f"{self.uid}:{self.uid}"
        return f"{self.name}:x:{numbers}:{self.gecos}:{self.home}:{self.shell}\n"


@dataclass(frozen=True, slots=True)
class Table:
    """A group with the names of those who are in it."""

    name: str
    gid: int
    members: tuple[str, ...]

    def line(self) -> str:
        """As group(5) has it."""
        return f"{self.name}:x:{self.gid}:{','.join(self.members)}\n"


def accounts(*, at: datetime) -> Iterator[Account]:
    """Everybody who was ever registered, by number."""
    approved = Registration.objects.filter(user=OuterRef("pk"), decision="approved")
    ever = User.objects.filter(Q(registered_at__isnull=False) | Exists(approved))
    active = Exists(User.objects.registered(at=at).filter(pk=OuterRef("pk")))
    rows = ever.annotate(works=active).order_by("uid")
    names = rows.values_list("username", "uid", "first_name", "last_name", "works")
    for name, uid, first, last, works in names.iterator():
        yield Account(name, uid, f"{first} {last}", works)


def groups(*, at: datetime) -> Iterator[Table]:
    """All groups with those in them at that moment, by number; then everybody's own group."""
    members = _members(at=at)
    found = Group.objects.order_by("gid").values_list("pk", "name", "gid")
    for key, name, gid in found:
        yield Table(name, gid, tuple(members.get(key, ())))
    for account in accounts(at=at):
        yield Table(account.name, account.uid, ())


def _members(*, at: datetime) -> dict[int, list[str]]:
    """The names of those who may work, by the id of the group."""
    inside = Membership.objects.valid(at=at).filter(user__in=User.objects.registered(at=at))
    found: dict[int, list[str]] = {}
    for key, name in inside.order_by("user__username").values_list("group", "user__username"):
        names = found.setdefault(key, [])
        if names[-1:] != [name]:  # a membership by hand and one by claims
            names.append(name)
    return found


def passwd(*, at: datetime) -> str:
    """The table of people, as passwd(5) describes it."""
    return "".join(account.line() for account in accounts(at=at))


def group(*, at: datetime) -> str:
    """The table of groups, as group(5) describes it."""
    return "".join(table.line() for table in groups(at=at))


def tables(*, at: datetime) -> dict[str, list[dict[str, Any]]]:
    """Both tables as values of JSON."""
    return {
        "users": [
            {
                "name": account.name,
                "uid": account.uid,
                "gid": account.uid,
                "gecos": account.gecos,
                "home": account.home,
                "shell": account.shell,
                "active": account.active,
            }
            for account in accounts(at=at)
        ],
        "groups": [
            {"name": table.name, "gid": table.gid, "members": list(table.members)}
            for table in groups(at=at)
        ],
    }
