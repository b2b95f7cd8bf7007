"""Build the roll-ups of usage from scratch."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounting import rollups


class Command(BaseCommand):
    help = (
        "Sum all charges from scratch into the roll-ups per day and group, and per day, group and"
        " person. Pages and launches go on meanwhile and see the old sums until it is done."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        rebuilt = rollups.rebuild()
        self.stdout.write(
            f"Rebuilt {rebuilt.group_days} group-days and {rebuilt.user_days} person-days."
        )
