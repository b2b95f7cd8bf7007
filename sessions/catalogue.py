"""What a person may choose at a hub: groups, images and sizes, read in one statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import orjson
from django.conf import settings

from accounts.names import NAME_PATTERN
from lsp_portal.lib.prepared import Prepared
from quotas.admission import Caps, Limits
from quotas.vocabulary import Resources
from sessions.models import Hub, Image, Size


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes measured last, and how many may be used."""

    mount: str
    used_bytes: int
    limit_bytes: int
    taken_at: datetime | None = None
    is_database: bool = False

    @property
    def is_full(self) -> bool:
        return self.used_bytes >= self.limit_bytes


@dataclass(frozen=True, slots=True)
class KnownHome:
    """What servers in the cluster showed of a home: when it was full, when room was made."""

    full_at: datetime | None = None
    rescued_at: datetime | None = None

    def is_still(self, full: Storage) -> bool:
        """Whether a sample counts still: since a rescue session files may be gone."""
        if self.rescued_at is None or full.taken_at is None or full.is_database:
            return True
        return full.taken_at > self.rescued_at


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the portal, with what their tools want to know about them.

    `accepted_policy`: of the acceptable-use policy, the version in force, if there is one.
    """

    id: int
    username: str
    uid: int
    git_name: str
    git_email: str
    registered: bool
    accepted_policy: bool
    is_shared: bool
    has_default: bool
    full_mounts: tuple[Storage, ...]
    home: KnownHome

    @property
    def full_mount(self) -> Storage | None:
        """What keeps the person from starting anything, by the newest samples."""
        return next((mount for mount in self.full_mounts if self.home.is_still(mount)), None)

    @property
    def full_home(self) -> bool:
        """Whether the last that is known of the person's files is that they have no room."""
        is_measured = any(not mount.is_database for mount in self.full_mounts)
        return is_measured or self.home.full_at is not None


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """A group that the person may charge, and its limits in the current period."""

    id: int
    name: str
    title: str
    gid: int
    closed: bool
    default: bool
    period: tuple[datetime, datetime] | None
    limits: Limits | None
    storage: Storage | None
    caps: Caps | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An image or a size; `allowed_groups` has ids, None means every group."""

    name: str
    title: str
    default: bool
    allowed_groups: frozenset[int] | None

    def open_to(self, group: GroupChoice) -> bool:
        return self.allowed_groups is None or group.id in self.allowed_groups


@dataclass(frozen=True, slots=True)
class ImageChoice(Entry):
    reference: str
    description: str
    kind: str = ""
    recommended: bool = False
    retires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SizeChoice(Entry):
    resources: Resources


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that one person may choose from at one hub."""

    person: Person
    groups: tuple[GroupChoice, ...]
    images: tuple[ImageChoice, ...]
    sizes: tuple[SizeChoice, ...]


# What a hub calls somebody comes first; a user name counts for those it calls nothing else.
PERSON = """
    SELECT coalesce(
        (SELECT user_id FROM hub_sessions_hubusername WHERE hub_id = %(hub)s AND name = %(name)s),
        (SELECT u.id FROM accounts_user u WHERE u.username = %(name)s AND NOT EXISTS (
            SELECT FROM hub_sessions_hubusername n WHERE n.hub_id = %(hub)s AND n.user_id = u.id)))
"""

NEWEST_SAMPLES = """
    SELECT DISTINCT ON (mount) mount, used_bytes, limit_bytes, taken_at, source
    FROM hub_sessions_storagesample WHERE {owner} ORDER BY mount, taken_at DESC
"""
# What the file system enforces counts before what the portal was told; 0 is no limit there.
NEWEST_OF_HOME = f"""
    SELECT mount, used_bytes, taken_at, source = 'database' AS is_database,
        coalesce(nullif(limit_bytes, 0), (
        SELECT q.limit_bytes FROM quotas_homequota q
        WHERE q.user_id = u.id AND q.valid_from <= %(at)s
            AND (q.valid_to IS NULL OR q.valid_to > %(at)s)
        ORDER BY q.valid_from DESC, q.id DESC LIMIT 1), %(home)s) AS limit_bytes
    FROM ({NEWEST_SAMPLES.format(owner="user_id = u.id AND group_id IS NULL")}) measured
"""

# Who shares nothing with git has an empty name and address there.
PERSON_JSON = f"""
    SELECT row_to_json(person) FROM (
        SELECT u.id, u.username, u.uid, u.kind = 'bucket' AS is_shared,
            CASE WHEN u.shares_git_identity THEN concat_ws(
                ' ', nullif(u.first_name, ''), nullif(u.last_name, '')) ELSE '' END AS git_name,
            CASE WHEN u.shares_git_identity THEN u.email ELSE '' END AS git_email,
            u.is_active AND u.registered_at IS NOT NULL
                AND coalesce(u.expires_at > %(at)s, true) AS registered,
            NOT EXISTS (SELECT FROM (
                SELECT id FROM accounts_policy WHERE effective_at <= %(at)s
                ORDER BY effective_at DESC LIMIT 1
            ) policy WHERE NOT EXISTS (SELECT FROM accounts_policyacceptance a
                WHERE a.user_id = u.id AND a.policy_id = policy.id)) AS accepted_policy,
            u.default_group_id IS NOT NULL AS has_default,
            (SELECT json_agg(sample ORDER BY mount) FROM (
                {NEWEST_OF_HOME}
            ) sample WHERE used_bytes >= limit_bytes) AS full_mounts,
            (SELECT row_to_json(known) FROM (
                SELECT full_at, rescued_at FROM hub_sessions_home WHERE user_id = u.id
            ) known) AS home
        FROM accounts_user u WHERE u.id = who.id
    ) person
"""

GROUPS_JSON = f"""
    SELECT json_agg(choice ORDER BY choice.name) FROM (
        SELECT g.id, g.name, g.title, g.gid,
            coalesce(g.closed_at <= %(at)s, false)
                OR coalesce(g.opens_at > %(at)s, false) AS closed,
            EXISTS (SELECT FROM accounts_user u
                WHERE u.id = who.id AND u.default_group_id = g.id) AS default,
            p.starts_on, p.ends_on, CASE WHEN q.id IS NOT NULL THEN
                floor(greatest(0, q.core_hours + coalesce((
                    SELECT sum(r.core_hours) FROM quotas_grant r
                    WHERE r.quota_id = q.id AND r.valid_from <= %(at)s
                        AND (r.valid_to IS NULL OR r.valid_to > %(at)s)), 0)) * 3600000)::bigint
                END AS millicore_seconds,
            q.mode <> 'nominal' AS enforced, s.limit_bytes,
            CASE WHEN s.id IS NOT NULL THEN (SELECT coalesce(sum(used_bytes), 0)::bigint FROM (
                {NEWEST_SAMPLES.format(owner="group_id = g.id AND user_id IS NULL")}
            ) sample) END AS used_bytes,
            (SELECT row_to_json(k) FROM (
                SELECT floor(member_core_hours * 3600000)::bigint AS member_millicore_seconds,
                    member_sessions, sessions, gpus, workers
                FROM quotas_caps WHERE group_id = g.id
            ) k) AS caps
        FROM accounts_group g
        LEFT JOIN quotas_allocationperiod p
            ON p.starts_on <= %(day)s::date AND p.ends_on > %(day)s::date
        LEFT JOIN quotas_computequota q ON q.group_id = g.id AND q.period_id = p.id
        LEFT JOIN quotas_storagequota s ON s.group_id = g.id AND s.period_id = p.id
        WHERE g.id IN (SELECT m.group_id FROM accounts_membership m
            WHERE m.user_id = who.id AND m.valid_from <= %(at)s
                AND (m.valid_to IS NULL OR m.valid_to > %(at)s))
    ) choice
"""

ENTRIES_JSON = """
    SELECT json_agg(choice ORDER BY choice.position, choice.name) FROM (
        SELECT c.*, c.id IS NOT DISTINCT FROM {default} AS default,
            (SELECT json_agg(a.group_id) FROM hub_sessions_{kind}_allowed_groups a
                WHERE a.{kind}_id = c.id) AS allowed_groups
        FROM hub_sessions_hub_{kind}s offered JOIN hub_sessions_{kind} c ON c.id = offered.{kind}_id
        WHERE offered.hub_id = %(hub)s {also}
    ) choice
"""
STILL_OFFERED = "AND (c.retires_at IS NULL OR c.retires_at > %(at)s)"

CHOICES = Prepared(
    "launch_choices",
    f"""
    WITH who (id) AS MATERIALIZED ({PERSON})
    SELECT ({PERSON_JSON})::text, ({GROUPS_JSON})::text,
        ({ENTRIES_JSON.format(kind="image", default="%(image)s", also=STILL_OFFERED)})::text,
        ({ENTRIES_JSON.format(kind="size", default="%(size)s", also="")})::text
    FROM who
    """,
    hub="bigint",
    name="text",
    at="timestamptz",
    day="date",
    home="bigint",
    image="bigint",
    size="bigint",
)


def choices_at(hub: Hub, *, user_name: str, at: datetime) -> Choices | None:
    """What the person may choose whom the hub knows by that name; None for nobody of the portal."""
    values = {
        "hub": hub.pk,
        "name": user_name,
        "at": at,
        "day": at.astimezone(UTC).date(),
        "home": settings.HOME_QUOTA_BYTES,
        "image": hub.default_image_id,
        "size": hub.default_size_id,
    }
    person, *lists = CHOICES.one(values) or [None]
    if person is None:
        return None
    groups, images, sizes = (orjson.loads(rows or "[]") for rows in lists)
    return Choices(
        person=_person(orjson.loads(person)),
        groups=tuple(_group(row) for row in groups),
        images=tuple(_image(row) for row in images),
        sizes=tuple(_size(row) for row in sizes),
    )


def _person(row: dict[str, Any]) -> Person:
    full, known = row.pop("full_mounts") or (), row.pop("home") or {}
    mounts = tuple(Storage(**mount | {"taken_at": _moment(mount["taken_at"])}) for mount in full)
    home = KnownHome(**{name: _moment(moment) for name, moment in known.items()})
    return Person(**row, full_mounts=mounts, home=home)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _group(row: dict[str, Any]) -> GroupChoice:
    period = (_midnight(row["starts_on"]), _midnight(row["ends_on"])) if row["starts_on"] else None
    return GroupChoice(
        id=row["id"],
        name=row["name"],
        title=row["title"],
        gid=row["gid"],
        closed=row["closed"],
        default=row["default"],
        period=period,
        limits=_limits(row, period[1]) if period else None,
        storage=_group_storage(row),
        caps=Caps(**row["caps"]) if row["caps"] else None,
    )


def _limits(row: dict[str, Any], resets_at: datetime) -> Limits | None:
    if row["millicore_seconds"] is None:
        return None
    return Limits(row["millicore_seconds"], enforced=row["enforced"], resets_at=resets_at)


def _group_storage(row: dict[str, Any]) -> Storage | None:
    if row["limit_bytes"] is None:
        return None
    return Storage("the group's area", row["used_bytes"], row["limit_bytes"])


def _image(row: dict[str, Any]) -> ImageChoice:
    names = ("reference", "description", "kind", "recommended")
    return ImageChoice(
        **_entry(row),
        **{name: row[name] for name in names},
        retires_at=_moment(row["retires_at"]),
    )


def _size(row: dict[str, Any]) -> SizeChoice:
    resources = Resources(row["cpu_millicores"], row["memory_mib"], row["gpus"])
    return SizeChoice(**_entry(row), resources=resources)


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    groups = row["allowed_groups"]
    return {
        "name": row["name"],
        "title": row["title"],
        "default": row["default"],
        "allowed_groups": None if groups is None else frozenset(groups),
    }


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def image_elsewhere(name: str) -> ImageChoice | None:
    """An image that this hub does not offer, as open to no group; None where there is none."""
    image = Image.objects.filter(name=name).first() if _is_name(name) else None
    if image is None:
        return None
    return ImageChoice(name, image.title, False, frozenset(), image.reference, image.description)


def size_elsewhere(name: str) -> SizeChoice | None:
    """A size that this hub does not offer, as open to no group; None where there is none."""
    size = Size.objects.filter(name=name).first() if _is_name(name) else None
    if size is None:
        return None
    resources = Resources(size.cpu_millicores, size.memory_mib, size.gpus)
    return SizeChoice(name, size.title, False, frozenset(), resources)


def _is_name(text: str) -> bool:
    return re.match(NAME_PATTERN, text) is not None
