"""Who may open which page on usage."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Group, Membership, User
from tests import factories
from tests.accounting.visits import HOUR, NOW, visit

pytestmark = pytest.mark.django_db

OWN = ["/my/", "/my/live", "/my/sessions.csv", "/my/storage/", "/my/storage.csv", "/groups/"]
GROUP = [
    "/groups/transients/",
    "/groups/transients/live",
    "/groups/transients/members.csv",
    "/groups/transients/sessions.csv",
    "/groups/transients/days.csv",
    "/groups/transients/storage/",
    "/groups/transients/storage.csv",
    "/groups/transients/what-if/",
]
SERVICE = [
    "/overview/",
    "/overview/groups.csv",
    "/overview/users.csv",
    "/overview/unattributed.csv",
    "/overview/storage/",
]


@pytest.mark.parametrize("path", OWN + GROUP + SERVICE)
def test_a_stranger_is_sent_to_sign_in_and_back(path: str) -> None:
    answer = visit(None, path)

    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in?next={path}")


@pytest.mark.parametrize("path", ["/my/live", "/groups/transients/live"])
def test_a_live_part_reloads_the_page_of_somebody_whose_login_ended(path: str) -> None:
    answer = visit(None, path, htmx=True)

    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize("path", OWN + GROUP + SERVICE)
def test_somebody_who_waits_for_approval_is_shown_the_waiting_page(path: str) -> None:
    erin = factories.user("erin", registered_at=None)

    answer = visit(erin, path)

    assert (answer.status_code, answer["Location"]) == (302, "/waiting")


@pytest.mark.parametrize("path", OWN)
def test_everybody_sees_their_own_pages(path: str, charlie: User) -> None:
    assert visit(charlie, path).status_code == 200


@pytest.mark.parametrize("path", GROUP)
def test_alice_the_pi_and_dora_see_the_group_bob_and_charlie_do_not(
    path: str, alice: User, bob: User, charlie: User, dora: User
) -> None:
    seen = {who.username: visit(who, path).status_code for who in (alice, bob, charlie, dora)}

    assert seen == {"alice": 200, "bob": 404, "charlie": 404, "dora": 200}


@pytest.mark.parametrize("path", SERVICE)
def test_only_dora_sees_the_use_of_the_service(
    path: str, alice: User, bob: User, dora: User
) -> None:
    seen = {who.username: visit(who, path).status_code for who in (alice, bob, dora)}

    assert seen == {"alice": 403, "bob": 403, "dora": 200}


@pytest.mark.parametrize("path", OWN + GROUP + SERVICE)
def test_nothing_is_kept_by_a_cache_or_changed_by_another_method(
    path: str, dora: User, transients: Group
) -> None:
    assert "no-store" in visit(dora, path)["Cache-Control"]
    client = Client()
    client.force_login(dora)
    assert client.post(path).status_code == 405


def test_a_manager_sees_the_group_until_the_role_ends(bob: User, transients: Group) -> None:
    Membership.objects.filter(user=bob, group=transients).update(role="manager", valid_to=NOW)

    assert visit(bob, "/groups/transients/", at=NOW - HOUR).status_code == 200
    assert visit(bob, "/groups/transients/", at=NOW).status_code == 404


def test_a_group_that_does_not_exist_looks_like_one_that_is_not_ones_own(
    charlie: User, transients: Group
) -> None:
    pages = [visit(charlie, f"/groups/{name}/") for name in ("transients", "no-such", "%00", "é")]

    assert [page.status_code for page in pages] == [404] * 4
    assert b"transients" not in pages[0].content.replace(b"/groups/transients/", b"")


def test_bob_finds_only_the_groups_that_he_leads(bob: User, alice: User, dora: User) -> None:
    assert b"You lead no group" in visit(bob, "/groups/").content
    assert b"Transients" in visit(alice, "/groups/").content
    assert b"Galaxies" not in visit(alice, "/groups/").content
    assert b"Galaxies" in visit(dora, "/groups/").content
