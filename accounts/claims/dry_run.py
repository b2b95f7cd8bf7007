"""What the rules make of claims that somebody pasted; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.claims.matching import RuleBook, Said, wanted
from accounts.identity.providers import Provider
from accounts.models import ClaimRule, Membership, User


@dataclass(frozen=True)
class Outcome:
    """The rules that match, strongest first in each group, and what would change for a person.

    `ending`: synced memberships of rules of this provider that no claim backs any more.
    """

    rules: list[ClaimRule]
    giving: list[ClaimRule]
    ending: list[Membership]


def try_claims(
    *, provider: Provider, claims: Mapping[str, Any], user: User | None, at: datetime
) -> Outcome:
    """What a sign-in with these claims would do; without a person, to a newcomer."""
    rules = ClaimRule.objects.filter(active=True).select_related("group").order_by("pk")
    by_group = wanted(RuleBook.of(rules), [Said.by(provider, claims, None)])
    synced = _synced(provider, user, at)
    have = {(row.group_id, row.role) for row in synced}
    best = [matches[0].rule for _, matches in sorted(by_group.items())]
    return Outcome(
        rules=[match.rule for _, matches in sorted(by_group.items()) for match in matches],
        giving=[rule for rule in best if (rule.group_id, rule.role) not in have],
        ending=[row for row in synced if row.group_id not in by_group],
    )


def _synced(provider: Provider, user: User | None, at: datetime) -> list[Membership]:
    if user is None:
        return []
    own = Membership.objects.valid(at=at).filter(user=user, synced=True)
    said_here = own.filter(identity__issuer=provider.issuer)
    return list(said_here.select_related("group", "rule").order_by("pk"))
