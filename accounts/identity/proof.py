"""How long ago the person of a session proved who they are."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest

PROVED_AT = "proved_at"
RECENT = timedelta(minutes=15)


def note_proof(request: HttpRequest, *, at: datetime) -> None:
    request.session[PROVED_AT] = at.timestamp()


def is_proof_recent(request: HttpRequest, *, at: datetime) -> bool:
    """Whether the person signed in with a provider in this session and not long ago."""
    proved_at = request.session.get(PROVED_AT)
    return proved_at is not None and at.timestamp() - proved_at < RECENT.total_seconds()
