"""Let a hub sign people in through the portal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.oidc_provider.clients import BadRedirectError, ensure_client


class Command(BaseCommand):
    help = (
        "Register a client of the portal's OpenID provider. Prints its id, and its secret once: a "
        "second time with the same name only the redirect addresses change."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--redirect-uri",
            action="append",
            required=True,
            dest="redirect_uris",
            help="for JupyterHub https://.../hub/oauth_callback; may be given several times",
        )
        parser.add_argument(
            "--logout-uri",
            action="append",
            default=[],
            dest="logout_uris",
            help="where the client may have people sent after they signed out here",
        )
        parser.add_argument(
            "--ask-consent",
            action="store_true",
            help="ask people before they are signed in; hubs of the site need not ask",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client_id, secret = ensure_client(
                name=options["name"],
                redirect_uris=options["redirect_uris"],
                logout_uris=options["logout_uris"],
                needs_consent=options["ask_consent"],
            )
        except BadRedirectError as error:
            raise CommandError(str(error)) from error
        shown = secret or "(shown once, when the client was created)"
        self.stdout.write(f"client id {client_id}, client secret {shown}")
