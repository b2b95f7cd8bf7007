"""Who may send events: every way to be somebody else, too late or too large is refused."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import RequestFactory
from standardwebhooks import Webhook

from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from sessions.hub.secrets import issue_secret, secret_text, service_token
from sessions.hub.signing import MAX_BODY, MAX_DISCARDED, verified_hub
from sessions.models import Hub, HubEvent
from tests.sessions.events.sender import CLIENT, Sender, make_sender, signature

EVENTS = "/api/v1/hubs/demo/events"
Headers = dict[str, str]


def secret_of(sender: Sender) -> str:
    return secret_text(sender.hub.secrets.latest("pk"))


def post(content: bytes, headers: Headers, path: str = EVENTS) -> Any:
    return CLIENT.post(path, content, content_type="application/json", headers=headers)


def body(sender: Sender) -> bytes:
    return orjson.dumps({"events": [sender.ready(0)]})


def code(answer: Any) -> str:
    return str(orjson.loads(answer.content)["code"])


def test_a_signed_request_is_taken_in(sender: Sender) -> None:
    answer = sender.post([sender.ready(0)])
    assert answer.status_code == 200
    assert orjson.loads(answer.content) == {"accepted": 1, "duplicates": 0, "rejected": []}


def test_the_signature_is_that_of_the_published_library(sender: Sender) -> None:
    content = body(sender)
    now = datetime.now(UTC)
    signed = Webhook(secret_of(sender)).sign("msg_1", now, content.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v1a,bm90IG91cnM= v1,not!base64 rubbish {signed}",
    }
    assert post(content, headers).status_code == 200


def test_a_secret_is_32_bytes_in_padded_base64_and_is_stored_nowhere(sender: Sender) -> None:
    secret = sender.hub.secrets.get()
    text = secret_text(secret)
    assert text.startswith("whsec_")
    assert len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) == 32
    assert text == secret_text(secret)
    assert secret.nonce not in text


def test_the_service_token_follows_from_the_newest_secret(sender: Sender) -> None:
    now = clock.now()
    first = service_token(sender.hub, at=now)
    assert len(first) == 64
    assert first == service_token(sender.hub, at=now)
    issue_secret(sender.hub, now)
    assert service_token(sender.hub, at=now) != first


CHANGES: dict[str, Callable[[Headers], Headers]] = {
    "no id": lambda headers: headers | {"webhook-id": ""},
    "another id": lambda headers: headers | {"webhook-id": "msg_2"},
    "no time": lambda headers: headers | {"webhook-timestamp": ""},
    "a time that is no number": lambda headers: headers | {"webhook-timestamp": "soon"},
    "a time that is not whole": lambda headers: headers | {"webhook-timestamp": "1e9"},
    "a time that is no time": lambda headers: headers | {"webhook-timestamp": "nan"},
    "an endless time": lambda headers: headers | {"webhook-timestamp": "9" * 400},
    "a negative time": lambda headers: headers | {"webhook-timestamp": "-1"},
    "foreign digits": lambda headers: headers | {"webhook-timestamp": "\u00b2\u00b3"},
    "no signature": lambda headers: headers | {"webhook-signature": ""},
    "an empty signature": lambda headers: headers | {"webhook-signature": "v1,"},
    "a signature without version": lambda headers: (
        headers | {"webhook-signature": headers["webhook-signature"].removeprefix("v1,")}
    ),
    "another version": lambda headers: (
        headers | {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}
    ),
    "a signature cut short": lambda headers: (
        headers | {"webhook-signature": headers["webhook-signature"][:-8]}
    ),
    "a signature that is not base64": lambda headers: headers | {"webhook-signature": "v1,\u00e9!"},
    "commas only": lambda headers: headers | {"webhook-signature": ",,, v1,,"},
    "spaces only": lambda headers: headers | {"webhook-signature": "   "},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_header_is_refused(sender: Sender, name: str) -> None:
    content = body(sender)
    headers = CHANGES[name](signature(secret_of(sender), content))
    answer = post(content, headers)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert not HubEvent.objects.exists()


@pytest.mark.parametrize("seconds", [-302, 302])
def test_a_request_from_another_time_is_refused(sender: Sender, seconds: int) -> None:
    content = body(sender)
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    answer = post(content, signature(secret_of(sender), content, at=at))
    assert (answer.status_code, code(answer)) == (401, "bad_timestamp")


@pytest.mark.parametrize("seconds", [-295, 295])
def test_a_clock_may_be_wrong_by_nearly_5_minutes(sender: Sender, seconds: int) -> None:
    content = body(sender)
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    assert post(content, signature(secret_of(sender), content, at=at)).status_code == 200


def test_a_changed_body_is_refused(sender: Sender) -> None:
    headers = signature(secret_of(sender), body(sender))
    assert post(b'{"events": []}', headers).status_code == 401


def test_the_secret_of_another_hub_is_refused(sender: Sender) -> None:
    content = body(sender)
    other = make_sender("other")
    assert post(content, signature(secret_of(other), content)).status_code == 401


@pytest.mark.parametrize(
    "name", ["nobody", "Demo", "DEMO", "demo%00", "a" * 200, "%F0%9F%98%80", "%ff", "demo%0A"]
)
def test_an_unknown_hub_answers_exactly_like_a_wrong_signature(sender: Sender, name: str) -> None:
    content = body(sender)
    headers = signature(secret_of(sender), content)
    unknown = post(content, headers, f"/api/v1/hubs/{name}/events")
    wrong = post(content + b" ", headers)
    assert (unknown.status_code, unknown.content) == (wrong.status_code, wrong.content)
    assert unknown.status_code == 401


def test_a_hub_without_a_valid_secret_is_refused(sender: Sender) -> None:
    content = body(sender)
    headers = signature(secret_of(sender), content)
    sender.hub.secrets.update(valid_to=clock.now())
    assert post(content, headers).status_code == 401


def test_two_secrets_are_valid_while_one_takes_over_from_the_other(sender: Sender) -> None:
    old = sender.hub.secrets.get()
    new = issue_secret(sender.hub, clock.now())
    for secret in (old, new):
        content = body(sender)
        assert post(content, signature(secret_text(secret), content)).status_code == 200
    old.valid_to = clock.now()
    old.save(update_fields=["valid_to"])
    content = body(sender)
    assert post(content, signature(secret_text(old), content)).status_code == 401
    assert post(content, signature(secret_text(new), content)).status_code == 200


def test_the_size_is_checked_before_the_signature(sender: Sender) -> None:
    answer = post(b"x" * (MAX_BODY + 1), {})
    assert (answer.status_code, code(answer)) == (413, "too_large")


def test_a_body_of_exactly_1_mib_is_read(sender: Sender) -> None:
    content = b" " * MAX_BODY
    assert post(content, signature(secret_of(sender), content)).status_code == 400


def test_the_signature_is_checked_before_the_body(sender: Sender) -> None:
    assert post(b"no json", {}).status_code == 401
    assert post(b"no json", signature(secret_of(sender), b"no json")).status_code == 400


def test_bytes_that_are_no_text_are_a_bad_body_and_not_a_wrong_signature(sender: Sender) -> None:
    content = b"\xff\xfe{}"
    assert post(content, signature(secret_of(sender), content)).status_code == 400


class Endless(io.RawIOBase):
    """A body that never ends, and counts what was read of it."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.taken += size
        return b"x" * size


@pytest.mark.parametrize("length", ["", "10", "no number"])
def test_an_endless_body_is_refused_after_a_bounded_part_of_it(db: None, length: str) -> None:
    stream = Endless()
    request = RequestFactory().post(EVENTS)
    request.META |= {"CONTENT_LENGTH": length, "wsgi.input": stream, "wsgi.input_terminated": True}
    with pytest.raises(Problem) as refusal:
        verified_hub(request, "demo")
    assert refusal.value.status == 413
    assert MAX_BODY < stream.taken <= MAX_BODY + MAX_DISCARDED + 1


def test_a_length_over_the_limit_is_refused_without_reading_anything(db: None) -> None:
    stream = Endless()
    request = RequestFactory().post(EVENTS)
    request.META |= {"CONTENT_LENGTH": str(MAX_BODY + 1), "wsgi.input": stream}
    with pytest.raises(Problem) as refusal:
        verified_hub(request, "demo")
    assert (refusal.value.status, stream.taken) == (413, 0)


def test_a_body_without_length_needs_a_server_that_knows_its_end(db: None) -> None:
    request = RequestFactory().post(EVENTS)
    request.META |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    with pytest.raises(Problem) as refusal:
        verified_hub(request, "demo")
    assert refusal.value.status == 411


@pytest.mark.parametrize("where", ["RAW_URI", "REQUEST_URI", None])
def test_a_get_is_signed_over_its_target_as_it_was_sent(sender: Sender, where: str | None) -> None:
    target = "/api/v1/hubs/demo/launch-options?user=al%69ce&x=%20"
    request = RequestFactory().get(
        target, headers=signature(secret_of(sender), f"GET {target}".encode())
    )
    if where:
        request.META |= {where: target, "QUERY_STRING": "changed=by+the+server"}
    assert verified_hub(request, "demo") == sender.hub


@pytest.mark.parametrize(
    "signed",
    [
        b"GET /api/v1/hubs/demo/launch-options?user=bob",
        b"GET /api/v1/hubs/demo/launch-options",
        b"DELETE /api/v1/hubs/demo/launch-options?user=alice",
        b"",
    ],
)
def test_a_signature_for_one_target_does_not_serve_for_another(
    sender: Sender, signed: bytes
) -> None:
    request = RequestFactory().get(
        "/api/v1/hubs/demo/launch-options?user=alice",
        headers=signature(secret_of(sender), signed),
    )
    with pytest.raises(Problem) as refusal:
        verified_hub(request, "demo")
    assert refusal.value.status == 401


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete"])
def test_other_methods_are_refused_and_told_what_is_allowed(db: None, method: str) -> None:
    answer = getattr(CLIENT, method)(EVENTS)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_no_hub_is_told_apart_by_the_queries_it_costs(
    sender: Sender, django_assert_num_queries: Any
) -> None:
    content = body(sender)
    for name in ("demo", "nobody"):
        with django_assert_num_queries(1):
            post(content, signature("whsec_c2VjcmV0", content), f"/api/v1/hubs/{name}/events")
    assert Hub.objects.count() == 1
