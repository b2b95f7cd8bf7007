"""What the pages of requests to move a session show: the forms, and what would move."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from accounting.models import Statement
from accounts.models import Group, User
from lsp_portal.lib.forms import PortalForm
from quotas.models import AllocationPeriod
from sessions.models import Reattribution, Session
from sessions.reattributing.choices import Choice
from sessions.reattributing.effects import Balance, Effect, Part, effect

LENGTH = 400
MOST_PREVIEWS = 5


class AskForm(PortalForm):
    """Which group is to pay instead, and why."""

    to = forms.ModelChoiceField(
        Group.objects.none(), label="Group that pays instead", to_field_name="name"
    )
    reason = forms.CharField(
        max_length=LENGTH, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Those who decide read it, and it is kept with the correction.",
    )  # fmt: skip

    def __init__(self, *args: Any, groups: Sequence[Group], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keys = [group.pk for group in groups]
        field: Any = self.fields["to"]
        field.queryset = Group.objects.filter(pk__in=keys)
        field.label_from_instance = lambda group: group.title


class AnswerForm(PortalForm):
    """What the group that is to pay says."""

    answer = forms.CharField(
        label="Note", required=False, max_length=LENGTH, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Needed to decline.",
    )  # fmt: skip
    beyond_quota = forms.BooleanField(label="Accept even beyond the hard quota", required=False)


@dataclass(frozen=True, slots=True)
class Line:
    """What moves within a period, and how the groups stand of which the reader may know it.

    `is_closed`: the period has a statement.
    """

    period: AllocationPeriod | None
    moves: int
    balances: tuple[Balance, ...]
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What would move to a group."""

    group: Group
    moves: int
    goes_beyond: bool
    lines: list[Line]


def effects(
    session: Session, paying: Group, found: Sequence[Choice], *, reader: User, at: datetime
) -> list[Preview]:
    """What would move to each group that can be chosen, the first few of them."""
    groups = [one.group for one in found if not one.refusal][:MOST_PREVIEWS]
    known = _known(reader, [paying, *groups], at=at)
    return [_preview(group, effect(session, paying, group, at=at), known) for group in groups]


def effect_of(row: Reattribution, *, reader: User, at: datetime) -> Preview:
    """What would move if it were accepted now."""
    known = _known(reader, [row.from_group, row.to_group], at=at)
    of = effect(row.session, row.from_group, row.to_group, at=at)
    return _preview(row.to_group, of, known)


def refused(
    session: Session, found: Sequence[Choice], *, reader: User, at: datetime
) -> list[Choice]:
    """Groups that cannot pay, and why; others than the person see those that they know anyway."""
    rows = [one for one in found if one.refusal]
    known = _known(reader, [one.group for one in rows], at=at)
    return [one for one in rows if session.user_id == reader.pk or one.group.pk in known]


def moved(row: Reattribution) -> int | None:
    """Millicore-seconds that were moved; None for what was not accepted."""
    if row.adjustment is None:
        return None
    booked = row.adjustment.booked
    if booked.ended_at is None:
        return None
    return int((booked.ended_at - booked.started_at).total_seconds()) * booked.cpu_millicores


def what_follows(row: Reattribution) -> str:
    """What becomes of a request that was just made, in words."""
    if row.state == Reattribution.State.ACCEPTED:
        return f"{row.to_group.title} pays for the session now."
    return f"The request is on its way to those who decide for {row.to_group.title}."


def _known(reader: User, groups: Sequence[Group], *, at: datetime) -> set[int]:
    """The groups of which the person may know the use: led, or belonged to; of staff all."""
    among = Group.objects.filter(pk__in=[group.pk for group in groups])
    return {
        *among.visible_to(reader, at=at).values_list("pk", flat=True),
        *among.of(reader, at=at).values_list("pk", flat=True),
    }


def _preview(group: Group, of: Effect, known: Set[int]) -> Preview:
    periods = [part.period.pk for part in of.parts if part.period]
    closed = set(Statement.objects.filter(period__in=periods).values_list("period", flat=True))
    lines = [
        _line(part, known, is_closed=bool(part.period and part.period.pk in closed))
        for part in of.parts
    ]
    return Preview(group, of.moves, of.goes_beyond, lines)


def _line(part: Part, known: Set[int], *, is_closed: bool) -> Line:
    balances = tuple(one for one in part.balances if one.group.pk in known)
    return Line(part.period, part.moves, balances, is_closed)
