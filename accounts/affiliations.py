"""Evidence of people's institutions: what providers assert, and who should confirm it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.identity.providers import Provider
from accounts.models import Affiliation, Identity, User

LENGTH = 255
MOST_VALUES = 100  # of one claim
ALWAYS = ("hd", "idp_name")  # Google's and CILogon's names of the organisation itself


@dataclass(frozen=True)
class Asserted:
    """One value of one claim, and the organisation that it names."""

    claim: str
    value: str
    organisation: str


def assertions(provider: Provider, claims: Mapping[str, Any]) -> list[Asserted]:
    """What the claims say about an institution; each value once."""
    if not provider.affiliation_claims:
        return []
    idp_name = next(_values(claims.get("idp_name")), "")
    found = {
        (claim, value): Asserted(claim, value, _organisation(claim, value, idp_name))
        for claim in dict.fromkeys((*provider.affiliation_claims, *ALWAYS))
        for value in _values(claims.get(claim))
    }
    return list(found.values())


@transaction.atomic
def note_affiliations(identity: Identity, *, provider: Provider, at: datetime) -> int:
    """Keep what the provider said last; who was asked to confirm has done so by it."""
    rows = [
        Affiliation(
            user_id=identity.user_id,
            issuer=identity.issuer,
            claim=one.claim[:60],
            value=one.value,
            organisation=one.organisation,
            first_seen_at=at,
            last_seen_at=at,
        )
        for one in assertions(provider, identity.claims)
    ]
    if not rows:
        return 0
    Affiliation.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["user", "issuer", "claim", "value"],
        update_fields=["organisation", "last_seen_at"],
    )
    asked = User.objects.filter(pk=identity.user_id, affiliation_asked_at__lte=at)
    asked.update(affiliation_asked_at=None)
    return len(rows)


def ask_to_confirm(people: list[User], *, at: datetime) -> list[User]:
    """Ask people to sign in by their institution; returns those who were not asked before."""
    unasked = [person for person in people if person.affiliation_asked_at is None]
    marked = User.objects.filter(pk__in=[person.pk for person in unasked])
    marked.filter(affiliation_asked_at=None).update(affiliation_asked_at=at)
    return unasked


def _organisation(claim: str, value: str, idp_name: str) -> str:
    """The scope of the value, or the name that the provider gives the organisation."""
    if claim in ALWAYS:
        return value
    _, at_sign, scope = value.rpartition("@")
    return scope.lower() if at_sign else idp_name


def _values(claim: object) -> Iterator[str]:
    """The texts of a claim: one, several in a list, or several between semicolons (CILogon)."""
    texts = claim if isinstance(claim, list) else [claim]
    for text in texts[:MOST_VALUES]:
        if isinstance(text, str):
            yield from (part.strip()[:LENGTH] for part in text.split(";") if part.strip())
