"""Write usage records for APEL into the queues from which SSM sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.exports.apel.export import ApelExportError, Exported, export
from accounting.exports.apel.records import Site
from accounting.management.moments import moment
from accounts.identity.providers import providers
from lsp_portal.lib import clock
from sessions.models import Hub


class Command(BaseCommand):
    help = (
        "Export a hub's sessions for APEL: cloud records to DIR/cloud, and accelerator records of"
        " those with GPUs to DIR/accelerator, as queues from which SSM sends. What APEL knows"
        " already is not sent again; what has changed since is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hub", required=True, metavar="NAME", help="the hub to export")
        parser.add_argument(
            "--output", required=True, type=Path, metavar="DIR", help="made where it is missing"
        )
        parser.add_argument(
            "--site", required=True, help="the site's name in the registry, such as UKI-ROE"
        )
        parser.add_argument("--service", help="the cloud compute service; default: the hub's name")
        parser.add_argument(
            "--gpu-model", default="", help="what GPUs are, for their records; default: not said"
        )
        parser.add_argument(
            "--identities",
            default="",
            metavar="PROVIDER",
            help="publish people as this identity provider knows them; default: by user name",
        )
        parser.add_argument(
            "--until",
            metavar="TIME",
            help="only sessions that ended before it, such as 2026-05-01T00:00:00Z; default: now",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        hub = Hub.objects.filter(name=options["hub"]).first()
        if hub is None:
            raise CommandError(f"There is no hub {options['hub']}.")
        try:
            exported = export(
                hub,
                _site(hub, options),
                until=moment("--until", options["until"]) or now,
                provider=_provider(options["identities"]),
                directory=options["output"],
                at=now,
            )
        except ApelExportError as error:
            raise CommandError(f"{error}. Nothing is lost: the next run writes it.") from error
        self.stdout.write(_sentence(exported))


def _site(hub: Hub, options: dict[str, Any]) -> Site:
    if not options["site"].strip():
        raise CommandError("--site must be the name of the site in the registry.")
    return Site(options["site"], options["service"] or hub.name, gpu_model=options["gpu_model"])


def _provider(name: str) -> str:
    known = [provider.name for provider in providers()]
    if name and name not in known:
        raise CommandError(f"There is no identity provider {name}; there are {', '.join(known)}.")
    return name


def _sentence(exported: Exported) -> str:
    run = exported.run
    earlier = f"; finished {exported.finished} interrupted before" if exported.finished else ""
    refused = "".join(
        f"; refused {count} ({reason})" for reason, count in sorted(exported.refused.items())
    )
    return (
        f"Exported {run.records} records of {run.hub} in run {run.pk} to {run.directory}"
        f"{earlier}{refused}"
    )
