"""`python -m tests.bench [NAME ...]`: run the benchmarks, each in a database of its own.

Every module of this package that has `run() -> list[Line]` is one. Exits 1 where a must is missed.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
from importlib import import_module

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ.setdefault("TEST_DATABASE_SUFFIX", "bench")

import django

django.setup()

from django.db import connection  # noqa: E402

from tests import bench  # noqa: E402
from tests.bench.lines import Line  # noqa: E402


def main() -> int:
    names = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these modules")
    chosen = parser.parse_args().names
    if unknown := set(chosen) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    results = [measured(name) for name in chosen or names if name != "__main__"]
    return 0 if all(line.is_met for lines in results for line in lines) else 1


def measured(name: str) -> list[Line]:
    """The lines of one module, printed as soon as they are known; none where it has no `run`."""
    run = getattr(import_module(f"tests.bench.{name}"), "run", None)
    if run is None:
        return []
    own = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        lines: list[Line] = run()
    finally:
        connection.creation.destroy_test_db(own, verbosity=0)
    for line in lines:
        print(line, flush=True)
    return lines


if __name__ == "__main__":
    sys.exit(main())
