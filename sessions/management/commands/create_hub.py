"""Register a JupyterHub and print its secret, once."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from lsp_portal.lib import clock
from sessions.hub.registry import create_hub, first_message, only_secret
from sessions.models import Hub


class Command(BaseCommand):
    help = "Register a JupyterHub that offers all images and sizes; print its secret, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="1 to 20 of a-z, 0-9 and -, beginning with a letter")
        parser.add_argument("--title", default="", help="what people read; else the name")
        parser.add_argument("--public-url", default="", help="where people open the hub")
        parser.add_argument("--api-url", default="", help="its REST API (…/hub/api)")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if Hub.objects.filter(name=name).exists():
            raise CommandError(
                f"The hub {name} exists already; rotate_hub_secret {name} makes a new secret."
            )
        try:
            hub = create_hub(
                name,
                title=options["title"],
                public_url=options["public_url"],
                api_url=options["api_url"],
                at=clock.now(),
            )
        except ValidationError as error:
            raise CommandError(first_message(error)) from error
        self.stdout.write(f"Created the hub {name}. Its secret, shown only now: {only_secret(hub)}")
