"""The record of a grant: what was asked, what was granted, and the same answer when asked again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import orjson
from django.db import connection

from lsp_portal.lib.plain_text import plain_text
from lsp_portal.lib.prepared import Prepared
from quotas.vocabulary import Resources
from sessions.catalogue import Choices, GroupChoice, ImageChoice, SizeChoice
from sessions.hub.seats import seat
from sessions.models import Hub, Session
from sessions.refusals import LaunchRefused


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to start a session; what is None was left out."""

    session: UUID
    user: str
    server: str
    actor: str
    group: str | None = None
    image: str | None = None
    size: str | None = None
    sub_name: str | None = None
    rescue: bool = False

    @property
    def seat(self) -> UUID:
        return seat(self.user, self.server)

    def content(self) -> dict[str, Any]:
        """What makes two wishes for one session the same."""
        names = ("user", "server", "actor", "group", "image", "size")
        named: dict[str, Any] = {"sub_name": self.sub_name} if self.sub_name is not None else {}
        named |= {"rescue": True} if self.rescue else {}
        return {name: getattr(self, name) for name in names} | named


@dataclass(frozen=True, slots=True)
class Grant:
    """A granted session, with what its server has to be told: all as it was when granted.

    The group is empty where none pays.
    """

    session: UUID
    number: int
    group: str
    image: str
    image_reference: str
    size: str
    resources: Resources
    lease_until: datetime
    uid: int
    gids: tuple[int, ...]
    git_name: str
    git_email: str

    @classmethod
    def of(cls, session: Session) -> Self | None:
        """The grant as it was recorded; None for a session that has none."""
        if session.grant is None or session.lease_until is None:
            return None
        granted = dict(session.grant["granted"])
        return cls(
            session=session.key,
            number=session.number,
            lease_until=session.lease_until,
            resources=Resources(**granted.pop("resources")),
            gids=tuple(granted.pop("gids")),
            **granted,
        )


# Events may have made the record before: then the grant joins it, unless it has ended.
RECORD = Prepared(
    "launch_record",
    """
    INSERT INTO hub_sessions_session AS s (
        hub_id, key, user_name, server, seat, user_id, group_id, granted_group_id, "grant",
        granted_at, lease_until, image, size, cpu_millicores, memory_mib, gpus, actor, sub_name,
        recorded_at, is_rescue,
        attributed_by, group_name, end_source, end_reason, message, pod, node, pod_uid,
        ended_before_ready, affiliation
    ) VALUES (
        %(hub)s, %(key)s, %(user_name)s, %(server)s, %(seat)s, %(user)s, %(group)s, %(group)s,
        %(grant)s, %(at)s, %(lease_until)s, %(image)s, %(size)s, %(cpu_millicores)s,
        %(memory_mib)s, %(gpus)s, %(actor)s, %(sub_name)s, %(at)s, %(is_rescue)s,
        '', '', '', '', '', '', '', '', false, hub_sessions_affiliation(%(user)s)
    )
    ON CONFLICT (hub_id, key) DO UPDATE SET
        user_id = coalesce(s.user_id, excluded.user_id),
        affiliation = CASE WHEN s.user_id IS NULL THEN excluded.affiliation ELSE s.affiliation END,
        group_id = CASE WHEN s.checked IS FALSE AND NOT excluded.is_rescue THEN s.group_id
            ELSE excluded.group_id END,
        image = CASE WHEN s.requested_at IS NULL THEN excluded.image ELSE s.image END,
        size = CASE WHEN s.requested_at IS NULL THEN excluded.size ELSE s.size END,
        actor = CASE WHEN s.requested_at IS NULL THEN excluded.actor ELSE s.actor END,
        sub_name = excluded.sub_name, is_rescue = excluded.is_rescue,
        cpu_millicores = coalesce(s.cpu_millicores, excluded.cpu_millicores),
        memory_mib = coalesce(s.memory_mib, excluded.memory_mib),
        gpus = coalesce(s.gpus, excluded.gpus),
        granted_group_id = excluded.granted_group_id,
        "grant" = excluded."grant",
        granted_at = excluded.granted_at,
        lease_until = excluded.lease_until
    WHERE s.granted_at IS NULL AND s.ended_at IS NULL
        AND s.user_name = excluded.user_name AND s.server = excluded.server
        AND (s.ready_at IS NULL OR NOT excluded.is_rescue)
    RETURNING number, xmax::text <> '0'
    """,
    hub="bigint",
    key="uuid",
    user_name="text",
    server="text",
    seat="uuid",
    user="bigint",
    group="bigint",
    grant="jsonb",
    at="timestamptz",
    lease_until="timestamptz",
    image="text",
    size="text",
    cpu_millicores="int",
    memory_mib="int",
    gpus="int",
    actor="text",
    sub_name="text",
    is_rescue="boolean",
)


def record(
    hub: Hub,
    ask: Ask,
    choices: Choices,
    group: GroupChoice | None,
    image: ImageChoice,
    size: SizeChoice,
    *,
    at: datetime,
) -> Grant | None:
    """Write the grant down; None where the session cannot take one any more.

    Without a group it is a rescue session, which cannot begin where one runs already.
    """
    person = choices.person
    granted = _granted(choices, group, image, size)
    details = {"asked": ask.content(), "granted": granted | {"resources": size.resources}}
    lease_until = at + timedelta(seconds=hub.lease_seconds)
    values = {
        "hub": hub.pk,
        "key": str(ask.session),
        "user_name": ask.user,
        "server": ask.server,
        "seat": str(ask.seat),
        "user": person.id,
        "group": group and group.id,
        "grant": orjson.dumps(details).decode(),
        "at": at,
        "lease_until": lease_until,
        "image": image.name,
        "size": size.name,
        "actor": ask.actor,
        "sub_name": ask.sub_name or "",
        "is_rescue": group is None,
        "cpu_millicores": size.resources.cpu_millicores,
        "memory_mib": size.resources.memory_mib,
        "gpus": size.resources.gpus,
    }
    row = RECORD.one(values)
    if row is None:
        return None
    number, was_there = row
    if was_there:
        _charge(hub, ask.session)
    return Grant(
        session=ask.session,
        number=number,
        resources=size.resources,
        lease_until=lease_until,
        **granted,
    )


def _granted(
    choices: Choices, group: GroupChoice | None, image: ImageChoice, size: SizeChoice
) -> dict[str, Any]:
    """What the grant comes to, as it is kept."""
    person = choices.person
    return {
        "group": group.name if group else "",
        "image": image.name,
        "image_reference": image.reference,
        "size": size.name,
        "uid": person.uid,
        "gids": tuple(sorted(choice.gid for choice in choices.groups)),
        "git_name": plain_text(person.git_name),
        "git_email": plain_text(person.git_email),
    }


def _charge(hub: Hub, session: UUID) -> None:
    """Let the charge of a session that runs already follow what the grant attributed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT hub_sessions_charge(%s, ARRAY[%s]::uuid[])", [hub.pk, str(session)])


def granted_before(hub: Hub, ask: Ask, *, at: datetime) -> Grant | None:
    """The grant that this wish already has; None where it has none yet.

    Raises LaunchRefused `conflict` for other content and `ended` after the session's end.
    """
    session = Session.objects.select_related("user").filter(hub=hub, key=ask.session).first()
    if session is None:
        return None
    if not _is_same(session, ask):
        raise LaunchRefused(
            "conflict",
            f"The session {ask.session} is already that of another request. "
            "Choose a new id for a new session.",
            status=409,
        )
    if session.state(at=at) in (Session.State.ENDED, Session.State.FAILED):
        raise LaunchRefused(
            "ended", f"The session {ask.session} has ended. Start a new one.", status=409
        )
    return Grant.of(session)


def _is_same(session: Session, ask: Ask) -> bool:
    if session.grant is None:
        return (session.user_name, session.server) == (ask.user, ask.server)
    return bool(session.grant["asked"] == ask.content())


def withdraw(number: int, *, reason: str, at: datetime) -> None:
    """Let the grant of that session run out now, unless its server is ready: it has failed."""
    waiting = Session.objects.filter(pk=number, ready_at=None, ended_at=None, lease_until__gt=at)
    waiting.update(lease_until=at, message=reason)
