"""Mails as a mail server receives them, and brokers that are down."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import invitations, tasks
from accounts.approvals import announce
from accounts.invitations import Wish
from accounts.models import Group, Notice, Registration, User
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


def try_for_the_last_time(task: Any, *arguments: object) -> None:
    task.apply(arguments, retries=task.max_retries, throw=False)


def test_who_invited_and_administrators_learn_of_an_invitation_that_nobody_takes(
    mail_server: MailServer, alice: User, bob: User, dora: User, transients: Group
) -> None:
    mail_server.answers["RCPT"] = "550 no such box"
    row = factories.invitation(transients, alice, email="erin@example.org")
    try_for_the_last_time(tasks.mail_invitation, row.pk, "/invitations/secret/")
    found = Notice.objects.filter(recipient__in=[alice, bob, dora])
    assert {notice.recipient for notice in found} == {alice, dora}
    notice = found[0]
    assert notice.subject == "A mail was not sent: the invitation of erin@example.org to Transients"
    assert "no such box" in notice.text
    assert notice.link == "/groups/transients/invitations/"
    assert "secret" not in notice.text + notice.key + notice.link
    assert notice.state == "muted"


def test_administrators_learn_of_a_decision_that_was_not_mailed(
    mail_server: MailServer, dora: User
) -> None:
    mail_server.answers["MAIL"] = "451 not now"
    erin = factories.user("erin")
    row = Registration.objects.create(user=erin, decision="approved", evidence={})
    try_for_the_last_time(tasks.mail_decision, row.pk)
    User.objects.filter(pk=erin.pk).update(registered_at=None)
    try_for_the_last_time(tasks.mail_waiting, erin.pk)
    assert sorted(Notice.objects.filter(recipient=dora).values_list("subject", "link")) == [
        ("A mail was not sent: erin waits for approval", "/registrations/erin/"),
        (
            "A mail was not sent: the decision about erin",
            f"/admin/accounts/registration/{row.pk}/change/",
        ),
    ]


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
