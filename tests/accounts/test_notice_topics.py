"""The first things that people are told: memberships that end, affiliations to confirm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts import tasks
from accounts.affiliations import ask_to_confirm
from accounts.models import Group, Membership, Notice, User
from accounts.notices.confirmations import announce_questions
from accounts.notices.endings import announce_endings
from lsp_portal.lib import clock
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def ending(bob: User, transients: Group) -> Membership:
    """Bob's, in transients, for another 20 days."""
    row = bob.memberships.get(group=transients)
    row.valid_to = NOW + 20 * DAY
    row.save(update_fields=["valid_to"])
    return row


def told() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in Notice.objects.select_related("recipient").order_by("created_at", "pk"):
        found.setdefault(row.recipient.username, []).append(row.subject)
    return found


def run(*days: int) -> None:
    for day in days:
        announce_endings(at=NOW + day * DAY)


def test_person_and_pi_are_told_twice_before_a_membership_ends(
    ending: Membership, alice: User
) -> None:
    run(0, 5)
    assert told() == {}
    run(6, 7, 8)
    assert told() == {
        "bob": ["Your membership of Transients ends on 24 May 2026, 05:00 UTC"],
        "alice": ["Bob Example's membership of Transients ends on 24 May 2026, 05:00 UTC"],
    }
    run(*range(9, 25))
    assert [len(subjects) for subjects in told().values()] == [2, 2]


def test_days_without_the_task_are_made_up(ending: Membership) -> None:
    run(10)
    assert len(told()["bob"]) == 1
    run(19)
    assert len(told()["bob"]) == 2


def test_after_a_long_break_there_is_only_the_last_warning(ending: Membership) -> None:
    run(18, 19)
    assert len(told()["bob"]) == 1


def test_the_worker_tells_what_there_is_to_tell(bob: User, transients: Group) -> None:
    Membership.objects.filter(user=bob, group=transients).update(valid_to=clock.now() + 5 * DAY)
    ask_to_confirm([bob], at=clock.now())
    assert tasks.announce_endings() == 1
    assert tasks.announce_questions() == 1
    assert len(told()["bob"]) == 2


def test_a_later_end_is_told_anew(ending: Membership) -> None:
    run(6)
    ending.valid_to = NOW + 60 * DAY
    ending.save(update_fields=["valid_to"])
    run(7, 50)
    assert len(told()["bob"]) == 2


def test_managers_with_the_right_are_told_and_others_not(
    ending: Membership, transients: Group
) -> None:
    for name, rights in (("max", ["members"]), ("mia", ["usage"])):
        factories.membership(factories.user(name), transients, "manager", rights=rights)
    run(6)
    assert set(told()) == {"bob", "max"}


def test_a_pi_whose_own_membership_ends_is_told_once(alice: User, transients: Group) -> None:
    alice.memberships.update(valid_to=NOW + 2 * DAY)
    run(0)
    assert told() == {"alice": ["Your membership of Transients ends on 6 May 2026, 05:00 UTC"]}


def test_whose_place_is_taken_by_another_membership_hears_nothing(
    ending: Membership, bob: User, transients: Group
) -> None:
    factories.membership(bob, transients, "manager", valid_from=ending.valid_to)
    run(6, 18)
    assert told() == {}


@pytest.mark.parametrize("what", ["closed", "off", "ended"])
def test_what_is_over_anyway_is_told_to_nobody(
    ending: Membership, bob: User, transients: Group, what: str
) -> None:
    if what == "closed":
        Group.objects.update(closed_at=NOW)
    elif what == "off":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        Membership.objects.filter(pk=ending.pk).update(valid_to=NOW)
    run(6)
    assert told() == {}


def test_who_is_asked_to_confirm_is_told_once_per_question(bob: User, charlie: User) -> None:
    ask_to_confirm([bob, charlie], at=NOW)
    for day in range(3):
        assert announce_questions(at=NOW + day * DAY) == 2
    assert told() == {name: ["Please confirm your affiliation"] for name in ("bob", "charlie")}
    User.objects.update(affiliation_asked_at=None)
    ask_to_confirm([bob], at=NOW + 90 * DAY)
    announce_questions(at=NOW + 90 * DAY)
    assert {name: len(rows) for name, rows in told().items()} == {"bob": 2, "charlie": 1}


def test_who_cannot_work_here_is_not_asked_by_mail(bob: User) -> None:
    ask_to_confirm([bob], at=NOW)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert announce_questions(at=NOW) == 0
