"""The daily mail: what somebody wants to read together, each notice in exactly one of them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.models import Digest, Notice, User
from accounts.notices.preferences import preferences_of


def compose_digests(*, at: datetime) -> int:
    """Put what is due into the daily mails of that day; their number. Missed days are made up."""
    waiting = Notice.objects.due_in_digest(at=at).order_by("recipient")
    people = list(waiting.values_list("recipient", flat=True).distinct())
    return sum(_compose(number, at) for number in people)


@transaction.atomic
def _compose(number: int, at: datetime) -> bool:
    """One person's mail of the day; who has had it gets the rest with the next."""
    person = User.objects.select_for_update(no_key=True).get(pk=number)
    rows = Notice.objects.due_in_digest(at=at).filter(recipient=person)
    if not rows.exists():  # somebody else was faster
        return False
    day = at.astimezone(ZoneInfo(settings.SITE_TIME_ZONE)).date()
    digest, is_new = Digest.objects.get_or_create(
        recipient=person, day=day, defaults={"due_at": at}
    )
    if is_new:
        rows.update(digest=digest)
    else:
        rows.update(due_at=preferences_of([person])[person.pk].next_digest(at=at))
    return is_new
