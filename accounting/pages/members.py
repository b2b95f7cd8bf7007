"""Who belonged to which group when, also those who left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Page, Paginator
from django.urls import reverse

from accounting.pages.period import Choice
from accounting.reports import notes
from accounting.usage import Window
from accounts.models import Group, Membership, User
from accounts.models.memberships import MembershipQuerySet
from lsp_portal.lib.forms import PortalForm

ROWS = 50
CHUNK = 1_000
COLUMNS = (
    "group", "group_title", "user", "user_title", "user_note", "role", "from", "until", "by_claim",
)  # fmt: skip


class MembersForm(PortalForm):
    marks_optional = False

    group = forms.CharField(required=False, max_length=30)
    user = forms.CharField(required=False, max_length=30, label="User name")


@dataclass(frozen=True, slots=True)
class Line:
    """A membership, what became of the person, and the sessions of the time that was asked for."""

    membership: Membership
    note: str
    url: str

    def cells(self) -> list[str]:
        """The line as files have it, in the order of `COLUMNS`; times are UTC."""
        row = self.membership
        return [
            row.group.name, row.group.title, row.user.username, row.user.title, self.note,
            row.role, _moment(row.valid_from), _moment(row.valid_to), "yes" if row.synced else "no",
        ]  # fmt: skip


def found(reader: User | None, asked: Mapping[str, Any], window: Window) -> MembershipQuerySet:
    """Memberships at some moment of the window: one's own, and those of groups that one leads.

    Administrators and services (None) see all. Names that one may not see find nothing.
    """
    rows = Membership.objects.during(window.start, window.end)
    if reader is not None and not reader.is_staff:
        led = Group.objects.led_by(reader, at=window.at).values("pk")
        rows = rows.filter(group__in=led) | rows.filter(user=reader)
    names = {"group__name": asked.get("group"), "user__username": asked.get("user")}
    rows = rows.filter(**{name: value for name, value in names.items() if value})
    ordered = rows.select_related("user", "group")
    return ordered.order_by("group__name", "user__username", "valid_from", "pk")


def page(rows: MembershipQuerySet, choice: Choice, *, number: str) -> Page[Any]:
    """Some lines, with the paginator of all."""
    listed: Page[Membership] = Paginator(rows, ROWS).get_page(number)
    shown = lines(list(listed), choice)
    return Page(shown, listed.number, listed.paginator)


def every(rows: MembershipQuerySet, choice: Choice) -> Iterator[list[str]]:
    """All of them for a file, read in bounded pieces."""
    left = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(left, CHUNK)):
        for line in lines(chunk, choice):
            yield line.cells()


def lines(rows: Iterable[Membership], choice: Choice) -> list[Line]:
    rows = list(rows)
    known = notes.of_people({row.user.username for row in rows})
    return [Line(row, known.get(row.user.username, ""), _sessions(row, choice)) for row in rows]


def _sessions(row: Membership, choice: Choice) -> str:
    asked = urlencode({"group": row.group.name, "user": row.user.username})
    return f"{reverse('sessions')}?{asked}&{choice.query_string}"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
