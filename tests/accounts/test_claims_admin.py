"""Rules and held removals in the administration."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import ClaimRule, Group, HeldSync, Identity, Membership, User
from lsp_portal.lib import clock
from tests import factories
from tests.forms_in_pages import errors_of, send_form

pytestmark = pytest.mark.django_db

HELD = "/admin/accounts/heldsync/"
RULES = "/admin/accounts/claimrule/"


@pytest.fixture
def admin(client: Client, dora: User) -> Client:
    client.force_login(dora)
    return client


@pytest.fixture
def rule(transients: Group) -> ClaimRule:
    return ClaimRule.objects.create(kind="group", value="/lsst/uk", group=transients)


def follow(rule: ClaimRule, user: User) -> Membership:
    identity = Identity.objects.create(
        user=user, issuer="https://idp.example.org", subject=user.username
    )
    return factories.membership(user, rule.group, synced=True, rule=rule, identity=identity)


@pytest.fixture
def held(rule: ClaimRule) -> HeldSync:
    made = HeldSync.objects.create(group=rule.group)
    made.memberships.set(follow(rule, factories.user(name)) for name in ("erin", "frank"))
    return made


def in_force(group: Group) -> set[tuple[str, bool]]:
    found = Membership.objects.valid(at=clock.now() + timedelta(seconds=1)).filter(group=group)
    return set(found.values_list("user__username", "synced"))


def test_a_rule_that_was_used_is_switched_off_not_deleted(
    admin: Client, rule: ClaimRule, bob: User
) -> None:
    assert admin.get(f"{RULES}{rule.pk}/delete/").status_code == 200
    follow(rule, bob)
    assert admin.get(f"{RULES}{rule.pk}/delete/").status_code == 403
    assert '<td class="field-members">1</td>' in admin.get(RULES).content.decode()


def test_two_rules_for_one_claim_and_group_are_refused(
    admin: Client, rule: ClaimRule, transients: Group
) -> None:
    answer = send_form(
        admin, f"{RULES}add/", kind="group", value="/lsst/uk", group=str(transients.pk)
    )
    assert "a rule for this claim and group already" in errors_of(answer)


def decide(admin: Client, held: HeldSync, way: str, **answer: str) -> str:
    form = {"action": way, "_selected_action": held.pk, **answer}
    return admin.post(HELD, form, follow=True).content.decode()


def test_a_decision_is_asked_for_twice(admin: Client, held: HeldSync) -> None:
    page = decide(admin, held, "remove")
    assert "These people lose their membership of Transients now: erin, frank." in page
    assert in_force(held.group) == {("erin", True), ("frank", True)}


def test_held_people_are_removed_when_an_administrator_says_so(
    admin: Client, held: HeldSync, dora: User
) -> None:
    assert "Removed 2 people from transients." in decide(admin, held, "remove", apply="yes")
    assert in_force(held.group) == set()
    held.refresh_from_db()
    assert (held.decision, held.decided_by) == ("removed", dora)


def test_held_people_are_kept_by_hand(admin: Client, held: HeldSync) -> None:
    assert "These people stay in Transients" in decide(admin, held, "keep")
    decide(admin, held, "keep", apply="yes")
    assert in_force(held.group) == {("erin", False), ("frank", False)}


def test_a_second_decision_is_told_and_changes_nothing(admin: Client, held: HeldSync) -> None:
    decide(admin, held, "keep", apply="yes")
    assert "was decided already" in decide(admin, held, "remove", apply="yes")
    assert in_force(held.group) == {("erin", False), ("frank", False)}


def test_staff_without_the_right_decide_nothing(client: Client, held: HeldSync) -> None:
    client.force_login(factories.user("gus", is_staff=True))
    decide(client, held, "remove", apply="yes")
    assert in_force(held.group) == {("erin", True), ("frank", True)}


def test_a_ring_of_groups_is_told_beside_the_field(
    admin: Client, transients: Group, galaxies: Group
) -> None:
    Group.objects.filter(pk=galaxies.pk).update(parent=transients)
    page = f"/admin/accounts/group/{transients.pk}/change/"
    assert "cannot be a part of itself" in errors_of(
        send_form(admin, page, parent=str(galaxies.pk))
    )


def test_the_group_page_says_where_the_group_stands(
    client: Client, alice: User, transients: Group, galaxies: Group
) -> None:
    survey = factories.group("survey", title="The Survey")
    Group.objects.filter(pk=transients.pk).update(
        parent=survey, description="Things that change.", opens_at=clock.now() + timedelta(days=1)
    )
    Group.objects.filter(pk=galaxies.pk).update(parent=transients)
    client.force_login(alice)
    page = client.get("/groups/transients/").content.decode()
    for words in ("The Survey /", "Things that change.", "Parts: Galaxies", "not open yet"):
        assert words in page
    assert "/groups/transients/people/" in page
    assert "/groups/transients/invitations/" in page
