"""What people are told as a quota climbs the ladder; each message once, by its key."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from accounts.models import Membership, Topic
from accounts.notices.announcing import Message, announce, responsible_for
from lsp_portal.lib.display import core_hours, plain_moment
from quotas.ladder import Ladder, Level, Step
from quotas.models import ComputeQuota
from sessions.grace_links import link_token
from sessions.models import Session

NEXT: dict[str, str] = {
    ComputeQuota.Mode.NOMINAL: "The quota is nominal: what is used beyond it is counted, and "
    "nothing is refused or stopped.",
    ComputeQuota.Mode.SOFT: "Once it is used up, new sessions are refused; running ones go on.",
    ComputeQuota.Mode.HARD: "Once it is used up, new sessions are refused, and running ones are "
    "stopped after {wrap_up} minutes.",
}
AFTER: dict[str, str] = {
    ComputeQuota.Mode.NOMINAL: NEXT[ComputeQuota.Mode.NOMINAL],
    ComputeQuota.Mode.SOFT: "New sessions are refused from now on; running ones go on and are "
    "counted.",
}
MORE = "If the group needs more, an administrator of the platform can raise the quota."


def tell_step(
    quota: ComputeQuota,
    ladder: Ladder,
    step: Step,
    level: Level,
    *,
    stops_at: datetime | None,
    at: datetime,
) -> None:
    """Tell the group's PIs and managers of a step; who may, finds the link that grants grace."""
    message = Message(
        topic=Topic.QUOTA,
        key=f"quota:{quota.pk}:{ladder.generation}:{step.value}",
        subject=_subject(quota, step),
        text=f"{_so_far(quota, level)}\n\n{_then(quota, step, stops_at)}\n\n{MORE}",
        link=reverse("group", args=[quota.group.name]),
        link_label="Open the group's page",
    )
    token = link_token(quota, ladder) if step is Step.WRAP_UP else None
    if token is not None:
        offer = replace(
            message,
            text=f"{message.text}\n\nYou can let running sessions go on once, for at most "
            f"{settings.QUOTA_GRACE_MINUTES} minutes from now.",
            link=reverse("quota_grace", args=[token]),
            link_label="Let running sessions go on",
        )
        announce(offer, to=responsible_for(quota.group, right=Membership.Right.QUOTA, at=at), at=at)
    # Who was told with the link is left out by the key.
    announce(message, to=responsible_for(quota.group, right=Membership.Right.USAGE, at=at), at=at)


def _subject(quota: ComputeQuota, step: Step) -> str:
    title = quota.group.title
    if step < Step.EXHAUSTED:
        return f"{step.value} % of the compute quota of {title} is used"
    if step is Step.STOP:
        return f"Running sessions of {title} are stopped"
    if step is Step.GRACE:
        return f"Running sessions of {title} may go on for a while"
    return f"The compute quota of {title} is used up"


def _so_far(quota: ComputeQuota, level: Level) -> str:
    used, limit = core_hours(level.used), core_hours(level.limit)
    return f"{quota.group.title} has used {used} of {limit} core-hours in {quota.period}."


def _then(quota: ComputeQuota, step: Step, stops_at: datetime | None) -> str:
    if step < Step.EXHAUSTED:
        return NEXT[quota.mode].format(wrap_up=settings.QUOTA_WRAP_UP_MINUTES)
    if step is Step.STOP:
        return "New sessions are refused, and those that still run are stopped now."
    if step is Step.GRACE and stops_at is not None:
        return f"Running sessions may go on until {plain_moment(stops_at)}, and are stopped then."
    if stops_at is not None:
        return (
            "New sessions are refused from now on. Running sessions are stopped at "
            f"{plain_moment(stops_at)}; their people are told to save their work."
        )
    return AFTER[quota.mode]


def tell_end(session: Session, *, at: datetime) -> None:
    """Tell the person of a session when it will be stopped."""
    if session.stops_at is None:
        return
    end = plain_moment(session.stops_at)
    _tell(
        session,
        key=f"until:{int(session.stops_at.timestamp())}",
        subject=f"Your session at {session.hub.title} will be stopped at {end}",
        text=f"The compute quota of {_payer(session)} is used up.\n\n"
        f"Save your work: your session at {session.hub.title} will be stopped at {end}. "
        "Files in your home stay. If more time is given, you will be told.",
        at=at,
    )


def tell_called_off(session: Session, *, at: datetime) -> None:
    """Tell the person that the session is not stopped after all."""
    if session.stops_at is None:
        return
    _tell(
        session,
        key=f"off:{int(session.stops_at.timestamp())}",
        subject=f"Your session at {session.hub.title} goes on",
        text=f"Your session at {session.hub.title} will not be stopped at "
        f"{plain_moment(session.stops_at)}: {_payer(session)} has core-hours again, or its "
        "sessions may go on beyond the quota.",
        at=at,
    )


def tell_stopped(session: Session, *, at: datetime) -> None:
    """Tell the person that the session is being stopped."""
    _tell(
        session,
        key="stopped",
        subject=f"Your session at {session.hub.title} was stopped",
        text=f"The compute quota of {_payer(session)} is used up, so your session at "
        f"{session.hub.title} was stopped at {plain_moment(at)}. Files in your home stay. "
        "Choose another group for your next session, or ask the PI of the group.",
        at=at,
    )


def _tell(session: Session, *, key: str, subject: str, text: str, at: datetime) -> None:
    if session.user is None:
        return
    message = Message(
        topic=Topic.SESSION,
        key=f"session:{session.number}:{key}",
        subject=subject,
        text=text,
        link=reverse("my_usage"),
        link_label="Open my sessions",
    )
    announce(message, to=[session.user], at=at)


def _payer(session: Session) -> str:
    return session.group.title if session.group else "the group"
