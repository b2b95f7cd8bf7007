"""What the rules make of claims that somebody pasted: the sync's own plan; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.claims import removals
from accounts.claims.matching import Said, wanted
from accounts.claims.sync import Plan, plan_person, rule_book, said_by, synced_rows
from accounts.identity.providers import Provider
from accounts.models import ClaimRule, Group, Identity, Membership, User

NEWCOMER = 0
"""Stands for the number of a person who has none yet."""


@dataclass(frozen=True)
class Outcome:
    """The rules that match these claims, strongest first in each group, and what would change.

    `held`: memberships that would end, but that an administrator is asked about first.
    """

    rules: list[ClaimRule]
    begins: list[Membership]
    ends: list[Membership]
    held: list[Membership]


def try_claims(
    *, provider: Provider, claims: Mapping[str, Any], user: User | None, at: datetime
) -> Outcome:
    """What a sign-in with these claims would do; without a person, to a newcomer.

    What other providers said last about the person counts as well.
    """
    identities = _identities(user)
    here = next((i for i in identities if i.provider == provider.name and said_by([i])), None)
    said = Said.by(provider, claims, here)
    others = said_by(identity for identity in identities if identity is not here)
    book, plan = rule_book(), Plan()
    rows = synced_rows(at).filter(user=user) if user else []
    plan_person(plan, user.pk if user else NEWCOMER, wanted(book, [said, *others]), rows, at=at)
    held = removals.too_many(plan.leaving, at=at)
    matching = sorted(wanted(book, [said]).items())
    found = Outcome(
        rules=[match.rule for _, matches in matching for match in matches],
        begins=plan.begins,
        ends=[*plan.replaced, *(row for row in plan.leaving if row.group_id not in held)],
        held=[row for row in plan.leaving if row.group_id in held],
    )
    _name_groups(found)
    return found


def _identities(user: User | None) -> list[Identity]:
    return list(Identity.objects.filter(user=user).order_by("pk")) if user else []


def _name_groups(found: Outcome) -> None:
    """Read the groups of what begins, and of the rules, at once."""
    groups = Group.objects.in_bulk({rule.group_id for rule in found.rules})
    groups |= Group.objects.in_bulk({row.group_id for row in found.begins} - groups.keys())
    for rule in found.rules:
        rule.group = groups[rule.group_id]
    for row in found.begins:
        row.group = groups[row.group_id]
