"""What follows from claims at the moment when a provider said them."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import DatabaseError, transaction

from accounts.affiliations import note_affiliations
from accounts.claims.sync import sync_person
from accounts.identity.providers import Provider
from accounts.models import Identity

logger = logging.getLogger(__name__)


def take_in(identity: Identity, *, provider: Provider, at: datetime) -> None:
    """Keep the affiliations and let memberships follow.

    What the database refuses is logged and left to the next sync: nobody is locked out by it.
    """
    try:
        with transaction.atomic():
            note_affiliations(identity, provider=provider, at=at)
            sync_person(identity.user, at=at)
    except DatabaseError:
        logger.exception("the claims of %s were not taken in", identity)
