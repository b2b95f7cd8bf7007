"""The browser files and fonts made by others are the ones that their inventory names."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from plotly.offline import get_plotlyjs_version

FOLDERS = [
    settings.BASE_DIR / "lsp_portal" / "static" / "vendor",
    settings.BASE_DIR / "tests" / "e2e" / "axe",
    settings.BASE_DIR / "accounting" / "group_statements" / "fonts",
]
ROW = re.compile(r"^\| (\S+) \| (\S+) \| (\S+) \| `(\S+)` \| `([0-9a-f]{128})` \|$", re.MULTILINE)


def inventory(folder: Path) -> list[tuple[str, ...]]:
    return [match.groups() for match in ROW.finditer((folder / "VENDOR.md").read_text())]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_vendored_file_is_listed_unchanged_with_its_licence(folder: Path) -> None:
    rows = inventory(folder)
    shipped = {path for path in folder.rglob("*") if path.suffix in {".js", ".css", ".svg", ".ttf"}}

    assert {folder / row[3] for row in rows} == shipped
    for *_, file, digest in rows:
        path = folder / file
        assert hashlib.sha512(path.read_bytes()).hexdigest() == digest
        assert (path.parent / "LICENSE").is_file()


def test_plotly_in_the_browser_is_the_one_that_python_builds_figures_for() -> None:
    versions = {row[0]: row[1] for row in inventory(FOLDERS[0])}

    assert versions["plotly.js-basic-dist-min"] == get_plotlyjs_version()


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (FOLDERS[0] / "icons" / "sprite.svg").read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    templates = settings.BASE_DIR.joinpath("templates").rglob("*.html")
    named = {
        name
        for path in templates
        for name in re.findall(r'(?:{% icon |icon_name=)"([^"]+)"', path.read_text())
    }

    assert named - known == set()
