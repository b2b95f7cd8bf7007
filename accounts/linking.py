"""Several identities of one person: adding one, and giving one up."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.audit import change_rows
from accounts.identity.arrivals import let_in
from accounts.identity.assertions import Assertion
from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.models import Identity, Membership, User
from accounts.registration import IdentityTakenError, link_identity


class IdentityOfAnotherError(SignInFailedError):
    """The identity that was proved belongs to another account."""

    def __init__(self, assertion: Assertion) -> None:
        super().__init__(
            "identity_taken",
            "This identity belongs to another account of this site, so it was not linked. If both "
            "accounts are yours, ask the people who run this site to merge them.",
            status=409,
            detail=f"{assertion.subject} at {assertion.issuer}",
        )


def link(*, user: User, provider: Provider, assertion: Assertion, at: datetime) -> Identity:
    """The identity as one more of the person's. Raises SignInFailedError."""
    try:
        identity = link_identity(user, issuer=assertion.issuer, subject=assertion.subject, at=at)
    except IdentityTakenError as error:
        raise IdentityOfAnotherError(assertion) from error
    # What the provider says counts from now on, as after a sign-in.
    let_in(provider=provider, assertion=assertion, at=at)
    return identity


@transaction.atomic
def unlink(*, user: User, identity: Identity, at: datetime) -> None:
    """Forget the identity; memberships that follow from it end. Raises ValidationError."""
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk))  # one at a time
    if not user.identities.exclude(pk=identity.pk).exists():
        raise ValidationError(
            "This is your last identity: without it you could not sign in.", code="last_identity"
        )
    followed = Membership.objects.select_for_update(of=("self",)).filter(identity=identity)
    open_ones = followed.filter(Q(valid_to=None) | Q(valid_to__gt=at)).order_by("pk")
    change_rows(open_ones.select_related("user", "group"), lambda row: _end(row, at), "valid_to")
    followed.update(identity=None)
    identity.delete()


def _end(membership: Membership, at: datetime) -> None:
    membership.valid_to = max(membership.valid_from, at)
