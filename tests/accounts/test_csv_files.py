"""People, groups and memberships as files."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.csv_files.exporting import export_lines
from accounts.csv_files.importing import import_file
from accounts.csv_files.plans import Plan
from accounts.csv_files.table import BadFileError
from accounts.models import Change, Group, Membership, Name, User
from tests import factories
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def run(text: str | bytes, *, dry_run: bool = False, above_staff: bool = True) -> Plan:
    raw = text.encode() if isinstance(text, str) else text
    return import_file(raw, dry_run=dry_run, above_staff=above_staff, at=NOW)


def found(plan: Plan) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in plan.problems]


def test_people_come_in_change_and_stay_as_they_are_the_second_time(cast: Cast) -> None:
    text = "username,first_name,email\nerin,Erin,erin@example.org\nbob,Robert,bob@example.org\n"
    plan = run(text)
    assert (plan.new, plan.changed, plan.unchanged, plan.applied) == (1, 1, 0, True)
    erin = User.objects.get(username="erin")
    assert erin.is_registered
    assert not erin.has_usable_password()
    assert erin.uid
    assert User.objects.get(username="bob").first_name == "Robert"
    entries = Change.objects.count()
    again = run(text)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    assert "nothing to change" in again.summary
    assert Change.objects.count() == entries


def test_the_trail_tells_what_a_file_did(cast: Cast) -> None:
    run("username,first_name\nerin,Erin\nbob,Robert\n")
    bob, erin = User.objects.get(username="bob"), User.objects.get(username="erin")
    changed = Change.objects.of_object(bob).first()
    assert changed is not None
    assert changed.changes == {"first_name": ["Bob", "Robert"]}
    made = Change.objects.of_object(erin).get()
    assert made.action == Change.Action.CREATE
    assert made.changes["username"] == [None, "erin"]


def test_a_dry_run_changes_nothing(cast: Cast) -> None:
    plan = run("username\nerin\n", dry_run=True)
    assert (plan.new, plan.applied) == (1, False)
    assert not User.objects.filter(username="erin").exists()


def test_one_wrong_row_keeps_all_of_the_file_out(cast: Cast) -> None:
    plan = run(
        "username,email,is_active,expires_at\n"
        "erin,erin@example.org,yes,\n"
        "Frank,frank@example.org,yes,\n"
        "greta,no address,maybe,soon\n"
        "erin,,yes,\n"
        "transients,,yes,\n"
        "henry\n"
        ",,,\n"
        "ida,,yes,2026-02-30\n"
    )
    assert found(plan) == [
        (3, "username"),
        (4, "is_active"),
        (4, "expires_at"),
        (4, "email"),
        (5, "username"),
        (6, "username"),
        (7, ""),
        (9, "expires_at"),
    ]
    assert plan.problems[0].value == "Frank"
    assert "lower-case" in plan.problems[0].message
    assert "group" in plan.problems[5].message
    assert not User.objects.filter(username="erin").exists()


def test_a_name_that_was_once_given_is_refused(cast: Cast) -> None:
    gone = factories.user("gone")
    gone.delete()
    assert Name.objects.filter(name="gone").exists()
    assert found(run("username\ngone\n")) == [(2, "username")]
    assert found(run("name,title\nbob,Bob's\n")) == [(2, "name")]


def test_only_superusers_change_administrators_by_a_file(cast: Cast) -> None:
    text = "username,is_active\ndora,no\n"
    assert found(run(text, above_staff=False)) == [(2, "username")]
    assert User.objects.get(username="dora").is_active
    assert run(text).applied


def test_groups_find_their_parents_in_whatever_order(cast: Cast) -> None:
    text = "name,title,kind,parent\npart,Part,,whole\nwhole,Whole,workshop,galaxies\n"
    plan = run(text)
    assert (plan.new, plan.problems) == (2, [])
    part = Group.objects.get(name="part")
    assert part.parent is not None
    assert part.parent.name == "whole"
    assert part.parent.kind == "workshop"
    assert run(text).unchanged == 2


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("new,,campaign,,,", "title"),
        ("new,New,party,,,", "kind"),
        ("new,New,,nowhere,,", "parent"),
        ("transients,T,,transients,,", "parent"),
        ("new,New,,,2026-02-01,2026-01-01", "closed_at"),
        ("x user=victim,New,,,,", "name"),
        (f"{'x' * 300},New,,,,", "name"),
    ],
)
def test_a_wrong_group_is_named_with_its_column(cast: Cast, row: str, column: str) -> None:
    plan = run(f"name,title,kind,parent,opens_at,closed_at\n{row}\n")
    assert set(found(plan)) == {(2, column)}


def test_groups_in_a_file_do_not_contain_each_other(cast: Cast) -> None:
    plan = run("name,title,parent\na,A,b\nb,B,a\n")
    assert found(plan) == [(2, "parent"), (3, "parent")]


def test_memberships_begin_end_and_stay(cast: Cast) -> None:
    text = (
        "user;group;role;valid_to\n"
        "bob;transients;member;2026-12-01\n"
        "charlie;transients;manager;\n"
        "alice;transients;pi;\n"
    )
    plan = run(text)
    assert (plan.new, plan.changed, plan.unchanged, plan.problems) == (1, 1, 1, [])
    ends = Membership.objects.get(user=cast.bob, group=cast.transients).valid_to
    assert ends == datetime(2026, 12, 1, tzinfo=UTC)
    assert Membership.objects.get(user=cast.charlie, role="manager").valid_from == NOW
    assert run(text).unchanged == 3
    entry = Change.objects.of_group(cast.transients).filter(about="Bob Example's membership")
    newest = entry.first()
    assert newest is not None
    assert list(newest.changes) == ["valid_to"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("nobody,transients,member,,", "user"),
        ("bob,nowhere,member,,", "group"),
        ("bob,transients,boss,,", "role"),
        ("bob,transients,pi,,", "role"),
        ("charlie,transients,member,2026-02-01,2026-01-01", "valid_to"),
        ("bob,transients,member,,2020-01-01", "valid_to"),
        ("charlie,transients,member,yesterday,", "valid_from"),
    ],
)
def test_a_wrong_membership_is_named_with_its_column(cast: Cast, row: str, column: str) -> None:
    assert found(run(f"user,group,role,valid_from,valid_to\n{row}\n")) == [(2, column)]


def test_two_rows_cannot_give_one_person_two_roles_at_once(cast: Cast) -> None:
    text = "user,group,role\ncharlie,galaxies,member\ncharlie,galaxies,pi\n"
    assert found(run(text)) == [(3, "role")]


def test_memberships_that_follow_from_claims_are_left_alone(cast: Cast) -> None:
    plan = run("user,group,role,synced\ncharlie,galaxies,member,yes\n")
    assert (plan.left_alone, plan.new) == (1, 0)


@pytest.mark.parametrize("kind", ["users", "groups", "memberships"])
def test_what_was_exported_comes_in_again_and_changes_nothing(cast: Cast, kind: str) -> None:
    cast.bob.first_name = "'=1+1"
    cast.bob.last_name = '=HYPERLINK("http://evil"), "x"'
    cast.bob.save(update_fields=["first_name", "last_name"])
    cast.galaxies.description = "two\nlines; and more"
    cast.galaxies.parent = cast.transients
    cast.galaxies.save(update_fields=["description", "parent"])
    plan = run("".join(export_lines(kind)))
    assert (plan.new, plan.changed, plan.problems) == (0, 0, [])
    assert plan.unchanged >= 3


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_exported_cell_is_a_formula(cast: Cast, start: str) -> None:
    cast.bob.last_name = f"{start}cmd|' /C calc'!A0"
    cast.bob.save(update_fields=["last_name"])
    line = next(line for line in export_lines("users") if line.startswith("bob"))
    assert f"'{start}cmd" in line


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", "\t").encode(),
    ],
)
def test_encodings_and_delimiters_of_spreadsheets_are_read(
    cast: Cast, encode: Callable[[str], bytes]
) -> None:
    run(encode("username,first_name\nerin,Zoë\n"))
    assert User.objects.get(username="erin").first_name == "Zoë"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"username\nzo\xeb\n", "Line 2 is not UTF-8"),
        (b"username\na\0b\n", "Line 2 contains a NUL"),
        (b"nick,mail\na,b\n", "columns tell"),
        (b"username,shoe_size\na,44\n", "shoe_size"),
        (b"username,username\na,b\n", "twice"),
        (b'username\n"erin\n', "not CSV"),
        (b"username\n" + b"x" * 140_000, "not CSV"),
        (b"x" * (20 * 1024**2 + 1), "MiB"),
        (b"username\n" + b"a\n" * 50_001, "50,000"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(raw: bytes, words: str) -> None:
    with pytest.raises(BadFileError, match=words):
        run(raw)


def test_ten_thousand_people_come_in_with_few_queries(cast: Cast) -> None:
    lines = [f"user-{number},U,N{number}" for number in range(10_000)]
    text = "username,first_name,last_name\n" + "\n".join(lines)
    began = time.monotonic()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert run(text).new == 10_000
    assert len(queries) < 60
    assert time.monotonic() - began < 30
    with CaptureQueriesContext(connection) as queries:
        assert run(text).unchanged == 10_000
    assert len(queries) < 10


def test_the_page_checks_first_and_imports_then(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)

    def send(text: str, **button: str) -> str:
        file = SimpleUploadedFile("people.csv", text.encode())
        return client.post("/people/import/", {"file": file, **button}).content.decode()

    text = "username\nerin\n"
    assert "This would happen to users" in send(text, check="yes")
    assert not User.objects.filter(username="erin").exists()
    assert "Imported users" in send(text, **{"import": "yes"})
    assert Change.objects.of_object(User.objects.get(username="erin")).get().actor == cast.dora
    wrong = send("username\nFrank\n", **{"import": "yes"})
    assert "Nothing was imported" in wrong
    assert "Frank" in wrong
    assert (
        "not UTF-8"
        in client.post(
            "/people/import/", {"file": SimpleUploadedFile("a.csv", b"username\n\xff")}
        ).content.decode()
    )
    assert client.post("/people/import/").status_code == 400


def test_the_page_gives_files_to_administrators_only(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)
    answer = client.get("/people/export/memberships.csv")
    assert answer["Content-Type"].startswith("text/csv")
    body = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert "bob,transients,member" in body
    assert client.get("/people/export/secrets.csv").status_code == 404
    for person in (cast.alice, factories.user("sam", is_staff=True)):
        client.force_login(person)
        assert client.get("/people/import/").status_code == 403
        assert client.get("/people/export/users.csv").status_code == 403


def test_the_commands_say_what_they_do(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("username\nerin\n")
    out = io.StringIO()
    call_command("import_people", file, dry_run=True, stdout=out)
    assert "Would import users: 1 new" in out.getvalue()
    call_command("import_people", file, stdout=out)
    assert "Imported users: 1 new" in out.getvalue()
    entry = Change.objects.of_object(User.objects.get(username="erin")).get()
    assert (entry.actor, entry.by) == (None, "command import_people")
    file.write_text("username\nFrank\n")
    err = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_people", file, stderr=err)
    assert "line 2, username" in err.getvalue()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_people", tmp_path / "nothing.csv")
    out = io.StringIO()
    call_command("export_people", "users", stdout=out)
    assert out.getvalue().startswith("username,first_name")
