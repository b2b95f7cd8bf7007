"""A seat: the place of one server of one person at a hub, where sessions follow each other."""

import hashlib
from uuid import UUID


def seat(user_name: str, server: str) -> UUID:
    """An index key of fixed length for hub user name and server.

    The same in SQL: `md5(length(user_name) || ':' || user_name || server)::uuid`. The length makes
    the pair unambiguous; it counts characters, not bytes.
    """
    text = f"{len(user_name)}:{user_name}{server}"
    return UUID(hex=hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())
