"""Numbers of people and groups are given once; file servers read them from tables."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import posix
from accounts.approvals import evidence
from accounts.identity.failures import SignInFailedError
from accounts.identity.providers import Provider
from accounts.models import ApiToken, Group, PosixId, User
from accounts.registration import sign_in_identity
from lsp_portal.lib import clock
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)


class TestNumbers:
    @pytest.fixture(autouse=True)
    def _from_the_first_number_on(self) -> None:
        """What sequences gave is not rolled back with a test."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval('accounts_uid', 1), setval('accounts_gid', 1)")

    def test_they_come_from_the_ranges_of_the_settings(self, settings: Settings) -> None:
        settings.UID_RANGE, settings.GID_RANGE = (41_000, 41_009), (42_000, 42_009)
        people = [factories.user().uid for _ in range(3)]
        groups = [factories.group().gid for _ in range(2)]
        assert (people, groups) == ([41_000, 41_001, 41_002], [42_000, 42_001])
        settings.UID_RANGE = (30_000, 30_009)
        assert factories.user().uid == 30_000

    def test_a_person_and_a_group_never_share_a_number(self, settings: Settings) -> None:
        settings.UID_RANGE = settings.GID_RANGE = (41_000, 41_003)
        numbers = [factories.user().uid, factories.group().gid, factories.user().uid]
        assert len(set(numbers)) == 3

    def test_many_at_once_get_one_each(self, settings: Settings) -> None:
        settings.UID_RANGE = (41_000, 41_009)
        people = [User(username=f"p{number}") for number in range(5)]
        User.objects.bulk_create(people)
        assert sorted(person.uid for person in people) == list(range(41_000, 41_005))

    def test_what_was_deleted_is_not_given_again(self, settings: Settings) -> None:
        settings.UID_RANGE = (41_000, 41_003)
        first = factories.user()
        first.delete()
        assert factories.user().uid == first.uid + 1
        with pytest.raises(IntegrityError), transaction.atomic():
            factories.user(uid=first.uid)

    def test_what_was_rolled_back_is_not_given_again(self, settings: Settings) -> None:
        settings.UID_RANGE = (41_000, 41_009)
        numbers = []
        for _ in range(2):
            with transaction.atomic():
                numbers.append(factories.user().uid)
                transaction.set_rollback(True)
        assert numbers == [41_000, 41_001]

    def test_numbers_that_were_imported_are_passed_over(self, settings: Settings) -> None:
        settings.UID_RANGE = (41_000, 41_009)
        factories.user(uid=41_001)
        assert [factories.user().uid for _ in range(2)] == [41_000, 41_002]

    def test_the_end_of_a_range_is_said_clearly(self, settings: Settings) -> None:
        settings.UID_RANGE = (41_000, 41_001)
        posix.ensure_numbers_left("user")
        factories.user()
        factories.user()
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            factories.user()
        assert posix.is_used_up(refusal.value)
        assert "all numbers from 41000 to 41001 are given" in str(refusal.value)
        with pytest.raises(ValidationError, match="Set UID_RANGE to another range"):
            posix.ensure_numbers_left("user")
        posix.ensure_numbers_left("group")

    def test_other_refusals_of_the_database_are_not_taken_for_it(self) -> None:
        bob = factories.user("bob")
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            factories.user(bob.username)
        assert not posix.is_used_up(refusal.value)

    @pytest.mark.parametrize("kind", [User, Group])
    def test_they_are_permanent(self, kind: type[User | Group]) -> None:
        row: Any = factories.user() if kind is User else factories.group()
        name = "uid" if kind is User else "gid"
        with pytest.raises(IntegrityError, match="numbers are permanent"), transaction.atomic():
            kind.objects.filter(pk=row.pk).update(**{name: 1234})
        kind.objects.filter(pk=row.pk).update(**{name: getattr(row, name)})

    @pytest.mark.parametrize(
        "statement", ["DELETE FROM accounts_posixid", "UPDATE accounts_posixid SET number = 7"]
    )
    def test_the_registry_keeps_what_it_has(self, statement: str) -> None:
        factories.user()
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert PosixId.objects.filter(kind="user").exists()


class TestClaims:
    def test_a_free_number_is_taken_over(self) -> None:
        assert posix.claimed_uid(5001) == posix.claimed_uid("5001")
        assert posix.claimed_uid("5001").number == 5001

    def test_without_a_claim_there_is_nothing_to_say(self) -> None:
        assert posix.claimed_uid(None) == posix.ClaimedUid(None, "")

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "root",
            "-5",
            "5001 ",
            "5001\n",
            "5_001",
            "\u0665\u0660",
            5001.0,
            True,
            [5001],
            {},
            "9" * 11,
        ],
    )
    def test_what_is_no_number_is_noted(self, value: object) -> None:
        claim = posix.claimed_uid(value)
        assert claim.number is None
        assert "is no number" in claim.note

    @pytest.mark.parametrize("number", [0, 999, 65_534, 65_535, 2**31, 2**32 - 1, -1, 10**40])
    def test_a_number_out_of_range_is_noted(self, number: int) -> None:
        claim = posix.claimed_uid(number)
        assert claim.number is None
        assert "so another one was given" in claim.note

    def test_a_number_that_somebody_has_or_had_is_noted(self) -> None:
        gone, there = factories.user(), factories.group()
        gone.delete()
        for number in (gone.uid, there.gid):
            claim = posix.claimed_uid(number)
            assert claim.number is None
            assert "is or was that of another" in claim.note

    def test_an_administrator_is_told_likewise(self) -> None:
        posix.ensure_free_number(5001)
        with pytest.raises(ValidationError, match="is not one from 1000"):
            posix.ensure_free_number(7)


@pytest.fixture
def people() -> dict[str, User]:
    """Somebody of each kind; Zoe leads transients, in which Bob is twice and Carl was once."""
    group = factories.group("transients", gid=6001)
    factories.group("empty", gid=6002)
    found = {
        "zoe": factories.user("zoe", uid=5001, first_name="Zoë: the", last_name="O'Hara,\nx"),
        "bob": factories.user("bob", uid=5002, first_name="", last_name=""),
        "off": factories.user("off", uid=5003, is_active=False),
        "old": factories.user("old", uid=5004, expires_at=NOW),
        "carl": factories.user("carl", uid=5005),
        "new": factories.user("new", uid=5006, registered_at=None),
    }
    factories.membership(found["zoe"], group, "pi")
    factories.membership(found["bob"], group, valid_to=NOW + DAY)
    for name in ("off", "old", "new"):
        factories.membership(found[name], group)
    factories.membership(found["carl"], group, valid_to=NOW)
    return found


class TestTables:
    def test_everybody_who_was_ever_registered_is_a_line(self, people: dict[str, User]) -> None:
        people["carl"].registrations.create(decision="approved", reason="")
        User.objects.filter(username="carl").update(registered_at=None)
        assert posix.passwd(at=NOW).splitlines() == [
            "zoe:x:5001:5001:Zoë the O'Hara x:/home/zoe:/bin/bash",
            "bob:x:5002:5002::/home/bob:/bin/bash",
            "off:x:5003:5003:Off Example:/home/off:/usr/sbin/nologin",
            "old:x:5004:5004:Old Example:/home/old:/usr/sbin/nologin",
            "carl:x:5005:5005:Carl Example:/home/carl:/usr/sbin/nologin",
        ]

    def test_groups_have_who_may_work_then_everybody_has_their_own(
        self, people: dict[str, User]
    ) -> None:
        assert posix.group(at=NOW).splitlines() == [
            "transients:x:6001:bob,zoe",
            "empty:x:6002:",
            "zoe:x:5001:",
            "bob:x:5002:",
            "off:x:5003:",
            "old:x:5004:",
            "carl:x:5005:",
        ]
        assert "transients:x:6001:zoe\n" in posix.group(at=NOW + DAY)

    def test_home_and_shell_are_those_of_the_site(
        self, people: dict[str, User], settings: Settings
    ) -> None:
        settings.POSIX_HOME, settings.POSIX_SHELL = "/data/{uid}/{name}", "/bin/zsh"
        assert "bob:x:5002:5002::/data/5002/bob:/bin/zsh\n" in posix.passwd(at=NOW)

    def test_as_json_it_is_the_same(self, people: dict[str, User]) -> None:
        found = posix.tables(at=NOW)
        lines = [f"{g['name']}:x:{g['gid']}:{','.join(g['members'])}" for g in found["groups"]]
        assert lines == posix.group(at=NOW).splitlines()
        assert found["users"][2] == {
            "name": "off",
            "uid": 5003,
            "gid": 5003,
            "gecos": "Off Example",
            "home": "/home/off",
            "shell": "/usr/sbin/nologin",
            "active": False,
        }

    def test_the_number_of_queries_does_not_grow(
        self, people: dict[str, User], django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(30):
            factories.membership(factories.user(), factories.group())
        with django_assert_num_queries(1):
            posix.passwd(at=NOW)
        with django_assert_num_queries(3):
            posix.group(at=NOW)

    def test_the_command_writes_them_as_files(
        self, people: dict[str, User], tmp_path: Path
    ) -> None:
        out = StringIO()
        with time_machine.travel(NOW, tick=False):
            call_command("export_posix", "--output", str(tmp_path / "tables"), stdout=out)
        assert out.getvalue() == f"5 people and 2 groups written to {tmp_path / 'tables'}\n"
        assert (tmp_path / "tables" / "passwd").read_text() == posix.passwd(at=NOW)
        assert (tmp_path / "tables" / "group").read_text() == posix.group(at=NOW)
        assert json.loads((tmp_path / "tables" / "accounts.json").read_text()) == posix.tables(
            at=NOW
        )
        assert len(list((tmp_path / "tables").iterdir())) == 3

    def test_a_folder_that_cannot_be_written_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(CommandError, match="cannot be written"):
            call_command("export_posix", "--output", str(tmp_path / "file"))


def token(**values: Any) -> str:
    text = f"lsp_{len(ApiToken.objects.all())}"
    digest = hashlib.sha256(text.encode()).digest()
    ApiToken.objects.create(**{"name": "files", "scopes": ["posix"], "digest": digest, **values})
    return text


def fetch(text: str = "", path: str = "passwd", **headers: str) -> Any:
    if text:
        headers["Authorization"] = f"Bearer {text}"
    return Client().get(f"/api/v1/posix/{path}", headers=headers)


class TestTheFeed:
    @pytest.mark.parametrize("path", ["passwd", "group", "accounts.json"])
    def test_a_token_with_the_scope_reads_the_tables(
        self, people: dict[str, User], path: str
    ) -> None:
        answer = fetch(token(), path)
        assert answer.status_code == 200
        expected: dict[str, Any] = {
            "passwd": posix.passwd(at=clock.now()),
            "group": posix.group(at=clock.now()),
        }
        if path in expected:
            assert answer.content.decode() == expected[path]
            assert answer["Content-Type"] == "text/plain; charset=utf-8"
        else:
            assert answer.json() == posix.tables(at=clock.now())

    def test_who_has_it_already_is_told_so(self, people: dict[str, User]) -> None:
        text = token()
        first = fetch(text)
        again = fetch(text, **{"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        User.objects.filter(username="bob").update(is_active=False)
        changed = fetch(text, **{"If-None-Match": first["ETag"]})
        assert changed.status_code == 200
        assert changed["ETag"] != first["ETag"]

    @pytest.mark.parametrize(
        ("values", "status"),
        [
            ({"scopes": ["read", "write"]}, 403),
            ({"expires_at": NOW}, 401),
            ({"revoked_at": NOW}, 401),
        ],
        ids=["other scope", "expired", "revoked"],
    )
    def test_another_token_does_not_open_them(self, values: dict[str, Any], status: int) -> None:
        answer = fetch(token(**values))
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"

    def test_only_an_administrators_own_token_does(self) -> None:
        assert fetch(token(user=factories.user())).status_code == 403
        assert fetch(token(user=factories.administrator())).status_code == 200
        off = factories.user(is_staff=True, is_active=False)
        assert fetch(token(user=off)).status_code == 403

    @pytest.mark.parametrize("text", ["", "lsp_unknown", "\0", "ä"])
    def test_strangers_are_told_to_send_a_token(self, text: str) -> None:
        answer = fetch(text)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"

    def test_an_administrator_may_look_and_nobody_else(self, client: Client) -> None:
        client.force_login(factories.administrator())
        assert client.get("/api/v1/posix/group").status_code == 200
        client.force_login(factories.user())
        assert client.get("/api/v1/posix/group").status_code == 401
        assert client.post("/api/v1/posix/group").status_code == 405


class TestTheAdministration:
    @pytest.fixture
    def dora(self, client: Client) -> Client:
        client.force_login(factories.administrator("dora"))
        return client

    @pytest.mark.parametrize("kind", ["user", "group"])
    def test_the_number_of_a_new_row_may_be_chosen(self, dora: Client, kind: str) -> None:
        answer = self.add(dora, kind, number="7001")
        assert answer.status_code == 302, answer.content
        assert PosixId.objects.get(pk=7001).kind == kind

    @pytest.mark.parametrize("kind", ["user", "group"])
    def test_a_number_that_cannot_be_given_is_refused(self, dora: Client, kind: str) -> None:
        factories.user(uid=7001)
        answer = self.add(dora, kind, number="7001")
        assert "is or was that of another person or group" in answer.content.decode()

    @pytest.mark.parametrize("kind", ["user", "group"])
    def test_without_numbers_left_the_form_says_which_setting_to_change(
        self, dora: Client, kind: str, settings: Settings
    ) -> None:
        factories.user(uid=41_000)
        settings.UID_RANGE = settings.GID_RANGE = (41_000, 41_000)
        answer = self.add(dora, kind, number="")
        assert "ID_RANGE to another range" in answer.content.decode()

    def add(self, client: Client, kind: str, **values: str) -> Any:
        page = client.get(f"/admin/accounts/{kind}/add/")
        inlines = {
            name: value
            for form in page.context["inline_admin_formsets"]
            for name, value in {
                f"{form.formset.prefix}-TOTAL_FORMS": "0",
                f"{form.formset.prefix}-INITIAL_FORMS": "0",
            }.items()
        }
        named = {"name": "newcomer", "title": "New", "kind": "campaign", "username": "newcomer"}
        return client.post(f"/admin/accounts/{kind}/add/", {**named, **inlines, **values})


class TestNewcomers:
    def come(self, subject: str, **claims: object) -> User:
        provider = Provider("site", "the site", "https://i", "id", "secret", uid_claim="uidNumber")
        return sign_in_identity(
            provider=provider, issuer="https://i", subject=subject, claims=claims, at=NOW
        )

    def test_the_first_sign_in_takes_the_claimed_number_over_and_no_later_one(self) -> None:
        assert self.come("bob", uidNumber="7001").uid == 7001
        bob = self.come("bob", uidNumber="7002")
        assert bob.uid == 7001
        assert posix.uid_note(bob, "7001") == "The UID 7001 was claimed."
        assert posix.uid_note(bob, "7002") == "The claimed UID 7002 was not given."

    @pytest.mark.parametrize("claim", ["7001", "root", 7, [], None])
    def test_a_claim_that_cannot_be_followed_fails_nobody(self, claim: object) -> None:
        factories.user(uid=7001)
        first, last = 200_000, 599_999
        newcomer = self.come("eve", uidNumber=claim)
        assert first <= newcomer.uid <= last
        assert bool(posix.uid_note(newcomer, claim)) == (claim is not None)

    def test_a_provider_without_such_a_claim_gives_no_number(self) -> None:
        provider = Provider("site", "the site", "https://i", "id", "secret")
        assert posix.uid_claim(provider, {"": 7001, "uidNumber": 7001}) is None

    def test_the_evidence_says_what_became_of_the_claim(self, settings: Settings) -> None:
        factories.user(uid=7001)
        settings.IDENTITY_PROVIDERS = [
            {"name": "site", "title": "the site", "issuer": "https://i", "client_id": "id",
             "client_secret": "secret", "uid_claim": "uidNumber"}
        ]  # fmt: skip
        newcomer = self.come("eve", uidNumber="7001")
        [note] = evidence(newcomer)["uid"]
        assert note.startswith("The claimed UID 7001 is or was that of another person or group")

    def test_without_numbers_left_the_page_says_so(self, settings: Settings) -> None:
        factories.user(uid=41_000)
        settings.UID_RANGE = (41_000, 41_000)
        with pytest.raises(SignInFailedError, match="cannot take in anybody"):
            self.come("eve")
