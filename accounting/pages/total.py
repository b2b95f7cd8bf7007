"""What a total is made of: the sessions of a person or a group in a window, and their sum.

A session belongs to those who are charged for it; after an adjustment these may be others than
those it began for. So rows and sum count the charges of the person and the group asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import connection
from django.db.models import Q
from django.http import Http404

from accounting.kinds import INSTITUTION
from accounting.reports import report
from accounting.reports.wish import Wish
from accounting.usage import Window
from accounts.models import Group, User
from lsp_portal.lib.forms import PortalForm
from quotas.vocabulary import Usage
from sessions.models import Adjustment, Hub, Session
from sessions.models.records import SessionQuerySet
from sessions.usage import Paid, amounts, longest, paid_sql
from sessions.usage import usage as as_usage

NOBODY = "-"
"""In the place of a name: no group, nobody whom the portal knows, an image that nobody told."""


class NamesForm(PortalForm):
    """Whose sessions, and which; what is left empty does not matter."""

    marks_optional = False

    group = forms.CharField(required=False, max_length=100)
    user = forms.CharField(required=False, max_length=150, label="User name")
    hub = forms.CharField(required=False, max_length=20)
    image = forms.CharField(required=False, max_length=100)
    size = forms.CharField(required=False, max_length=100)
    institution = forms.CharField(required=False, max_length=255)


class FilterForm(NamesForm):
    """The same with the state, and whether all groups that one leads are meant."""

    whose = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)
    state = forms.ChoiceField(
        required=False, choices=[("", "any"), ("running", "running"), ("ended", "ended")]
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose sessions, and which of them; a `paid` key of None is nobody."""

    paid: Paid
    names: dict[str, str]
    state: str

    def sessions(self, window: Window) -> SessionQuerySet:
        """Those that were there in the window, and those whose charges were adjusted."""
        owned = Session.objects.filter(**_having(self.paid))
        found = owned.during(window.start, window.end)
        moved = self._adjusted(window)
        if moved := moved - set(found.filter(pk__in=moved).values_list("pk", flat=True)):
            chosen = Q(pk__in=moved) | Q(pk__in=found.values("pk"))
            found = Session.objects.filter(chosen)
        found = found.told_once().of_kind(**self.names)
        if self.state == "running":
            return found.filter(ended_at=None, ready_at__isnull=False)
        return found.filter(ended_at__isnull=False) if self.state else found

    def total(self, window: Window) -> Usage:
        """The sum over the sessions of the list, within the window."""
        if self.state or None in self.paid.values():
            return self._sum(window)
        return report.total(self._wish(), window)

    def _wish(self) -> Wish:
        """The report whose total this is; the payers are known."""
        group, user = self.paid.get("group"), self.paid.get("user")
        groups = group if isinstance(group, list) or group is None else [group]
        kinds: dict[str, int | str] = dict(self.names)
        if (hub := self.names.get("hub")) is not None:
            kinds["hub"] = Hub.objects.filter(name=hub).values_list("pk", flat=True).first() or 0
        return Wish(
            groups=None if groups is None else tuple(groups),
            user=user if isinstance(user, int) else None,
            kinds=kinds,
        )

    def _adjusted(self, window: Window) -> set[int]:
        """Adjustments are made by hand: few, and few of them for one person or group."""
        charged = Q()
        for charge in ("taken_back", "booked"):
            within = Q(**_having(self.paid, f"{charge}__"))
            charged |= within & Q(
                **{f"{charge}__started_at__lt": window.end, f"{charge}__ended_at__gt": window.start}
            )
        return set(Adjustment.objects.filter(charged).values_list("session", flat=True))

    def _sum(self, window: Window) -> Usage:
        conditions = paid_sql(self.paid) + _bounds(self.paid)
        conditions += "".join(f" AND {COLUMNS[name]} = %({name})s" for name in self.names)
        parameters: dict[str, Any] = {
            "start": window.start, "end": window.end, "at": window.at, **self.paid, **self.names,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(SUM.format(conditions=conditions + STATES[self.state]), parameters)
            return as_usage(cursor.fetchone())


COLUMNS = {"hub": "h.name", "image": "s.image", "size": "s.size", "institution": INSTITUTION}
STATES = {
    "": "",
    "running": " AND s.ended_at IS NULL AND s.ready_at IS NOT NULL",
    "ended": " AND s.ended_at IS NOT NULL",
}
SUM = f"""
SELECT {amounts("%(start)s", "%(end)s")}
FROM hub_sessions_charge c
JOIN hub_sessions_session s ON s.number = c.session_id
JOIN hub_sessions_hub h ON h.id = s.hub_id
WHERE c.started_at < %(end)s AND (c.ended_at IS NULL OR c.ended_at > %(start)s) {{conditions}}
"""


def _bounds(paid: Paid) -> str:
    """A person's sessions, and a group's closed charges, are one stretch of an index each."""
    bounds = ""
    if paid.get("user") is not None:
        bounds += " AND s.user_id = %(user)s"
    if paid.get("group") is not None:
        several = isinstance(paid["group"], list)
        long = longest(f"l.group_id = {'ANY(%(group)s)' if several else '%(group)s'}")
        bounds += f" AND (c.ended_at IS NULL OR c.started_at > %(start)s - {long})"
    return bounds


def _having(paid: Paid, prefix: str = "") -> dict[str, Any]:
    """The condition on sessions or charges, as querysets have it."""
    return {
        f"{prefix}{name}__in" if isinstance(key, list) else f"{prefix}{name}": key
        for name, key in paid.items()
    }


def of_group(group: Group) -> Asked:
    """What the group is charged for."""
    return Asked({"group": group.pk}, {}, "")


def of_person(user: User) -> Asked:
    """What the person used."""
    return Asked({"user": user.pk}, {}, "")


def asked_for(reader: User, wish: dict[str, str], window: Window) -> Asked:
    """What somebody may see of what they wish: administrators everything, PIs and managers what
    their group pays for, or all of theirs, everybody their own. Http404 for anything else, as for
    unknown names.
    """
    name, group = wish.get("user", ""), wish.get("group", "")
    led = Group.objects.visible_to(reader, at=window.at)
    of_all_led = not group and wish.get("whose") == "groups"
    if not (reader.is_staff or of_all_led or led.filter(name=group).exists()):
        if name not in ("", reader.username):
            raise Http404("No such sessions.")
        name = reader.username
    paid: dict[str, int | list[int] | None] = {}
    if of_all_led:
        paid["group"] = list(led.values_list("pk", flat=True))
    if name:
        paid["user"] = _key(User.objects.filter(username=name), name)
    if group:
        paid["group"] = _key(Group.objects.filter(name=group), group)
    names = {key: "" if wish[key] == NOBODY else wish[key] for key in COLUMNS if wish.get(key)}
    return Asked(paid, names, wish.get("state", ""))


def _key(found: Any, name: str) -> int | None:
    if name == NOBODY:
        return None
    key: int | None = found.values_list("pk", flat=True).first()
    if key is None:
        raise Http404("No such person or group.")
    return key
