"""Settings from the environment: what is right is taken, what is wrong is named."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from lsp_portal.lib import env


def test_a_value_comes_from_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "red")
    assert env.text("COLOUR", "blue") == "red"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "")
    assert env.text("COLOUR", "blue") == "blue"


def test_a_value_comes_from_the_file_that_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "colour").write_text("green\n")
    monkeypatch.setenv("COLOUR_FILE", str(tmp_path / "colour"))
    assert env.text("COLOUR", "blue") == "green"


def test_variable_and_file_together_are_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLOUR", "red")
    monkeypatch.setenv("COLOUR_FILE", str(tmp_path / "colour"))
    with pytest.raises(ImproperlyConfigured, match="COLOUR and COLOUR_FILE are both set"):
        env.text("COLOUR", "blue")


def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLOUR_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ImproperlyConfigured, match="COLOUR_FILE names a file that cannot be read"):
        env.text("COLOUR", "blue")


def test_a_variable_without_default_has_to_be_set() -> None:
    with pytest.raises(ImproperlyConfigured, match="COLOUR is not set"):
        env.text("COLOUR")


@pytest.mark.parametrize(("value", "meaning"), [("1", True), ("YES", True), ("off", False)])
def test_yes_and_no_have_several_spellings(
    monkeypatch: pytest.MonkeyPatch, value: str, meaning: bool
) -> None:
    monkeypatch.setenv("LOUD", value)
    assert env.boolean("LOUD", not meaning) is meaning


def test_anything_else_is_neither_yes_nor_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUD", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="LOUD must be one of"):
        env.boolean("LOUD", False)


def test_a_whole_number_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNT", "12")
    assert env.integer("COUNT", 3) == 12


@pytest.mark.parametrize("value", ["twelve", "1.5", "0"])
def test_a_number_that_is_none_or_too_small_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("COUNT", value)
    with pytest.raises(ImproperlyConfigured, match="COUNT must be a whole number, at least 1"):
        env.integer("COUNT", 3, minimum=1)


def test_a_list_is_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTS", "one.example, two.example,,")
    assert env.items("HOSTS") == ["one.example", "two.example"]


def test_an_address_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "https://portal.example/")
    assert env.url("PLACE") == "https://portal.example"


@pytest.mark.parametrize("value", ["portal.example", "ftp://portal.example", "https:portal"])
def test_an_address_needs_a_known_scheme(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PLACE", value)
    with pytest.raises(ImproperlyConfigured, match="PLACE must be an address that starts with"):
        env.url("PLACE")


def test_a_database_address_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "postgresql://dora:p%40ss@db.example:5433/portal?sslmode=require")
    assert env.database("STORE") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "portal",
        "USER": "dora",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_database_may_listen_on_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "postgresql:///portal?host=/run/postgresql")
    database = env.database("STORE")
    assert database is not None
    assert (database["HOST"], database["OPTIONS"]) == ("", {"host": "/run/postgresql"})


@pytest.mark.parametrize("value", ["mysql://db/portal", "postgresql://db", "postgresql://db:x/p"])
def test_a_database_address_of_another_form_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("STORE", value)
    with pytest.raises(ImproperlyConfigured, match="STORE") as refusal:
        env.database("STORE")
    assert value not in str(refusal.value)


def test_a_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "key"
    first = env.secret("KEY", path)
    assert len(first) >= 64
    assert env.secret("KEY", path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["key"]


def test_processes_that_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from lsp_portal.lib import env;"
        "print(env.secret('KEY', pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "key")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_a_range_has_a_first_and_a_last_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.interval("X", (1, 2), within=(0, 9)) == (1, 2)
    monkeypatch.setenv("X", "3-8")
    assert env.interval("X", (1, 2), within=(0, 9)) == (3, 8)


@pytest.mark.parametrize("text", ["3", "8-3", "3-10", "a-b", "-1-3", "3-", "1-2-3"])
def test_a_wrong_range_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match="X must be two whole numbers like 1-2"):
        env.interval("X", (1, 2), within=(0, 9))


@pytest.mark.parametrize("text", ["home", "/a:b", "/a\tb"])
def test_a_path_that_breaks_a_table_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert env.path("X", "/home/{name}") == "/home/{name}"
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match="X must be a path that begins with /"):
        env.path("X", "/")


def test_pairs_are_read_with_each_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELS", "app = hub, example.org/role=proxy,")
    assert env.pairs("LABELS") == {"app": "hub", "example.org/role": "proxy"}


@pytest.mark.parametrize("value", ["app", "app=", "=hub", "app=hub,app=proxy"])
def test_what_is_no_list_of_pairs_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LABELS", value)
    with pytest.raises(ImproperlyConfigured, match=r"LABELS must be .* key=value"):
        env.pairs("LABELS")


def test_credentials_are_one_on_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSES", "lab=robot:a:b=c, d\n\n other = portal:x \n")
    assert env.credentials("PASSES") == {"lab": ("robot", "a:b=c, d"), "other": ("portal", "x")}


@pytest.mark.parametrize("value", ["lab", "lab=robot", "lab=:x", "=robot:x", "a=b:c\na=b:c"])
def test_what_is_no_list_of_credentials_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PASSES", value)
    with pytest.raises(ImproperlyConfigured, match=r"must have one name=user:password on each"):
        env.credentials("PASSES")


def test_files_have_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    font = tmp_path / "one.ttf"
    font.touch()
    monkeypatch.setenv("FONTS", f"{font}, ")
    assert env.files("FONTS") == [str(font)]
    monkeypatch.setenv("FONTS", f"{font},{tmp_path}")
    with pytest.raises(ImproperlyConfigured, match=f"FONTS: there is no file {tmp_path} "):
        env.files("FONTS")
