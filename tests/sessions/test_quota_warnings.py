"""What an administrator reads who takes from a group that is at work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from lsp_portal.lib import clock
from quotas.models import ComputeQuota
from tests import factories
from tests.cast import Cast
from tests.forms_in_pages import send_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client, cast: Cast) -> Client:
    client.force_login(cast.dora)
    return client


@pytest.fixture
def quota(cast: Cast) -> ComputeQuota:
    """Bob's session of one core has run for three hours, and holds one more; of 100."""
    today = clock.now().date()
    period = factories.period(today - timedelta(days=5), today + timedelta(days=5), "Now")
    factories.charged_session(
        cast.hub,
        cast.bob,
        cast.transients,
        ready_at=clock.now() - timedelta(hours=3),
        ended_at=None,
    )
    return factories.quota(cast.transients, period, "100", "nominal")


def said(answer: object) -> str:
    return " ".join(str(message) for message in answer.wsgi_request._messages)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("nominal", "It is nominal: use is counted on"),
        ("soft", "New sessions are refused from now on; what runs goes on."),
        ("hard", "what runs is stopped after a notice of 15 minutes"),
    ],
)
def test_a_quota_below_what_is_used_and_held_is_told_with_what_follows(
    mode: str, words: str, admin: Client, quota: ComputeQuota
) -> None:
    page = f"/admin/quotas/computequota/{quota.pk}/change/"
    told = said(send_form(admin, page, core_hours="3.5", mode=mode))
    assert "Transients may use 3.50 core-hours in Now, has used 3.00" in told
    assert "hold 1.00." in told
    assert words in told
    quota.refresh_from_db()
    assert str(quota.core_hours) == "3.500000"


def test_a_quota_that_is_large_enough_is_saved_without_a_word(
    admin: Client, quota: ComputeQuota
) -> None:
    page = f"/admin/quotas/computequota/{quota.pk}/change/"
    assert "has used" not in said(send_form(admin, page, core_hours="4.01", mode="hard"))


def test_a_group_that_closes_while_sessions_run_is_told_so(
    admin: Client, quota: ComputeQuota, cast: Cast
) -> None:
    now = clock.now()
    page = f"/admin/accounts/group/{cast.transients.pk}/change/"
    answer = send_form(admin, page, closed_at_0=f"{now:%Y-%m-%d}", closed_at_1="00:00:00")
    assert "Transients is closed, and 1 session of it are pending or running" in said(answer)
