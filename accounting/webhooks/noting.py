"""Writing messages for what a webhook has not been told yet, or was told otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from django.db import transaction

from accounting.webhooks.facts import Fact, facts
from accounting.webhooks.models import Webhook, WebhookMessage
from lsp_portal.lib import advisory

AT_ONCE = 500


def note_all(*, at: datetime) -> int:
    """Messages for all active webhooks; how many were written. One process at a time."""
    with transaction.atomic():
        if not advisory.try_lock("webhooks"):
            return 0
        return sum(_note(webhook, at=at) for webhook in Webhook.objects.filter(is_active=True))


def _note(webhook: Webhook, *, at: datetime) -> int:
    return sum(_note_chunk(webhook, chunk, at=at) for chunk in _chunks(facts(webhook, at=at)))


def _note_chunk(webhook: Webhook, chunk: list[Fact], *, at: datetime) -> int:
    told = _told(webhook, chunk)
    news = [fact for fact in chunk if told.get((fact.kind, fact.key)) != fact.content]
    for fact in news:
        _overtake(webhook, fact)
    WebhookMessage.objects.bulk_create(
        WebhookMessage(
            webhook=webhook,
            kind=fact.kind,
            key=fact.key,
            content=fact.content,
            created_at=at,
            due_at=at,
        )
        for fact in news
    )
    return len(news)


def _told(webhook: Webhook, chunk: list[Fact]) -> dict[tuple[str, str], object]:
    """The newest content that was written for each fact."""
    rows = webhook.messages.filter(key__in=[fact.key for fact in chunk]).order_by("pk")
    return {
        (kind, key): content for kind, key, content in rows.values_list("kind", "key", "content")
    }


def _overtake(webhook: Webhook, fact: Fact) -> None:
    """An older message about the same that still waits says what is no longer so."""
    waiting = webhook.messages.filter(
        kind=fact.kind, key=fact.key, state=WebhookMessage.State.WAITING
    )
    waiting.update(state=WebhookMessage.State.OVERTAKEN)


def _chunks(found: Iterable[Fact]) -> Iterator[list[Fact]]:
    rows = iter(found)
    while chunk := list(islice(rows, AT_ONCE)):
        yield chunk
