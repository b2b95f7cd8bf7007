"""Try a quota or caps on the past months."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounting.pages.replay import ReplayForm
from accounting.replay.report import COLUMNS, Report
from lsp_portal.lib import clock
from quotas.vocabulary import core_hours

LIMITS = {
    "core_hours": "the quota, in core-hours over the whole time",
    "member_core_hours": "the core-hours that one member may use",
    "member_sessions": "the sessions that one member may run at once",
    "group_sessions": "the sessions that the group may run at once",
}


class Command(BaseCommand):
    help = (
        "Say what a quota or caps would have done to the real sessions of the past months: how"
        " many launches would have been refused, how many sessions stopped, and how many"
        " core-hours not used. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("group", nargs="?", default="", help="one group (default: each)")
        parser.add_argument("--months", default=6, help="of 30 days each (default: 6)")
        parser.add_argument("--mode", default="soft", help="nominal, soft (default) or hard")
        for name, words in LIMITS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", help=words)
        parser.add_argument("--csv", action="store_true", help="print every warning and refusal")

    def handle(self, *args: Any, **options: Any) -> None:
        form = ReplayForm(options)
        if not form.is_valid():
            raise CommandError(form.errors.as_text())
        report = form.report(at=clock.now())
        if options["csv"]:
            csv.writer(self.stdout).writerows([COLUMNS, *report.cells()])
        else:
            self.stdout.write(_sentence(report))


def _sentence(report: Report) -> str:
    return (
        f"From {report.start:%Y-%m-%d} on: {report.refused} launches refused, {report.stopped}"
        f" sessions stopped, {report.warnings} warnings; {core_hours(report.not_used)} of"
        f" {core_hours(report.used)} core-hours not used."
    )
