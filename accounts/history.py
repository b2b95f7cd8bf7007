"""The trail of changes in plain words, on the page of a group and of single objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Page
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import person, registered
from accounts.models import Change, Group, Membership, User
from lsp_portal.lib import clock
from lsp_portal.lib.display import NOTHING
from lsp_portal.lib.paging import BoundedPaginator

PER_PAGE = 50
LONGEST = 120
WORDS = {
    "valid_from": "beginning",
    "valid_to": "end",
    "closed_at": "closing",
    "opens_at": "opening",
    "expires_at": "expiry",
    "revoked_at": "revocation",
    "accepted_at": "acceptance",
    "is_active": "access",
}


@dataclass(frozen=True)
class Entry:
    """One change as a person reads it."""

    at: datetime
    who: str
    what: str
    details: tuple[str, ...]


@never_cache
@require_safe
@registered
def group_history(request: HttpRequest, name: str) -> HttpResponseBase:
    """Who changed what in a group: for its PIs, its managers of members, and administrators."""
    group = _group_or_404(person(request), name, at=clock.now())
    changes = Change.objects.of_group(group).select_related("actor", "content_type")
    page = BoundedPaginator(changes, PER_PAGE).get_page(request.GET.get("page"))
    shown = {"group": group, "page": page, "entries": entries(page)}
    return render(request, "accounts/history.html", shown)


def entries(page: Page[Change]) -> list[Entry]:
    return [entry(change) for change in page]


def entry(change: Change) -> Entry:
    """“Dora Example changed the end of Bob Example's membership from — to 2026-12-01.”"""
    changes: dict[str, Any] = change.changes or {}
    if change.action == Change.Action.CREATE:
        details = tuple(_values(change, changes))
        return Entry(change.timestamp, who(change), f"added {change.about}", details)
    if change.action == Change.Action.DELETE:
        return Entry(change.timestamp, who(change), f"removed {change.about}", ())
    details = tuple(_differences(change, changes))
    if len(details) == 1:
        return Entry(change.timestamp, who(change), f"changed {details[0]}", ())
    return Entry(change.timestamp, who(change), f"changed {change.about}", details)


def who(change: Change) -> str:
    """The person, the program, or the person through a program."""
    if change.actor is not None:
        return f"{change.actor.title} ({change.by})" if change.by else change.actor.title
    words = change.by or "the portal"
    return f"{words[0].upper()}{words[1:]}"


def _differences(change: Change, changes: dict[str, Any]) -> Iterator[str]:
    for field, value in sorted(changes.items()):
        called = f"the {_called(change, field)} of {change.about}"
        if isinstance(value, dict):  # a relation to many
            verb = "with" if value["operation"] == "add" else "without"
            yield f"{called}: {verb} {', '.join(map(str, value['objects']))}"
        else:
            yield f"{called} from {_said(value[0])} to {_said(value[1])}"


def _values(change: Change, changes: dict[str, Any]) -> Iterator[str]:
    for field, value in sorted(changes.items()):
        if not isinstance(value, dict) and value[1] not in (None, "", []):
            yield f"{_called(change, field)}: {_said(value[1])}"


def _called(change: Change, field: str) -> str:
    if field in WORDS:
        return WORDS[field]
    model = change.content_type.model_class()
    try:
        return str(model._meta.get_field(field).verbose_name) if model else field
    except (FieldDoesNotExist, AttributeError):
        return field.replace("_", " ")


def _said(value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return _shortened(str(value))


def _shortened(text: str) -> str:
    """The text; of a moment only what is not zero."""
    moment = _moment(text)
    if moment is not None:
        is_midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
        return f"{moment:%Y-%m-%d}" if is_midnight else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _moment(text: str) -> datetime | None:
    try:
        return parse_datetime(text) if len(text) >= 19 else None
    except ValueError:
        return None


def _group_or_404(user: User, name: str, *, at: datetime) -> Group:
    may = Group.objects.where(user, may=Membership.Right.MEMBERS, at=at)
    groups = Group.objects.all() if user.is_staff else may
    group = None if "\0" in name else groups.filter(name=name).first()
    if group is None:
        raise Http404("No such group.")
    return group
