"""`manage.py load_demo`: an invented platform to try the portal with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.demo.platform import OtherDataError, load
from lsp_portal.lib import clock


class Command(BaseCommand):
    help = (
        "Fill an empty platform with invented groups, people, quotas, the hub demo and six "
        "months of sessions. A second run changes nothing; other groups are left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--now",
            metavar="TIME",
            help="the moment at which the history ends, for example 2026-05-01T08:00:00Z; the "
            "result depends on nothing else (default: the present)",
        )

    def handle(self, *args: Any, now: str | None, **options: Any) -> None:
        try:
            loaded = load(at=_moment(now) if now else clock.now())
        except OtherDataError as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        if loaded.is_new:
            self.stdout.write(f"The demo is loaded, with {loaded.sessions} sessions.")
        else:
            self.stdout.write("The demo is there already; nothing was changed.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--now: {text!r} is not a time like 2026-05-01T08:00:00Z.") from error
    if moment.tzinfo is None:
        raise CommandError(f"--now: {text!r} needs an offset; end it with Z for UTC.")
    return moment.astimezone(UTC).replace(microsecond=0)
