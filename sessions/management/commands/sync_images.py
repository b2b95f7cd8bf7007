"""Let the catalogue of images follow its registries."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lsp_portal.lib import clock
from sessions.models import ImageSource
from sessions.registry.failures import RegistryFailed
from sessions.registry.syncing import look, sync


class Command(BaseCommand):
    help = "Read the registries now and let the images follow, as the worker does by itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", help="only this source; active or not")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, no more")
        parser.add_argument(
            "--even-many", action="store_true", help="believe an answer that leaves few images"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sources = list(self._sources(options["source"]))
        troubles = [trouble for one in sources if (trouble := self._read(one, options))]
        if troubles:
            raise CommandError(" ".join(troubles))
        self.stdout.write(f"Read {len(sources)} sources")

    def _sources(self, name: str | None) -> Any:
        if name is None:
            return ImageSource.objects.filter(is_active=True)
        found = ImageSource.objects.filter(name=name)
        if not found:
            raise CommandError(f"There is no source “{name}”.")
        return found

    def _read(self, source: ImageSource, options: dict[str, Any]) -> str:
        """Read one source and say what changed; what went wrong comes back."""
        at = clock.now()
        try:
            if options["dry_run"]:
                plan = look(source, at=at)
            else:
                plan = sync(source, at=at, confirmed=options["even_many"])
        except RegistryFailed as error:
            return f"{source.name}: {error}"
        if plan.doubt and not options["even_many"]:
            return f"{source.name}: {plan.doubt}"
        lines = [f"{source.name}: {plan.summary()}", *(f"  {line}" for line in plan.changes)]
        self.stdout.write("\n".join(lines))
        return ""
