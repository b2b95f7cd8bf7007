"""Who stays signed in: nobody whose account was switched off, merged or has ended."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from lsp_portal.lib import clock


class AccountBackend(ModelBackend):
    """Sign-ins of all kinds, asked at each request; passwords are for a site's first hour."""

    def user_can_authenticate(self, user: Any) -> bool:
        return super().user_can_authenticate(user) and not user.has_ended(at=clock.now())
