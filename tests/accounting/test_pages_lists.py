"""Lists: every session once, in order, whatever its names are, at a constant number of queries."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounting.pages import endings
from accounts.models import Group, User
from sessions.models import Hub, Session
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, records, rows, text, visit
from tests.html_tables import tables

pytestmark = pytest.mark.django_db


@pytest.fixture
def hub() -> Hub:
    return factories.hub()


def link(page: str, word: str) -> str | None:
    """The address behind “Older” or “Newer”."""
    found = re.search(rf'href="(\?[^"]*{word}=[^"]*)"', page)
    return found[1].replace("&amp;", "&") if found else None


def numbers(page: str) -> list[int]:
    return [int(cells[0]) for cells in tables(page)["sessions"][1:]]


def test_leafing_forth_and_back_shows_every_session_once(
    hub: Hub, bob: User, transients: Group
) -> None:
    for number in range(60):  # three at a time begin in the same second, recorded in any order
        begin = NOW - DAY - (number * 7 % 60) // 3 * HOUR
        factories.session(hub, bob, transients, ready_at=begin)
    ordered = list(
        Session.objects.order_by("-ready_at", "-number").values_list("number", flat=True)
    )

    page, seen = text(bob, "/my/"), []
    while address := link(page, "before"):
        seen += numbers(page)
        page = text(bob, f"/my/{address}")
    seen += numbers(page)
    assert seen == ordered

    back = [numbers(page)]
    while address := link(page, "after"):
        page = text(bob, f"/my/{address}")
        back.append(numbers(page))
    assert back == [ordered[50:], ordered[25:50], ordered[:25]]
    assert link(page, "after") is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "1", "-1", "1-", "99999999999-1", "٣-٣", "1" * 50, "\0"]
)
@pytest.mark.parametrize("name", ["before", "after"])
def test_a_cursor_that_makes_no_sense_does_no_harm(name: str, cursor: str, bob: User) -> None:
    asked: dict[str, Any] = {name: cursor}

    assert visit(bob, "/my/", **asked).status_code == 200


@pytest.mark.parametrize("name", ["-", "nowhere"])
def test_a_hub_that_is_none_has_no_sessions(
    name: str, hub: Hub, bob: User, transients: Group
) -> None:
    factories.charged_session(hub, bob, transients, ready_at=NOW - HOUR)
    assert "sessions" in tables(text(bob, "/sessions/", hub=hub.name))
    assert "sessions" not in tables(text(bob, "/sessions/", hub=name))


def test_only_what_was_there_in_the_window_is_listed(
    hub: Hub, bob: User, transients: Group
) -> None:
    day: dict[str, Any] = {"first": "2026-04-20", "last": "2026-04-20"}
    noon = NOW.replace(month=4, day=20, hour=12)

    def made(**values: Any) -> int:
        return factories.session(hub, bob, transients, **values).number

    inside = made(ready_at=noon)
    over = made(ready_at=noon - DAY, ended_at=noon + DAY)
    long = made(ready_at=noon - 20 * DAY, ended_at=noon + 3 * DAY)
    running = made(ready_at=noon - 5 * DAY, ended_at=None)
    made(ready_at=noon - 2 * DAY)
    made(ready_at=noon + 2 * DAY)
    made(ready_at=noon + 2 * DAY, ended_at=None)

    assert [int(r["session"]) for r in records(bob, "/my/sessions.csv", **day)] == [
        inside, over, running, long,
    ]  # fmt: skip


def test_a_grant_that_never_became_a_server_is_listed_in_its_time_only(
    hub: Hub, bob: User, transients: Group
) -> None:
    factories.session(
        hub, bob, transients, ready_at=None, granted_at=NOW - DAY, lease_until=NOW - DAY + HOUR
    )

    then = rows(bob, "/my/", "sessions", first="2026-04-30", last="2026-04-30")
    now = rows(bob, "/my/", "sessions", first="2026-05-01", last="2026-05-01")

    assert [(cells[2], cells[5]) for cells in then] == [
        ("failed", "— did not become ready in time")
    ]
    assert now == []


def test_a_session_of_which_only_the_end_is_known_is_listed(
    hub: Hub, bob: User, transients: Group
) -> None:
    factories.session(
        hub, bob, transients, ready_at=None, ended_at=NOW - HOUR, end_reason="crashed"
    )

    shown = rows(bob, "/my/", "sessions")

    assert [cells[2] for cells in shown] == ["failed"]
    assert shown[0][5].endswith("crashed")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"end_reason": "user"}, "stopped by its user"),
        ({"end_reason": "admin"}, "stopped by an administrator"),
        ({"end_reason": "culled"}, "stopped because it was idle"),
        ({"end_reason": "oom"}, "ran out of memory"),
        ({"end_reason": "hub", "message": "Node gone"}, "stopped by the hub: Node gone"),
        ({"end_reason": "unknown", "message": "Its node was lost."}, "ended: Its node was lost"),
        (
            {"ready_at": None, "ended_at": NOW, "end_reason": "", "message": "No such image."},
            "did not start: No such image",
        ),
        ({"end_reason": "meteorite"}, "meteorite"),
        ({"end_reason": ""}, "ended, no reason given"),
        ({"end_source": "superseded"}, "ended unseen: its user's next server took its place"),
        ({"end_source": "snapshot"}, "ended unseen: the hub had it no longer"),
        ({"ended_at": None}, ""),
    ],
)  # fmt: skip
def test_the_end_is_told_in_plain_words(
    hub: Hub, bob: User, transients: Group, values: dict[str, Any], words: str
) -> None:
    session = factories.session(hub, bob, transients, **values)

    assert endings.words(session, session.state(at=NOW)) == words


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Ünïcödé 銀河 \u202e",
    "x" * 300,
    "{{ settings.SECRET_KEY }}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_it_is_and_does_nothing(hub: Hub, dora: User, name: str) -> None:
    factories.session(
        hub, None, None, user_name=name, group_name=name, image=name, size=name,
        ready_at=NOW - 2 * HOUR, end_reason=name, message=name,
    )  # fmt: skip

    page = text(dora, "/overview/")
    saved = records(dora, "/overview/unattributed.csv")

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert [(row["user"], row["image"]) for row in saved] == [(name, name)]
    assert tables(page)["unattributed"][1][1].startswith(" ".join(name.split()))


def test_a_hostile_title_stays_within_the_chart(hub: Hub, alice: User, transients: Group) -> None:
    alice.first_name = "</script><script>alert(1)</script>"
    alice.save(update_fields=["first_name"])
    Group.objects.filter(pk=transients.pk).update(title="<b>Transients</b> & more")
    factories.charged_session(hub, alice, transients, ready_at=NOW - 2 * HOUR)

    page = text(alice, "/groups/transients/")

    assert "<script>alert" not in page
    assert "&lt;b&gt;Transients&lt;/b&gt; &amp; more" in page


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("-12.5", "-12.5"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("plain, with “comma”", "plain, with “comma”"),
    ],
)
def test_no_cell_of_a_file_is_run_as_a_formula(hub: Hub, dora: User, name: str, cell: str) -> None:
    factories.session(hub, None, None, user_name=name, ready_at=NOW - 2 * HOUR)

    assert records(dora, "/overview/unattributed.csv")[0]["user"] == cell


def test_titles_of_the_catalogue_replace_names_where_it_knows_them(
    hub: Hub, bob: User, transients: Group
) -> None:
    factories.session(hub, bob, transients, ready_at=NOW - DAY, size="small", image="base")
    factories.session(hub, bob, transients, ready_at=NOW - 2 * DAY, size="gone", image="old")

    shown = [cells[3] for cells in rows(bob, "/my/", "sessions")]

    assert shown == ["Base notebook Small", "old gone"]


def test_unattributed_sessions_are_listed_whenever_they_were(
    hub: Hub, dora: User, bob: User, transients: Group
) -> None:
    old = factories.session(hub, None, None, user_name="mallory", ready_at=NOW - 300 * DAY)
    asked = factories.session(hub, bob, None, group_name="galaxies", ready_at=NOW - HOUR)
    factories.session(hub, bob, transients, ready_at=NOW - HOUR)
    factories.session(hub, None, None, ready_at=None, requested_at=NOW)  # used nothing

    shown = rows(dora, "/overview/", "unattributed")

    assert [int(cells[0]) for cells in shown] == [asked.number, old.number]
    assert shown[0][2] == "none; asked for galaxies"
    assert shown[1][1] == "mallory not known to the portal"
    assert len(records(dora, "/overview/unattributed.csv")) == 2


def test_a_closed_group_says_so(alice: User, dora: User, transients: Group) -> None:
    Group.objects.filter(pk=transients.pk).update(closed_at=NOW - DAY)

    assert "This group is closed" in text(alice, "/groups/transients/")
    assert "transients · closed" in " ".join(text(dora, "/groups/").split())
    assert "This group is closed" not in text(alice, "/groups/transients/", at=NOW - 2 * DAY)


def test_a_group_is_found_by_its_name_or_title(dora: User) -> None:
    for number in range(30):
        factories.group(f"campaign-{number}", title=f"Campaign {number}")
    factories.group("exo", title="Exoplanets")

    assert "Page 1 of 2" in text(dora, "/groups/")
    assert "Exoplanets" in text(dora, "/groups/", q="PLANET")
    assert "Exoplanets" in text(dora, "/groups/", q="exo\0")
    assert "No such group" in text(dora, "/groups/", q="%")


def test_the_overview_finds_people_and_groups(
    hub: Hub, dora: User, alice: User, bob: User, transients: Group, galaxies: Group
) -> None:
    factories.charged_session(hub, alice, transients, ready_at=NOW - 2 * HOUR)
    factories.charged_session(hub, bob, galaxies, ready_at=NOW - 2 * HOUR)

    assert [cells[1] for cells in rows(dora, "/overview/", "users", q="ALI")][:-1] == ["alice"]
    assert [cells[1] for cells in rows(dora, "/overview/", "groups", q="gal")][:-1] == ["galaxies"]
    assert "Nothing found" in text(dora, "/overview/", q="nobody")


def test_who_leads_the_group_is_named(alice: User, transients: Group) -> None:
    assert "PI: Alice Example" in text(alice, "/groups/transients/")
    alice.memberships.update(role="manager")
    assert "Nobody is PI" in text(alice, "/groups/transients/")


def fill(hub: Hub, people: int, groups: list[Group]) -> None:
    """A charged, a running and an unattributed session for each of so many people."""
    for _ in range(people):
        person = factories.user()
        for group in groups:
            factories.membership(person, group)
            factories.charged_session(hub, person, group, ready_at=NOW - DAY)
            factories.charged_session(hub, person, group, ready_at=NOW - HOUR, ended_at=None)
        factories.charged_session(hub, None, None, ready_at=NOW - DAY, user_name=person.username)


@pytest.mark.parametrize(
    "path",
    [
        "/my/",
        "/my/live",
        "/groups/",
        "/groups/transients/",
        "/groups/transients/live",
        "/overview/",
    ],
)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    path: str,
    hub: Hub,
    transients: Group,
    galaxies: Group,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    period = factories.period(date(2026, 1, 1), date(2026, 7, 1))
    staff = factories.administrator("dora")
    for group in (transients, galaxies):
        factories.membership(staff, group, "pi")
        factories.quota(group, period, "1000")
        factories.charged_session(hub, staff, group, ready_at=NOW - HOUR, ended_at=None)
    fill(hub, 1, [transients, galaxies])
    text(staff, path)  # statements are prepared once for each connection
    with CaptureQueriesContext(connection) as few:
        text(staff, path)

    fill(hub, 20, [transients, galaxies, factories.group(), factories.group()])
    for number in range(20):
        begin = NOW - timedelta(hours=number + 2)
        factories.charged_session(hub, staff, transients, ready_at=begin)

    with django_assert_num_queries(len(few)):
        text(staff, path)


def test_the_overview_pages_through_everybody_once_and_the_last_page_is_the_end(
    hub: Hub, dora: User, bob: User
) -> None:
    for number in range(30):
        group = factories.group(f"campaign-{number:02}")
        factories.charged_session(
            hub, bob, group, ready_at=NOW - DAY, ended_at=NOW - DAY + (number // 2 + 1) * HOUR
        )

    pages = [rows(dora, "/overview/", "groups", groups=page) for page in ("1", "2", "99", "-1")]

    assert [len(page[:-1]) for page in pages] == [25, 5, 5, 5]
    names = [cells[1] for page in pages[:2] for cells in page[:-1]]
    ordered = sorted(range(30), key=lambda number: (-(number // 2), number))
    assert names == [f"campaign-{number:02}" for number in ordered]
    assert {page[-1][1] for page in pages} == {"240.000000"}  # the total is that of all pages
    assert [cells[1] for cells in rows(dora, "/overview/", "groups", q="-07")[:-1]] == [
        "campaign-07"
    ]
    assert "Nothing found" in text(dora, "/overview/", q="%")


def test_a_person_of_many_groups_sees_those_that_paid_most_and_the_sum_of_the_others(
    hub: Hub, bob: User
) -> None:
    for number in range(27):
        factories.charged_session(
            hub, bob, factories.group(f"g{number:02}", title=f"Group {number:02}"),
            ready_at=NOW - 3 * DAY, ended_at=NOW - 3 * DAY + (number + 1) * HOUR,
        )  # fmt: skip

    page = text(bob, "/my/")

    assert [f"<dt>Group {number:02}</dt>" in page for number in range(27)] == [False] * 3 + 24 * [
        True
    ]
    assert 'value="378.000000"' in page
    assert 'value="6.000000"' in page.split("Other groups")[1]
    assert "3 groups" in page
