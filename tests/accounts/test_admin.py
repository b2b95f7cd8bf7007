"""What administrators do to people, groups and memberships."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Group, Identity, Membership, User
from accounts.records import ensure_no_ring
from lsp_portal.lib import clock
from tests import factories
from tests.cast import Cast
from tests.forms_in_pages import errors_of, send_form

PEOPLE = reverse("admin:accounts_user_changelist")
GROUPS = reverse("admin:accounts_group_changelist")
MEMBERSHIPS = reverse("admin:accounts_membership_changelist")
NEW_PERSON = reverse("admin:accounts_user_add")
NEW_GROUP = reverse("admin:accounts_group_add")
NEW_MEMBERSHIP = reverse("admin:accounts_membership_add")


@pytest.fixture
def admin(client: Client, cast: Cast) -> Client:
    """The browser of Dora."""
    client.force_login(cast.dora)
    return client


@pytest.fixture
def staff(client: Client, cast: Cast) -> Client:
    """The browser of Edna, who may change people and no more."""
    edna = factories.user("edna", is_staff=True)
    edna.user_permissions.set(Permission.objects.filter(codename__endswith="_user"))
    client.force_login(edna)
    return client


def act(browser: Client, address: str, action: str, *rows: User | Group | Membership) -> str:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return browser.post(address, chosen, follow=True).content.decode()


def page_of(row: User | Group | Membership) -> str:
    return reverse(f"admin:accounts_{row._meta.model_name}_change", args=[row.pk])


def test_people_who_wait_are_approved_together(admin: Client, cast: Cast) -> None:
    waiting = [factories.user(registered_at=None) for _ in range(3)]
    before = cast.bob.registered_at

    page = act(admin, PEOPLE, "approve", cast.bob, *waiting)

    assert "Approved 3 people." in page
    assert all(User.objects.get(pk=person.pk).is_registered for person in waiting)
    cast.bob.refresh_from_db()
    assert cast.bob.registered_at == before
    assert LogEntry.objects.filter(change_message="Approved.").count() == 3


def test_people_are_switched_off_and_on_again_but_nobody_switches_off_themselves(
    admin: Client, cast: Cast
) -> None:
    assert "Deactivated 1 people." in act(admin, PEOPLE, "deactivate", cast.bob, cast.dora)
    assert not User.objects.get(pk=cast.bob.pk).is_active
    assert User.objects.get(pk=cast.dora.pk).is_active

    assert "Activated 1 people again." in act(admin, PEOPLE, "reactivate", cast.bob)
    assert User.objects.get(pk=cast.bob.pk).is_active


def test_who_waits_is_found_by_the_filter(admin: Client, cast: Cast) -> None:
    factories.user("newcomer", registered_at=None)

    page = admin.get(PEOPLE, {"approval": "waiting"}).content.decode()

    assert "newcomer" in page
    assert "alice" not in page


def test_who_is_no_superuser_has_no_power_over_administrators(staff: Client, cast: Cast) -> None:
    act(staff, PEOPLE, "deactivate", cast.dora, cast.bob)

    assert User.objects.get(pk=cast.dora.pk).is_active
    assert not User.objects.get(pk=cast.bob.pk).is_active
    assert not staff.get(page_of(cast.dora)).context["has_change_permission"]
    password = reverse("admin:auth_user_password_change", args=[cast.bob.pk])
    assert staff.get(password).status_code == 403


def test_who_is_no_superuser_gives_no_privileges(staff: Client, cast: Cast) -> None:
    send_form(staff, page_of(cast.bob), is_superuser="on", is_staff="on", last_name="Baker")

    bob = User.objects.get(pk=cast.bob.pk)
    assert bob.last_name == "Baker"
    assert not bob.is_staff
    assert not bob.is_superuser


def test_a_person_is_added_approved_and_without_a_password(admin: Client) -> None:
    answer = send_form(admin, NEW_PERSON, username="edgar", first_name="Edgar")

    assert answer.status_code == 302
    edgar = User.objects.get(username="edgar")
    assert edgar.is_registered
    assert not edgar.has_usable_password()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Edgar", "Use 1 to 30 characters"),
        ("edgar!", "Use 1 to 30 characters"),
        ("", "This field is required."),
        ("e" * 31, "at most 30 characters"),
        ("bob", "“bob” is or was the name of a person; names are never given twice."),
        ("galaxies", "“galaxies” is or was the name of a group; names are never given twice."),
    ],
)
def test_a_name_that_cannot_be_given_is_refused_in_the_form(
    admin: Client, name: str, complaint: str
) -> None:
    assert complaint in errors_of(send_form(admin, NEW_PERSON, username=name))
    assert complaint in errors_of(send_form(admin, NEW_GROUP, name=name, title="A title"))


def test_a_name_stays_taken_when_its_group_is_gone(admin: Client) -> None:
    factories.group("quasars").delete()

    answer = send_form(admin, NEW_GROUP, name="quasars", title="Quasars")

    assert "names are never given twice" in errors_of(answer)


def test_names_are_read_only_once_given(admin: Client, cast: Cast) -> None:
    send_form(admin, page_of(cast.transients), name="other", title="Flashes")
    send_form(admin, page_of(cast.bob), username="robert", last_name="Builder")

    group, bob = Group.objects.get(pk=cast.transients.pk), User.objects.get(pk=cast.bob.pk)
    assert (group.name, group.title) == ("transients", "Flashes")
    assert (bob.username, bob.last_name) == ("bob", "Builder")


def test_a_change_writes_only_what_was_changed(admin: Client, cast: Cast) -> None:
    page = admin.get(page_of(cast.bob))
    assert page.status_code == 200
    User.objects.filter(pk=cast.bob.pk).update(email="new@example.org")

    form = {"email": "bob@example.org", "last_name": "Builder"}
    send_form(admin, page_of(cast.bob), **form)
    assert User.objects.get(pk=cast.bob.pk).email == "bob@example.org"

    last_login = datetime(2026, 5, 1, tzinfo=UTC)
    User.objects.filter(pk=cast.bob.pk).update(last_login=last_login)
    send_form(admin, page_of(cast.bob), last_name="Baker")
    assert User.objects.get(pk=cast.bob.pk).last_login == last_login


def test_identities_are_shown_and_cannot_be_changed(admin: Client, cast: Cast) -> None:
    identity = Identity.objects.create(
        user=cast.bob, issuer="https://idp.example", subject="<b>42</b>", claims={"name": "<i>"}
    )

    page = admin.get(page_of(cast.bob)).content.decode()
    own = admin.get(reverse("admin:accounts_identity_change", args=[identity.pk]))

    assert "&lt;b&gt;42&lt;/b&gt;" in page
    assert 'name="identities-0-subject"' not in page
    assert "&lt;i&gt;" in own.content.decode()
    assert "<i>" not in own.content.decode()


def test_groups_are_closed_and_reopened_together(admin: Client, cast: Cast) -> None:
    later = clock.now() + timedelta(days=9)
    Group.objects.filter(pk=cast.galaxies.pk).update(closed_at=later)

    assert "Closed 2 groups." in act(admin, GROUPS, "close", cast.galaxies, cast.transients)
    assert all(group.is_closed(at=clock.now()) for group in Group.objects.exclude(
        pk=cast.solar_system.pk))  # fmt: skip

    page = act(admin, GROUPS, "reopen", *Group.objects.all())
    assert "Reopened 2 groups." in page
    assert not Group.objects.filter(closed_at__isnull=False).exists()


def test_the_list_of_groups_counts_who_is_a_member_now(admin: Client, cast: Cast) -> None:
    Membership.objects.filter(user=cast.bob, group=cast.transients).update(valid_to=clock.now())

    groups = {group.name: group for group in admin.get(GROUPS).context["cl"].result_list}

    assert groups["transients"]._members == 1
    assert groups["galaxies"]._members == 1
    assert (groups["solar-system"]._members or 0) == 1


def test_memberships_are_ended_and_kept(admin: Client, cast: Cast) -> None:
    now = clock.now()
    running = Membership.objects.get(user=cast.bob, group=cast.galaxies)
    coming = factories.membership(cast.charlie, cast.galaxies, valid_from=now + timedelta(days=3))
    over = factories.membership(cast.alice, cast.galaxies, valid_to=now - timedelta(days=3))

    page = act(admin, MEMBERSHIPS, "end_now", running, coming, over)

    assert "Ended 2 memberships." in page
    running.refresh_from_db()
    assert running.valid_to is not None
    assert now <= running.valid_to <= clock.now()
    coming.refresh_from_db()
    assert coming.valid_to == coming.valid_from
    was = over.valid_to
    over.refresh_from_db()
    assert over.valid_to == was


def test_a_member_is_added_on_the_page_of_the_group(admin: Client, cast: Cast) -> None:
    typed = {
        "memberships-TOTAL_FORMS": "3",
        "memberships-2-user": cast.charlie.pk,
        "memberships-2-role": "manager",
        "memberships-2-valid_from_0": "2026-05-01",
        "memberships-2-valid_from_1": "00:00:00",
    }

    assert send_form(admin, page_of(cast.transients), **typed).status_code == 302

    added = Membership.objects.get(user=cast.charlie, group=cast.transients)
    assert (added.role, added.valid_from) == ("manager", datetime(2026, 5, 1, tzinfo=UTC))


def test_a_new_group_gets_its_first_members_in_the_same_form(admin: Client, cast: Cast) -> None:
    typed = {
        "name": "quasars",
        "title": "Quasars",
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-user": cast.charlie.pk,
        "memberships-0-role": "pi",
        "memberships-0-valid_from_0": "2026-05-01",
        "memberships-0-valid_from_1": "00:00:00",
    }

    assert send_form(admin, NEW_GROUP, **typed).status_code == 302

    assert Membership.objects.get(group__name="quasars").user == cast.charlie


def test_nobody_gets_two_roles_at_a_time(admin: Client, cast: Cast) -> None:
    typed = {
        "memberships-TOTAL_FORMS": "3",
        "memberships-2-user": cast.bob.pk,
        "memberships-2-role": "manager",
        "memberships-2-valid_from_0": "2026-05-01",
        "memberships-2-valid_from_1": "00:00:00",
    }
    answer = send_form(admin, page_of(cast.transients), **typed)
    assert "already has a role in this group then" in errors_of(answer)

    twice = typed | {
        "memberships-TOTAL_FORMS": "4",
        "memberships-2-user": cast.charlie.pk,
        "memberships-3-user": cast.charlie.pk,
        "memberships-3-role": "member",
        "memberships-3-valid_from_0": "2026-05-01",
        "memberships-3-valid_from_1": "00:00:00",
    }
    answer = send_form(admin, page_of(cast.transients), **twice)
    assert "is there twice" in errors_of(answer)
    assert not Membership.objects.filter(user=cast.charlie, group=cast.transients).exists()


def test_a_membership_that_ends_before_it_begins_is_refused(admin: Client, cast: Cast) -> None:
    typed = {
        "user": cast.charlie.pk,
        "group": cast.transients.pk,
        "role": "member",
        "valid_from_0": "2026-05-02",
        "valid_from_1": "00:00:00",
        "valid_to_0": "2026-05-01",
        "valid_to_1": "00:00:00",
    }

    answer = send_form(admin, NEW_MEMBERSHIP, **typed)

    assert "The end must not be before the beginning." in errors_of(answer)


def test_of_a_membership_only_the_end_can_be_changed(admin: Client, cast: Cast) -> None:
    membership = Membership.objects.get(user=cast.bob, group=cast.galaxies)
    typed = {
        "user": cast.charlie.pk,
        "role": "pi",
        "valid_from_0": "2020-01-01",
        "valid_to_0": "2026-05-01",
        "valid_to_1": "00:00:00",
    }

    assert send_form(admin, page_of(membership), **typed).status_code == 302

    changed = Membership.objects.get(pk=membership.pk)
    assert (changed.user, changed.role, changed.valid_from) == (
        cast.bob, "member", membership.valid_from,
    )  # fmt: skip
    assert changed.valid_to == datetime(2026, 5, 1, tzinfo=UTC)


def test_an_end_that_reaches_into_the_next_role_is_refused(admin: Client, cast: Cast) -> None:
    first = Membership.objects.get(user=cast.bob, group=cast.galaxies)
    Membership.objects.filter(pk=first.pk).update(valid_to=datetime(2026, 5, 1, tzinfo=UTC))
    factories.membership(
        cast.bob, cast.galaxies, "manager", valid_from=datetime(2026, 5, 1, tzinfo=UTC)
    )

    answer = send_form(admin, page_of(first), valid_to_0="2026-06-01", valid_to_1="00:00:00")

    assert "already has a role in this group then" in errors_of(answer)


def test_a_conflict_that_no_form_foresees_is_told_in_words(
    admin: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when two administrators save at the same moment: the check passes, the database refuses.
    monkeypatch.setattr(Membership, "validate_constraints", lambda self, exclude=None: None)
    typed = {"user": cast.bob.pk, "group": cast.galaxies.pk, "role": "pi"}

    answer = send_form(admin, NEW_MEMBERSHIP, **typed)

    page = admin.get(answer["Location"]).content.decode()
    assert "Nothing was saved. The person already has a role in this group then." in page


def test_a_ring_that_two_administrators_close_together_is_told_in_words(
    admin: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_saves_after_the_check(group: Group, parent: Group | None) -> None:
        ensure_no_ring(group, parent)
        Group.objects.filter(pk=cast.galaxies.pk).update(parent=cast.transients)

    monkeypatch.setattr("accounts.admin.groups.ensure_no_ring", another_saves_after_the_check)
    change = reverse("admin:accounts_group_change", args=[cast.transients.pk])

    answer = send_form(admin, change, parent=cast.galaxies.pk)

    page = admin.get(answer["Location"]).content.decode()
    assert "Nothing was saved. A group cannot be a part of itself." in page
    assert Group.objects.get(pk=cast.transients.pk).parent is None
