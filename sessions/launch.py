"""The launch: whether a person may start a session, decided under the locks of person and group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import transaction

from quotas.admission import Cap, Reached, hold, reached
from sessions import refusals, rescue
from sessions.catalogue import (
    Choices,
    Entry,
    GroupChoice,
    ImageChoice,
    Person,
    SizeChoice,
    choices_at,
    image_elsewhere,
    size_elsewhere,
)
from sessions.driving import asking as driving
from sessions.grants import Ask, Grant, granted_before, record
from sessions.holds import Standing, standing
from sessions.models import Hub, Session
from sessions.refusals import LaunchRefused

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Pick:
    """The group, image and size that a wish comes to."""

    group: GroupChoice
    image: ImageChoice
    size: SizeChoice


def grant(hub: Hub, ask: Ask, *, at: datetime) -> Grant:
    """Grant the session that is asked for, or say why not; asked again, the same grant.

    The checks run in the order of the hub API. Whatever is granted is committed on return; a
    refusal stores nothing. Raises LaunchRefused.
    """
    try:
        return _decide(hub, ask, at=at)
    except LaunchRefused:
        known = granted_before(hub, ask, at=at)
        if known is None:
            raise
        return known


def _decide(hub: Hub, ask: Ask, *, at: datetime) -> Grant:
    choices = choices_at(hub, user_name=ask.user, at=at)
    if choices is None:
        raise refusals.unknown_user(ask.user)
    if ask.rescue:
        check_person(choices.person)
        return rescue.grant(hub, ask, choices, at=at)
    pick = choose(hub, choices, ask)
    with transaction.atomic(durable=True):
        return _grant_under_lock(hub, ask, choices, pick, at=at)


def _grant_under_lock(hub: Hub, ask: Ask, choices: Choices, pick: Pick, *, at: datetime) -> Grant:
    person, group = choices.person, pick.group
    now = standing(hub, person, group, at=at, session=ask.session, seat=ask.seat, lock=True)
    check_limits(hub, choices, group, pick.size, now)
    granted = record(hub, ask, choices, group, pick.image, pick.size, at=at)
    # The same request came twice at once, or events have ended the session.
    granted = granted or granted_before(hub, ask, at=at)
    if granted is None:
        raise RuntimeError(f"the session {ask.session} could be neither recorded nor found")
    return granted


def choose(hub: Hub, choices: Choices, ask: Ask) -> Pick:
    """What the wish comes to, after all checks that need no sums. Raises LaunchRefused."""
    check_person(choices.person)
    group = _group(choices, ask.group)
    if choices.person.is_shared and ask.sub_name is None:
        raise refusals.missing_sub_name()
    image = _entry("image", choices.images, ask.image, group) or _image_elsewhere(choices, ask)
    size = _entry("size", choices.sizes, ask.size, group) or _size_elsewhere(choices, ask)
    check_open(hub, group)
    check_entry("image", image, group, choices.images)
    check_size(size, group, choices.sizes)
    return Pick(group, image, size)


def check_person(person: Person) -> None:
    """Refuse people who may not use the platform, or have not accepted its policy."""
    if not person.registered:
        raise refusals.not_registered(person)
    if not person.accepted_policy:
        raise refusals.policy_not_accepted()


def check_open(hub: Hub, group: GroupChoice) -> None:
    """Refuse for a closed group, and for everybody while the hub is under maintenance."""
    if group.closed:
        raise refusals.group_closed(group)
    if hub.maintenance:
        raise refusals.maintenance(hub)


def check_entry(kind: str, chosen: Entry, group: GroupChoice, offered: tuple[Entry, ...]) -> None:
    """Refuse an image or size that is not open to the group at this hub."""
    if not chosen.open_to(group):
        open_entries = [entry for entry in offered if entry.open_to(group)]
        raise refusals.entry_not_allowed(kind, chosen.title, group, open_entries)


def check_size(size: SizeChoice, group: GroupChoice, offered: tuple[SizeChoice, ...]) -> None:
    """Refuse a size that is not open to the group, or that has more GPUs than it may ever hold."""
    check_entry("size", size, group, offered)
    if group.caps and group.caps.gpus is not None and size.resources.gpus > group.caps.gpus:
        raise refusals.too_many_gpus_of_size(group, size, group.caps.gpus)


def check_limits(
    hub: Hub, choices: Choices, group: GroupChoice, size: SizeChoice, now: Standing
) -> None:
    """Refuse for too many sessions, for full storage, and for a compute quota used up."""
    own = hold(size.resources.cpu_millicores, hub.lease_seconds)
    cap = _cap(hub, group, size, now)
    if hub.max_sessions_per_user is not None and now.servers >= hub.max_sessions_per_user:
        raise refusals.too_many_sessions(hub.max_sessions_per_user, now.servers)
    if cap and cap.cap is not Cap.MEMBER_HOURS:
        raise refusals.cap_reached(group, size, cap, fitting(hub, choices, group, now))
    if full := choices.person.full_mount:
        has_rescue = not full.is_database and rescue.offer(hub, choices) is not None
        raise refusals.storage_full(full, "Your home", has_rescue=has_rescue)
    if group.storage and group.storage.is_full:
        raise refusals.storage_full(group.storage, f"The group “{group.title}”")
    if not now.balance.admits(own):
        fits = fitting(hub, choices, group, now)
        raise refusals.quota_exhausted(group, size, own, now.balance, fits)
    if cap:
        fits = fitting(hub, choices, group, now)
        raise refusals.member_hours_used(group, size, own, now.load, cap.limit, fits)


def fitting(hub: Hub, choices: Choices, group: GroupChoice, now: Standing) -> list[SizeChoice]:
    """The sizes open to the group that its quota and caps would still admit."""
    return [
        size
        for size in choices.sizes
        if size.open_to(group)
        and now.balance.admits(hold(size.resources.cpu_millicores, hub.lease_seconds))
        and _cap(hub, group, size, now) is None
    ]


def _cap(hub: Hub, group: GroupChoice, size: SizeChoice, now: Standing) -> Reached | None:
    """The cap of the group that a session of that size would break."""
    if group.caps is None:
        return None
    own = hold(size.resources.cpu_millicores, hub.lease_seconds)
    return reached(group.caps, now.load, gpus=size.resources.gpus, hold=own)


def _group(choices: Choices, name: str | None) -> GroupChoice:
    """The group with that name, or the one that is meant where none is named."""
    if name is not None:
        groups = [group for group in choices.groups if group.name == name]
    else:
        groups = [group for group in choices.groups if group.default] or _only_open(choices)
    if not groups:
        raise refusals.not_a_member(choices.person, name)
    if len(groups) > 1:
        raise refusals.missing_choice("group", [group.name for group in groups])
    return groups[0]


def _only_open(choices: Choices) -> list[GroupChoice]:
    return [group for group in choices.groups if not group.closed] or list(choices.groups[:1])


def _entry(kind: str, offered: tuple[E, ...], name: str | None, group: GroupChoice) -> E | None:
    """The entry with that name, if offered; without a name the one that is meant."""
    if name is not None:
        return next((entry for entry in offered if entry.name == name), None)
    # Where nothing is open to the group, the first one stands for the refusal that follows.
    entries = [entry for entry in offered if entry.open_to(group)] or list(offered[:1])
    meant = [entry for entry in entries if entry.default] or entries
    if len(meant) != 1:
        raise refusals.missing_choice(kind, [entry.name for entry in meant])
    return meant[0]


def _image_elsewhere(choices: Choices, ask: Ask) -> ImageChoice:
    image = image_elsewhere(ask.image or "")
    if image is None:
        raise refusals.unknown_entry("image", ask.image, [i.name for i in choices.images])
    return image


def _size_elsewhere(choices: Choices, ask: Ask) -> SizeChoice:
    size = size_elsewhere(ask.size or "")
    if size is None:
        raise refusals.unknown_entry("size", ask.size, [s.name for s in choices.sizes])
    return size


def ask_to_stop(session: Session, *, at: datetime) -> bool:
    """Note that the session is to stop, once; False where it has ended already.

    Where the portal runs its server, that is stopped too, and False means that nothing is left.
    """
    is_left = driving.ask_to_stop(session, at=at)
    if is_left is False:
        return False  # the record may still wait for the hub to tell the end
    if session.state(at=at) in (Session.State.ENDED, Session.State.FAILED):
        return bool(is_left)
    Session.objects.filter(pk=session.pk, stop_requested_at=None).update(stop_requested_at=at)
    return True
