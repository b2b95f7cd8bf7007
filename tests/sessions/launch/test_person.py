"""Who starts a session: the policy, what their tools are told, and shared accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import Group, Membership, Policy, PolicyAcceptance, User
from sessions.models import Session
from tests import factories
from tests.sessions.launch.platform import HOUR, NOW, Platform, session_key

SECOND = timedelta(seconds=1)


def start(platform: Platform, number: int = 1, **changes: Any) -> Any:
    content = platform.ask(number).content() | {"session": str(session_key(number))}
    with time_machine.travel(NOW, tick=False):
        return platform.send("POST", "sessions", content | changes)


def environment(platform: Platform, **changes: Any) -> dict[str, str]:
    found: dict[str, str] = start(platform, **changes).json()["environment"]
    return found


class TestThePolicy:
    @pytest.fixture
    def policy(self, platform: Platform) -> Policy:
        """In force from this very second; an older one was accepted."""
        old = Policy.objects.create(version="1", text="Be kind.", effective_at=NOW - HOUR)
        PolicyAcceptance.objects.create(user=platform.bob, policy=old)
        return Policy.objects.create(version="2", text="Be kinder.", effective_at=NOW)

    def test_without_acceptance_of_the_newest_nobody_starts(
        self, platform: Platform, policy: Policy
    ) -> None:
        answer = start(platform)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_registered")
        assert "http://127.0.0.1:8000/account/policy/" in answer.json()["detail"]
        assert not Session.objects.exists()

    def test_the_launch_options_say_the_same(self, platform: Platform, policy: Policy) -> None:
        with time_machine.travel(NOW, tick=False):
            answer = platform.send("GET", "launch-options?user=bob")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_registered")
        assert "/account/policy/" in answer.json()["detail"]

    def test_who_accepted_it_starts(self, platform: Platform, policy: Policy) -> None:
        PolicyAcceptance.objects.create(user=platform.bob, policy=policy)
        assert start(platform).status_code == 201

    def test_the_acceptance_of_somebody_else_does_not_count(
        self, platform: Platform, policy: Policy
    ) -> None:
        PolicyAcceptance.objects.create(user=platform.alice, policy=policy)
        assert start(platform).status_code == 403

    def test_a_version_of_the_future_asks_nobody_yet(
        self, platform: Platform, policy: Policy
    ) -> None:
        Policy.objects.filter(pk=policy.pk).update(effective_at=NOW + SECOND)
        assert start(platform).status_code == 201

    def test_a_grant_from_before_is_told_again(self, platform: Platform) -> None:
        first = start(platform)
        Policy.objects.create(version="1", text="Be kind.", effective_at=NOW)
        assert start(platform).content == first.content


class TestTheEnvironment:
    def test_it_has_the_numbers_of_the_groups_of_now(self, platform: Platform) -> None:
        Membership.objects.filter(group=platform.galaxies).update(valid_to=NOW)
        found = environment(platform)
        assert (found["LSP_UID"], found["LSP_GID"], found["LSP_GIDS"]) == ("5002", "5002", "6002")

    def test_closed_groups_keep_their_files(self, platform: Platform) -> None:
        Group.objects.filter(name="galaxies").update(closed_at=NOW)
        assert environment(platform)["LSP_GIDS"] == "6001,6002"

    def test_who_keeps_name_and_address_private_has_none_for_git(self, platform: Platform) -> None:
        User.objects.filter(username="bob").update(shares_git_identity=False)
        assert not [name for name in environment(platform) if name.startswith("GIT_")]

    def test_no_control_character_gets_in(self, platform: Platform) -> None:
        User.objects.filter(username="bob").update(
            first_name="Bob\nGIT_DIR=/", last_name="\x1b[31m \u2028B\u202eo", email="b\r\n@x"
        )
        found = environment(platform)
        assert found["GIT_AUTHOR_NAME"] == found["GIT_COMMITTER_NAME"] == "Bob GIT_DIR=/ [31m B o"
        assert found["GIT_AUTHOR_EMAIL"] == "b @x"

    def test_asked_again_it_is_that_of_the_grant(self, platform: Platform) -> None:
        first = start(platform)
        User.objects.filter(username="bob").update(first_name="Robert", email="r@example.org")
        Membership.objects.filter(group=platform.galaxies).update(valid_to=NOW)
        assert start(platform).content == first.content


class TestSharedAccounts:
    @pytest.fixture
    def platform(self, platform: Platform) -> Platform:
        """Bob's account is one that several people use."""
        User.objects.filter(username="bob").update(
            kind="bucket", owner=platform.alice, expires_at=NOW + 100 * HOUR
        )
        return platform

    @pytest.mark.parametrize("given", [{}, {"sub_name": None}, {"sub_name": " \t"}], ids=str)
    def test_a_start_says_who_it_is(self, platform: Platform, given: dict[str, Any]) -> None:
        answer = start(platform, **given)
        assert (answer.status_code, answer.json()["code"]) == (400, "missing_field")
        assert answer.json()["detail"].startswith("sub_name: is missing.")

    def test_the_options_say_so(self, platform: Platform) -> None:
        with time_machine.travel(NOW, tick=False):
            asks = {
                name: platform.send("GET", f"launch-options?user={name}").json()["asks_sub_name"]
                for name in ("alice", "bob")
            }
        assert asks == {"alice": False, "bob": True}

    def test_it_is_kept_on_the_session(self, platform: Platform) -> None:
        assert start(platform, sub_name=" Zoë, desk 7 ").status_code == 201
        assert Session.objects.get().sub_name == "Zoë, desk 7"

    @pytest.mark.parametrize("name", ["x" * 65, "a\nb", "a\x7fb", "a\u202eb", 7])
    def test_a_name_that_cannot_be_shown_is_refused(self, platform: Platform, name: Any) -> None:
        answer = start(platform, sub_name=name)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_value")
        assert answer.json()["detail"].startswith("sub_name: must")

    def test_another_name_is_another_request(self, platform: Platform) -> None:
        assert start(platform, sub_name="Zoe").status_code == 201
        assert start(platform, sub_name="Zoe").status_code == 201
        assert start(platform, sub_name="Ann").json()["code"] == "conflict"

    def test_the_account_ends_with_its_time(self, platform: Platform) -> None:
        User.objects.filter(username="bob").update(expires_at=NOW)
        assert start(platform, sub_name="Zoe").json()["code"] == "not_registered"


def test_a_person_of_their_own_may_tell_a_name_and_need_not(platform: Platform) -> None:
    assert start(platform, 1).status_code == 201
    assert start(platform, 2, server="two", sub_name="Zoe").status_code == 201
    assert list(Session.objects.order_by("number").values_list("sub_name", flat=True)) == [
        "",
        "Zoe",
    ]


def test_the_administration_shows_who_it_was(platform: Platform, client: Any) -> None:
    start(platform, sub_name="Zoe at desk 7")
    client.force_login(factories.administrator("dora"))
    assert "Zoe at desk 7" in client.get("/admin/hub_sessions/session/").content.decode()
