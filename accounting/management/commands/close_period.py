"""Close an allocation period."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.statements.closing import ClosingRefused, close_period
from lsp_portal.lib import clock
from quotas.models import AllocationPeriod


class Command(BaseCommand):
    help = (
        "State for ever what was used in an allocation period, with corrections of the statements"
        " before. Refused while the period runs or evidence of it is pending; says what."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("title", help="The title of the allocation period.")

    def handle(self, *args: Any, **options: Any) -> None:
        period = AllocationPeriod.objects.filter(title=options["title"]).first()
        if period is None:
            raise CommandError(f"There is no allocation period {options['title']}.")
        try:
            statement = close_period(period, author=None, at=clock.now())
        except ClosingRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Closed as statement {statement.number}, hash {statement.hash}.")
