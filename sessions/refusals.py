"""Why somebody cannot start a session, in words made for that person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from lsp_portal.lib import display
from quotas.admission import Balance, Cap, Limits, Load, Reached
from quotas.vocabulary import core_hours
from sessions.catalogue import Entry, GroupChoice, Person, SizeChoice, Storage
from sessions.models import Hub

TITLES = {
    "unknown_user": "The portal does not know this person",
    "not_registered": "The account may not start sessions",
    "not_a_member": "Not a member of the group",
    "missing_field": "A choice is missing",
    "unknown_image": "There is no such image",
    "unknown_size": "There is no such size",
    "group_closed": "The group is closed",
    "maintenance": "The hub is under maintenance",
    "image_not_allowed": "The image is not open to the group",
    "size_not_allowed": "The size is not open to the group",
    "too_many_sessions": "Too many sessions",
    "storage_full": "The storage is full",
    "no_rescue": "There is nothing to rescue",
    "quota_exhausted": "The compute quota is used up",
    "conflict": "The session was granted with other content",
    "ended": "The session has ended",
}


@dataclass
class LaunchRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The portal does not grant a session. `facts` are further fields of the answer."""

    code: str
    detail: str
    status: int = 403
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    @property
    def title(self) -> str:
        return TITLES[self.code]


def unknown_user(name: str) -> LaunchRefused:
    detail = f"The portal does not know “{name}”. Sign in to the portal once, then try again."
    return LaunchRefused("unknown_user", detail, status=404)


def not_registered(person: Person) -> LaunchRefused:
    return LaunchRefused(
        "not_registered",
        f"The account “{person.username}” waits for approval or is switched off. "
        "An administrator of the platform can approve it.",
    )


def policy_not_accepted() -> LaunchRefused:
    return LaunchRefused(
        "not_registered",
        "Accept the acceptable-use policy of the platform first, at "
        f"{settings.PORTAL_URL}/account/policy/, then try again.",
    )


def not_a_member(person: Person, group: str | None) -> LaunchRefused:
    if group is None:
        detail = f"“{person.username}” is not a member of any group that could pay for a session."
    else:
        detail = f"“{person.username}” is not a member of a group “{group}”."
    return LaunchRefused("not_a_member", f"{detail} Ask the PI of your group to add you.")


def missing_choice(name: str, choices: Iterable[str]) -> LaunchRefused:
    """400: the field was left out although there are several choices and no default, or none."""
    offered = ", ".join(choices)
    detail = (
        f"{name}: is missing. Name one of these: {offered}."
        if offered
        else f"No {name} is open to your group here. An administrator of the platform can add one."
    )
    return LaunchRefused("missing_field", detail, status=400)


def missing_sub_name() -> LaunchRefused:
    """400: several people use the account, and nobody said who is starting."""
    detail = "sub_name: is missing. Several people use this account: say who you are."
    return LaunchRefused("missing_field", detail, status=400)


def unknown_entry(kind: str, name: str | None, offered: Iterable[str]) -> LaunchRefused:
    detail = f"{kind}: “{name}” does not exist. This hub offers: {', '.join(offered) or 'none'}."
    return LaunchRefused(f"unknown_{kind}", detail, status=400)


def group_closed(group: GroupChoice) -> LaunchRefused:
    detail = f"The group “{group.title}” is closed. Choose another group."
    return LaunchRefused("group_closed", detail)


def maintenance(hub: Hub) -> LaunchRefused:
    return LaunchRefused("maintenance", hub.maintenance)


def entry_not_allowed(
    kind: str, title: str, group: GroupChoice, open_entries: Iterable[Entry]
) -> LaunchRefused:
    offered = ", ".join(entry.title for entry in open_entries)
    choices = f" You may choose: {offered}." if offered else ""
    return LaunchRefused(
        f"{kind}_not_allowed",
        f"The {kind} “{title}” is not open to the group “{group.title}” at this hub.{choices}",
    )


def too_many_sessions(limit: int, used: int) -> LaunchRefused:
    return LaunchRefused(
        "too_many_sessions",
        f"You have {used} pending or running sessions; {limit} at once are allowed. "
        "Stop one of them, then try again.",
        facts={"limit": limit, "used": used},
    )


def too_many_gpus_of_size(group: GroupChoice, size: SizeChoice, limit: int) -> LaunchRefused:
    """The group could never hold so many GPUs."""
    return LaunchRefused(
        "size_not_allowed",
        f"{size.title} has {_gpus(size.resources.gpus)}; the group “{group.title}” may hold "
        f"{limit} at once.",
        facts={"limit": limit},
    )


def cap_reached(
    group: GroupChoice, size: SizeChoice, reached: Reached, fits: list[SizeChoice]
) -> LaunchRefused:
    """Too many sessions at once, or too many GPUs in them."""
    words = {
        Cap.MEMBER_SESSIONS: f"You have {reached.taken} pending or running sessions charged to "
        f"“{group.title}”; each member may have {reached.limit} at once. Stop one of them, "
        "then try again.",
        Cap.SESSIONS: f"The group “{group.title}” has {reached.taken} pending or running sessions; "
        f"{reached.limit} at once are allowed. Wait until one ends, or choose another group.",
        Cap.GPUS: f"The sessions of “{group.title}” hold {reached.taken} of the "
        f"{_gpus(reached.limit)} that the group may have at once; {size.title} needs "
        f"{size.resources.gpus}. {_fit_words(fits)}",
    }
    return LaunchRefused(
        "too_many_sessions",
        words[reached.cap],
        facts={
            "limit": reached.limit,
            "used": reached.taken,
            "fits": [fit.name for fit in fits],
        },
    )


def member_hours_used(
    group: GroupChoice, size: SizeChoice, hold: int, load: Load, limit: int, fits: list[SizeChoice]
) -> LaunchRefused:
    """What one member may use of the group's hours is used up."""
    used, held = display.core_hours(load.member_used), display.core_hours(load.member_held)
    resets_at = group.period[1] if group.period else None
    anew = f" The count begins anew on {display.long_day(resets_at)}." if resets_at else ""
    return LaunchRefused(
        "quota_exhausted",
        f"You have used {used} of the {display.core_hours(limit)} core-hours that each member of "
        f"“{group.title}” may use, and your pending and running sessions hold {held} more. "
        f"{_hold_words(size, hold)} {_fit_words(fits)}{anew}",
        facts={
            "limit": str(core_hours(limit)),
            "used": str(core_hours(load.member_used)),
            "held": str(core_hours(load.member_held)),
            "resets_at": f"{resets_at:%Y-%m-%dT%H:%M:%SZ}" if resets_at else None,
            "fits": [fit.name for fit in fits],
        },
    )


def storage_full(storage: Storage, owner: str, *, has_rescue: bool = False) -> LaunchRefused:
    """`has_rescue`: the person can start a rescue session for it."""
    way = "Start a rescue session to remove files" if has_rescue else "Remove files"
    return LaunchRefused(
        "storage_full",
        f"{owner} holds {display.byte_size(storage.used_bytes)} and may hold "
        f"{display.byte_size(storage.limit_bytes)} ({storage.mount}). "
        f"{way} or ask for more space.",
        facts={"limit": storage.limit_bytes, "used": storage.used_bytes, "rescue": has_rescue},
    )


def no_rescue(hub: Hub, person: Person) -> LaunchRefused:
    """A rescue session that cannot be, or that nothing is known to need."""
    if hub.mode != Hub.Mode.DRIVE:
        why = f"{hub.title} starts its servers itself and has no rescue sessions."
    elif not person.full_home:
        why = "Your home is not full, as far as the portal knows. Start a session as usual."
    else:
        why = "No image or no size is open to you here. An administrator can add one."
    return LaunchRefused("no_rescue", why)


def too_many_rescues() -> LaunchRefused:
    return LaunchRefused(
        "too_many_sessions",
        "You have a rescue session already; one at once is allowed. Use it, or stop it first.",
        facts={"limit": 1, "used": 1},
    )


def quota_exhausted(
    group: GroupChoice, size: SizeChoice, hold: int, balance: Balance, fits: list[SizeChoice]
) -> LaunchRefused:
    limits = balance.limits
    if limits is None:
        raise ValueError("a quota that does not exist cannot be exhausted")
    return LaunchRefused(
        "quota_exhausted",
        f"{_balance_words(group, balance, limits)} {_hold_words(size, hold)} {_fit_words(fits)} "
        f"The count begins anew on {display.long_day(limits.resets_at)}.",
        facts=quota_facts(balance) | {"fits": [fit.name for fit in fits]},
    )


def quota_facts(balance: Balance) -> dict[str, Any]:
    """The fields of the answer that say how a quota stands; all None without one."""
    limits = balance.limits
    return {
        "limit": None if limits is None else str(core_hours(limits.millicore_seconds)),
        "used": str(core_hours(balance.used)),
        "held": str(core_hours(balance.held)),
        "resets_at": None if limits is None else f"{limits.resets_at:%Y-%m-%dT%H:%M:%SZ}",
    }


def _balance_words(group: GroupChoice, balance: Balance, limits: Limits) -> str:
    used, held, limit = map(
        display.core_hours, (balance.used, balance.held, limits.millicore_seconds)
    )
    return (
        f"The group “{group.title}” has used {used} of its {limit} core-hours, "
        f"and its pending and running sessions hold {held} more."
    )


def _hold_words(size: SizeChoice, hold: int) -> str:
    return f"{size.title} needs {display.core_hours(hold)} to start."


def _fit_words(fits: list[SizeChoice]) -> str:
    if not fits:
        return "No size fits any more."
    return f"What still fits: {', '.join(size.title for size in fits)}."


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
