"""Programs that call the API with a token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpResponseBase
from django.test import Client

from accounts.models import User
from accounts.tokens import issue_token
from lsp_portal.lib import clock


class Program:
    """Calls the API as somebody (None: as a service), with what the token allows."""

    def __init__(self, user: User | None, scopes: tuple[str, ...] = ("read", "write")) -> None:
        now = clock.now()
        self.token, self.text = issue_token(
            name="test",
            user=user,
            scopes=scopes,
            created_by=user,
            expires_at=now + timedelta(days=1),
            at=now,
        )
        self.client = Client(headers={"Authorization": f"Bearer {self.text}"})

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", params)

    def post(self, path: str, body: Any, key: str | None = None) -> Any:
        return self._send("post", path, body, key)

    def patch(self, path: str, body: Any, key: str | None = None) -> Any:
        return self._send("patch", path, body, key)

    def _send(self, method: str, path: str, body: Any, key: str | None) -> Any:
        headers = {"Idempotency-Key": key} if key is not None else {}
        call: Callable[..., HttpResponseBase] = getattr(self.client, method)
        return call(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
