"""What runs in a pod before the server, run for real: a shell, git, and a folder as the home."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from sessions.kubernetes.manifests.preparation import SCRIPTS

ROOT = os.getuid() == 0


@dataclass
class Home:
    """A home, and what a script said last."""

    path: Path
    repository: Path

    def run(self, script: str, *arguments: str, **environment: str) -> int:
        told = self.path.parent / "told"
        told.write_text("")
        done = subprocess.run(
            ["/bin/sh", SCRIPTS / f"{script}.sh", *arguments],
            env={"PATH": os.environ["PATH"], "TOLD": str(told), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = told.read_text().strip()
        return done.returncode

    def refresh(self, *, ref: str = "main", repository: str = "", name: str = "notebooks") -> str:
        """Once, as a start does it; what it said."""
        where = repository or f"file://{self.repository}"
        assert self.run("notebooks", where, ref, str(self.path), name) == 0
        return self.said

    def publish(self, **files: str) -> None:
        """A new version of the standard notebooks."""
        for name, content in files.items():
            (self.repository / name).write_text(content)
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", "next")

    def there(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    def notebook(self, name: str, folder: str = "notebooks") -> str:
        return (self.path / folder / name).read_text()


def git(where: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=where, check=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home", tmp_path / "published")
    made.path.mkdir()
    made.repository.mkdir()
    git(made.repository, "init", "--quiet", "--initial-branch=main")
    made.publish(intro="one", deep="one")
    return made


def test_a_first_start_brings_the_notebooks_and_the_next_leaves_them(home: Home) -> None:
    assert home.refresh() == "refreshed notebooks"
    assert home.notebook("intro") == "one"
    assert home.refresh() == ""
    assert home.there() == ["notebooks"]


def test_a_new_version_replaces_what_nobody_changed(home: Home) -> None:
    home.refresh()
    (home.repository / "deep").unlink()
    home.publish(intro="two", more="two")
    assert home.refresh() == "refreshed notebooks"
    assert home.notebook("intro") == "two"
    assert sorted(path.name for path in (home.path / "notebooks").glob("[!.]*")) == [
        "intro",
        "more",
    ]


def test_files_cannot_be_written_by_accident(home: Home) -> None:
    home.refresh()
    home.publish(intro="two")
    home.refresh()
    for name in ("intro", "deep"):
        assert not (home.path / "notebooks" / name).stat().st_mode & 0o222


def test_what_the_person_changed_is_put_aside_and_nothing_of_it_is_lost(home: Home) -> None:
    home.refresh()
    intro = home.path / "notebooks" / "intro"
    intro.chmod(0o644)
    intro.write_text("mine")
    assert home.refresh() == "", "nothing new: nothing is done"
    home.publish(intro="two")
    word, _, aside = home.refresh().partition(" ")
    assert (word, home.notebook("intro", aside), home.notebook("intro")) == ("kept", "mine", "two")


def test_files_that_were_added_and_commits_that_were_made_count_as_changes(home: Home) -> None:
    home.refresh()
    (home.path / "notebooks" / "own").write_text("mine")
    home.publish(intro="two")
    first = home.refresh().partition(" ")[2]
    (home.path / "notebooks" / "own").write_text("more of mine")
    git(home.path / "notebooks", "add", "--all")
    git(home.path / "notebooks", "commit", "--quiet", "--message", "mine")
    home.publish(intro="three")
    second = home.refresh().partition(" ")[2]
    assert [home.notebook("own", first), home.notebook("own", second)] == ["mine", "more of mine"]
    assert second == f"{first}-2"


def test_what_jupyter_leaves_beside_notebooks_is_no_change(home: Home) -> None:
    home.refresh()
    (home.path / "notebooks" / ".ipynb_checkpoints").mkdir()
    (home.path / "notebooks" / ".ipynb_checkpoints" / "intro").write_text("")
    home.publish(intro="two")
    assert home.refresh() == "refreshed notebooks"
    assert home.there() == ["notebooks"]


@pytest.mark.parametrize("start", ["first", "next"])
def test_a_repository_that_is_away_stops_nothing_and_is_told(home: Home, start: str) -> None:
    if start == "next":
        home.refresh()
    said = home.refresh(repository="file:///nowhere")
    assert said.startswith("failed fatal:")
    assert home.there() == (["notebooks"] if start == "next" else [])


def test_a_ref_that_is_missing_is_told(home: Home) -> None:
    assert "couldn't find remote ref nowhere" in home.refresh(ref="nowhere")


def test_a_folder_of_the_persons_own_is_left_alone(home: Home) -> None:
    (home.path / "notebooks").mkdir()
    (home.path / "notebooks" / "own").write_text("mine")
    assert home.refresh() == "taken notebooks"
    git(home.path / "notebooks", "init", "--quiet")
    assert home.refresh() == "taken notebooks"
    assert home.notebook("own") == "mine"


def test_a_tag_can_be_followed_and_a_folder_below_another(home: Home) -> None:
    git(home.repository, "tag", "v1")
    home.publish(intro="two")
    assert home.refresh(ref="v1", name="standard/tutorials") == "refreshed standard/tutorials"
    assert home.notebook("intro", "standard/tutorials") == "one"


def test_a_start_that_was_killed_leaves_nothing_for_ever(home: Home) -> None:
    home.refresh()
    lock, left = home.path / "notebooks" / ".git" / "index.lock", home.path / ".lsp-notebooks.a"
    left.mkdir()
    lock.write_text("")
    for path in (left, lock):
        os.utime(path, (0, 0))
    home.publish(intro="two")
    assert home.refresh() == "refreshed notebooks"
    assert home.there() == ["notebooks"]


def test_settings_of_git_that_the_person_has_do_not_count(home: Home) -> None:
    (home.path / ".gitconfig").write_text('[url "file:///nowhere"]\n insteadOf = file://\n')
    assert home.refresh() == "refreshed notebooks"


def test_two_starts_at_once_bring_one_copy(home: Home) -> None:
    told = [home.path.parent / name for name in ("one", "two")]
    arguments = [f"file://{home.repository}", "main", str(home.path), "notebooks"]
    both = [
        subprocess.Popen(
            ["/bin/sh", SCRIPTS / "notebooks.sh", *arguments],
            env={"PATH": os.environ["PATH"], "TOLD": str(path)},
        )
        for path in told
    ]
    assert [one.wait(30) for one in both] == [0, 0]
    assert home.there() == ["notebooks"]
    assert home.notebook("intro") == "one"


@pytest.mark.parametrize("times", [1, 2])
def test_a_directory_is_made_for_the_person_alone(home: Home, times: int) -> None:
    place = home.path / "bob"
    for _ in range(times):
        assert home.run("home", str(place), "directory") == 0
    assert place.stat().st_mode & 0o777 == 0o700
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="only root can give a directory to somebody else")
def test_a_directory_of_somebody_else_is_refused(home: Home) -> None:
    place = home.path / "bob"
    place.mkdir()
    os.chown(place, 65534, 65534)
    assert home.run("home", str(place), "directory") == 13
    assert home.said == "The directory belongs to somebody else."


def test_a_home_that_takes_nothing_more_is_full(home: Home, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    dd = programs / "dd"
    dd.write_text('#!/bin/sh\necho "dd: error writing: Disk quota exceeded" >&2\nexit 1\n')
    dd.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    assert home.run("home", str(home.path), "claim", PATH=path) == 28
    assert home.there() == [], "the probe is gone"


def test_a_full_home_is_let_through_for_a_rescue_session(home: Home) -> None:
    assert home.run("home", str(home.path), "claim", "full", PATH="/nowhere") == 0


def test_a_rescue_session_lists_what_is_large_and_has_a_home_of_its_own(
    home: Home, tmp_path: Path
) -> None:
    place = tmp_path / "rescue"
    place.mkdir()
    (home.path / "old data").mkdir()
    (home.path / "old data" / "a  big file").write_bytes(b"x" * 3_000_000)
    (home.path / "small").write_text("x")
    assert home.run("rescue", str(home.path), str(place)) == 0
    listed = (place / "BIGGEST.txt").read_text().splitlines()
    named = [line.split(maxsplit=1) for line in listed if str(home.path) in line][1:]
    assert [name for _, name in named][:3] == [
        str(home.path),
        f"{home.path}/old data",
        f"{home.path}/old data/a  big file",
    ]
    assert float(named[2][0]) == pytest.approx(3.0, rel=0.05)
    assert (place / "your-home" / "small").read_text() == "x"
    settings = json.loads((place / ".jupyter" / "jupyter_server_config.json").read_text())
    assert settings == {"FileContentsManager": {"delete_to_trash": False}}
    greeting = subprocess.run(
        ["/bin/sh", place / ".bashrc"], capture_output=True, text=True, check=True
    )
    assert greeting.stdout == (place / "BIGGEST.txt").read_text()


def test_a_home_that_is_not_there_is_no_full_one(home: Home) -> None:
    assert home.run("home", str(home.path / "nowhere"), "claim") == 13
    assert "No such file or directory" in home.said
