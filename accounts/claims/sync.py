"""Memberships follow from claims: for one person at the sign-in, for everybody in the night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.audit import change_rows, create_rows
from accounts.claims import removals
from accounts.claims.matching import Match, RuleBook, Said, wanted
from accounts.identity.providers import Provider, providers
from accounts.models import ClaimRule, Group, Identity, Membership, User
from lsp_portal.lib import advisory

LOCK = "memberships from claims"  # alone for a sync of everybody, shared by those of one person
ONE_AT_A_TIME = "removals from groups by claims"


@dataclass
class Plan:
    """What has to change: rows to begin, rows to end, and which of these leave their group."""

    begins: list[Membership] = field(default_factory=list)
    replaced: list[Membership] = field(default_factory=list)
    leaving: list[Membership] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """How many memberships a sync began and ended, and how many removals wait for a decision."""

    begun: int
    ended: int
    held: int


@transaction.atomic
def sync_person(user: User, *, at: datetime) -> Outcome:
    """Let the person's memberships follow from what the providers said last."""
    advisory.lock_shared(LOCK)
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))
    rows = list(_rows(at).filter(user=user))
    wants = wanted(rule_book(), said_by(Identity.objects.filter(user=user)))
    if not rows and not wants:
        return Outcome(0, 0, 0)
    plan = Plan()
    plan_person(plan, user.pk, wants, rows, at=at)
    if plan.leaving:
        advisory.lock(ONE_AT_A_TIME)
    return _carry_out(plan, Q(user=user), at=at)


@transaction.atomic
def sync_everybody(*, at: datetime) -> Outcome:
    """The same for everybody in one pass, whose number of queries does not grow with people."""
    advisory.lock(LOCK)
    rows: dict[int, list[Membership]] = defaultdict(list)
    for row in _rows(at):
        rows[row.user_id].append(row)
    plan, book = Plan(), rule_book()
    for user, identities in _identities_by_person():
        plan_person(plan, user, wanted(book, identities), rows.pop(user, []), at=at)
    for user, left in rows.items():  # whose last identity is gone
        plan_person(plan, user, {}, left, at=at)
    return _carry_out(plan, Q(), at=at)


def rule_book() -> RuleBook:
    """The rules that are switched on."""
    return RuleBook.of(ClaimRule.objects.filter(active=True).order_by("pk"))


def said_by(identities: Iterable[Identity]) -> list[Said]:
    """What the providers of this site said last; others have no say."""
    known = {provider.name: provider for provider in providers()}
    found = ((_provider(known, identity), identity) for identity in identities)
    return [Said.by(provider, i.claims, i) for provider, i in found if provider is not None]


def plan_person(
    plan: Plan,
    user: int,
    wants: dict[int, list[Match]],
    rows: Iterable[Membership],
    *,
    at: datetime,
) -> None:
    """Add to the plan what brings the person's synced rows to what is wanted."""
    by_group: dict[int, list[Membership]] = defaultdict(list)
    for row in rows:
        by_group[row.group_id].append(row)
    for group in wants.keys() | by_group.keys():
        _plan_group(plan, user, group, wants.get(group, []), by_group[group], at=at)


def _plan_group(
    plan: Plan,
    user: int,
    group: int,
    matches: list[Match],
    rows: list[Membership],
    *,
    at: datetime,
) -> None:
    lasting = [row for row in rows if row.valid_to is None]
    if any(_is_backed(row, matches) for row in lasting):
        return
    if not matches:
        plan.leaving += lasting
        return
    plan.replaced += lasting
    ends = [max(row.valid_from, row.valid_to or at) for row in rows]  # of a sync that came first
    plan.begins.append(_membership(user, group, matches[0], max([at, *ends])))


def _is_backed(row: Membership, matches: list[Match]) -> bool:
    """Whether one of the matches still gives what the row says."""
    said = (row.role, row.rule_id, row.identity_id)
    return any(
        (m.rule.role, m.rule.pk, m.identity.pk if m.identity else None) == said for m in matches
    )


def _membership(user: int, group: int, match: Match, begins: datetime) -> Membership:
    return Membership(
        user_id=user,
        group_id=group,
        role=match.rule.role,
        valid_from=begins,
        synced=True,
        rule=match.rule,
        identity=match.identity,
    )


def _carry_out(plan: Plan, whose: Q, *, at: datetime) -> Outcome:
    """Write what the plan says, except removals that somebody has to decide about."""
    leaving, held = removals.sort_out(plan.leaving, whose, at=at)
    ended = end_rows([*plan.replaced, *leaving], at=at)
    _name_people_and_groups(plan.begins)
    begun = create_rows(plan.begins)
    return Outcome(len(begun), len(ended), held)


def end_rows(rows: Iterable[Membership], *, at: datetime) -> list[Membership]:
    """End the rows at that moment; one that begins later never does."""

    def end(row: Membership) -> None:
        row.valid_to = max(row.valid_from, at)

    return change_rows(rows, end, "valid_to")


def _name_people_and_groups(rows: list[Membership]) -> None:
    """Read them at once: the trail of changes names both."""
    if not rows:
        return
    people = User.objects.in_bulk({row.user_id for row in rows})
    groups = Group.objects.in_bulk({row.group_id for row in rows})
    for row in rows:
        row.user, row.group = people[row.user_id], groups[row.group_id]


def synced_rows(at: datetime) -> QuerySet[Membership]:
    """Synced rows that have not ended; also those that end a moment later."""
    unended = Membership.objects.filter(Q(valid_to=None) | Q(valid_to__gt=at), synced=True)
    return unended.select_related("user", "group", "rule").order_by("pk")


def _rows(at: datetime) -> QuerySet[Membership]:
    return synced_rows(at).select_for_update(of=("self",), no_key=True)


def _identities_by_person() -> Iterator[tuple[int, list[Said]]]:
    """What is said about each person who has an identity, in one query."""
    known = {provider.name: provider for provider in providers()}
    wanted_fields = Identity.objects.only("user_id", "provider", "issuer", "claims")
    person: int | None = None
    said: list[Said] = []
    for identity in wanted_fields.order_by("user_id", "pk").iterator(chunk_size=2000):
        if identity.user_id != person:
            if person is not None:
                yield person, said
            person, said = identity.user_id, []
        provider = _provider(known, identity)
        if provider is not None:
            said.append(Said.by(provider, identity.claims, identity))
    if person is not None:
        yield person, said


def _provider(known: dict[str, Provider], identity: Identity) -> Provider | None:
    """The provider of an identity, as the settings have it now."""
    found = known.get(identity.provider)
    return found if found is not None and _is_same(found, identity) else None


def _is_same(provider: Provider, identity: Identity) -> bool:
    # Compared without the slash that some providers' tokens have and settings must not have.
    return provider.issuer.rstrip("/") == identity.issuer.rstrip("/")
