"""PIs and managers look after the people of their group on its own page."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.membership_changes import MembershipRefusedError, Terms, add_member
from accounts.models import ClaimRule, Group, Membership, User
from lsp_portal.lib import clock
from tests import factories
from tests.cast import Cast

PAGE = "/groups/transients/people/"


@pytest.fixture
def as_(client: Client) -> Any:
    def enter(user: User) -> Client:
        client.force_login(user)
        return client

    return enter


def in_force(user: User, group: Group) -> Membership | None:
    return Membership.objects.valid(at=clock.now()).filter(user=user, group=group).first()


def manager(cast: Cast, **values: Any) -> User:
    """Mona, who manages transients."""
    mona = factories.user("mona")
    factories.membership(mona, cast.transients, "manager", added_by=cast.alice, **values)
    return mona


def test_the_pi_sees_who_is_in_the_group_and_where_that_comes_from(as_: Any, cast: Cast) -> None:
    rule = ClaimRule.objects.create(kind="group", value="lsst", group=cast.transients)
    factories.membership(cast.charlie, cast.transients, synced=True, rule=rule)
    manager(cast)
    page = as_(cast.alice).get(PAGE).content.decode()
    for text in ("Added by Alice", "Follows from", "lsst", "Bob Example", "Mona Example"):
        assert text in page


def test_the_page_is_hidden_from_members_and_outsiders(as_: Any, cast: Cast) -> None:
    powerless = factories.user("paul")
    factories.membership(powerless, cast.transients, "manager", rights=["usage"])
    for user in (cast.bob, cast.charlie, powerless):
        assert as_(user).get(PAGE).status_code == 404
        assert as_(user).post(PAGE, {"who": "charlie", "role": "member"}).status_code == 404
    assert as_(cast.dora).get(PAGE).status_code == 200


@pytest.mark.parametrize("who", ["charlie", "charlie@example.org", "Charlie@Example.org"])
def test_the_pi_adds_somebody_by_name_or_address(as_: Any, cast: Cast, who: str) -> None:
    answer = as_(cast.alice).post(PAGE, {"who": who, "role": "member"})
    assert answer.status_code == 302
    row = in_force(cast.charlie, cast.transients)
    assert row is not None
    assert (row.role, row.added_by, row.synced) == ("member", cast.alice, False)


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"who": "nobody-here"}, "Nobody here has this name"),
        ({"who": "bob"}, "already has a role"),
        ({"who": "charlie", "until": "2020-01-01"}, "The end must be after the beginning"),
        ({"who": "charlie", "role": "emperor"}, "Select a valid choice"),
        ({"who": "a\0b"}, "Null characters"),
    ],
)
def test_what_is_typed_wrong_is_told(
    as_: Any, cast: Cast, typed: dict[str, str], complaint: str
) -> None:
    answer = as_(cast.alice).post(PAGE, {"role": "member", **typed})
    assert answer.status_code == 400
    assert complaint in answer.content.decode()
    assert in_force(cast.charlie, cast.transients) is None


def test_who_is_unknown_may_be_invited(as_: Any, cast: Cast) -> None:
    page = as_(cast.alice).post(PAGE, {"who": "x@y.example", "role": "member"}).content.decode()
    assert "/groups/transients/invitations/" in page


def test_removal_takes_effect_at_once(as_: Any, cast: Cast) -> None:
    row = in_force(cast.bob, cast.transients)
    assert row is not None
    as_(cast.alice).post(f"{PAGE}{row.pk}/remove")
    assert in_force(cast.bob, cast.transients) is None
    assert in_force(cast.bob, cast.galaxies) is not None
    assert "Bob Example" in as_(cast.alice).get(f"{PAGE}?former").content.decode()


def test_another_role_ends_the_row_and_begins_one(as_: Any, cast: Cast) -> None:
    row = in_force(cast.bob, cast.transients)
    assert row is not None
    typed = {"role": "manager", "rights": ["members"], "ceiling": "5"}
    assert as_(cast.alice).post(f"{PAGE}{row.pk}/", typed).status_code == 302
    row.refresh_from_db()
    now = in_force(cast.bob, cast.transients)
    assert row.valid_to is not None
    assert now is not None
    assert (now.role, now.rights, now.ceiling, now.added_by) == (
        "manager", ["members"], 5, cast.alice,
    )  # fmt: skip


def test_the_last_day_is_included(as_: Any, cast: Cast) -> None:
    row = in_force(cast.bob, cast.transients)
    assert row is not None
    as_(cast.alice).post(f"{PAGE}{row.pk}/", {"role": "member", "until": "2099-05-31"})
    row.refresh_from_db()
    assert row.valid_to == datetime(2099, 6, 1, tzinfo=UTC)
    assert "2099-05-31" in as_(cast.alice).get(f"{PAGE}{row.pk}/").content.decode()


def test_the_last_pi_cannot_leave_but_an_administrator_can_decide_so(as_: Any, cast: Cast) -> None:
    row = in_force(cast.alice, cast.transients)
    assert row is not None
    page = as_(cast.alice).post(f"{PAGE}{row.pk}/remove", follow=True).content.decode()
    assert "without a PI" in page
    for typed in ({"role": "member"}, {"role": "pi", "until": "2099-01-01"}):
        assert as_(cast.alice).post(f"{PAGE}{row.pk}/", typed).status_code == 400
    assert in_force(cast.alice, cast.transients) == row
    as_(cast.dora).post(f"{PAGE}{row.pk}/remove")
    assert in_force(cast.alice, cast.transients) is None


def test_managers_look_after_plain_members_only(as_: Any, cast: Cast) -> None:
    browser = as_(manager(cast))
    alice, bob = (in_force(user, cast.transients) for user in (cast.alice, cast.bob))
    assert alice is not None and bob is not None  # noqa: PT018 - for the type checker
    assert browser.post(PAGE, {"who": "charlie", "role": "manager"}).status_code == 400
    assert browser.post(f"{PAGE}{alice.pk}/remove").status_code == 404
    assert browser.post(f"{PAGE}{bob.pk}/", {"role": "pi"}).status_code == 400
    assert browser.post(PAGE, {"who": "charlie", "role": "member"}).status_code == 302
    assert browser.post(f"{PAGE}{bob.pk}/remove").status_code == 302
    assert in_force(cast.bob, cast.transients) is None


def test_synced_memberships_cannot_be_edited_nor_those_of_other_groups(
    as_: Any, cast: Cast
) -> None:
    rule = ClaimRule.objects.create(kind="group", value="lsst", group=cast.transients)
    synced = factories.membership(cast.charlie, cast.transients, synced=True, rule=rule)
    other = in_force(cast.charlie, cast.solar_system)
    assert other is not None
    for row in (synced, other):
        assert as_(cast.alice).get(f"{PAGE}{row.pk}/").status_code == 404
        assert as_(cast.alice).post(f"{PAGE}{row.pk}/remove").status_code == 404
        row.refresh_from_db()
        assert row.valid_to is None


def test_a_manager_stops_at_the_ceiling(as_: Any, cast: Cast) -> None:
    browser = as_(manager(cast, ceiling=3))
    answer = browser.post(PAGE, {"who": "charlie", "role": "member"})
    assert "fewer than 3" in answer.content.decode()
    assert in_force(cast.charlie, cast.transients) is None


def test_the_list_takes_as_many_queries_for_many_people(
    as_: Any, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        factories.membership(factories.user(), cast.transients, added_by=cast.alice)
    browser = as_(cast.alice)
    with django_assert_max_num_queries(16):
        browser.get(PAGE)


@pytest.mark.django_db(transaction=True)
def test_managers_who_add_at_once_stop_at_the_ceiling_together() -> None:
    group, mona = factories.group("transients"), factories.user("mona")
    factories.membership(mona, group, "manager", ceiling=4)
    people = [factories.user() for _ in range(8)]
    refused: list[str] = []

    def add(user: User) -> None:
        try:
            add_member(group=group, user=user, terms=Terms(), by=mona, at=clock.now())
        except MembershipRefusedError as refusal:
            refused.append(refusal.code)
        connection.close()

    threads = [threading.Thread(target=add, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Membership.objects.filter(group=group).count() == 4
    assert refused == ["ceiling"] * 5


def test_the_database_keeps_groups_a_tree(cast: Cast) -> None:
    Group.objects.filter(pk=cast.galaxies.pk).update(parent=cast.transients)
    Group.objects.filter(pk=cast.solar_system.pk).update(parent=cast.galaxies)
    for child, parent in (
        (cast.transients, cast.solar_system),
        (cast.transients, cast.transients),
    ):
        with pytest.raises(IntegrityError, match="part of itself"), transaction.atomic():
            Group.objects.filter(pk=child.pk).update(parent=parent)
    found = Group.objects.get(pk=cast.solar_system.pk).ancestors()
    assert found == [cast.transients, cast.galaxies]
