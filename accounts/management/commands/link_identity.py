"""Let an identity sign in as a person who exists already."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.registration import IdentityTakenError, link_identity
from lsp_portal.lib import clock


class Command(BaseCommand):
    help = "Link an identity at an identity provider to a person, who then signs in with it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the person's user name")
        parser.add_argument("issuer", help="the identity provider, as its tokens name it (iss)")
        parser.add_argument("subject", help="the person, as its tokens name them (sub)")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no person {options['user']}.")
        try:
            link_identity(
                user, issuer=options["issuer"], subject=options["subject"], at=clock.now()
            )
        except IdentityTakenError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['subject']} at {options['issuer']} is {user.username}")
