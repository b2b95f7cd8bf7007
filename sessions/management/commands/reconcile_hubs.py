"""Ask the hubs for their servers and repair the records."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lsp_portal.lib import clock
from sessions.models import Hub
from sessions.reconciling.reconcile import reconcile


class Command(BaseCommand):
    help = "Ask hubs for their servers now, as the worker does every few minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hub", help="only this hub")
        parser.add_argument(
            "--even-many",
            action="store_true",
            help="believe an answer for which an alert was raised, unless a clock is off",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        hubs = Hub.objects.exclude(api_url="")
        if options["hub"]:
            hubs = hubs.filter(name=options["hub"])
        confirmed = options["even_many"]
        taken = sum(reconcile(hub, at=clock.now(), confirmed=confirmed) for hub in hubs)
        self.stdout.write(f"Believed the answers of {taken} hubs")
