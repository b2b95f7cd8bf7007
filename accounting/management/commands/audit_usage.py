"""Prove from scratch that all sums agree."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounting.audit.checks import DifferenceError
from accounting.audit.run import Audited, audit
from accounting.exports.manifest import core_seconds
from lsp_portal.lib import clock


class Command(BaseCommand):
    help = (
        "Prove from scratch that records follow from the hubs' events and charges from records,"
        " that charges, days, people and groups have one sum, that no seat is charged twice at"
        " once, and that exports with their corrections make the ledger,"
        " and that statements are what was hashed. Days whose charges"
        " changed are summed again first. Exits 1 and names the first difference, if there is any."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            audited = audit(at=clock.now())
        except DifferenceError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_sentence(audited))


def _sentence(audited: Audited) -> str:
    exported = audited.published
    return (
        f"All agree: {audited.sessions} sessions, {audited.charges} charges,"
        f" {audited.usage.core_hours} core-hours over charges, days, people and groups;"
        f" {exported.sessions} sessions exported with {core_seconds(exported.exact)} core-seconds,"
        f" {core_seconds(exported.exported - exported.exact)} added by rounding,"
        f" {core_seconds(exported.corrections)} by corrections;"
        f" {audited.statements} statements."
    )
