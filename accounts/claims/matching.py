"""Which memberships follow from claims by the rules; it reads and writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.claims.entitlements import Entitlement, NotAGroupError, group_path
from accounts.identity.providers import Provider
from accounts.models import ClaimRule, Identity

MOST_VALUES = 10_000  # of one claim that are looked at
Kind = ClaimRule.Kind
Key = tuple[str, object]


@dataclass(frozen=True)
class Said:
    """What one provider says about somebody: its name and kind, and values ready to look up."""

    provider: str
    keys: tuple[Key, ...]
    identity: Identity | None = None

    @classmethod
    def by(cls, provider: Provider, claims: Mapping[str, Any], identity: Identity | None) -> Said:
        return cls(provider.name, tuple(dict.fromkeys(_keys(provider, claims))), identity)


@dataclass(frozen=True)
class Match:
    """A rule that applies, and the identity whose claim it is."""

    rule: ClaimRule
    identity: Identity | None


@dataclass
class RuleBook:
    """Rules by what they look for, so that the number of claims and of rules does not multiply."""

    rules: dict[Key, list[ClaimRule]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, rules: Iterable[ClaimRule]) -> RuleBook:
        book = cls()
        for rule in rules:
            for key in rule_keys(rule):
                book.rules[key].append(rule)
        return book

    def matches(self, said: Said) -> Iterator[Match]:
        """The rules that apply to what one provider says, each once."""
        seen: set[int | None] = set()
        for key in said.keys:
            for rule in self.rules.get(key, ()):
                if rule.provider in ("", said.provider) and rule.pk not in seen:
                    seen.add(rule.pk)
                    yield Match(rule, said.identity)


def wanted(book: RuleBook, said: Iterable[Said]) -> dict[int, list[Match]]:
    """By group the matches with the strongest role, the oldest rule first."""
    found: dict[int, list[Match]] = defaultdict(list)
    for one in said:
        for match in book.matches(one):
            found[match.rule.group_id].append(match)
    return {group: _strongest(matches) for group, matches in found.items()}


def rule_keys(rule: ClaimRule) -> tuple[Key, ...]:
    """What a rule looks for; none for a value that cannot be read."""
    if rule.kind == Kind.ENTITLEMENT:
        return _entitlement_rule(rule.value, rule.claim_role)
    if rule.kind == Kind.GROUP:
        return ((Kind.GROUP, _path(rule.value)),)
    return ((rule.kind, rule.value.strip().casefold()),)


def is_urn(text: str) -> bool:
    return text.lower().startswith("urn:")


def _entitlement_rule(value: str, role: str) -> tuple[Key, ...]:
    """A whole URN counts in its namespace; a path of groups counts in every one."""
    if not is_urn(value):
        return ((Kind.ENTITLEMENT, (group_path(value), role or None)),)
    try:
        entitlement = Entitlement.parse(value)
    except NotAGroupError:
        return ()
    role = role or entitlement.role
    return ((Kind.ENTITLEMENT, (entitlement.group, role or None)),)


def _keys(provider: Provider, claims: Mapping[str, Any]) -> Iterator[Key]:
    for claim in provider.entitlement_claims:
        for value in _values(claims.get(claim)):
            yield from _entitlement_keys(value)
    if provider.groups_claim:
        yield from ((Kind.GROUP, _path(v)) for v in _values(claims.get(provider.groups_claim)))
    if provider.kind == "github":
        for claim, kind in GITHUB:
            yield from ((kind, v.casefold()) for v in _values(claims.get(claim)))


GITHUB = (("organisations", Kind.GITHUB_ORGANISATION), ("teams", Kind.GITHUB_TEAM))


def _entitlement_keys(value: str) -> Iterator[Key]:
    try:
        found = Entitlement.parse(value)
    except NotAGroupError:
        return  # other entitlements, such as capabilities, say nothing about groups
    for role in {None, found.role or None}:
        yield Kind.ENTITLEMENT, (found.group, role)
        yield Kind.ENTITLEMENT, (found.path, role)


def _values(claim: object) -> list[str]:
    """The texts of a claim that is one text or a list; anything else is none."""
    values = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return [v.strip() for v in values[:MOST_VALUES] if isinstance(v, str) and v.strip()]


def _path(value: str) -> str:
    return value.strip().strip("/")


def _strongest(matches: list[Match]) -> list[Match]:
    best = max(_strength(match) for match in matches)
    strongest = [match for match in matches if _strength(match) == best]
    return sorted(strongest, key=lambda m: (m.rule.pk or 0, m.identity.pk if m.identity else 0))


def _strength(match: Match) -> int:
    return ("member", "manager", "pi").index(match.rule.role)
