"""Who may call what: every address of the portal and everybody who might ask.

The table is tests/data/permissions.txt: one line per method and address, one column per kind of
caller. An address without a line fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounting.models import Statement
from accounting.pages.period import choose
from accounting.sharing import links, schedules
from accounting.statements.closing import close_period
from accounts.models import User
from lsp_portal.lib import clock
from quotas.models import StorageQuota
from sessions.models import NodeDrain, Reattribution, Size, SizeRoom, StorageSample
from sessions.reattributing import requests
from tests import factories
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db

TABLE = Path(__file__).parent / "data" / "permissions.txt"
CALLERS = (
    "anonymous", "pending", "outsider", "member", "manager", "pi", "staff", "superuser",
)  # fmt: skip
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api/v1/users"): {"username": "frank"},
    ("PATCH", "api/v1/users/<username>"): {"first_name": "Robert"},
    ("POST", "api/v1/groups"): {"name": "quasars", "title": "Quasars"},
    ("PATCH", "api/v1/groups/<name>"): {"title": "Bursts"},
    ("PATCH", "api/v1/memberships/<membership>"): {"valid_to": "2099-01-01T00:00:00Z"},
    ("POST", "api/v1/memberships/<membership>/end"): {},
    ("POST", "api/v1/invitations/<invitation>/renew"): {},
    ("POST", "api/v1/invitations/<invitation>/revoke"): {},
    ("POST", "api/v1/memberships"): {"user": "charlie", "group": "transients"},
    ("POST", "api/v1/allocation-periods"): {
        "title": "2030",
        "starts_on": "2030-01-01",
        "ends_on": "2031-01-01",
    },
    ("POST", "api/v1/compute-quotas"): {},
    ("POST", "api/v1/storage-quotas"): {},
    ("POST", "api/v1/storage-samples"): {},
    ("POST", "api/v1/grants"): {},
    ("POST", "api/v1/node-drains"): {"node": "nowhere"},
    ("POST", "api/v1/node-drains/<drain>/finish"): {},
    ("POST", "api/v1/reattributions"): {
        "session": 999_999,
        "to_group": "galaxies",
        "reason": "For the paper",
    },
    ("POST", "api/v1/reattributions/<request_id>/accept"): {},
    ("POST", "api/v1/reattributions/<request_id>/decline"): {"answer": "No"},
    ("POST", "api/v1/reattributions/<request_id>/withdraw"): {},
    ("PUT", "api/v1/sessions/<session>/dask-cluster"): {},
    ("POST", "api/v1/invitations"): {"email": "new@example.org", "group": "transients"},
}


@dataclass(frozen=True)
class Route:
    """An address, with `<name>` for what varies."""

    address: str
    pattern: URLPattern

    @property
    def methods(self) -> set[str]:
        """The methods that the API offers there; of other views GET stands for all."""
        actions: dict[str, str] = getattr(self.pattern.callback, "actions", None) or {}
        return {method.upper() for method in actions if method not in ("head", "options")}


def routes(resolver: Any = None, before: str = "") -> Iterator[Route]:
    for pattern in (resolver or get_resolver()).url_patterns:
        address = before + _plain(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, address)
        else:
            yield Route(address, pattern)


def _plain(pattern: str) -> str:
    pattern = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", pattern)
    return re.sub(r"<\w+:(\w+)>", r"<\1>", pattern).removeprefix("^").removesuffix("$")


def lines() -> dict[tuple[str, str], dict[str, int]]:
    """The table: expected status by caller, by method and address."""
    found = {}
    for line in TABLE.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            method, address, *statuses = line.split()
            assert len(statuses) == len(CALLERS), line
            assert (method, address) not in found, line
            found[method, "" if address == "/" else address] = dict(
                zip(CALLERS, map(int, statuses), strict=True)
            )
    return found


def is_admin(route: Route) -> bool:
    return route.address.startswith("admin/")


@dataclass(frozen=True)
class World:
    """Everybody who might ask, and what they ask about."""

    cast: Cast
    people: dict[str, User | None]
    names: dict[str, object]
    cookies: dict[str, str] = field(default_factory=dict)

    def path(self, address: str) -> str:
        address = address.replace("people/<number>", "people/<membership>")
        address = address.replace("invitations/<number>", "invitations/<invitation>")
        address = address.replace("requests/sessions/<number>", "requests/sessions/<request_id>")
        address = address.replace("<number>/move/", "<session_number>/move/")
        address = address.replace("statements/<number>", "statements/<statement>")
        address = address.replace("statement.<kind>", "statement.pdf")
        address = address.replace("links/<number>", "links/<link>")
        address = address.replace("schedules/<number>", "schedules/<schedule>")
        return "/" + re.sub(r"<(\w+)>", lambda found: str(self.names[str(found[1])]), address)

    def client(self, caller: str) -> Client:
        """A browser of its own, signed in once."""
        client, person = Client(raise_request_exception=False), self.people[caller]
        if person is not None and caller not in self.cookies:
            client.force_login(person)
            self.cookies[caller] = client.cookies[settings.SESSION_COOKIE_NAME].value
        if person is not None:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.cookies[caller]
        return client


@pytest.fixture
def world() -> World:
    cast = make_cast()
    erin = factories.user("erin", registered_at=None)
    manager, staff = factories.user("max"), factories.user("sam", is_staff=True)
    factories.membership(manager, cast.transients, "manager")
    people = (None, erin, cast.charlie, cast.bob, manager, cast.alice, staff, cast.dora)
    names: dict[str, object] = {
        "name": "transients",
        "username": "bob",
        "provider": "nowhere",
        "number": 999_999,
        "kind": "users",
        "hub": "demo",
        "session": "00000000-0000-0000-0000-000000000000",
        "key": "00000000-0000-0000-0000-000000000000",
        "rest": "nothing",
        "membership": cast.transients.memberships.get(user=cast.bob).pk,
        "invitation": factories.invitation(cast.transients, cast.alice).pk,
        "secret": "nobody-knows",
        "token": "nobody-signed-this",
    }
    names |= quotas(cast)
    names["statement"] = closed_period().pk
    names |= shared(cast)
    asked = asked_to_move(cast)
    names["sample"] = StorageSample.objects.create(
        group=cast.transients, mount="/groups", taken_at=clock.now(), used_bytes=1
    ).pk
    names |= emptied_node(cast)
    names |= {"request_id": asked.pk, "session_number": asked.session_id}
    return World(cast, dict(zip(CALLERS, people, strict=True)), names)


def quotas(cast: Cast) -> dict[str, object]:
    """What transients is given: the keys of a period, of its quotas and of a grant."""
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    quota = factories.quota(cast.transients, period, "100")
    stored = StorageQuota(pk=quota.pk, group=cast.transients, period=period, limit_bytes=1)
    stored.save(force_insert=True)
    grant = factories.grant(quota, "5", cast.dora)
    return {"period": period.pk, "quota": quota.pk, "grant": grant.pk}


def asked_to_move(cast: Cast) -> Reattribution:
    """A session of the member that galaxies is to pay for; galaxies has no PI."""
    session = factories.charged_session(cast.hub, cast.bob, cast.transients)
    return requests.ask(session, to=cast.galaxies, reason="Ours", by=cast.bob, at=clock.now())


def emptied_node(cast: Cast) -> dict[str, object]:
    """A node that the administrator has emptied, and the room for a size."""
    node = factories.node("node-1")
    row = NodeDrain.objects.create(node=node.name, asked_by=cast.dora, started_at=clock.now())
    size = Size.objects.get(name="small")
    SizeRoom.objects.create(size=size, free=3, seen_at=clock.now())
    return {"node": node.name, "drain": row.pk, "size": size.name}


def shared(cast: Cast) -> dict[str, object]:
    """A link to a statement of transients, and mails with it."""
    group, at = cast.transients, clock.now()
    link, _ = links.make_link(
        group, choose({}, at=at), note="Council", with_names=False, days=9, by=cast.alice, at=at
    )
    schedule = schedules.make_schedule(
        group, covers="month", file="csv", day=1, with_names=False, by=cast.alice, at=at
    )
    return {"link": link.pk, "schedule": schedule.pk}


def closed_period() -> Statement:
    """The statement of a period long over."""
    period = factories.period(date(2020, 1, 1), date(2021, 1, 1))
    return close_period(period, author=None, at=period.ends_at)


def ask(world: World, caller: str, method: str, address: str) -> int:
    """The status of the answer; what the request did is undone."""
    client = world.client(caller)
    with transaction.atomic():
        body = BODIES.get((method, address))
        options = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(client, method.lower())(world.path(address), **options)
        status: int = answer.status_code
        transaction.set_rollback(True)
    return status


def test_every_address_has_a_line_and_every_line_an_address() -> None:
    known = lines()
    wanted = {
        (method, route.address)
        for route in routes()
        if not is_admin(route)
        for method in route.methods
    }
    addresses = {route.address for route in routes() if not is_admin(route)}
    described = {address for _, address in known}
    assert sorted(addresses - described) == []
    assert sorted(described - addresses) == []
    assert sorted(wanted - known.keys()) == []


@pytest.mark.parametrize("caller", CALLERS)
def test_everybody_gets_what_the_table_says(world: World, caller: str) -> None:
    different = {}
    for (method, address), expected in lines().items():
        got = ask(world, caller, method, address)
        if got != expected[caller]:
            different[f"{method} /{address}"] = f"{got} instead of {expected[caller]}"
    assert different == {}


@pytest.mark.parametrize("caller", ["anonymous", "pending", "outsider", "member", "manager", "pi"])
def test_the_administration_sends_everybody_else_away(world: World, caller: str) -> None:
    client = world.client(caller)
    for route in routes():
        if is_admin(route) and route.address != "admin/login/":
            path = "/" + re.sub(r"<\w+>", "1", route.address)
            assert client.get(path).status_code in (302, 403, 404, 405), path


def changelists() -> list[str]:
    return [
        f"/{route.address}"
        for route in routes()
        if is_admin(route) and str(route.pattern.name).endswith("_changelist")
    ]


def test_administrators_see_the_lists_for_which_they_have_permission(world: World) -> None:
    def seen(caller: str) -> dict[str, int]:
        client = world.client(caller)
        return {path: client.get(path).status_code for path in paths}

    paths = changelists()
    assert len(paths) > 10
    only_superusers = {"/admin/admin/logentry/": 403}
    assert seen("superuser") == dict.fromkeys(paths, 200)
    assert seen("staff") == dict.fromkeys(paths, 403)
    views = Permission.objects.filter(codename__startswith="view_")
    User.objects.get(username="sam").user_permissions.set(views)
    assert seen("staff") == dict.fromkeys(paths, 200) | only_superusers
