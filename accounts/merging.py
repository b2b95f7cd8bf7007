"""Two accounts of one person become one: what moves, what ends and what stays.

Sessions, charges, decisions and past memberships stay with the account that they happened to, so
nothing is counted anew; the identities, and the memberships still in force, go on with the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.audit import change_rows, create_rows
from accounts.models import Affiliation, ApiToken, Identity, Membership, User

NEVER = datetime.max.replace(tzinfo=UTC)
Span = tuple[datetime, datetime]


@dataclass
class Merge:
    """What becomes of the accounts; shown before, done after."""

    keep: User
    old: User
    identities: list[Identity]
    tokens: list[ApiToken]
    owned: list[User]
    begun: list[Membership] = field(default_factory=list)
    ended: list[tuple[Membership, datetime]] = field(default_factory=list)


def preview(*, keep: User, old: User, by: User, at: datetime) -> Merge:
    """What a merge would do. Raises ValidationError where there can be none."""
    _ensure_possible(keep, old, by, at)
    found = Merge(
        keep=keep,
        old=old,
        identities=list(old.identities.order_by("pk")),
        tokens=list(old.api_tokens.valid(at=at).order_by("pk")),
        owned=list(old.owned_accounts.order_by("pk")),
    )
    for rows in _by_group(_unended(keep, old, at)):
        _share_out(found, rows, by, at)
    return found


@transaction.atomic
def merge(*, keep: User, old: User, by: User, at: datetime) -> Merge:
    """Let `keep` go on for both. Raises ValidationError where there can be no merge."""
    both = User.objects.filter(pk__in=(keep.pk, old.pk)).order_by("pk")
    locked = {user.pk: user for user in both.select_for_update(no_key=True)}
    keep, old = locked[keep.pk], locked[old.pk]
    for rows in (_unended(keep, old, at), old.identities.all(), old.api_tokens.all()):
        list(rows.order_by("pk").select_for_update(of=("self",)))
    found = preview(keep=keep, old=old, by=by, at=at)
    _move(found, at)
    change_rows([old], lambda user: _close(user, keep), "is_active", "merged_into")
    return found


def _ensure_possible(keep: User, old: User, by: User, at: datetime) -> None:
    problem = ""
    if keep.pk == old.pk:
        problem = "Choose two different accounts."
    elif old.merged_into_id is not None:
        problem = f"“{old.username}” was merged already."
    elif User.Kind.BUCKET in (keep.kind, old.kind):
        problem = "Shared accounts belong to several people and cannot be merged."
    elif not keep.is_active or keep.registered_at is None or keep.has_ended(at=at):
        problem = f"“{keep.username}” cannot go on: it is not approved, switched off or has ended."
    elif old.pk == by.pk:
        problem = "You are signed in with the account that would end. Sign in with the other one."
    if problem:
        raise ValidationError(problem, code="cannot_merge")


def _unended(keep: User, old: User, at: datetime) -> QuerySet[Membership]:
    found = Membership.objects.filter(Q(valid_to=None) | Q(valid_to__gt=at), user__in=(keep, old))
    return found.select_related("user", "group").order_by("pk")


def _by_group(rows: Iterable[Membership]) -> Iterable[list[Membership]]:
    """The rows that must not overlap: of one group, decided by people or following from claims."""
    found: dict[tuple[int, bool], list[Membership]] = defaultdict(list)
    for row in rows:
        found[row.group_id, row.synced].append(row)
    return found.values()


def _share_out(plan: Merge, rows: list[Membership], by: User, at: datetime) -> None:
    """At each moment the strongest role counts; of two that are as strong, the kept account's."""
    rows.sort(key=lambda row: (-row.strength, row.user_id != plan.keep.pk))
    taken: list[Span] = []
    for row in rows:
        span = max(row.valid_from, at), row.valid_to or NEVER
        free = _without(span, taken)
        taken += free
        if row.user_id == plan.keep.pk and free == [span]:
            continue  # it stays as it is
        if row.user_id == plan.keep.pk and free and free[0][0] == span[0]:
            plan.ended.append((row, free.pop(0)[1]))
        else:
            plan.ended.append((row, span[0]))
        plan.begun += [_again(row, piece, plan.keep, by) for piece in free]


def _without(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What is left of the time when the spans that others took are cut out."""
    left = [span]
    for start, end in taken:
        left = [
            piece
            for first, last in left
            for piece in ((first, min(last, start)), (max(first, end), last))
            if piece[0] < piece[1]
        ]
    return left


def _again(row: Membership, span: Span, keep: User, by: User) -> Membership:
    return Membership(
        user=keep,
        group=row.group,
        role=row.role,
        rights=row.rights,
        ceiling=row.ceiling,
        synced=row.synced,
        rule=row.rule,
        identity=row.identity,
        valid_from=span[0],
        valid_to=None if span[1] == NEVER else span[1],
        added_by=by,
    )


def _move(plan: Merge, at: datetime) -> None:
    ends = {row.pk: end for row, end in plan.ended}
    change_rows(
        [row for row, _ in plan.ended], lambda row: setattr(row, "valid_to", ends[row.pk]),
        "valid_to",
    )  # fmt: skip
    create_rows(plan.begun)
    change_rows(plan.identities, lambda row: setattr(row, "user", plan.keep), "user")
    change_rows(plan.owned, lambda row: setattr(row, "owner", plan.keep), "owner")
    change_rows(plan.tokens, lambda row: setattr(row, "revoked_at", at), "revoked_at")
    _copy_affiliations(plan.keep, plan.old)


def _copy_affiliations(keep: User, old: User) -> None:
    """What providers said of the old account is also evidence for the kept one."""
    for row in old.affiliations.all():
        told, is_new = Affiliation.objects.get_or_create(
            user=keep,
            issuer=row.issuer,
            claim=row.claim,
            value=row.value,
            defaults={
                "organisation": row.organisation,
                "first_seen_at": row.first_seen_at,
                "last_seen_at": row.last_seen_at,
            },
        )
        if not is_new:
            told.first_seen_at = min(told.first_seen_at, row.first_seen_at)
            told.last_seen_at = max(told.last_seen_at, row.last_seen_at)
            told.save(update_fields=["first_seen_at", "last_seen_at"])


def _close(old: User, keep: User) -> None:
    old.is_active = False
    old.merged_into = keep
