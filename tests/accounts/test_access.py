"""Who may see what, the same for pages and API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from accounts.access import (
    chargeable_group_or_404,
    group_visible_or_404,
    local_path,
    person,
    registered,
    signed_in,
    staff,
)
from accounts.models import Group, Membership, User
from lsp_portal.lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
def galaxies(now: datetime) -> Group:
    """Alice is its PI, Max a manager, Bob a member, Olga was its PI until now."""
    group = Group.objects.create(name="galaxies", title="Galaxies")
    for name, role, ends in (
        ("alice", "pi", None),
        ("max", "manager", None),
        ("bob", "member", None),
        ("olga", "pi", now),
    ):
        user = User.objects.create(username=name, registered_at=now)
        Membership.objects.create(
            user=user, group=group, role=role, valid_from=now - timedelta(days=9), valid_to=ends
        )
    User.objects.create(username="charlie", registered_at=now)
    User.objects.create(username="dora", registered_at=now, is_staff=True)
    return group


def ask(user: User | AnonymousUser, **headers: str) -> HttpRequest:
    request = RequestFactory().get("/somewhere?page=2", headers=headers)
    request.user = user
    return request


def found(helper: Callable[..., Group], name: str, now: datetime) -> bool:
    try:
        return helper(User.objects.get(username=name), "galaxies", at=now).name == "galaxies"
    except Http404:
        return False


def test_a_group_is_visible_to_those_who_lead_it_and_to_administrators(
    galaxies: Group, now: datetime
) -> None:
    people = ["alice", "max", "bob", "olga", "charlie", "dora"]
    assert [p for p in people if found(group_visible_or_404, p, now)] == ["alice", "max", "dora"]
    assert [p for p in people if found(chargeable_group_or_404, p, now)] == [
        "alice",
        "max",
        "bob",
    ]


@pytest.mark.parametrize("name", ["nothing", "", "a\0b", "GALAXIES", "x" * 500])
def test_a_group_that_does_not_exist_is_not_found(
    galaxies: Group, now: datetime, name: str
) -> None:
    with pytest.raises(Http404):
        group_visible_or_404(User.objects.get(username="dora"), name, at=now)


@signed_in
def for_the_signed_in(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse("seen")


@registered
def for_the_registered(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse(person(request).username)


@staff
def for_staff(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse("seen")


@pytest.mark.parametrize("view", [for_the_signed_in, for_the_registered, for_staff])
def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(
    view: Callable[[HttpRequest], HttpResponseBase],
) -> None:
    assert view(ask(AnonymousUser()))["Location"] == "/sign-in?next=/somewhere%3Fpage%3D2"


def test_a_part_of_a_page_is_replaced_by_the_whole_one_when_the_login_has_ended() -> None:
    answer = for_the_registered(ask(AnonymousUser(), hx_request="true"))
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")


def test_who_waits_sees_the_waiting_page(now: datetime) -> None:
    erin = User.objects.create(username="erin")
    assert for_the_signed_in(ask(erin)).status_code == 200
    assert for_the_registered(ask(erin))["Location"] == "/waiting"
    assert for_staff(ask(erin))["Location"] == "/waiting"
    with pytest.raises(PermissionDenied):
        person(ask(erin))


def test_only_administrators_see_what_is_for_them(galaxies: Group) -> None:
    bob, dora = User.objects.get(username="bob"), User.objects.get(username="dora")
    assert for_the_registered(ask(bob)).status_code == 200
    assert for_staff(ask(dora)).status_code == 200
    with pytest.raises(PermissionDenied):
        for_staff(ask(bob))


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/groups/galaxies?page=2", "/groups/galaxies?page=2"),
        (None, "/"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_only_paths_of_this_site_are_gone_back_to(path: str | None, safe: str) -> None:
    assert local_path(ask(AnonymousUser()), path) == safe
