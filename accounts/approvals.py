"""Who waits for approval, the decisions about them, and the evidence that each was based on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from accounts import tasks
from accounts.models import Membership, Registration, User
from accounts.models.people import PeopleQuerySet
from accounts.posix import uid_notes
from lsp_portal.lib.queue import after_commit

REJECTED = Registration.Decision.REJECTED


class NotWaitingError(Exception):
    """Somebody else decided, or the account was switched off meanwhile."""

    code = "not_waiting"
    status = 409

    def __init__(self, user: User) -> None:
        super().__init__(f"{user.title} does not wait for approval any more. Nothing was changed.")


class AlreadyAskedError(Exception):
    """A rejected person asks again a second time, or nobody rejected them."""

    code = "cannot_ask_again"
    status = 409

    def __init__(self) -> None:
        super().__init__("You can ask again once after a rejection, and no further time.")


def with_last_decision(people: PeopleQuerySet) -> PeopleQuerySet:
    """The people, each with `last_decision`, the last of the decisions about them."""
    decisions = Registration.objects.filter(user=OuterRef("pk")).order_by("-decided_at", "-pk")
    return people.annotate(last_decision=Subquery(decisions.values("decision")[:1]))


def queue() -> PeopleQuerySet:
    """People about whom somebody has to decide: they wait, and were not rejected."""
    people = with_last_decision(User.objects.waiting_for_approval())
    return people.filter(Q(last_decision=None) | ~Q(last_decision=REJECTED))


def rejection_of(user: User) -> Registration | None:
    """The rejection that stands, for somebody who was rejected and did not ask again."""
    last = user.registrations.order_by("-decided_at", "-pk").first()
    return last if last is not None and last.decision == REJECTED else None


def can_ask_again(user: User) -> bool:
    """Whether a rejected person may ask once more."""
    asked = user.registrations.filter(decision=Registration.Decision.ASKED)
    return rejection_of(user) is not None and not asked.exists()


def evidence(user: User) -> dict[str, Any]:
    """What identity providers say about the person at this moment, for the record."""
    return {
        "name": user.get_full_name(),
        "email": user.email,
        "identities": [
            {
                "provider": identity.provider,
                "issuer": identity.issuer,
                "subject": identity.subject,
                "email": identity.email,
                "claims": identity.claims,
            }
            for identity in user.identities.all()
        ],
        "affiliations": [
            {"issuer": a.issuer, "value": a.value, "last_seen_at": a.last_seen_at.isoformat()}
            for a in user.affiliations.all()
        ],
        "uid": uid_notes(user),
    }


@transaction.atomic
def approve(
    *,
    user: User,
    by: User | None,
    at: datetime,
    reason: str = "",
    sponsor: User | None = None,
    membership: Membership | None = None,
) -> Registration:
    """Let somebody in who waits, into a group at once where a membership comes along.

    `by` None: the policy of the site decided. Raises NotWaitingError and ValidationError.
    """
    waiting = _locked_waiting(user)
    waiting.registered_at = at
    waiting.save(update_fields=["registered_at"])
    user.registered_at = at
    if membership is not None:
        _join(waiting, membership, by)
    row = Registration(
        user=waiting, decision=Registration.Decision.APPROVED, decided_by=by, decided_at=at,
        reason=reason, sponsor=sponsor, evidence=evidence(waiting),
    )  # fmt: skip
    row.save(force_insert=True)
    if by is not None:
        after_commit(tasks.mail_decision, row.pk)
    return row


@transaction.atomic
def reject(*, user: User, by: User, reason: str, at: datetime) -> Registration:
    """Tell somebody who waits that they are not let in, and why. Raises NotWaitingError."""
    waiting = _locked_waiting(user)
    row = Registration.objects.create(
        user=waiting, decision=REJECTED, decided_by=by, decided_at=at,
        reason=reason, evidence=evidence(waiting),
    )  # fmt: skip
    after_commit(tasks.mail_decision, row.pk)
    return row


@transaction.atomic
def ask_again(*, user: User, note: str, at: datetime) -> Registration:
    """A rejected person waits once more, with a note. Raises AlreadyAskedError."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not can_ask_again(user):
        raise AlreadyAskedError
    row = Registration.objects.create(
        user=user, decision=Registration.Decision.ASKED, decided_at=at,
        reason=note, evidence=evidence(user),
    )  # fmt: skip
    announce(user)
    return row


def note_approvals(people: Iterable[User], *, by: User | None, at: datetime) -> None:
    """Keep that these people, who were let in together, were approved, and tell them."""
    keys = [user.pk for user in people]
    found = User.objects.filter(pk__in=keys).prefetch_related("identities", "affiliations")
    rows = Registration.objects.bulk_create(
        Registration(
            user=user, decision=Registration.Decision.APPROVED, decided_by=by, decided_at=at,
            evidence=evidence(user),
        )
        for user in found
    )  # fmt: skip
    for row in rows:
        after_commit(tasks.mail_decision, row.pk)


def announce(user: User) -> None:
    """Tell the administrators that somebody waits."""
    after_commit(tasks.mail_waiting, user.pk)


def _locked_waiting(user: User) -> User:
    waiting = User.objects.waiting_for_approval().filter(pk=user.pk)
    found = waiting.select_for_update(no_key=True).first()
    if found is None or rejection_of(found) is not None:
        raise NotWaitingError(user)
    return found


def _join(user: User, membership: Membership, by: User | None) -> None:
    membership.user, membership.added_by = user, by
    membership.full_clean()
    membership.save(force_insert=True)
