"""How people want to be told, and what follows from it for a notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.models import MailState, Notice, NoticeHours, NoticeWay, Topic, User, Way
from accounts.notices.hours import Quiet, after_quiet, next_digest

DEFAULTS = {
    Topic.QUOTA: Way.AT_ONCE,
    Topic.FORECAST: Way.DIGEST,
    Topic.REQUEST: Way.AT_ONCE,
    Topic.STORAGE: Way.AT_ONCE,
    Topic.MEMBERSHIP: Way.DIGEST,
    Topic.PERIOD: Way.DIGEST,
    Topic.AFFILIATION: Way.AT_ONCE,
    Topic.IMAGE: Way.DIGEST,
    Topic.SESSION: Way.AT_ONCE,
    Topic.MAIL: Way.PAGES,
}
FIXED = (Topic.SESSION, Topic.MAIL)
"""A session that is going to be stopped cannot wait, and a mail about lost mails would be lost."""
CHOOSABLE = tuple(topic for topic in Topic if topic not in FIXED)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one person chose; what was left open follows the site."""

    ways: Mapping[Topic, Way] = field(default_factory=dict)
    quiet: Quiet | None = None
    digest_hour: int | None = None

    def way(self, topic: Topic) -> Way:
        return self.ways.get(topic, DEFAULTS[topic])

    def earliest(self, topic: Topic | None, *, at: datetime) -> datetime:
        """When a mail may reach the person; without topic, the daily one."""
        return at if topic is Topic.SESSION else after_quiet(at, self.quiet, _zone())

    def next_digest(self, *, at: datetime) -> datetime:
        hour = settings.DIGEST_HOUR if self.digest_hour is None else self.digest_hour
        return next_digest(at, hour, _zone())


def plan(notice: Notice, preferences: Preferences, *, at: datetime) -> Notice:
    """The notice, with when and how its mail is due; nothing is stored."""
    topic = Topic(notice.topic)
    way = preferences.way(topic)
    notice.in_digest = way is Way.DIGEST
    if way is Way.PAGES:
        notice.state, notice.due_at = MailState.MUTED, at
    elif way is Way.DIGEST:
        notice.state, notice.due_at = MailState.WAITING, preferences.next_digest(at=at)
    else:
        notice.state, notice.due_at = MailState.WAITING, preferences.earliest(topic, at=at)
    return notice


def preferences_of(people: Iterable[User]) -> dict[int, Preferences]:
    """What each of them chose, with two questions to the database."""
    keys = [person.pk for person in people]
    ways: dict[int, dict[Topic, Way]] = {key: {} for key in keys}
    for row in NoticeWay.objects.filter(user__in=keys):
        ways[row.user_id][Topic(row.topic)] = Way(row.way)
    hours = {row.user_id: row for row in NoticeHours.objects.filter(user__in=keys)}
    return {key: _preferences(ways[key], hours.get(key)) for key in keys}


@transaction.atomic
def choose(
    user: User, *, ways: Mapping[Topic, Way], quiet: Quiet | None, digest_hour: int | None,
    at: datetime,
) -> None:  # fmt: skip
    """Keep all that the person chose; what waits already follows it."""
    chosen = {
        "quiet_from": quiet.begins if quiet else None,
        "quiet_until": quiet.ends if quiet else None,
        "digest_hour": digest_hour,
    }
    NoticeHours.objects.update_or_create(user=user, defaults=chosen)
    _keep(user, ways)
    _plan_anew(user, at=at)


@transaction.atomic
def mute(user: User, topics: Iterable[Topic], *, at: datetime) -> None:
    """No more mails about these topics, which the pages go on to show."""
    _keep(user, {topic: Way.PAGES for topic in topics if topic in CHOOSABLE})
    _plan_anew(user, at=at)


def _keep(user: User, ways: Mapping[Topic, Way]) -> None:
    for topic, way in ways.items():
        NoticeWay.objects.update_or_create(user=user, topic=topic, defaults={"way": way})


def _plan_anew(user: User, *, at: datetime) -> None:
    """Mails that wait follow the new choice; one that is on its way is not called back."""
    preferences = preferences_of([user])[user.pk]
    rows = Notice.objects.unclaimed(at=at).filter(recipient=user).select_for_update()
    for row in rows:
        if row.digest_id is None:
            _store(plan(row, preferences, at=at))
        elif preferences.way(Topic(row.topic)) is Way.PAGES:
            row.state = MailState.MUTED
            row.save(update_fields=["state"])


def _store(row: Notice) -> None:
    row.save(update_fields=["state", "due_at", "in_digest"])


def _preferences(ways: Mapping[Topic, Way], hours: NoticeHours | None) -> Preferences:
    if hours is None:
        return Preferences(ways)
    quiet = None
    if hours.quiet_from is not None and hours.quiet_until is not None:
        quiet = Quiet(hours.quiet_from, hours.quiet_until)
    return Preferences(ways, quiet, hours.digest_hour)


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.SITE_TIME_ZONE)
