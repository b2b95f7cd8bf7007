"""Take the name from an account for good."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for
from lsp_portal.privacy import pseudonyms


class Command(BaseCommand):
    help = (
        "Put a pseudonym in place of a person, everywhere and irreversibly; sums stay as they are."
        " Without --for-good it only says what would be changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the user name")
        parser.add_argument("--for-good", action="store_true", help="do it: there is no way back")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account “{options['user']}”.")
        act = pseudonyms.pseudonymise if options["for_good"] else pseudonyms.preview
        try:
            with acting_for(words="command pseudonymise"):
                found = act(user, by=None, at=clock.now())
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error
        for what, rows in found.items():
            self.stdout.write(f"{rows:>10,} {what}")
        if not options["for_good"]:
            self.stdout.write("Nothing was changed. With --for-good it is, irreversibly.")
