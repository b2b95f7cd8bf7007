"""Mails of notices: each goes out once, and none is lost, whatever dies on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as settings_of_the_site
from django.core.mail import get_connection
from django.db import connections, transaction
from pytest_django import Settings

from accounts.models import MailState, Notice, Topic, User, Way
from accounts.notices.announcing import Message, announce
from accounts.notices.delivery import CLAIM, MOST_ATTEMPTS, pause, send_next
from accounts.notices.hours import Quiet
from accounts.notices.preferences import choose
from accounts.notices.tasks import send_notices
from accounts.notices.unsubscribing import link
from lsp_portal.celery import app
from lsp_portal.lib import clock
from tests import factories, processes
from tests.smtp import MailServer

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FULL = Message(
    topic=Topic.QUOTA,
    key="quota:transients:2026:80",
    subject="80 % of the core-hours of Transients are used",
    text="Used: 80.00 of 100.00 core-hours.\n\nNew servers start until all are used.",
    link="/groups/transients/",
    link_label="See what used them",
)


def send(at: datetime) -> int:
    """Send what is due then; how many mails were looked at."""
    connection = get_connection()
    number = 0
    while send_next(connection, at=at):
        number += 1
    connection.close()
    return number


def told(person: User, at: datetime = NOW, **changes: Any) -> Notice:
    values = {name: getattr(FULL, name) for name in FULL.__slots__} | changes
    announce(Message(**values), to=[person], at=at)
    return Notice.objects.get(recipient=person, key=values["key"])


@pytest.fixture(autouse=True)
def post(mail_server: MailServer) -> MailServer:
    return mail_server


def test_a_notice_reaches_the_mail_server_once(alice: User, post: MailServer) -> None:
    row = told(alice)
    told(alice)
    assert send(NOW) == 1
    assert send(NOW + timedelta(days=1)) == 0
    row.refresh_from_db()
    assert (row.state, row.sent_at, row.attempts) == (MailState.SENT, NOW, 1)
    [mail] = post.mails
    assert mail["To"] == "alice@example.org"
    assert mail["Subject"].strip() == "80 % of the core-hours of Transients are used · LSP Portal"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, page = (part.get_content() for part in mail.iter_parts())
    for words in ("New servers start", "http://127.0.0.1:8000/groups/transients/", "/unsubscribe/"):
        assert words in plain
        assert words in page


def test_mail_programs_get_the_link_that_ends_such_mails_unharmed(
    alice: User, post: MailServer
) -> None:
    told(alice)
    with time_machine.travel(NOW, tick=False):  # links carry the second of their signature
        send(NOW)
        wanted = link(alice, Topic.QUOTA)
    [mail] = post.mails
    assert mail["List-Unsubscribe"].strip() == f"<{wanted}>"
    assert mail["List-Unsubscribe-Post"].strip() == "List-Unsubscribe=One-Click"


def test_the_worker_knows_the_work_that_beat_asks_for() -> None:
    app.loader.import_default_modules()
    asked = {entry["task"] for entry in settings_of_the_site.CELERY_BEAT_SCHEDULE.values()}
    assert asked <= set(app.tasks)


def test_what_others_wrote_stays_text_in_every_part(alice: User, post: MailServer) -> None:
    told(alice, subject="Hi\r\nBcc: eve@example.org", text="<script>alert(1)</script>")
    send(NOW)
    [mail] = post.mails
    assert mail["Bcc"] is None
    plain, page = (part.get_content() for part in mail.iter_parts())
    assert "<script>" in plain
    assert "<script>" not in page


@pytest.mark.django_db(transaction=True)
def test_who_announces_need_not_wait_for_the_next_round(alice: User, post: MailServer) -> None:
    with transaction.atomic():
        told(alice, clock.now())
        assert post.mails == []
    assert post.recipients == ["alice@example.org"]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"email": ""}, MailState.NO_ADDRESS),
        ({"is_active": False}, MailState.OFF),
        ({"expires_at": NOW}, MailState.OFF),
    ],
)
def test_who_cannot_be_written_to_is_noted(
    alice: User, post: MailServer, change: dict[str, Any], state: MailState
) -> None:
    row = told(alice)
    User.objects.filter(pk=alice.pk).update(**change)
    send(NOW)
    row.refresh_from_db()
    assert row.state == state
    assert post.mails == []


def test_a_server_in_trouble_is_asked_again_later_and_later(alice: User, post: MailServer) -> None:
    row, at = told(alice), NOW
    post.answers["MAIL"] = "451 greylisted"
    for attempt in range(1, MOST_ATTEMPTS):
        assert send(at) == 0  # it stops the round: the others would fare no better
        row.refresh_from_db()
        assert (row.state, row.attempts) == (MailState.WAITING, attempt)
        assert "451" in row.error
        at += pause(attempt)
        assert row.due_at == at
        assert send(at - MINUTE / 2) == 0
        row.refresh_from_db()
        assert row.attempts == attempt
    assert timedelta(days=1) < at - NOW < timedelta(days=3)
    send(at)
    row.refresh_from_db()
    assert row.state == MailState.FAILED
    assert send(at + timedelta(days=9)) == 0


def test_once_the_server_is_back_everything_goes_out(
    alice: User, bob: User, post: MailServer, settings: Settings
) -> None:
    told(alice)
    told(bob)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert send(NOW) == 0
    assert sorted(Notice.objects.values_list("attempts", flat=True)) == [0, 1]
    settings.EMAIL_PORT = port
    assert send(NOW + MINUTE) == 2
    assert set(post.recipients) == {"alice@example.org", "bob@example.org"}


def test_an_address_that_nobody_has_is_not_tried_again_and_holds_up_nobody(
    alice: User, bob: User, post: MailServer
) -> None:
    row = told(alice)
    post.answers["RCPT"] = "550 no such box"
    assert send(NOW) == 1
    row.refresh_from_db()
    assert row.state == MailState.FAILED
    assert "no such box" in row.error


def test_an_address_that_no_mail_can_have_holds_up_nobody(
    alice: User, bob: User, post: MailServer
) -> None:
    row = told(alice)
    told(bob)
    User.objects.filter(pk=alice.pk).update(email="a\nb@example.org")
    assert send(NOW) == 2
    row.refresh_from_db()
    assert row.state == MailState.FAILED
    assert post.recipients == ["bob@example.org"]


def test_two_workers_at_once_send_each_mail_once(
    transactional_db: None, post: MailServer, settings: Settings
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    people = [factories.user() for _ in range(40)]
    with transaction.atomic():
        announce(FULL, to=people, at=clock.now())
        transaction.get_connection().run_on_commit = []  # the nudge is lost
    start = threading.Barrier(4)

    def work() -> int:
        start.wait()
        try:
            return int(send_notices())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        done = [future.result() for future in [pool.submit(work) for _ in range(4)]]

    assert sum(done) == 40
    assert sorted(post.recipients) == sorted(person.email for person in people)
    assert set(Notice.objects.values_list("state", "attempts")) == {("sent", 1)}


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_after_sending_leads_to_the_same_mail_once_more(
    alice: User, post: MailServer, settings: Settings, tmp_path: Path
) -> None:
    with transaction.atomic():
        row = told(alice, clock.now())
        transaction.get_connection().run_on_commit = []
    call = "from accounts.notices.tasks import send_notices as s; s()"
    env = processes.environment(tmp_path, EMAIL_URL=f"smtp://127.0.0.1:{post.port}")
    with processes.running(["django", "shell", "-c", call], env, tmp_path / "log") as worker:
        post.on_mail = worker.kill
        worker.wait(processes.PATIENCE)
    post.on_mail = lambda: None
    row.refresh_from_db()
    assert (row.state, row.attempts) == (MailState.WAITING, 1)
    assert row.claimed_until is not None

    assert send(clock.now()) == 0
    assert send(row.claimed_until) == 1

    first, second = post.mails
    assert first["Message-ID"] == second["Message-ID"]
    row.refresh_from_db()
    assert (row.state, row.attempts) == (MailState.SENT, 2)


def test_a_worker_that_dies_again_and_again_is_noticed_in_the_end(alice: User) -> None:
    row, at = told(alice), NOW
    for _ in range(MOST_ATTEMPTS):
        assert row.claim(at=at, until=at + CLAIM)
        assert not row.claim(at=at, until=at + CLAIM)
        at += CLAIM
    send(at)
    row.refresh_from_db()
    assert row.state == MailState.FAILED
    assert row.error == "No attempt came to an end."


def test_a_worker_that_was_too_slow_does_not_take_the_mail_from_its_successor(alice: User) -> None:
    told(alice)
    slow, next_one = Notice.objects.get(), Notice.objects.get()
    assert slow.claim(at=NOW, until=NOW + CLAIM)
    assert next_one.claim(at=NOW + CLAIM, until=NOW + 2 * CLAIM)
    slow.put_back(due_at=NOW, attempts=1, error="too late")
    row = Notice.objects.get()
    assert (row.claimed_until, row.error) == (NOW + 2 * CLAIM, "")


def test_quiet_hours_hold_mails_back_but_not_that_a_session_is_stopped(
    alice: User, post: MailServer, settings: Settings
) -> None:
    settings.SITE_TIME_ZONE = "America/Santiago"  # four hours behind in May
    choose(alice, ways={}, quiet=Quiet(time(22), time(7)), digest_hour=None, at=NOW)
    row = told(alice)  # at five in the morning
    assert row.due_at == NOW.replace(hour=11)
    told(alice, topic=Topic.SESSION, key="session:1:stop")
    send(NOW)
    assert len(post.mails) == 1
    send(NOW.replace(hour=11))
    assert len(post.mails) == 2


def test_a_mail_that_comes_late_into_quiet_hours_waits_for_their_end(
    alice: User, post: MailServer
) -> None:
    choose(alice, ways={}, quiet=Quiet(time(22), time(7)), digest_hour=None, at=NOW)
    row = told(alice)
    late = NOW.replace(hour=23)  # nobody sent anything all day
    assert send(late) == 1
    row.refresh_from_db()
    assert (row.due_at, row.attempts, row.claimed_until) == (
        NOW.replace(day=5, hour=7), 0, None,
    )  # fmt: skip
    assert post.mails == []
    send(row.due_at)
    assert len(post.mails) == 1


def test_a_topic_that_was_muted_is_only_on_the_pages(alice: User, post: MailServer) -> None:
    first = told(alice)
    choose(alice, ways={Topic.QUOTA: Way.PAGES}, quiet=None, digest_hour=None, at=NOW)
    second = told(alice, key="quota:transients:2026:95")
    send(NOW)
    for row in (first, second):
        row.refresh_from_db()
        assert (row.state, row.read_at) == (MailState.MUTED, None)
    assert post.mails == []


@pytest.mark.django_db(transaction=True)
def test_who_is_told_by_two_at_once_is_told_once(bob: User, charlie: User, dora: User) -> None:
    people = [bob, charlie, dora]
    start = threading.Barrier(2)

    def tell(turned: bool) -> None:
        start.wait()
        try:
            for number in range(20):
                message = Message(Topic.FORECAST, f"forecast:{number}", "When", "Soon.")
                announce(message, to=people[::-1] if turned else people, at=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(tell, turned) for turned in (False, True)]:
            done.result()

    assert Notice.objects.count() == 60
