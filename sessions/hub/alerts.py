"""Telling administrators that something about a hub needs a look."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from sessions.models import Alert, Hub


def raise_alert(hub: Hub, kind: Alert.Kind, subject: str, detail: str, *, at: datetime) -> None:
    """Raise the alert, or note that it is seen again: one stays open for each subject."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hub_sessions_alert(%s, %s, %s, %s, %s)", [hub.pk, at, kind, subject, detail]
        )
