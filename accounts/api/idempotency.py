"""Writes that carry an `Idempotency-Key` take effect once, however often they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar

from django.db import transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from accounts.api.authentication import caller_key
from accounts.models import KeptAnswer
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem

KEPT_FOR = timedelta(hours=24)
KEY_LENGTH = 255

Handler = TypeVar("Handler", bound=Callable[..., Any])


def idempotent(handler: Handler) -> Handler:
    """The method of a view, answered from memory when the same write comes again.

    Only what took effect is remembered: a refused request may be put right and sent again.
    """

    @wraps(handler)
    def answer(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        with transaction.atomic():
            if key is None:
                return handler(view, request, *args, **kwargs)
            kept = _claimed(request, _checked(key))
            if kept.status is not None:
                return _again(kept)
            response = handler(view, request, *args, **kwargs)
            _keep(kept, response)
            return response

    return answer  # type: ignore[return-value]  # the same call


def forget_answers(*, at: datetime) -> int:
    """Remove answers older than a day; their number."""
    return KeptAnswer.objects.filter(created_at__lte=at - KEPT_FOR).delete()[0]


def _checked(key: str) -> str:
    if 1 <= len(key) <= KEY_LENGTH and key.isascii() and key.isprintable():
        return key
    raise Problem(
        400,
        "bad_idempotency_key",
        "The idempotency key is wrong",
        f"Idempotency-Key must have 1 to {KEY_LENGTH} printable ASCII characters.",
    )


def _claimed(request: Any, key: str) -> KeptAnswer:
    """The row of the key. Who inserts it works; others wait at its unique index meanwhile."""
    now, caller, found = clock.now(), caller_key(request), _hash(request)
    mine = KeptAnswer.objects.filter(caller=caller, key=key)
    mine.filter(created_at__lte=now - KEPT_FOR).delete()
    kept, _ = KeptAnswer.objects.get_or_create(
        caller=caller, key=key, defaults={"request_hash": found, "created_at": now}
    )
    if bytes(kept.request_hash) != found:
        raise Problem(
            409,
            "conflict",
            "The idempotency key was used for another request",
            "Use a new key for each new request, and the same key only to repeat one.",
        )
    return kept


def _hash(request: Any) -> bytes:
    body = json.dumps(request.data, sort_keys=True, default=str)
    return sha256(f"{request.method} {request.path}\n{body}".encode()).digest()


def _keep(kept: KeptAnswer, response: Response) -> None:
    kept.status = response.status_code
    kept.body = json.loads(JSONRenderer().render(response.data)) if response.data else None
    kept.save(update_fields=["status", "body"])


def _again(kept: KeptAnswer) -> Response:
    return Response(kept.body, status=kept.status, headers={"Idempotent-Replayed": "true"})
