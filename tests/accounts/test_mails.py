"""Mails as a mail server receives them, and brokers that are down."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import invitations, tasks
from accounts.approvals import announce
from accounts.invitations import Wish
from accounts.models import Group, User
from lsp_portal.lib import clock, env
from tests import factories
from tests.smtp import MailServer


def test_an_invitation_reaches_a_real_server_with_both_texts_and_one_recipient(
    mail_server: MailServer,
    alice: User,
    transients: Group,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    alice.first_name = "Ålice\r\nBcc: victim@example.org\r\n\r\n<b>Click</b>"
    alice.save(update_fields=["first_name"])
    Group.objects.update(title="Transients\nTo: other@example.org")
    with django_capture_on_commit_callbacks(execute=True):
        wish = Wish("erin@example.org")
        invitations.invite(group=transients, wish=wish, by=alice, at=clock.now())
    [mail] = mail_server.mails
    assert mail_server.recipients == ["erin@example.org"]
    assert mail["To"] == "erin@example.org"
    assert mail["Bcc"] is None
    plain, page = (part.get_content() for part in mail.iter_parts())
    assert "Ålice Bcc: victim@example.org <b>Click</b>" in plain
    assert "&lt;b&gt;Click" in page
    assert "/invitations/" in plain
    assert "/invitations/" in page
    assert mail["Subject"].strip().startswith("Invitation to Transients To: other@")


def test_a_broker_that_is_down_breaks_nothing(
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def refuse(*arguments: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.mail_waiting, "delay", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        announce(alice)
    assert "a task was not sent" in caplog.text


def test_who_was_decided_about_meanwhile_is_announced_to_nobody(dora: User) -> None:
    assert tasks.mail_waiting(factories.user("erin").pk) == 0


def test_without_address_nobody_is_written_to(db: None, dora: User) -> None:
    User.objects.update(email="")
    assert tasks.mail_waiting(factories.user("erin", registered_at=None).pk) == 0


@pytest.mark.parametrize(
    ("address", "port", "starttls", "tls"),
    [
        ("smtp://mail.example", 25, False, False),
        ("smtp+starttls://u%40x:p%2Fw@mail.example", 587, True, False),
        ("smtps://u:p@mail.example:1465", 1465, False, True),
    ],
)
def test_the_address_of_a_mail_server(
    monkeypatch: pytest.MonkeyPatch, address: str, port: int, starttls: bool, tls: bool
) -> None:
    monkeypatch.setenv("EMAIL_URL", address)
    found = env.mail_server("EMAIL_URL")
    assert found is not None
    assert (found["host"], found["port"]) == ("mail.example", port)
    assert (found["starttls"], found["tls"]) == (starttls, tls)
    if starttls:
        assert (found["user"], found["password"]) == ("u@x", "p/w")


@pytest.mark.parametrize(
    "address", ["mail.example", "http://mail.example", "smtp://", "smtp://h:x"]
)
def test_a_wrong_address_stops_the_start(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("EMAIL_URL", address)
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        env.mail_server("EMAIL_URL")
