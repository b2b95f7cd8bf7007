"""The public home page: its words, its services with their lights, and the way in."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from lsp_portal.models import FRESH, Service
from tests.accounting.visits import NOW

pytestmark = pytest.mark.django_db


def landing(client: Client) -> str:
    with time_machine.travel(NOW, tick=False):
        answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def service(checked_at: datetime | None, status: str, url: str = "https://tap.example.org") -> None:
    Service.objects.filter(title="TAP").update(
        url=url, status_url="https://tap.example.org/availability", status=status,
        checked_at=checked_at,
    )  # fmt: skip


def test_everybody_reads_what_the_platform_is_and_where_to_sign_in(
    client: Client, settings: Settings
) -> None:
    settings.SITE_TAGLINE, settings.SITE_INTRODUCTION = "Stars & more", "Come in."

    page = landing(client)

    assert "Stars &amp; more" in page
    assert "Come in." in page
    assert 'href="/sign-in?next=/my/"' in page


def test_who_is_signed_in_is_led_to_the_notebooks(client: Client, bob: User) -> None:
    client.force_login(bob)

    page = landing(client)

    assert "Start a notebook" in page
    assert "/sign-in" not in page


def test_a_new_site_shows_the_four_usual_services(client: Client) -> None:
    page = landing(client)

    for title in ("Notebooks", "Firefly portal", "TAP", "Documentation"):
        assert title in page
    assert "Not connected yet" in page


def test_the_administrator_decides_what_is_shown_in_which_order(client: Client) -> None:
    Service.objects.filter(title="Firefly portal").update(is_shown=False)
    Service.objects.create(title="Archive <i>", text="Old & new.", url="/archive", position=0)

    page = landing(client)

    assert "Firefly" not in page
    assert "Archive &lt;i&gt;" in page
    assert page.index("Archive") < page.index("JupyterLab next")


def test_without_any_service_it_says_so(client: Client) -> None:
    Service.objects.all().delete()

    assert "No services yet" in landing(client)


@pytest.mark.parametrize(
    ("age", "status", "word"),
    [
        (timedelta(minutes=1), Service.Status.UP, "Running"),
        (timedelta(minutes=1), Service.Status.DOWN, "Not answering"),
        (FRESH, Service.Status.UP, "Running"),
        (FRESH + timedelta(seconds=1), Service.Status.UP, "Not checked"),
        (None, Service.Status.UNKNOWN, "Not checked"),
    ],
)
def test_a_light_says_what_was_found_while_that_is_fresh(
    client: Client, age: timedelta | None, status: str, word: str
) -> None:
    service(None if age is None else NOW - age, status)

    assert word in landing(client)


def test_a_service_that_is_only_announced_has_no_link(client: Client) -> None:
    service(NOW, Service.Status.UP, url="")

    page = landing(client)

    assert "tap.example.org" not in page
    assert "Running" not in page


def test_the_page_costs_one_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        Service.objects.create(title=f"Service {number}", text="Another.")

    with django_assert_num_queries(1):
        landing(client)
