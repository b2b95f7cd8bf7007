"""The frame of every page: header, error pages, style guide."""

from datetime import UTC, datetime
from typing import cast

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.template import loader
from django.test import RequestFactory
from django.views import defaults
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Group, Membership, User
from lsp_portal import navigation
from lsp_portal.navigation import Audience
from lsp_portal.styleguide import styleguide

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)


def a_visit(path: str = "/", user: User | None = None) -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = user or AnonymousUser()
    return cast(HttpRequest, request)


def test_the_style_guide_shows_every_component() -> None:
    page = styleguide(a_visit()).content.decode()

    for component in (
        "service-card",
        "stat",
        "quota-over",
        "badge-state",
        "chart",
        "pager",
        "empty-state",
    ):
        assert f'class="{component}' in page or f" {component}" in page
    assert 'id="core-hours-per-day" type="application/json"' in page


def test_no_page_carries_inline_scripts_or_styles() -> None:
    page = styleguide(a_visit()).content.decode()

    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick=" not in page


@pytest.mark.parametrize("name", ["400.html", "500.html", "403_csrf.html"])
def test_an_error_page_of_last_resort_needs_no_context(name: str, settings: Settings) -> None:
    settings.SITE_NAME = "Example & Sons"

    page = loader.render_to_string(name)

    assert "Example &amp; Sons" in page
    assert "<h1>" in page


def test_an_error_page_of_last_resort_needs_no_manifest(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }

    response = defaults.server_error(a_visit())

    assert response.status_code == 500
    assert b"/static/css/portal.css" in response.content


def test_a_visitor_who_finds_nothing_is_told_to_sign_in() -> None:
    response = defaults.page_not_found(a_visit("/groups/exo/"), Exception("private"))

    assert response.status_code == 404
    assert b"sign in and try again" in response.content
    assert b"private" not in response.content


@pytest.mark.django_db
def test_alice_sees_what_a_pi_sees_and_bob_does_not() -> None:
    alice, bob = User.objects.create(username="alice"), User.objects.create(username="bob")
    group = Group.objects.create(name="exo", title="Exoplanets")
    Membership.objects.create(user=alice, group=group, role=Membership.Role.PI, valid_from=NOW)
    Membership.objects.create(user=bob, group=group, valid_from=NOW)

    assert navigation.audiences(alice, at=NOW) == {
        Audience.ANYBODY,
        Audience.SIGNED_IN,
        Audience.PI,
    }
    assert navigation.audiences(bob, at=NOW) == {Audience.ANYBODY, Audience.SIGNED_IN}


@pytest.mark.django_db
def test_the_header_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    staff = User.objects.create(username="dora", is_staff=True)

    with django_assert_num_queries(1):
        found = navigation.entries(staff, "/admin/accounts/", at=NOW)

    assert [entry.title for entry in found if entry.is_current] == ["Administration"]


def test_somebody_unknown_is_offered_public_pages_only() -> None:
    assert navigation.audiences(AnonymousUser(), at=NOW) == {Audience.ANYBODY}
