"""Let everybody's memberships follow from what identity providers said last."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.claims.sync import sync_everybody
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for


class Command(BaseCommand):
    help = "Begin and end memberships by the claim rules; large removals wait for a decision."

    def handle(self, *args: Any, **options: Any) -> None:
        with acting_for(words="command sync_memberships"):
            done = sync_everybody(at=clock.now())
        self.stdout.write(
            f"{done.begun} memberships begun, {done.ended} ended, "
            f"{done.held} removals wait for a decision"
        )
