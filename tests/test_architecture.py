"""The rules of the architecture, held by tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
APPS = ["accounts", "quotas", "sessions", "accounting", "lsp_portal"]
MODULE_LIMIT = 450  # lines; a module is split by topic at about 400
SETTINGS = ("settings.py", "cluster_settings.py")


def _settings_from_the_environment() -> set[str]:
    trees = [ast.parse((ROOT / "lsp_portal" / name).read_text()) for name in SETTINGS]
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
    }


def _documented_settings() -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.M))


def test_the_import_contracts_hold() -> None:
    """In a process of its own: the linter takes the loggers of the others away."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    assert _settings_from_the_environment() == _documented_settings()


@pytest.mark.django_db
def test_the_migrations_are_complete() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_no_module_outgrows_its_limit() -> None:
    modules = [path for app in [*APPS, "tests"] for path in (ROOT / app).rglob("*.py")]
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in modules
        if "migrations" not in path.parts
    }
    assert {name: size for name, size in sizes.items() if size > MODULE_LIMIT} == {}


def test_the_requirements_name_no_index() -> None:
    lists = [*ROOT.glob("requirements*.txt"), *ROOT.glob("requirements*.in")]
    assert [
        path.name for path in lists if re.search(r"://|--(extra-)?index", path.read_text())
    ] == []
