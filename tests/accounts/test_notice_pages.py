"""The pages about notices: reading them, choosing how to be told, and ending mails by a link."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core import mail, signing
from django.core.mail import get_connection
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Change, MailState, Notice, NoticeWay, Topic, User, Way
from accounts.notices.announcing import Message, announce
from accounts.notices.delivery import send_next
from accounts.notices.hours import Quiet
from accounts.notices.preferences import CHOOSABLE, choose, preferences_of
from accounts.notices.unsubscribing import SALT, link
from lsp_portal import navigation
from lsp_portal.lib import clock
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
PAGE, SETTINGS, READ = "/account/notices/", "/account/notices/settings/", "/account/notices/read"
ADMIN = "/admin/accounts/notice/"


def tell(person: User, key: str = "one", topic: Topic = Topic.QUOTA, **values: str) -> Notice:
    message = Message(topic=topic, key=key, subject=f"Subject {key}", text="Text.", **values)
    announce(message, to=[person], at=NOW)
    return Notice.objects.get(recipient=person, key=key)


def unread(client: Client, path: str = "/account/") -> str:
    found = re.search(r">(\d+)<span class=\"visually-hidden\"> unread", text(client, path))
    return found[1] if found else ""


def text(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_one_reads_ones_own_notices_and_marks_them(client: Client, alice: User, bob: User) -> None:
    row = tell(alice, link="/groups/transients/", link_label="See the group")
    tell(alice, "two")
    tell(bob, "for Bob")
    client.force_login(alice)
    page = text(client, PAGE)
    assert "Subject one" in page
    assert 'href="/groups/transients/"' in page
    assert "for Bob" not in page
    assert unread(client) == "2"
    assert client.post(READ, {"number": row.pk})["Location"] == PAGE
    assert unread(client) == "1"
    client.post(READ)
    assert unread(client) == ""
    assert not Notice.objects.get(recipient=bob).read_at


def test_the_header_asks_the_database_once(
    alice: User, dora: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tell(alice)
    for person, number in ((alice, 1), (dora, 0)):
        with django_assert_num_queries(1):
            assert navigation.standing(person, at=NOW).unread == number


@pytest.mark.parametrize("number", ["{other}", "x", "²", "9" * 40, "-1"])
def test_nobody_marks_what_others_have_to_read(
    client: Client, alice: User, bob: User, number: str
) -> None:
    row = tell(bob)
    client.force_login(alice)
    assert client.post(READ, {"number": number.format(other=row.pk)}).status_code == 302
    row.refresh_from_db()
    assert row.read_at is None


def test_visitors_have_no_notices(client: Client) -> None:
    assert "Notices" not in text(client, "/")


def test_a_long_list_comes_in_pages_and_asks_no_more_questions(client: Client, alice: User) -> None:
    client.force_login(alice)
    counts = []
    for number in (1, 60):
        for part in range(number):
            tell(alice, f"{number}-{part}")
        with CaptureQueriesContext(connection) as queries:
            page = client.get(PAGE)
        counts.append(len(queries))
    assert len(page.context["page"]) == 25
    assert "Subject 1-0" in text(client, f"{PAGE}?page=3")
    assert counts[0] == counts[1]


def form(**changes: Any) -> dict[str, Any]:
    ways = {topic.value: "at_once" for topic in CHOOSABLE}
    return {**ways, "digest_hour": "8", "quiet_from": "", "quiet_until": "", **changes}


def test_alice_chooses_how_she_is_told(client: Client, alice: User, bob: User) -> None:
    tell(alice)
    client.force_login(alice)
    wish = form(quota="digest", request="pages", quiet_from="22:00", quiet_until="07:30")
    assert client.post(SETTINGS, wish)["Location"] == SETTINGS
    found = preferences_of([alice, bob])
    assert found[alice.pk].way(Topic.QUOTA) is Way.DIGEST
    assert found[alice.pk].way(Topic.REQUEST) is Way.PAGES
    assert found[alice.pk].way(Topic.FORECAST) is Way.AT_ONCE
    assert found[alice.pk].way(Topic.SESSION) is Way.AT_ONCE
    assert found[alice.pk].quiet == Quiet(time(22), time(7, 30))
    assert found[bob.pk].way(Topic.REQUEST) is Way.AT_ONCE
    assert found[bob.pk].way(Topic.FORECAST) is Way.DIGEST
    assert Notice.objects.get().in_digest
    shown = client.get(SETTINGS).context["form"]
    assert shown.initial["quota"] == "digest"
    assert 'value="22:00"' in str(shown)
    assert Change.objects.filter(actor=alice).exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"quiet_from": "22:00"}, "Say both"),
        ({"quiet_until": "07:00"}, "Say both"),
        ({"quiet_from": "07:00", "quiet_until": "07:00"}, "another time"),
        ({"quiet_from": "25:00", "quiet_until": "07:00"}, "valid time"),
        ({"digest_hour": "24"}, "valid choice"),
        ({"quota": "never"}, "valid choice"),
    ],
)
def test_a_choice_that_makes_no_sense_is_not_kept(
    client: Client, alice: User, wrong: dict[str, str], words: str
) -> None:
    client.force_login(alice)
    answer = client.post(SETTINGS, form(**wrong))
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not NoticeWay.objects.exists()


def test_a_stopped_session_cannot_be_muted(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.post(SETTINGS, form(session="pages"))
    assert preferences_of([alice])[alice.pk].way(Topic.SESSION) is Way.AT_ONCE
    tell(alice, topic=Topic.SESSION)
    send_next(get_connection(), at=NOW)
    assert "unsubscribe" not in str(mail.outbox[0].body)
    assert "List-Unsubscribe" not in mail.outbox[0].message()


def mailed_link(person: User, settings: Settings, topic: Topic = Topic.QUOTA) -> str:
    """The link that a mail program follows."""
    tell(person, topic=topic)
    send_next(get_connection(), at=NOW)
    headers = mail.outbox[-1].message()
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return str(headers["List-Unsubscribe"]).strip("<>").removeprefix(settings.PORTAL_URL)


def test_one_click_ends_the_mails_about_a_topic(alice: User, bob: User, settings: Settings) -> None:
    browser = Client(enforce_csrf_checks=True)  # signed in nowhere
    path = mailed_link(alice, settings)
    for _ in range(2):  # programs that look at every link change nothing
        assert "End these mails" in text(browser, path)
    assert preferences_of([alice])[alice.pk].way(Topic.QUOTA) is Way.AT_ONCE
    for _ in range(2):
        answer = browser.post(path, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    found = preferences_of([alice, bob])
    assert found[alice.pk].way(Topic.QUOTA) is Way.PAGES
    assert found[alice.pk].way(Topic.REQUEST) is Way.AT_ONCE
    assert found[bob.pk].way(Topic.QUOTA) is Way.AT_ONCE
    assert tell(alice, "later").state == MailState.MUTED


def test_a_link_does_not_tell_who_follows_it_whose_it_is(client: Client, alice: User) -> None:
    page = text(client, link(alice, Topic.QUOTA).partition("8000")[2])
    assert "alice" not in page.lower()


def test_the_link_of_somebody_else_ends_their_mails_and_not_ones_own(
    client: Client, alice: User, bob: User
) -> None:
    client.force_login(bob)
    client.post(link(alice, Topic.QUOTA).partition("8000")[2])
    found = preferences_of([alice, bob])
    assert found[alice.pk].way(Topic.QUOTA) is Way.PAGES
    assert found[bob.pk].way(Topic.QUOTA) is Way.AT_ONCE


def forged(alice: User) -> list[str]:
    good = link(alice, Topic.QUOTA).rstrip("/").rpartition("/")[2]
    return [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        "x" + good,
        signing.dumps([alice.pk, ["quota"]]),
        signing.dumps([alice.pk, ["quota"]], key="another", salt=SALT),
        signing.dumps([alice.pk, ["session"]], salt=SALT),
        signing.dumps([alice.pk + 999_999, ["quota"]], salt=SALT),
    ]


def test_forged_links_end_nothing(client: Client, alice: User) -> None:
    for token in forged(alice):
        assert client.get(f"/notices/unsubscribe/{token}/").status_code == 404
        assert client.post(f"/notices/unsubscribe/{token}/").status_code == 404
    assert not NoticeWay.objects.exists()


def test_administrators_see_who_is_going_to_get_what(
    client: Client, alice: User, bob: User, charlie: User, dora: User,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    choose(alice, ways={}, quiet=None, digest_hour=8, at=NOW)
    tell(alice, topic=Topic.FORECAST)
    tell(bob)
    User.objects.filter(pk=charlie.pk).update(email="")
    tell(charlie)
    client.force_login(dora)
    page = text(client, "/notices/preview/")
    for words in ("in the daily mail", "in a mail of its own", "not sent: no address"):
        assert words in page
    call_command("preview_notices")
    said = capsys.readouterr().out
    assert "never             charlie" in said
    assert "3 of 3 notices that wait" in said
    call_command("preview_notices", user="bob")
    said = capsys.readouterr().out
    assert "bob  quota  in a mail of its own  Subject one" in said
    assert "alice" not in said
    assert mail.outbox == []
    assert set(Notice.objects.values_list("state", flat=True)) == {"waiting"}


def test_the_preview_asks_no_more_questions_with_more_notices(client: Client, dora: User) -> None:
    client.force_login(dora)
    counts = []
    for number in (1, 20):
        for _ in range(number):
            tell(factories.user())
        with CaptureQueriesContext(connection) as queries:
            client.get("/notices/preview/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_administrators_send_again_what_failed(client: Client, alice: User, dora: User) -> None:
    failed, sent = tell(alice), tell(alice, "two")
    Notice.objects.filter(pk=failed.pk).update(state="failed", attempts=16, error="550 no")
    Notice.objects.filter(pk=sent.pk).update(state="sent", sent_at=NOW)
    client.force_login(dora)
    assert "Subject one" in text(client, f"{ADMIN}?state__exact=failed")
    assert "Subject two" not in text(client, f"{ADMIN}?state__exact=failed")
    assert "550 no" in text(client, f"{ADMIN}{failed.pk}/change/")
    wish = {"action": "send_again", "_selected_action": [failed.pk, sent.pk]}
    assert "1 mails are on their way" in client.post(ADMIN, wish, follow=True).content.decode()
    send_next(get_connection(), at=clock.now() + timedelta(minutes=1))
    assert [one.subject for one in mail.outbox] == ["Subject one · LSP Portal"]
    client.force_login(factories.user("sam", is_staff=True))
    assert client.post(ADMIN, wish).status_code == 403
