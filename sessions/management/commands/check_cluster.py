"""Look whether the portal could run servers in its cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.kubernetes.checking import Level, check

WIDTH = max(map(len, Level))


class Command(BaseCommand):
    help = "Say what is missing before the portal can run servers in its cluster; change nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        missing = 0
        for finding in check():
            missing += finding.level is Level.MISSING
            self.stdout.write(f"{finding.level:<{WIDTH}}  {finding.text}")
            if finding.advice:
                self.stdout.write(f"{'':<{WIDTH}}  {finding.advice}")
        if missing:
            raise CommandError(f"{missing} missing")
