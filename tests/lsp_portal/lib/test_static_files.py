"""Static files before and after they were collected."""

from pathlib import Path

from django.core.files.storage import Storage, storages
from django.core.management import call_command
from pytest_django import Settings

STATIC_FILES = {"BACKEND": "lsp_portal.lib.static_files.StaticFiles"}


def _storage() -> Storage:
    return storages.create_storage(STATIC_FILES)


def test_a_file_keeps_its_name_until_it_was_collected(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": STATIC_FILES}
    assert _storage().url("css/portal.css") == "/static/css/portal.css"
    call_command("collectstatic", interactive=False, verbosity=0)
    assert _storage().url("css/portal.css").startswith("/static/css/portal.")
    assert _storage().url("css/portal.css") != "/static/css/portal.css"
    assert _storage().url("css/new.css") == "/static/css/new.css"
