"""The signed part of the link with which somebody grants grace."""

from __future__ import annotations

from django.core import signing

from quotas.ladder import Ladder
from quotas.models import ComputeQuota
from sessions.delays import longest_grace, wrap_up

SALT = "sessions.grace"


def link_token(quota: ComputeQuota, ladder: Ladder) -> str | None:
    """The token for what can be granted at present; None where no grace can be.

    It names the quota and the generation of its limit, and ends with the wrap-up.
    """
    stops_at, until = ladder.stops_at(wrap_up()), ladder.grace_end(longest_grace())
    if ladder.grace_until or stops_at is None or until is None or until <= stops_at:
        return None
    content = [quota.pk, ladder.generation, int(stops_at.timestamp())]
    return signing.dumps(content, salt=SALT)


def read_token(token: str) -> tuple[int, int, int]:
    """The quota's key, the generation, and the second at which the link ends.

    Raises signing.BadSignature.
    """
    quota, generation, ends = signing.loads(token, salt=SALT)
    return quota, generation, ends
