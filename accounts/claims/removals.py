"""Removals by a sync: too large a share of a group is held until somebody decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q

from accounts.audit import change_rows, create_rows
from accounts.models import HeldSync, Membership, User

FEW = 3  # so many leave without a question, however small the group
WINDOW = timedelta(hours=24)  # single sign-ins add up for so long
Decision = HeldSync.Decision
Held = HeldSync.memberships.through


class AlreadyDecidedError(Exception):
    """Somebody else decided about these removals."""

    code, status = "already_decided", 409


def sort_out(leaving: list[Membership], whose: Q, *, at: datetime) -> tuple[list[Membership], int]:
    """Those who may leave now, and the number of those who are held instead.

    `whose`: the memberships that the sync looked at; what it found right again is held no longer.
    """
    held = too_many(leaving, at=at)
    rows = [row for group in held for row in held[group]]
    _release({row.pk for row in rows}, whose, at=at)
    _hold(held, at=at)
    return [row for row in leaving if row.group_id not in held], len(rows)


@transaction.atomic
def remove_held(held: HeldSync, *, by: User, at: datetime) -> int:
    """Carry the removals out. Returns how many. Raises AlreadyDecidedError."""
    _decide(held, Decision.REMOVED, by, at)
    return len(change_rows(_lasting(held), partial(_end, at), "valid_to"))


@transaction.atomic
def keep_held(held: HeldSync, *, by: User, at: datetime) -> int:
    """Let the people stay, as members by hand from now on. Raises AlreadyDecidedError."""
    _decide(held, Decision.KEPT, by, at)
    ended = change_rows(_lasting(held), partial(_end, at), "valid_to")
    manual = Membership.objects.filter(
        Q(valid_to=None) | Q(valid_to__gt=at), group=held.group_id, synced=False
    )
    have = set(manual.values_list("user", flat=True))
    kept = [row for row in ended if row.user_id not in have]
    create_rows([_by_hand(row, by, at) for row in kept])
    return len(ended)


def too_many(leaving: Iterable[Membership], *, at: datetime) -> dict[int, list[Membership]]:
    """Of those who would leave, by group, the ones about whom somebody has to decide."""
    by_group: dict[int, list[Membership]] = defaultdict(list)
    for row in leaving:
        by_group[row.group_id].append(row)
    return {group: by_group[group] for group in _groups_to_ask_about(by_group, at=at)}


def _groups_to_ask_about(by_group: dict[int, list[Membership]], *, at: datetime) -> set[int]:
    """Groups that would lose too large a share, or about which a question is open."""
    if not by_group:
        return set()
    open_ = HeldSync.objects.filter(decision=Decision.OPEN, group__in=by_group)
    found = set(open_.values_list("group", flat=True))
    present, gone = _members(by_group), _gone(by_group, at=at)
    for group, rows in by_group.items():
        lost = len({row.user_id for row in rows}) + gone.get(group, 0)
        whole = present.get(group, 0) + gone.get(group, 0)
        if lost >= FEW and lost > settings.SYNC_REMOVAL_SHARE * whole:
            found.add(group)
    return found


def _members(groups: Iterable[int]) -> dict[int, int]:
    """By group how many people are in it by rules."""
    rows = Membership.objects.filter(group__in=list(groups), synced=True, valid_to=None)
    return dict(rows.order_by().values_list("group").annotate(Count("user", distinct=True)))


def _gone(groups: Iterable[int], *, at: datetime) -> dict[int, int]:
    """By group how many people a sync removed of late, without anybody's decision."""
    lasting = Membership.objects.filter(synced=True, valid_to=None)
    rows = Membership.objects.filter(
        group__in=list(groups), synced=True, valid_to__gt=at - WINDOW, valid_to__lte=at
    ).exclude(held_syncs__decision__in=[Decision.REMOVED, Decision.KEPT])
    pairs = set(rows.values_list("group", "user"))
    pairs -= set(lasting.filter(group__in=list(groups)).values_list("group", "user"))
    counts: dict[int, int] = defaultdict(int)
    for group, _ in pairs:
        counts[group] += 1
    return counts


def _release(still: set[int], whose: Q, *, at: datetime) -> None:
    """Take memberships out of open questions that nothing speaks against any more."""
    seen = Membership.objects.filter(whose)
    open_ = Held.objects.filter(heldsync__decision=Decision.OPEN)
    open_.filter(membership__in=seen).exclude(membership__in=still).delete()
    empty = HeldSync.objects.filter(decision=Decision.OPEN, memberships=None)
    empty.update(decision=Decision.KEPT, decided_at=at)


def _hold(held: dict[int, list[Membership]], *, at: datetime) -> None:
    if not held:
        return
    HeldSync.objects.bulk_create(
        [HeldSync(group_id=group, found_at=at) for group in held], ignore_conflicts=True
    )
    open_ = HeldSync.objects.filter(decision=Decision.OPEN, group__in=held)
    number = dict(open_.values_list("group", "pk"))
    rows = [
        Held(heldsync_id=number[row.group_id], membership_id=row.pk)
        for rows in held.values()
        for row in rows
    ]
    Held.objects.bulk_create(rows, ignore_conflicts=True, batch_size=5000)


def _decide(held: HeldSync, decision: str, by: User, at: datetime) -> None:
    open_ = HeldSync.objects.filter(pk=held.pk, decision=Decision.OPEN)
    if not open_.update(decision=decision, decided_by=by, decided_at=at):
        raise AlreadyDecidedError("Somebody else has decided about these removals.")


def _lasting(held: HeldSync) -> list[Membership]:
    rows = Membership.objects.filter(held_syncs=held, valid_to=None).order_by("pk")
    return list(
        rows.select_related("user", "group", "rule").select_for_update(of=("self",), no_key=True)
    )


def _end(at: datetime, row: Membership) -> None:
    row.valid_to = max(row.valid_from, at)


def _by_hand(row: Membership, by: User, at: datetime) -> Membership:
    return Membership(
        user=row.user,
        group=row.group,
        role=row.role,
        valid_from=row.valid_to or at,
        added_by=by,
    )
