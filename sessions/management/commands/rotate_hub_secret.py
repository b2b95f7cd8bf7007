"""Give a hub a new secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lsp_portal.lib import clock
from sessions.hub.registry import rotate_secret
from sessions.models import Hub

DAY = 86_400
YEAR = 366 * DAY


class Command(BaseCommand):
    help = "Give a hub a new secret and print it, once; the old one stays valid for a while."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the hub")
        parser.add_argument(
            "--overlap",
            type=int,
            default=DAY,
            metavar="SECONDS",
            help=f"how long earlier secrets stay valid (default {DAY}: one day)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["overlap"] <= YEAR:
            raise CommandError(f"--overlap must be from 0 to {YEAR} seconds.")
        try:
            hub = Hub.objects.get(name=options["name"])
        except Hub.DoesNotExist as error:
            raise CommandError(f"There is no hub “{options['name']}”.") from error
        overlap = timedelta(seconds=options["overlap"])
        text = rotate_secret(hub, overlap=overlap, at=clock.now())
        self.stdout.write(
            f"Made a new secret of the hub {hub.name}; earlier ones end in "
            f"{options['overlap']} s. It is shown only now: {text}"
        )
