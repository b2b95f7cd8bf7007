"""The daily mail: each notice in exactly one, whatever is missed or done twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail
from django.core.mail import get_connection
from django.db import connections
from pytest_django import Settings

from accounts.models import Digest, MailState, Notice, Topic, User, Way
from accounts.notices.again import send_digests_again, send_notices_again
from accounts.notices.announcing import Message, announce
from accounts.notices.delivery import send_next
from accounts.notices.digests import compose_digests
from accounts.notices.hours import Quiet
from accounts.notices.preferences import choose
from tests import factories
from tests.smtp import MailServer

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)  # the daily mail of the 4th is out
EIGHT = NOW.replace(day=5, hour=8)
DAY = timedelta(days=1)


def tell(person: User, key: str, at: datetime = NOW) -> None:
    message = Message(
        topic=Topic.FORECAST, key=key, subject=f"Subject of {key}", text=f"Text of {key}."
    )
    announce(message, to=[person], at=at)


def go_round(at: datetime) -> None:
    """What the worker does each minute."""
    compose_digests(at=at)
    connection = get_connection()
    while send_next(connection, at=at):
        pass
    connection.close()


def test_what_came_since_the_last_one_comes_in_one_mail(alice: User, bob: User) -> None:
    for key in ("one", "two"):
        tell(alice, key)
    tell(bob, "one")
    go_round(EIGHT - timedelta(minutes=1))
    assert mail.outbox == []
    go_round(EIGHT)
    go_round(EIGHT)
    go_round(EIGHT + timedelta(hours=9))
    assert sorted(sent.to[0] for sent in mail.outbox) == ["alice@example.org", "bob@example.org"]
    body = next(str(sent.body) for sent in mail.outbox if sent.to == [alice.email])
    for words in ("Subject of one", "Text of one.", "Subject of two", "Text of two."):
        assert body.count(words) == 1
    assert set(Notice.objects.values_list("state", "sent_at")) == {(MailState.SENT, EIGHT)}


def test_missed_days_are_made_up_in_one_mail(alice: User) -> None:
    for number in range(3):
        tell(alice, str(number), NOW + number * DAY)
    late = NOW + 5 * DAY + timedelta(hours=8)
    go_round(late)
    tell(alice, "next", late)
    go_round(late + timedelta(hours=15))
    first, second = (str(sent.body) for sent in mail.outbox)
    assert [f"Text of {key}." in first for key in ("0", "1", "2", "next")] == [True] * 3 + [False]
    assert [f"Text of {key}." in second for key in ("0", "1", "2", "next")] == [False] * 3 + [True]


def test_what_was_written_late_waits_for_the_next_day(alice: User) -> None:
    tell(alice, "early")
    go_round(EIGHT)
    tell(alice, "late", NOW)  # committed only now, after a long transaction
    go_round(EIGHT + timedelta(minutes=1))
    assert len(mail.outbox) == 1
    go_round(EIGHT + DAY)
    assert "Text of late." in str(mail.outbox[1].body)
    assert "Text of early." not in str(mail.outbox[1].body)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_compose_one_mail_for_each_person() -> None:
    people = [factories.user() for _ in range(10)]
    for person in people:
        for key in ("one", "two"):
            tell(person, key)
    start = threading.Barrier(4)

    def work(at: datetime) -> None:
        start.wait()
        try:
            go_round(at)
        finally:
            connections.close_all()

    # Two of them on either side of midnight, on days of their own.
    late = EIGHT.replace(hour=23, minute=59)
    moments = (late, late, late + timedelta(minutes=2), late + timedelta(minutes=2))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, at) for at in moments]:
            done.result()

    assert sorted(sent.to[0] for sent in mail.outbox) == sorted(person.email for person in people)
    assert Digest.objects.count() == 10


def test_the_hour_is_ones_own_and_quiet_hours_hold_it_back(
    alice: User, bob: User, settings: Settings
) -> None:
    settings.DIGEST_HOUR = 16
    choose(alice, ways={}, quiet=Quiet(time(20), time(11)), digest_hour=10, at=NOW)
    tell(alice, "one")
    tell(bob, "one")
    go_round(NOW.replace(hour=10))
    assert mail.outbox == []
    go_round(NOW.replace(hour=11))
    assert [sent.to for sent in mail.outbox] == [[alice.email]]
    go_round(NOW.replace(hour=16))
    assert [sent.to for sent in mail.outbox] == [[alice.email], [bob.email]]


def test_what_was_muted_while_the_server_was_down_is_left_out(
    alice: User, mail_server: MailServer
) -> None:
    tell(alice, "one")
    mail_server.answers["MAIL"] = "451 not now"
    go_round(EIGHT)
    choose(alice, ways={Topic.FORECAST: Way.PAGES}, quiet=None, digest_hour=None, at=EIGHT)
    mail_server.answers.clear()
    go_round(EIGHT + timedelta(hours=1))
    assert mail_server.mails == []
    assert Digest.objects.get().state == MailState.MUTED
    assert Notice.objects.get().state == MailState.MUTED


def test_a_failed_one_can_be_sent_again_whole_or_in_parts(
    alice: User, mail_server: MailServer
) -> None:
    for key in ("one", "two"):
        tell(alice, key)
    mail_server.answers["RCPT"] = "550 no such box"
    go_round(EIGHT)
    assert set(Notice.objects.values_list("state", flat=True)) == {MailState.FAILED}
    mail_server.answers.clear()

    assert send_notices_again(Notice.objects.filter(key="one"), at=EIGHT) == 1
    assert send_digests_again(Digest.objects.all(), at=EIGHT) == 1
    go_round(EIGHT)

    first, second = (part.get_body(("plain",)) for part in mail_server.mails)
    assert first is not None
    assert second is not None
    assert "Text of one." in first.get_content()
    assert "Text of one." not in second.get_content()
    assert "Text of two." in second.get_content()
    assert send_digests_again(Digest.objects.all(), at=EIGHT) == 0
