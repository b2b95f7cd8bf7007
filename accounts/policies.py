"""The acceptable-use policy: which version somebody still has to accept, and accepting it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import Policy, PolicyAcceptance, User


class PolicyChangedError(Exception):
    """The version that somebody read is not the one in force."""

    code = "policy_changed"
    status = 409

    def __init__(self) -> None:
        super().__init__("A newer version is in force by now. Read it and accept that one.")


def unaccepted(user: User, *, at: datetime) -> Policy | None:
    """The version in force, where the person has not accepted it; None when nothing is left."""
    return unaccepted_by(user, at=at).first()


def unaccepted_by(user: User, *, at: datetime) -> QuerySet[Policy]:
    """The same as rows, at most one, to be asked together with other things."""
    current = Policy.objects.filter(effective_at__lte=at).order_by("-effective_at")
    accepted = PolicyAcceptance.objects.filter(user=user, policy=OuterRef("pk"))
    return Policy.objects.filter(~Exists(accepted), pk=Subquery(current.values("pk")[:1]))


def accept(*, user: User, number: int, at: datetime) -> Policy:
    """Note that the person accepts the version with that number; a second time changes nothing.

    Raises PolicyChangedError when another version is in force.
    """
    policy = Policy.objects.current(at=at)
    if policy is None or policy.pk != number:
        raise PolicyChangedError
    PolicyAcceptance.objects.get_or_create(user=user, policy=policy, defaults={"accepted_at": at})
    return policy
