"""Who is going to be told what, and when."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.notices.previewing import Expected, expected, pending
from lsp_portal.lib import clock


class Command(BaseCommand):
    help = "List the mails that wait to be sent: when (UTC), to whom, how, about what. Sends none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="only those to this person")
        parser.add_argument("--most", type=int, default=1000, help="rows at most (1000)")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = pending()
        if options["user"]:
            rows = rows.filter(recipient__username=options["user"])
        found = expected(list(rows[: options["most"]]), at=clock.now())
        for one in found:
            self.stdout.write(_line(one))
        self.stdout.write(f"{len(found)} of {rows.count()} notices that wait")


def _line(one: Expected) -> str:
    when = f"{one.when:%Y-%m-%d %H:%M}" if one.when else "never           "
    row = one.notice
    return f"{when}  {row.recipient.username}  {row.topic}  {one.how}  {row.subject}"
