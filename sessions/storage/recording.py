"""Taking samples in: each once, those of nobody or of no possible moment refused with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.models import Group, User
from sessions.models import StorageSample

AHEAD = timedelta(minutes=5)
"""By so much a file server's clock may be ahead."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of an owner: `kind` user or group, known by name or by number (uid, gid).

    Amounts are bytes and numbers of files; a limit of None is not known, 0 is none.
    """

    kind: str
    mount: str
    taken_at: datetime
    used_bytes: int
    name: str | None = None
    number: int | None = None
    files: int | None = None
    soft_bytes: int | None = None
    hard_bytes: int | None = None
    source: str = StorageSample.Source.OTHER
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A sample that was not taken: its place in the list, a code, and what would be right."""

    index: int
    code: str
    detail: str


@dataclass(slots=True)
class Recorded:
    """What became of a list of samples; `known` were there already, word for word."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)


Key = tuple[int | None, int | None, str, datetime]


@transaction.atomic
def record(samples: Sequence[Sample], *, at: datetime) -> Recorded:
    """Take the samples in. One that was taken before stays as it is, whatever is said later."""
    result = Recorded()
    owners = _Owners(samples)
    rows: dict[Key, tuple[int, StorageSample]] = {}
    for index, sample in enumerate(samples):
        refusal = _refusal(sample, owners, at)
        row = None if refusal else owners.row(sample)
        if refusal:
            result.rejected.append(Rejected(index, *refusal))
        elif row is not None:
            _note(result, rows, index, row)
    before = _before(rows)
    for key, (index, row) in rows.items():
        if key in before:
            _compare(result, index, row, before[key])
    new = [row for key, (_, row) in rows.items() if key not in before]
    # Another process may have been faster with the same sample.
    StorageSample.objects.bulk_create(new, ignore_conflicts=True)
    result.accepted = len(new)
    result.rejected.sort(key=lambda rejected: rejected.index)
    return result


class _Owners:
    """People and groups that samples name, by name and by number."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        listed = list(samples)
        self.users = _owners(User, "username", "uid", [s for s in listed if s.kind == "user"])
        self.groups = _owners(Group, "name", "gid", [s for s in listed if s.kind == "group"])

    def key(self, sample: Sample) -> int | None:
        known = self.users if sample.kind == "user" else self.groups
        return known.get(sample.name if sample.name is not None else sample.number)

    def row(self, sample: Sample) -> StorageSample:
        key = self.key(sample)
        return StorageSample(
            user_id=key if sample.kind == "user" else None,
            group_id=key if sample.kind == "group" else None,
            mount=sample.mount,
            taken_at=sample.taken_at.replace(microsecond=0),
            used_bytes=sample.used_bytes,
            files=sample.files,
            soft_bytes=sample.soft_bytes,
            limit_bytes=sample.hard_bytes,
            source=sample.source,
            is_stale=sample.stale,
        )


def _owners(
    model: type[User] | type[Group], name: str, number: str, samples: Sequence[Sample]
) -> dict[str | int | None, int]:
    names = {s.name for s in samples if s.name is not None}
    numbers = {s.number for s in samples if s.number is not None}
    named = Q(**{f"{name}__in": names}) | Q(**{f"{number}__in": numbers})
    found: dict[str | int | None, int] = {}
    for key, its_name, its_number in model._default_manager.filter(named).values_list(
        "pk", name, number
    ):
        found |= {its_name: key, its_number: key}
    return found


def _refusal(sample: Sample, owners: _Owners, at: datetime) -> tuple[str, str] | None:
    if sample.taken_at > at + AHEAD:
        return "bad_time", f"{sample.taken_at:%Y-%m-%dT%H:%M:%SZ} is in the future."
    if owners.key(sample) is None:
        owner = sample.name if sample.name is not None else sample.number
        return "unknown_owner", f"There is no {sample.kind} “{owner}”."
    return None


def _note(
    result: Recorded, rows: dict[Key, tuple[int, StorageSample]], index: int, row: StorageSample
) -> None:
    key = _key(row)
    if key in rows:
        _compare(result, index, row, rows[key][1])
    else:
        rows[key] = index, row


def _compare(result: Recorded, index: int, row: StorageSample, known: StorageSample) -> None:
    if _content(row) == _content(known):
        result.duplicates += 1
        return
    detail = f"Another sample of {row.mount} at that moment says {known.used_bytes} bytes."
    result.rejected.append(Rejected(index, "conflict", detail))


def _before(rows: Iterable[Key]) -> dict[Key, StorageSample]:
    keys = list(rows)
    found = StorageSample.objects.filter(
        Q(user__in={key[0] for key in keys if key[0]})
        | Q(group__in={key[1] for key in keys if key[1]}),
        mount__in={key[2] for key in keys},
        taken_at__in={key[3] for key in keys},
    )
    return {_key(row): row for row in found}


def _key(row: StorageSample) -> Key:
    return row.user_id, row.group_id, row.mount, row.taken_at


def _content(row: StorageSample) -> tuple[object, ...]:
    return row.used_bytes, row.files, row.soft_bytes, row.limit_bytes, row.is_stale
