"""What groups were called and who had which role in them, at a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounting.statements.content import Key
from accounts.models import Group, Membership

ROLES = {role: place for place, role in enumerate(("pi", "manager", "member"))}


class NamesThen:
    """Groups and roles as they were at that moment."""

    def __init__(self, groups: set[int | None], *, at: datetime) -> None:
        keys = [key for key in groups if key is not None]
        self._groups = Group.objects.in_bulk(keys)
        memberships = Membership.objects.valid(at=at).filter(group__in=keys)
        self._roles: dict[Key, str] = {}
        for group, user, role in memberships.values_list("group_id", "user_id", "role"):
            known = self._roles.get((group, user), role)
            self._roles[group, user] = min(known, role, key=lambda name: ROLES[name])

    def role(self, key: Key) -> str:
        """Empty: none."""
        return self._roles.get(key, "")

    def of(self, key: Key) -> dict[str, Any]:
        """The fields of a line."""
        group = self._groups.get(key[0] or 0)
        return {
            "group_id": key[0],
            "user_id": key[1],
            "group_name": group.name if group else "",
            "group_title": group.title if group else "",
            "role": self.role(key),
        }
