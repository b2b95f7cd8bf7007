"""`manage.py export_posix`: the tables of people and groups as files, for a file server."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import posix
from lsp_portal.lib import clock


class Command(BaseCommand):
    help = "Write passwd, group and accounts.json, each at once or not at all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, required=True, help="The folder for the files.")

    def handle(self, *args: Any, **options: Any) -> None:
        folder, at = options["output"], clock.now()
        tables = posix.tables(at=at)
        files = {
            "passwd": posix.passwd(at=at),
            "group": posix.group(at=at),
            "accounts.json": json.dumps(tables, indent=1, ensure_ascii=False) + "\n",
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                _write(folder / name, text)
        except OSError as error:
            raise CommandError(f"The tables cannot be written: {error}.") from error
        people, groups = len(tables["users"]), len(tables["groups"]) - len(tables["users"])
        self.stdout.write(f"{people} people and {groups} groups written to {folder}")


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)
