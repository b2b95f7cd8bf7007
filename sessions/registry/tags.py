"""What the tags of images say: releases, weeklies, dailies. Pure, and without any registry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """What a tag is, in the order in which people see them."""

    ALIAS = "alias"
    RELEASE = "release"
    CANDIDATE = "candidate"
    WEEKLY = "weekly"
    DAILY = "daily"
    EXPERIMENTAL = "experimental"
    OTHER = "other"


TITLES = {
    Kind.ALIAS: "Shortcuts",
    Kind.RELEASE: "Releases",
    Kind.CANDIDATE: "Release candidates",
    Kind.WEEKLY: "Weekly builds",
    Kind.DAILY: "Daily builds",
    Kind.EXPERIMENTAL: "Experiments",
    Kind.OTHER: "Others",
}

# A rebuild of one version with other surroundings: of the cycle of a pipeline, of a platform.
REBUILD = r"(?:_c(?P<cycle>\d{4})\.(?P<step>\d{3}))?(?:_rsp(?P<rebuild>\d+))?"
NUMBER = r"(0|[1-9]\d{0,8})"
PATTERNS = (
    (Kind.RELEASE, re.compile(rf"r{NUMBER}(?:_{NUMBER})?(?:_{NUMBER})?{REBUILD}", re.ASCII)),
    (
        Kind.CANDIDATE,
        re.compile(rf"r{NUMBER}_{NUMBER}_{NUMBER}_rc{NUMBER}{REBUILD}", re.ASCII),
    ),
    (Kind.RELEASE, re.compile(rf"v?{NUMBER}\.{NUMBER}(?:\.{NUMBER})?", re.ASCII)),
    (
        Kind.CANDIDATE,
        re.compile(rf"v?{NUMBER}\.{NUMBER}\.{NUMBER}-?rc\.?{NUMBER}", re.ASCII),
    ),
    (Kind.WEEKLY, re.compile(rf"w_(\d{{4}})_(\d\d?){REBUILD}", re.ASCII)),
    (Kind.DAILY, re.compile(rf"d_(\d{{4}})_(\d\d)_(\d\d){REBUILD}", re.ASCII)),
)
EXPERIMENTAL = re.compile(r"exp_.+")
ALIASES = re.compile(r"recommended|latest(_[a-z0-9_]+)?")


@dataclass(frozen=True, order=True, slots=True)
class Tag:
    """A tag and what it says.

    Tags of one kind are ordered, later ones being newer: by their numbers, then by their text.
    `numbers` are those of the version, the week or the day, then cycle, step and rebuild.
    """

    numbers: tuple[int, ...]
    text: str
    kind: Kind = field(compare=False)

    @property
    def title(self) -> str:
        """What people read."""
        if self.kind is Kind.WEEKLY:
            return f"Weekly {self.numbers[0]}, week {self.numbers[1]}{self._rebuild}"
        if self.kind is Kind.DAILY:
            return f"Daily {date(*self.numbers[:3]).isoformat()}{self._rebuild}"
        if self.kind is Kind.RELEASE:
            return f"Release {_version(self.numbers)}{self._rebuild}"
        if self.kind is Kind.CANDIDATE:
            version = _version(self.numbers)
            return f"Release {version}, candidate {self.numbers[3]}{self._rebuild}"
        if self.kind is Kind.ALIAS:
            return self.text.replace("_", " ").capitalize()
        return self.text

    @property
    def _rebuild(self) -> str:
        cycle, step, rebuild = self.numbers[-3:]
        words = [f"cycle {cycle}.{step:03}"] if cycle >= 0 else []
        words += [f"build {rebuild}"] if rebuild >= 0 else []
        return f" ({', '.join(words)})" if words else ""


def parse(text: str, aliases: Iterable[str] = ()) -> Tag:
    """What a tag says; one that says nothing known is of the kind `other`.

    `aliases` are further names that move from one image to another.
    """
    if text in set(aliases) or ALIASES.fullmatch(text):
        return Tag((), text, Kind.ALIAS)
    for kind, pattern in PATTERNS:
        found = pattern.fullmatch(text)
        if found and (numbers := _numbers(kind, found)):
            return Tag(numbers, text, kind)
    return Tag((), text, Kind.EXPERIMENTAL if EXPERIMENTAL.fullmatch(text) else Kind.OTHER)


def newest(
    tags: Iterable[Tag], counts: Mapping[Kind, int], aliases: Sequence[str] = ()
) -> list[Tag]:
    """The named aliases in that order, then so many of each kind as the counts say, newest first.

    The kinds follow each other in their order; of a kind without count there are none.
    """
    found = set(tags)
    by_text = {tag.text: tag for tag in found if tag.kind is Kind.ALIAS}
    kept = [by_text[alias] for alias in dict.fromkeys(aliases) if alias in by_text]
    for kind in Kind:
        of_kind = (tag for tag in found if tag.kind is kind)
        kept += sorted(of_kind, reverse=True)[: counts.get(kind, 0)]
    return kept


def _numbers(kind: Kind, found: re.Match[str]) -> tuple[int, ...]:
    """Of the tag, filled up to one length for each kind; none where there is no such day or week.

    What was left out of a version counts as 0, a rebuild left out comes before all others.
    """
    named = found.groupdict()
    length = len(found.groups()) - len(named)
    numbers = tuple(int(found[place] or 0) for place in range(1, length + 1))
    if not _is_real(kind, numbers):
        return ()
    rebuild = (int(named.get(name) or -1) for name in ("cycle", "step", "rebuild"))
    return (*numbers, *rebuild)


def _is_real(kind: Kind, numbers: tuple[int, ...]) -> bool:
    try:
        if kind is Kind.WEEKLY:
            return 1 <= numbers[1] <= 53 and numbers[0] > 0
        if kind is Kind.DAILY:
            date(numbers[0], numbers[1], numbers[2])
    except ValueError:
        return False
    return True


def _version(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers[:3])
