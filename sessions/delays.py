"""The delays of this site between a quota's last second and the end of its sessions."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from quotas.ladder import Delays

MOST_STOPS = 50  # at one hub in one tick
STOP = timedelta(minutes=1)  # a hub needs less from the request to the end of a server


def wrap_up() -> timedelta:
    """How long sessions may go on once a hard quota is used up."""
    return timedelta(minutes=settings.QUOTA_WRAP_UP_MINUTES)


def longest_grace() -> timedelta:
    """How long they may go on with grace, from the same moment."""
    return timedelta(minutes=settings.QUOTA_GRACE_MINUTES)


def delays() -> Delays:
    """All of them, of which the overshoot bound is made."""
    return Delays(
        tick=timedelta(seconds=settings.ENFORCEMENT_SECONDS),
        wrap_up=wrap_up(),
        grace=longest_grace(),
        stop=STOP,
        most_stops=MOST_STOPS,
    )
