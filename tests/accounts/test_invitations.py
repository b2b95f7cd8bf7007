"""Invitations: who may send them, and who can accept them how often."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_django import DjangoCaptureOnCommitCallbacks as Commit

from accounts import invitations
from accounts.invitations import InvitationError, Wish
from accounts.models import Group, Invitation, Membership, User
from lsp_portal.lib import clock
from tests import factories

PATH = "/groups/transients/invitations/"


@pytest.fixture
def manager(transients: Group) -> User:
    """Somebody who may invite, and see no usage."""
    user = factories.user("mona")
    factories.membership(user, transients, "manager", rights=["invitations"])
    return user


@pytest.fixture
def mails(django_capture_on_commit_callbacks: Commit) -> Commit:
    return django_capture_on_commit_callbacks


def link() -> str:
    lines = mail.outbox[-1].body.splitlines()
    return next(line for line in lines if "/invitations/" in line).partition(":8000")[2]


def invite(group: Group, by: User, mails: Commit, **values: object) -> str:
    """The path in the mail of a new invitation."""
    wish = Wish(**{"email": "erin@example.org", **values})  # type: ignore[arg-type]
    with mails(execute=True):
        invitations.invite(group=group, wish=wish, by=by, at=clock.now())
    return link()


def code(answer: object, text: str) -> int:
    assert text in answer.content.decode()  # type: ignore[attr-defined]
    return answer.status_code  # type: ignore[attr-defined,no-any-return]


def test_alice_invites_and_the_secret_stays_in_the_mail(
    client: Client, alice: User, mails: Commit
) -> None:
    client.force_login(alice)
    with mails(execute=True):
        client.post(PATH, {"email": "erin@example.org", "role": "manager"})
    secret = link().split("/")[2]
    row = Invitation.objects.get()
    assert mail.outbox[0].to == ["erin@example.org"]
    assert (row.role, row.invited_by) == ("manager", alice)
    assert bytes(row.secret_hash) == invitations.digest(secret)
    assert secret not in client.get(PATH).content.decode()
    assert row.expires_at - row.created_at == timedelta(days=14)


@pytest.mark.parametrize("person", ["bob", "charlie"])
def test_members_and_outsiders_find_no_such_page(
    client: Client, person: str, bob: User, charlie: User, alice: User
) -> None:
    client.force_login(User.objects.get(username=person))
    assert client.get(PATH).status_code == 404
    assert client.post(PATH, {"email": "x@example.org", "role": "member"}).status_code == 404
    assert client.get(f"{PATH}many").status_code == 404


def test_a_manager_invites_members_only(
    client: Client, manager: User, alice: User, transients: Group
) -> None:
    client.force_login(manager)
    for role, status in (("pi", 400), ("manager", 400), ("member", 302)):
        answer = client.post(PATH, {"email": "x@example.org", "role": role})
        assert answer.status_code == status
    with pytest.raises(PermissionDenied):
        invitations.invite(group=transients, wish=Wish("x@y.org", "pi"), by=manager, at=clock.now())
    of_a_pi = factories.invitation(transients, alice, role="pi")
    assert client.post(f"{PATH}{of_a_pi.pk}/revoke").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody"},
        {"email": "a@b.org\r\nBcc: c@d.org"},
        {"email": "x" * 250 + "@example.org"},
        {"valid_to": "2020-01-01"},
        {"valid_from": "2099-02-01", "valid_to": "2099-01-01"},
        {"role": "king"},
    ],
)
def test_wrong_wishes_invite_nobody(client: Client, alice: User, wrong: dict[str, str]) -> None:
    client.force_login(alice)
    answer = client.post(PATH, {"email": "erin@example.org", "role": "member"} | wrong)
    assert answer.status_code == 400
    assert not Invitation.objects.exists()


def test_an_invitation_serves_once(
    client: Client, alice: User, charlie: User, bob: User, transients: Group, mails: Commit
) -> None:
    path = invite(transients, alice, mails)
    client.force_login(charlie)
    assert code(client.get(path), "Alice Example invites you") == 200
    assert not charlie.memberships.filter(group=transients).exists()
    assert client.post(path)["Location"] == "/"
    made = charlie.memberships.get(group=transients)
    assert (made.role, made.added_by, made.synced) == ("member", alice, False)
    assert code(client.post(path), "accepted already") == 409
    client.force_login(factories.user("frank"))
    assert code(client.get(path), "accepted already") == 409
    assert code(client.post(path), "accepted already") == 409
    assert Membership.objects.filter(invitation__isnull=False).count() == 1


def test_bad_links_say_what_is_wrong(
    client: Client, alice: User, bob: User, charlie: User, transients: Group, mails: Commit
) -> None:
    client.force_login(bob)
    assert code(client.get("/invitations/nonsense/"), "no such invitation") == 404
    assert client.get("/invitations/%00%ff/").status_code == 404
    path = invite(transients, alice, mails)
    assert code(client.post(path), "already have a role") == 409
    row = Invitation.objects.get()
    assert row.accepted_at is None
    client.force_login(charlie)
    invitations.revoke(invitation=row, at=clock.now())
    assert code(client.post(path), "taken back") == 410
    late = invite(transients, alice, mails)
    Invitation.objects.filter(revoked_at=None).update(expires_at=clock.now())
    assert code(client.get(late), "has expired") == 410
    assert not charlie.memberships.filter(group=transients).exists()


def test_a_new_link_replaces_the_old_one(
    client: Client, alice: User, charlie: User, transients: Group, mails: Commit
) -> None:
    old = invite(transients, alice, mails)
    row = Invitation.objects.get()
    Invitation.objects.update(expires_at=clock.now())
    client.force_login(alice)
    with mails(execute=True):
        assert client.post(f"{PATH}{row.pk}/renew").status_code == 302
    new = link()
    client.force_login(charlie)
    assert client.get(old).status_code == 404
    assert client.post(new).status_code == 302
    client.force_login(alice)
    assert client.post(f"{PATH}{row.pk}/renew").status_code == 409
    assert client.post(f"{PATH}{row.pk}/revoke").status_code == 409


def test_a_managers_ceiling_and_right_count_at_the_acceptance(
    client: Client, manager: User, alice: User, charlie: User, transients: Group, mails: Commit
) -> None:
    path = invite(transients, manager, mails)
    Membership.objects.filter(user=manager).update(ceiling=2)
    client.force_login(charlie)
    assert code(client.post(path), "The group is full") == 409
    Membership.objects.filter(user=manager).update(ceiling=3, rights=["usage"])
    assert code(client.post(path), "may not invite") == 409
    Membership.objects.filter(user=manager).update(rights=["invitations"])
    assert client.post(path).status_code == 302


def test_by_setting_who_accepts_still_waits(
    client: Client, alice: User, transients: Group, mails: Commit, settings: Settings
) -> None:
    settings.INVITATIONS_REGISTER = False
    erin = factories.user("erin", registered_at=None)
    path = invite(transients, alice, mails)
    client.force_login(erin)
    client.post(path)
    erin.refresh_from_db()
    assert erin.registered_at is None
    assert erin.memberships.get().group == transients


def test_strangers_see_the_offer_and_are_sent_to_sign_in(
    client: Client, alice: User, transients: Group, mails: Commit
) -> None:
    path = invite(transients, alice, mails)
    assert code(client.get(path), "Sign in and go on") == 200
    assert client.post(path)["Location"].startswith("/sign-in?next=%2Finvitations%2F")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_wins() -> None:
    alice, group = factories.user("alice"), factories.group("transients")
    factories.membership(alice, group, "pi")
    row = factories.invitation(group, alice)
    people = [factories.user() for _ in range(4)]
    outcomes: list[str] = []
    start = threading.Barrier(len(people))

    def accept(user: User) -> None:
        start.wait()
        try:
            invitations.accept(invitation=row, user=user, at=clock.now())
            outcomes.append("in")
        except InvitationError as error:
            outcomes.append(error.code)
        connection.close()

    threads = [threading.Thread(target=accept, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_accepted"] * 3 + ["in"]
    assert Membership.objects.filter(invitation=row).count() == 1


def test_the_number_of_queries_does_not_grow(
    client: Client, alice: User, transients: Group,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    for _ in range(30):
        factories.invitation(transients, alice)
    client.force_login(alice)
    with django_assert_max_num_queries(9):
        assert "guest-" in client.get(PATH).content.decode()


TABLE = "email,role,valid_from,valid_to\na@x.org,member,2026-01-01,2099-01-01\nb@x.org,pi,,\n"


def test_many_are_invited_after_a_dry_run(client: Client, alice: User, mails: Commit) -> None:
    client.force_login(alice)
    page = client.post(f"{PATH}many", {"text": TABLE})
    assert code(page, "These 2 would be invited") == 200
    assert not Invitation.objects.exists()
    with mails(execute=True):
        client.post(f"{PATH}many", {"text": TABLE, "confirm": "yes"})
    assert [(row.email, row.role) for row in Invitation.objects.order_by("pk")] == [
        ("a@x.org", "member"), ("b@x.org", "pi"),
    ]  # fmt: skip
    assert [message.to for message in mail.outbox] == [["a@x.org"], ["b@x.org"]]


def test_a_table_with_a_wrong_row_invites_nobody(client: Client, alice: User) -> None:
    client.force_login(alice)
    bad = "email;role;valid_to\na@x.org;member;\nnobody;king;soon\na@x.org;;2020-01-01\n"
    file = SimpleUploadedFile("people.csv", b"\xef\xbb\xbf" + bad.encode())
    page = client.post(f"{PATH}many", {"file": file, "confirm": "yes"})
    found = [(p.line, p.column) for p in page.context["checked"].problems]
    assert found == [(3, "email"), (3, "role"), (3, "valid_to"), (4, "email"), (4, "valid_to")]
    assert code(page, "Use an e-mail address such as") == 400
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    "table",
    ["", "email\n", "name\nbob\n", "email,king\na@x.org,1\n", "email\n" + "a@x.org\n" * 501, "\0"],
)
def test_a_table_that_is_none_is_a_400(client: Client, alice: User, table: str) -> None:
    client.force_login(alice)
    assert client.post(f"{PATH}many", {"text": table, "confirm": "yes"}).status_code == 400
    assert not Invitation.objects.exists()


def test_a_manager_cannot_invite_pis_by_table(client: Client, manager: User) -> None:
    client.force_login(manager)
    assert client.post(f"{PATH}many", {"text": TABLE, "confirm": "yes"}).status_code == 400
    assert not Invitation.objects.exists()
