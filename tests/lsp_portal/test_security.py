"""What every answer of the portal says to the browser."""

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db


def test_no_page_may_run_foreign_or_inline_scripts(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)


def test_cookies_do_not_clash_with_those_of_a_hub_on_the_same_host(client: Client) -> None:
    client.get("/admin/login/")
    assert settings.CSRF_COOKIE_NAME == "lsp_portal_csrf"
    assert settings.SESSION_COOKIE_NAME == "lsp_portal_session"
    assert set(client.cookies) == {"lsp_portal_csrf"}


def test_a_request_for_another_host_is_refused(client: Client) -> None:
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400


def test_the_api_is_described_and_its_description_is_readable(client: Client) -> None:
    assert client.get("/api/schema/").status_code == 200
    assert b"/static/drf_spectacular_sidecar/" in client.get("/api/docs/").content
