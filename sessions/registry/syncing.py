"""Letting the catalogue follow a registry: read, plan, and carry it out."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from lsp_portal.lib import advisory
from sessions.hub.alerts import raise_alert
from sessions.models import Alert, ImageSource
from sessions.registry.entries import carry_out
from sessions.registry.failures import RegistryFailed
from sessions.registry.planning import Known, Plan, plan
from sessions.registry.reading import read

logger = logging.getLogger(__name__)
PATIENCE = timedelta(days=1)  # a registry that is away for less is nobody's concern


def look(source: ImageSource, *, at: datetime) -> Plan:
    """What the registry would change in the catalogue; nothing is stored. Raises RegistryFailed."""
    rows = source.images.values_list("tag", "digest", "retires_at")
    known = {tag: Known(digest, retires_at) for tag, digest, retires_at in rows}
    offered = {tag: one.digest for tag, one in known.items() if not one.is_over(at)}
    reading = read(source, offered)
    return plan(known, reading, at=at)


def sync(source: ImageSource, *, at: datetime, confirmed: bool = False) -> Plan:
    """Read the registry and let the catalogue follow; a doubtful answer only once confirmed.

    Raises RegistryFailed; whatever is wrong stands on the source as well.
    """
    with advisory.try_held(f"images of source {source.pk}") as is_mine:
        if not is_mine:
            raise RegistryFailed("This source is being read at this moment. Try again in a minute.")
        return _sync(source, at=at, confirmed=confirmed)


def sync_due(*, at: datetime) -> int:
    """Read the sources that are due; how many were read. One that fails keeps none from it."""
    return sum(_was_read(source, at) for source in ImageSource.objects.due(at=at))


def _was_read(source: ImageSource, at: datetime) -> bool:
    if not source.claim(at=at):
        return False
    try:
        return not sync(source, at=at).doubt
    except RegistryFailed as error:
        logger.warning("the source %s was not read: %s", source.name, error)
        return False


def _sync(source: ImageSource, *, at: datetime, confirmed: bool) -> Plan:
    try:
        found = look(source, at=at)
    except RegistryFailed as error:
        _note(source, error=str(error), is_urgent=_is_away_for_long(source, at), at=at)
        raise
    if found.doubt and not confirmed:
        _note(source, error=found.doubt, is_urgent=True, at=at)
        return found
    with transaction.atomic():
        troubles = carry_out(source, found, at=at)
        source.read_at = at
        source.save(update_fields=["read_at"])
        _note(source, error=" ".join(troubles), is_urgent=bool(troubles), at=at)
    return found


def _is_away_for_long(source: ImageSource, at: datetime) -> bool:
    return source.read_at is not None and at - source.read_at > PATIENCE


def _note(source: ImageSource, *, error: str, is_urgent: bool, at: datetime) -> None:
    """Keep what is wrong; administrators are alerted to what does not pass by itself."""
    source.tried_at, source.last_error = at, error
    source.save(update_fields=["tried_at", "last_error"])
    kind = Alert.Kind.IMAGES
    if not error:
        mine = Alert.objects.filter(kind=kind, subject=source.name, resolved_at=None)
        mine.update(resolved_at=at)
    for hub in source.offering_hubs() if is_urgent else ():
        raise_alert(hub, kind, source.name, error, at=at)
