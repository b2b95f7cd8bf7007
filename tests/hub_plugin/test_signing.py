"""Requests are signed as Standard Webhooks' own implementation wants them."""

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook

from lsp_hub.service import derive_service_token
from lsp_hub.signing import request_content, secret_key, signed_headers
from tests.hub_plugin.stub_portal import SECRET

OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def headers(*secrets: str, content: bytes) -> dict[str, str]:
    keys = [secret_key(secret) for secret in secrets]
    return signed_headers(keys, message="msg_1", timestamp=int(time.time()), content=content)


def test_the_reference_implementation_accepts_a_signed_body() -> None:
    body = '{"events": ["é"]}'.encode()
    Webhook(SECRET).verify(body, headers(SECRET, content=body), json_parse=False)


def test_a_request_without_body_signs_method_and_target() -> None:
    content = request_content("GET", "/api/v1/hubs/demo/launch-options?user=alice")
    assert content == b"GET /api/v1/hubs/demo/launch-options?user=alice"
    Webhook(SECRET).verify(content, headers(SECRET, content=content), json_parse=False)


def test_during_a_rotation_either_secret_verifies() -> None:
    signed = headers(SECRET, OTHER, content=b"{}")
    assert len(signed["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(b"{}", signed, json_parse=False)


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_@@@@", "whsec_c2hvcnQ="])
def test_a_secret_that_is_none_is_refused_without_quoting_it(secret: str) -> None:
    with pytest.raises(ValueError, match="hub's secret") as caught:
        secret_key(secret)
    assert not secret[6:] or secret not in str(caught.value)


def test_both_sides_derive_the_same_service_token() -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = hmac.new(key, b"lsp-hub service token:demo", hashlib.sha256).hexdigest()
    assert derive_service_token(SECRET, "demo") == expected
    assert derive_service_token(SECRET, "other") != expected
