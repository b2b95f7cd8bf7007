"""The numbers on the pages are those of the files and of `accounting.usage`, to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.html import strip_tags

from accounting import rollups, usage
from accounting.usage import Window
from accounts.models import Group, User
from quotas.models import AllocationPeriod, Award, Grant, StorageQuota
from quotas.vocabulary import core_hours
from sessions.models import Hub, Session, StorageSample
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, PERIOD, records, rows, text

pytestmark = pytest.mark.django_db

GIB = 1024**3


@pytest.fixture
def spring() -> AllocationPeriod:
    return factories.period(*PERIOD, title="2026A")


@pytest.fixture
def hub() -> Hub:
    return factories.hub(public_url="https://hub.example.org")


@pytest.fixture
def used(
    hub: Hub, alice: User, bob: User, transients: Group, galaxies: Group, spring: AllocationPeriod
) -> None:
    """Alice 2 h and 7 s of Small, Bob 100 s of Tiny and one hour elsewhere, somebody one hour."""
    begin = NOW - 3 * DAY
    factories.charged_session(
        hub, alice, transients, ready_at=begin, ended_at=begin + timedelta(hours=2, seconds=7)
    )
    factories.charged_session(
        hub,
        bob,
        transients,
        ready_at=begin,
        ended_at=begin + timedelta(seconds=100),
        size="tiny",
        cpu_millicores=500,
    )
    factories.charged_session(hub, bob, galaxies, ready_at=begin)
    factories.charged_session(hub, None, None, ready_at=begin, user_name="mallory")


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("are_rolled_up", [True, False])
def test_the_table_by_member_equals_its_csv_and_the_sums(
    alice: User, transients: Group, spring: AllocationPeriod, are_rolled_up: bool
) -> None:
    if are_rolled_up:
        rollups.refresh()

    shown = rows(alice, "/groups/transients/", "members")
    saved = records(alice, "/groups/transients/members.csv")

    window = Window(spring.starts_at, spring.ends_at, NOW)
    sums = {
        row.user and row.user.name: row.usage for row in usage.by_user(window, group=transients)
    }
    assert [row["core_hours"] for row in saved] == ["2.001944", "0.013889"]
    assert [cells[2] for cells in shown[:-1]] == ["2.001944", "0.013889"]
    assert shown[-1] == ["Total", "2.015833", ""]
    assert [(row["user"], row["role"], row["percent"]) for row in saved] == [
        ("alice", "PI", "99.3"),
        ("bob", "member", "0.7"),
    ]
    assert {row["user"]: row["core_hours"] for row in saved} == {
        name: str(amount.core_hours) for name, amount in sums.items()
    }


@pytest.mark.usefixtures("used")
def test_the_sessions_of_the_group_equal_their_csv(alice: User) -> None:
    shown = rows(alice, "/groups/transients/", "sessions")
    saved = records(alice, "/groups/transients/sessions.csv")

    assert [cells[0] for cells in shown] == [row["session"] for row in saved]
    assert [cells[-1] for cells in shown] == [row["core_hours"] for row in saved]
    assert saved[0] | {"session": "", "hub": "", "server": ""} == {
        "session": "", "user": "bob", "group": "transients", "hub": "", "server": "",
        "image": "base", "size": "tiny", "cpu_millicores": "500", "memory_mib": "2048",
        "gpus": "0", "state": "ended", "requested": "2026-04-28T07:59:40Z",
        "ready": "2026-04-28T08:00:00Z", "ended": "2026-04-28T08:01:40Z", "end_source": "stop",
        "end_reason": "user", "core_hours": "0.013889", "sub_name": "", "affiliation": "",
        "correction": "",
    }  # fmt: skip


@pytest.mark.usefixtures("used")
def test_the_days_of_the_chart_add_up_to_the_table(alice: User) -> None:
    days = records(alice, "/groups/transients/days.csv")

    assert [(row["day"], row["user"], row["core_hours"]) for row in days] == [
        ("2026-04-28", "alice", "2.001944"),
        ("2026-04-28", "bob", "0.013889"),
    ]


@pytest.mark.usefixtures("used")
def test_bob_sees_his_usage_in_each_group_and_nobody_elses(bob: User) -> None:
    page = text(bob, "/my/")
    saved = records(bob, "/my/sessions.csv")

    assert 'value="1.013889"' in page  # all groups
    assert 'value="1.000000"' in page  # galaxies
    assert 'value="0.013889"' in page  # transients
    assert {row["user"] for row in saved} == {"bob"}
    assert sum(Decimal(row["core_hours"]) for row in saved) == Decimal("1.013889")


@pytest.mark.usefixtures("used")
def test_the_overview_is_the_same_total_by_group_and_by_person(
    dora: User, spring: AllocationPeriod
) -> None:
    groups = rows(dora, "/overview/", "groups")
    users = rows(dora, "/overview/", "users")
    window = Window(spring.starts_at, spring.ends_at, NOW)

    assert [(cells[1], cells[2]) for cells in groups] == [
        ("transients", "2.015833"),
        ("—", "1.000000"),
        ("galaxies", "1.000000"),
        ("4.015833", ""),
    ]
    assert [(cells[1], cells[2]) for cells in users] == [
        ("alice", "2.001944"),
        ("bob", "1.013889"),
        ("—", "1.000000"),
        ("4.015833", ""),
    ]
    assert str(core_hours(usage.total(window).millicore_seconds)) == "4.015833"
    for name, shown in (("groups", groups), ("users", users)):
        saved = records(dora, f"/overview/{name}.csv")
        assert [row["core_hours"] for row in saved] == [cells[2] for cells in shown[:-1]]


@pytest.mark.usefixtures("used")
def test_the_overview_shows_the_parts_of_the_award_and_what_is_not_given_out(
    dora: User, transients: Group, spring: AllocationPeriod
) -> None:
    quota = factories.quota(transients, spring, "10")
    Grant.objects.create(
        quota=quota, core_hours=5, reason="more", author=dora, valid_from=NOW - DAY
    )
    for source, hours in (("IRIS", 30), ("EGI", 10)):
        Award.objects.create(period=spring, source=source, core_hours=hours)

    page = " ".join(strip_tags(text(dora, "/overview/")).split())

    assert "4.02 of 40.00 core-hours" in page
    assert "EGI: 10.00IRIS: 30.00 15.00 given to groups, 25.00 not given out" in page
    assert "of 15.00 core-hours" in text(dora, "/groups/transients/")


@pytest.mark.usefixtures("used")
def test_the_overview_sets_usage_against_what_was_awarded(
    dora: User, transients: Group, galaxies: Group, spring: AllocationPeriod
) -> None:
    factories.quota(transients, spring, "10")
    factories.quota(galaxies, spring, "20")
    idle = factories.group("idle")
    factories.quota(idle, spring, "10")

    page = text(dora, "/overview/")
    saved = records(dora, "/overview/groups.csv")

    assert "4.02 of 40.00 core-hours" in page
    assert {row["name"]: row["quota_core_hours"] for row in saved} == {
        "transients": "10.000000", "galaxies": "20.000000", "idle": "10.000000", "": "",
    }  # fmt: skip


def test_a_session_over_the_border_of_a_period_is_split(
    hub: Hub, alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    winter = factories.period(date(2025, 7, 1), date(2026, 1, 1), title="2025B")
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    factories.charged_session(
        hub, alice, transients, ready_at=midnight - HOUR, ended_at=midnight + 3 * HOUR
    )

    parts = [
        rows(alice, "/groups/transients/", "sessions", period=period.pk)[0][-1]
        for period in (winter, spring)
    ]

    assert parts == ["1.000000", "3.000000"]


def test_a_running_session_counts_up_to_now(
    hub: Hub, alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    factories.quota(transients, spring, "10")
    factories.charged_session(
        hub, alice, transients, ready_at=NOW - HOUR, ended_at=None, cpu_millicores=2000
    )

    page = text(alice, "/groups/transients/")
    later = text(alice, "/groups/transients/", at=NOW + HOUR)

    assert 'value="2.000000"' in page
    assert '<span class="value">1</span> <span class="unit">session</span>' in page
    assert "2.00 of 10.00 core-hours (40&nbsp;%)" in page
    assert "6.00 core-hours left; 2.00 core-hours held by running sessions" in page
    assert 'value="4.000000"' in later


def test_the_list_of_groups_says_the_same_as_the_page_of_the_group(
    hub: Hub, alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    factories.quota(transients, spring, "10")
    factories.charged_session(hub, alice, transients, ready_at=NOW - HOUR, ended_at=None)

    words = "8.00 core-hours left; 1.00 core-hours held by running sessions"

    assert words in text(alice, "/groups/")
    assert words in text(alice, "/groups/transients/")


def test_a_quota_is_shown_with_what_happens_at_its_end(
    alice: User, transients: Group, spring: AllocationPeriod
) -> None:
    assert "usage is counted, nothing is refused" in text(alice, "/groups/transients/")

    factories.quota(transients, spring, "0", mode="soft")

    page = text(alice, "/groups/transients/")
    assert "Used up: Nothing left" in page
    assert "Once it is used up, new sessions are refused." in page


def test_the_newest_measurement_of_each_mount_counts_as_storage(
    alice: User, dora: User, transients: Group, spring: AllocationPeriod
) -> None:
    StorageQuota.objects.create(group=transients, period=spring, limit_bytes=10 * GIB)
    for mount, age, size in (("/data", 2, 9), ("/data", 1, 3), ("/scratch", 1, 2)):
        StorageSample.objects.create(
            group=transients, mount=mount, taken_at=NOW - age * DAY, used_bytes=size * GIB
        )
    for age, size in ((2, 7), (1, 1)):
        StorageSample.objects.create(
            user=alice, mount="/home", taken_at=NOW - age * DAY, used_bytes=size * GIB
        )

    assert "5.0 GiB of 10.0 GiB" in text(alice, "/groups/transients/")
    assert "My files in /home" in text(alice, "/my/")
    overview = text(dora, "/overview/")
    assert "6.0 GiB" in overview
    assert "5.0 GiB of groups, 1.0 GiB of people" in overview
    assert records(dora, "/overview/users.csv")[0]["storage_bytes"] == str(GIB)
    assert records(dora, "/overview/groups.csv")[0]["storage_bytes"] == str(5 * GIB)


def test_who_has_left_stays_in_the_table(
    hub: Hub, alice: User, bob: User, transients: Group, spring: AllocationPeriod
) -> None:
    factories.charged_session(hub, bob, transients, ready_at=NOW - 2 * HOUR)
    bob.memberships.update(valid_to=NOW - HOUR)

    shown = rows(alice, "/groups/transients/", "members")

    assert shown[0][:3] == ["Bob Example bob", "no longer a member", "1.000000"]
    assert shown[1][:3] == ["Alice Example alice", "PI", "0.000000"]


def test_a_new_person_and_a_new_site_are_told_what_will_be_here(
    bob: User, alice: User, dora: User
) -> None:
    assert "No sessions in this time" in text(bob, "/my/")
    assert "No hub yet" in text(bob, "/my/")
    assert "No sessions in this time" in text(alice, "/groups/transients/")
    assert "Nothing was used" in text(dora, "/overview/")
    assert "Every session has a group" in text(dora, "/overview/")
    assert "Nothing runs" in text(dora, "/overview/")


def test_the_whole_file_is_streamed_whatever_its_length(
    hub: Hub, bob: User, transients: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounting.pages.session_list.CHUNK", 7)
    for number in range(30):
        factories.session(hub, bob, transients, ready_at=NOW - DAY - number // 3 * HOUR)

    saved = [int(row["session"]) for row in records(bob, "/my/sessions.csv")]

    expected = Session.objects.order_by("-ready_at", "-number").values_list("number", flat=True)
    assert saved == list(expected)
