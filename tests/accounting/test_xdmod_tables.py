"""Names, hierarchy and description of a hub, as Open XDMoD takes them unharmed."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from accounting.exports.xdmod_tables.rows import GroupRow, hierarchy
from accounting.exports.xdmod_tables.rules import label, refusal
from accounts.models import Group, User
from lsp_portal.lib import clock
from tests.accounting.cast import Cast
from tests.accounting.rows import EPOCH, add_session
from tests.documents import Documents

FILES = (
    "names.csv",
    "hierarchy.csv",
    "group-to-hierarchy.csv",
    "resources.json",
    "resource_specs.json",
)


def write(directory: Path, *options: str) -> str:
    out = StringIO()
    call_command(
        "export_xdmod_tables",
        "--hub=demo",
        f"--output={directory}",
        "--nodes=6",
        "--cpus=100",
        *options,
        stdout=out,
    )
    return out.getvalue()


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file, strict=True))


def approve_everybody() -> None:
    User.objects.update(registered_at=clock.now())


@pytest.mark.django_db
def test_the_files_are_those_of_the_data_folder(
    cast: Cast, tmp_path: Path, documents: Documents
) -> None:
    approve_everybody()
    cast.bob.last_name = 'O\\"Brien\\'
    cast.bob.first_name = "Bo\nb"
    cast.bob.save(update_fields=["first_name", "last_name"])
    Group.objects.create(name="supernovae", title="Supernovae", parent=cast.transients, gid=30003)
    Group.objects.create(name="school", title="Summer school", kind="workshop", gid=30004)
    User.objects.create(username="erin", uid=20009)  # waits for approval
    add_session(cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=None)
    said = write(tmp_path, "--gpus=4")
    assert "Wrote 3 people and 4 groups" in said
    for name in FILES:
        documents.expect(f"xdmod/tables/{name}", (tmp_path / name).read_text())


@pytest.mark.django_db
def test_every_group_has_its_place_on_the_third_level(cast: Cast, tmp_path: Path) -> None:
    child = Group.objects.create(name="novae", title="Novae", parent=cast.transients, gid=30003)
    Group.objects.create(name="dwarfs", title="Dwarf novae", parent=child, gid=30004)
    write(tmp_path)
    levels = {key: parent for key, _, parent in rows(tmp_path / "hierarchy.csv")}
    for name, key in rows(tmp_path / "group-to-hierarchy.csv"):
        top = levels[key]
        assert levels[levels[top]] == "", name
    assert levels["group-dwarfs"] == "top-transients"


@pytest.mark.django_db
def test_running_again_changes_nothing(cast: Cast, tmp_path: Path) -> None:
    approve_everybody()
    write(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    write(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "right"),
    [
        (["--nodes=0"], "at least 1 node"),
        (["--cpus=5"], "6 nodes have at least 6 CPUs"),
        (["--gpus=-1"], "0 GPUs or more"),
        (["--hub=nowhere"], "no hub nowhere"),
    ],
)
def test_bad_numbers_are_told_apart(
    cast: Cast, tmp_path: Path, options: list[str], right: str
) -> None:
    with pytest.raises(CommandError, match=right):
        write(tmp_path, *options)
    assert not list(tmp_path.iterdir())


@pytest.mark.django_db
def test_a_directory_that_is_a_file_is_named(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(CommandError, match="taken cannot be written"):
        write(tmp_path / "taken")


@pytest.mark.django_db
def test_the_description_says_what_the_hub_has(cast: Cast, tmp_path: Path) -> None:
    write(tmp_path, "--gpus=9", "--since=2026-01-31")
    [described] = json.loads((tmp_path / "resource_specs.json").read_text())
    assert described == {
        "resource": "demo",
        "start_date": "2026-01-31",
        "cpu_node_count": 6,
        "cpu_processor_count": 100,
        "cpu_ppn": 17,
        "gpu_node_count": 6,
        "gpu_processor_count": 9,
        "gpu_ppn": 2,
    }


def test_names_that_the_receiver_would_mix_up_are_refused() -> None:
    assert refusal("alice") is None
    assert refusal("Alice") == "bad_name"
    assert refusal("a" * 31) == "bad_name"
    assert refusal("alice\n") == "bad_name"
    assert refusal("transients", frozenset({"transients"})) == "user_is_group"


@given(st.text(max_size=200))
def test_no_label_can_swallow_its_neighbours(text: str) -> None:
    shown = label(text, otherwise="alice")
    assert shown
    assert shown == shown.strip()
    assert "\\" not in shown
    assert len(shown.splitlines()) == 1
    assert label(shown, otherwise="alice") == shown
    shown.encode()


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(st.data())
def test_the_hierarchy_has_three_levels_whatever_is_part_of_what(data: Any) -> None:
    known: list[str] = []
    groups = []
    for name in data.draw(st.lists(names, unique=True, max_size=12)):
        parent = data.draw(st.sampled_from([None, "left-out", *known]))
        kind = data.draw(st.sampled_from(Group.Kind.values))
        groups.append(GroupRow(name, f"The {name}", kind, parent))
        known.append(name)
    levels: dict[str, int] = {"": 0}
    for key, _, parent in hierarchy(groups):
        assert key not in levels
        levels[key] = levels[parent] + 1
    assert {f"group-{group.name}" for group in groups} == {
        key for key, level in levels.items() if level == 3
    }


@pytest.mark.django_db
def test_a_full_disk_leaves_the_old_files(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    before = (tmp_path / "names.csv").read_bytes()
    User.objects.update(registered_at=clock.now())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("accounting.exports.files.os.fsync", full)
    with pytest.raises(CommandError, match="No space left"):
        write(tmp_path)
    assert (tmp_path / "names.csv").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
