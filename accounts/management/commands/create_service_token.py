"""Make a token for a program that acts for no person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import ApiToken
from accounts.tokens import DEFAULT_DAYS, MOST_DAYS, issue_token
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for


class Command(BaseCommand):
    help = "Make a service token for the API, with an administrator's rights; print it, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what it is for")
        parser.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            choices=ApiToken.Scope.values,
            help="what it may; may be given several times; read where none is given",
        )
        parser.add_argument(
            "--days", type=int, default=DEFAULT_DAYS, help=f"valid for, 1 to {MOST_DAYS}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days must be from 1 to {MOST_DAYS}.")
        if not 1 <= len(options["name"].strip()) <= 60 or "\0" in options["name"]:
            raise CommandError("The name must have 1 to 60 characters.")
        at = clock.now()
        with acting_for(words="command create_service_token"):
            token, text = issue_token(
                name=options["name"].strip(),
                user=None,
                scopes=options["scopes"] or [ApiToken.Scope.READ],
                created_by=None,
                expires_at=at + timedelta(days=options["days"]),
                at=at,
            )
        self.stdout.write(
            f"Service token “{token.name}”, valid until {token.expires_at:%Y-%m-%d}, "
            f"shown only now: {text}"
        )
