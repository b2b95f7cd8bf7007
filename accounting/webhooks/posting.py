"""Posting what waits: each message is claimed, posted and marked, so that workers share the work.

A message is posted at least once, signed as Standard Webhooks asks, with an id that stays the same
when it is posted again. An address that answers 410 (gone) is not told any more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import orjson
import requests
from django.conf import settings
from standardwebhooks import Webhook as Signer

from accounting.webhooks.models import Webhook, WebhookMessage
from accounts.notices.delivery import pause
from lsp_portal.lib.plain_text import plain_text

CLAIM = timedelta(minutes=5)  # longer than an attempt
CONNECT_SECONDS, READ_SECONDS = 5, 15
MOST_ATTEMPTS = 16
CANDIDATES = 50
GONE = 410


def secret_of(webhook: Webhook) -> str:
    """The secret that its receiver verifies with: derived, stored nowhere."""
    content = f"webhook secret:{webhook.nonce}".encode()
    key = hmac.digest(settings.SECRET_KEY.encode(), content, hashlib.sha256)
    return "whsec_" + base64.b64encode(key).decode()


def post_next(*, at: datetime) -> bool:
    """Post the message that is due for longest; whether there was one."""
    message = _claim_next(at)
    if message is None:
        return False
    try:
        answer = _post(message, at)
    except requests.RequestException as error:
        _fail(message, f"{type(error).__name__}: {error}", at)
        return True
    _settle(message, answer, at)
    return True


def _claim_next(at: datetime) -> WebhookMessage | None:
    due = WebhookMessage.objects.due(at=at).select_related("webhook")[:CANDIDATES]
    return next((one for one in due if one.claim(at=at, until=at + CLAIM)), None)


def body(message: WebhookMessage) -> bytes:
    """The message as it is posted."""
    made = message.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return orjson.dumps({"type": message.kind, "timestamp": made, "data": message.content})


def _post(message: WebhookMessage, at: datetime) -> requests.Response:
    content, name = body(message), f"msg_{message.webhook.nonce[:8]}_{message.pk}"
    signature = Signer(secret_of(message.webhook)).sign(name, at, content.decode())
    with requests.post(
        message.webhook.url,
        data=content,
        headers={
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        },
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        allow_redirects=False,
        stream=True,  # the body of the answer does not matter
    ) as answer:
        return answer


def _settle(message: WebhookMessage, answer: requests.Response, at: datetime) -> None:
    said = f"{answer.status_code} {answer.reason or ''}".strip()
    if 200 <= answer.status_code < 300:
        _write(message, WebhookMessage.State.SENT, said, sent_at=at)
        return
    if answer.status_code == GONE:
        Webhook.objects.filter(pk=message.webhook_id).update(is_active=False)
    _fail(message, said, at)


def _fail(message: WebhookMessage, said: str, at: datetime) -> None:
    """Try again after a pause, a minute at first and six hours at last, for nearly two days."""
    attempts = message.attempts + 1
    if attempts >= MOST_ATTEMPTS:
        _write(message, WebhookMessage.State.FAILED, said)
        return
    rows = WebhookMessage.objects.filter(pk=message.pk, state=WebhookMessage.State.WAITING)
    rows.update(claimed_until=None, due_at=at + pause(attempts), answer=_short(said))


def _write(
    message: WebhookMessage,
    state: WebhookMessage.State,
    said: str,
    *,
    sent_at: datetime | None = None,
) -> None:
    rows = WebhookMessage.objects.filter(pk=message.pk, state=WebhookMessage.State.WAITING)
    rows.update(state=state, claimed_until=None, answer=_short(said), sent_at=sent_at)


def post_again(messages: list[WebhookMessage], *, at: datetime) -> int:
    """Let messages that were given up wait once more; how many."""
    rows = WebhookMessage.objects.filter(
        pk__in=[message.pk for message in messages], state=WebhookMessage.State.FAILED
    )
    return rows.update(state=WebhookMessage.State.WAITING, due_at=at, attempts=0)


def _short(text: str) -> str:
    return plain_text(text)[:300]
