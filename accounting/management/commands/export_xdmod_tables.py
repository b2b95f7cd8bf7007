"""Write what Open XDMoD has to know besides jobs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Min

from accounting.exports.xdmod_tables.resource import BadCapacityError, Capacity
from accounting.exports.xdmod_tables.writing import Tables, write_tables
from lsp_portal.lib import clock
from sessions.models import Hub


class Command(BaseCommand):
    help = (
        "Write what Open XDMoD has to know besides jobs to DIR: names.csv, hierarchy.csv and"
        " group-to-hierarchy.csv for xdmod-import-csv, and the hub's entries for resources.json"
        " and resource_specs.json. Files appear whole or not at all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hub", required=True, metavar="NAME", help="the hub to describe")
        parser.add_argument(
            "--output", required=True, type=Path, metavar="DIR", help="made where it is missing"
        )
        parser.add_argument("--nodes", required=True, type=int, help="nodes behind the hub")
        parser.add_argument("--cpus", required=True, type=int, help="CPUs of all nodes together")
        parser.add_argument("--gpus", default=0, type=int, help="GPUs of all nodes; default: 0")
        parser.add_argument(
            "--since",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="since when; default: the day of the hub's first session",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        hub = Hub.objects.filter(name=options["hub"]).first()
        if hub is None:
            raise CommandError(f"There is no hub {options['hub']}.")
        directory = options["output"].absolute()
        try:
            capacity = Capacity(
                options["nodes"], options["cpus"], options["gpus"], options["since"] or _first(hub)
            )
            written = write_tables(hub, capacity, directory=directory)
        except BadCapacityError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{directory} cannot be written: {error.strerror}.") from error
        self.stdout.write(_sentence(hub, directory, written))


def _first(hub: Hub) -> date:
    first = hub.sessions.aggregate(first=Min("ready_at"))["first"]
    return (first or clock.now()).date()


def _sentence(hub: Hub, directory: Path, written: Tables) -> str:
    refused = "".join(
        f"\n  left out: {name} ({reason})" for name, reason in sorted(written.refused.items())
    )
    return (
        f"Wrote {written.people} people and {written.groups} groups,"
        f" and the description of {hub}, to {directory}{refused}"
    )
