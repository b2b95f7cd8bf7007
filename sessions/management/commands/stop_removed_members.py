"""Stop the servers of people who left the group that pays, or who are switched off."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lsp_portal.lib import clock
from sessions.removals import stop_sessions_of_removed_members


class Command(BaseCommand):
    help = "Stop servers of removed members now, as the worker does every minute."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--even-many",
            action="store_true",
            help="also where it is a large share of all servers, for which an alert was raised",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = stop_sessions_of_removed_members(at=clock.now(), even_many=options["even_many"])
        self.stdout.write(f"Asked hubs to stop {stopped} servers")
