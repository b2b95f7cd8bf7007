"""Memberships follow from claims, and large removals wait for a decision."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.claims import at_sign_in, removals
from accounts.claims.sync import Outcome, sync_everybody, sync_person
from accounts.identity.providers import providers
from accounts.models import Change, ClaimRule, Group, HeldSync, Identity, Membership, User
from accounts.registration import sign_in_identity
from accounts.tasks import sync_memberships
from tests import factories
from tests.cast import Cast

AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
ISSUER = "https://idp.example"


@pytest.fixture(autouse=True)
def provider(settings: Settings) -> None:
    settings.IDENTITY_PROVIDERS = [
        {"name": "egi", "title": "EGI", "issuer": ISSUER, "client_id": "x", "client_secret": "x"}
    ]


def come(subject: str, groups: list[str], at: datetime = AT) -> User:
    """Somebody signs in, and the provider names these groups."""
    return sign_in_identity(
        provider=providers()[0], issuer=ISSUER, subject=subject, claims={"groups": groups}, at=at
    )


def rule(group: Group, value: str = "lsst", **values: Any) -> ClaimRule:
    defaults = {"provider": "egi", "kind": "group", "value": value, "group": group}
    return ClaimRule.objects.create(**{**defaults, **values})


def members(group: Group, at: datetime = AT) -> set[str]:
    synced = Membership.objects.valid(at=at).filter(group=group, synced=True)
    return set(synced.values_list("identity__subject", flat=True))


@pytest.fixture
def crowd(transients: Group) -> Callable[[int], list[User]]:
    """People who are members of transients by its rule."""

    def arrive(number: int) -> list[User]:
        rule(transients)
        return [come(f"p{n}", ["lsst"]) for n in range(number)]

    return arrive


def test_a_sign_in_makes_a_member_with_provenance(transients: Group) -> None:
    by = rule(transients, role="manager")
    user = come("bob", ["/lsst"])
    row = Membership.objects.get(user=user)
    assert (row.role, row.synced, row.rule, row.valid_from) == ("manager", True, by, AT)
    assert row.identity == Identity.objects.get(subject="bob")
    assert Change.objects.of_object(row).count() == 1


def test_the_membership_ends_when_the_claim_is_gone_and_begins_again_with_it(
    transients: Group,
) -> None:
    rule(transients)
    come("bob", ["lsst"])
    come("bob", [], AT + HOUR)
    assert Membership.objects.get().valid_to == AT + HOUR
    come("bob", ["lsst"], AT + 2 * HOUR)
    assert members(transients, AT + 2 * HOUR) == {"bob"}
    assert Membership.objects.count() == 2


def test_signing_in_again_changes_nothing(transients: Group) -> None:
    rule(transients)
    user = come("bob", ["lsst"])
    come("bob", ["lsst"], AT + HOUR)
    assert sync_person(user, at=AT + HOUR) == Outcome(0, 0, 0)
    assert Membership.objects.count() == 1


def test_rows_made_by_people_are_never_touched(cast: Cast) -> None:
    rule(cast.transients)
    rule(cast.galaxies, "other", role="pi")
    Identity.objects.create(user=cast.bob, issuer=ISSUER, subject="bob", provider="egi")
    before = list(Membership.objects.order_by("pk").values())
    come("bob", ["lsst", "other"])
    assert Membership.objects.valid(at=AT).filter(user=cast.bob).count() == 4
    come("bob", [], AT + HOUR)
    assert list(Membership.objects.filter(synced=False).order_by("pk").values()) == before


def test_another_role_ends_the_row_and_begins_one(transients: Group) -> None:
    by = rule(transients)
    user = come("bob", ["lsst"])
    ClaimRule.objects.filter(pk=by.pk).update(role="pi")
    assert sync_person(user, at=AT + HOUR) == Outcome(1, 1, 0)
    rows = Membership.objects.order_by("pk").values_list("role", "valid_from", "valid_to")
    assert list(rows) == [("member", AT, AT + HOUR), ("pi", AT + HOUR, None)]


def test_a_row_stays_while_its_own_rule_holds(transients: Group) -> None:
    rule(transients)
    user = come("bob", ["lsst", "more"])
    rule(transients, "more")
    assert sync_person(user, at=AT + HOUR) == Outcome(0, 0, 0)


def test_what_ends_later_than_the_clock_of_another_process_is_no_obstacle(
    transients: Group,
) -> None:
    rule(transients)
    come("bob", ["lsst"], AT)
    come("bob", [], AT + HOUR)
    come("bob", ["lsst"], AT + HOUR / 2)  # its clock was read before it had to wait
    assert Membership.objects.filter(valid_to=None).get().valid_from == AT + HOUR


@pytest.mark.parametrize("how", ["switched off", "provider gone", "other issuer"])
def test_the_nightly_sync_ends_what_nothing_backs_any_more(
    transients: Group, settings: Settings, how: str
) -> None:
    by = rule(transients)
    come("bob", ["lsst"])
    if how == "switched off":
        ClaimRule.objects.filter(pk=by.pk).update(active=False)
    elif how == "provider gone":
        settings.IDENTITY_PROVIDERS = []
    else:
        settings.IDENTITY_PROVIDERS[0]["issuer"] = "https://elsewhere.example"
    assert sync_everybody(at=AT + HOUR) == Outcome(0, 1, 0)
    assert members(transients, AT + HOUR) == set()


def test_a_new_rule_takes_in_those_who_came_before(transients: Group) -> None:
    come("bob", ["lsst"])
    come("charlie", ["more"])
    rule(transients)
    out = StringIO()
    call_command("sync_memberships", stdout=out)
    assert out.getvalue().startswith("1 memberships begun, 0 ended, 0 removals")
    assert set(Membership.objects.values_list("identity__subject", flat=True)) == {"bob"}
    assert sync_memberships() == {"begun": 0, "ended": 0, "held": 0}
    assert Change.objects.filter(by="command sync_memberships").count() == 1


def empty_claims(people: list[User]) -> None:
    Identity.objects.filter(user__in=people).update(claims={})


def test_a_sync_that_would_remove_too_many_asks_instead(
    crowd: Callable[[int], list[User]], transients: Group, galaxies: Group
) -> None:
    people = crowd(10)
    empty_claims(people[:4])
    rule(galaxies)
    assert sync_everybody(at=AT + HOUR) == Outcome(6, 0, 4)  # additions go on
    held = HeldSync.objects.get()
    assert (held.group, held.decision, held.memberships.count()) == (transients, "open", 4)
    assert len(members(transients, AT + HOUR)) == 10
    assert sync_everybody(at=AT + 2 * HOUR) == Outcome(0, 0, 4)
    assert HeldSync.objects.count() == 1


def test_a_small_share_leaves_at_once(
    crowd: Callable[[int], list[User]], transients: Group
) -> None:
    empty_claims(crowd(10)[:3])
    assert sync_everybody(at=AT + HOUR) == Outcome(0, 3, 0)
    assert not HeldSync.objects.exists()


def test_two_people_leave_however_small_the_group(crowd: Callable[[int], list[User]]) -> None:
    empty_claims(crowd(2))
    assert sync_everybody(at=AT + HOUR) == Outcome(0, 2, 0)


def test_single_sign_ins_add_up_within_a_day(
    crowd: Callable[[int], list[User]], transients: Group
) -> None:
    crowd(10)
    for number in range(5):
        come(f"p{number}", [], AT + number * HOUR)
    assert len(members(transients, AT + 5 * HOUR)) == 7
    assert HeldSync.objects.get().memberships.count() == 2


def test_a_day_later_they_no_longer_add_up(
    crowd: Callable[[int], list[User]], transients: Group
) -> None:
    crowd(10)
    for number in range(5):
        come(f"p{number}", [], AT + number * timedelta(hours=25))
    assert not HeldSync.objects.exists()


def test_the_settings_say_how_many(crowd: Callable[[int], list[User]], settings: Settings) -> None:
    settings.SYNC_REMOVAL_SHARE = 0.5
    empty_claims(crowd(10)[:5])
    assert sync_everybody(at=AT + HOUR) == Outcome(0, 5, 0)


def held_of(people: list[User]) -> HeldSync:
    empty_claims(people)
    sync_everybody(at=AT + HOUR)
    return HeldSync.objects.get()


def test_a_held_removal_is_carried_out_on_a_decision(
    crowd: Callable[[int], list[User]], transients: Group, dora: User
) -> None:
    held = held_of(crowd(10)[:4])
    assert removals.remove_held(held, by=dora, at=AT + 2 * HOUR) == 4
    assert len(members(transients, AT + 2 * HOUR)) == 6
    held.refresh_from_db()
    assert (held.decision, held.decided_by) == ("removed", dora)
    # What was decided does not count against the next ones.
    come("p9", [], AT + 3 * HOUR)
    assert len(members(transients, AT + 3 * HOUR)) == 5
    with pytest.raises(removals.AlreadyDecidedError):
        removals.keep_held(held, by=dora, at=AT + 3 * HOUR)


def test_kept_people_are_members_by_hand_from_then_on(
    crowd: Callable[[int], list[User]], transients: Group, dora: User
) -> None:
    people = crowd(10)[:4]
    factories.membership(people[0], transients, "pi")
    held = held_of(people)
    assert removals.keep_held(held, by=dora, at=AT + 2 * HOUR) == 4
    assert len(members(transients, AT + 2 * HOUR)) == 6
    rows = Membership.objects.filter(user__in=people, synced=False)
    assert sorted(rows.values_list("role", "added_by")) == [
        ("member", dora.pk), ("member", dora.pk), ("member", dora.pk), ("pi", None),
    ]  # fmt: skip
    assert sync_everybody(at=AT + 3 * HOUR) == Outcome(0, 0, 0)


def test_who_comes_back_with_the_claim_is_held_no_longer(
    crowd: Callable[[int], list[User]], dora: User
) -> None:
    held = held_of(crowd(10)[:4])
    come("p0", ["lsst"], AT + 2 * HOUR)
    assert held.memberships.count() == 3
    for number in range(1, 4):
        come(f"p{number}", ["lsst"], AT + 2 * HOUR)
    held.refresh_from_db()
    assert held.decision == "kept"


def test_a_sync_that_fails_does_not_lock_anybody_out(
    transients: Group, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rule(transients)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("no")

    with monkeypatch.context() as broken:
        broken.setattr(at_sign_in, "sync_person", fail)
        user = come("bob", ["lsst"])
    assert "were not taken in" in caplog.text
    assert sync_person(user, at=AT) == Outcome(1, 0, 0)


def many(number: int, groups: list[Group]) -> None:
    """People with two groups each."""
    people = User.objects.bulk_create(
        User(username=f"crowd-{n}", uid=300_000 + n, registered_at=AT) for n in range(number)
    )
    Identity.objects.bulk_create(
        Identity(
            user=person, provider="egi", issuer=ISSUER, subject=str(n),
            claims={"groups": [f"g{n % len(groups)}", f"g{(n + 7) % len(groups)}"]},
        )
        for n, person in enumerate(people)
    )  # fmt: skip


def test_a_night_for_everybody_takes_a_bounded_number_of_queries(db: None) -> None:
    groups = [factories.group(f"g{n}") for n in range(50)]
    for number, group in enumerate(groups):
        rule(group, f"g{number}")
    many(2000, groups)
    with CaptureQueriesContext(connection) as first:
        assert sync_everybody(at=AT) == Outcome(4000, 0, 0)
    with CaptureQueriesContext(connection) as second:
        assert sync_everybody(at=AT + HOUR) == Outcome(0, 0, 0)
    Identity.objects.filter(
        pk__in=list(Identity.objects.values_list("pk", flat=True)[:100])
    ).update(claims={})
    with CaptureQueriesContext(connection) as third:
        assert sync_everybody(at=AT + 2 * HOUR) == Outcome(0, 200, 0)
    assert len(first) < 35  # in blocks of 500 rows
    assert len(second) < 10
    assert len(third) < 25


@pytest.mark.django_db(transaction=True)
def test_one_person_in_many_browsers_becomes_a_member_once() -> None:
    group = factories.group("transients")
    rule(group)
    come("bob", [])

    def walk() -> None:
        come("bob", ["lsst"])
        connection.close()

    threads = [threading.Thread(target=walk) for _ in range(6)]
    for thread in threads:
        thread.start()
    sync_everybody(at=AT)
    for thread in threads:
        thread.join()
    assert Membership.objects.filter(synced=True).count() == 1
