"""The portal's client of a hub, against answers as JupyterHub gives them."""

from __future__ import annotations

import json

import pytest
import requests
import responses
from responses import matchers

from sessions.hub import servers
from sessions.hub.client import HubClient, HubRefused, HubUnavailable
from sessions.hub.pages import Server
from sessions.hub.registry import rotate_secret
from sessions.hub.secrets import service_token
from sessions.models import Session
from sessions.refusals import LaunchRefused
from tests.sessions.launch.platform import HOUR, NOW, Platform

API = "http://hub.invalid/hub/api"


@pytest.fixture
def hub_client(platform: Platform) -> HubClient:
    return HubClient.of(platform.hub, at=NOW)


class TestTheClient:
    @responses.activate
    def test_it_starts_a_server_as_the_service_and_names_who_asked(
        self, platform: Platform, hub_client: HubClient
    ) -> None:
        call = responses.post(
            f"{API}/users/b%C3%B6b/servers/my%20lab",
            status=202,
            match=[
                matchers.json_params_matcher({"session": "s", "size": "tiny"}),
                matchers.header_matcher(
                    {
                        "Authorization": f"token {service_token(platform.hub, at=NOW)}",
                        "X-LSP-Actor": "bob",
                    }
                ),
            ],
        )
        hub_client.start_server("böb", "my lab", {"session": "s", "size": "tiny"}, actor="bob")
        assert call.call_count == 1

    @responses.activate
    def test_somebody_who_is_new_to_the_hub_is_created(self, hub_client: HubClient) -> None:
        responses.post(f"{API}/users/bob/server", status=404, json={"message": "No such user"})
        created = responses.post(f"{API}/users/bob", status=201)
        started = responses.post(f"{API}/users/bob/server", status=201)
        hub_client.start_server("bob", "", {}, actor="bob")
        assert (created.call_count, started.call_count) == (1, 1)

    @responses.activate
    def test_where_the_portal_may_not_create_people_they_are_told_what_to_do(
        self, hub_client: HubClient
    ) -> None:
        responses.post(f"{API}/users/bob/server", status=404, json={"message": "No such user"})
        responses.post(f"{API}/users/bob", status=403, json={"message": "Forbidden"})
        with pytest.raises(HubRefused, match="Demo hub does not know “bob” yet"):
            hub_client.start_server("bob", "", {}, actor="bob")

    @responses.activate
    def test_what_the_hub_says_is_passed_on(self, hub_client: HubClient) -> None:
        responses.post(
            f"{API}/users/bob/server", status=400, json={"message": "bob is already running"}
        )
        with pytest.raises(HubRefused, match="Demo hub: bob is already running"):
            hub_client.start_server("bob", "", {}, actor="bob")

    def test_a_hub_that_has_not_got_the_new_secret_yet_knows_the_old_token(
        self, platform: Platform
    ) -> None:
        old = service_token(platform.hub, at=NOW)
        rotate_secret(platform.hub, overlap=HOUR, at=NOW)
        new = service_token(platform.hub, at=NOW)
        with responses.RequestsMock() as mock:
            for token, status, answer in (
                (new, 403, {"message": "Missing or invalid credentials."}),
                (old, 200, {"version": "6.1.1"}),
            ):
                matcher = matchers.header_matcher({"Authorization": f"token {token}"})
                mock.get(f"{API}/", status=status, json=answer, match=[matcher])
            assert HubClient.of(platform.hub, at=NOW).version() == "6.1.1"

    def test_a_hub_that_knows_no_token_is_away(self, hub_client: HubClient) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{API}/", status=403, json={"message": "Missing or invalid credentials."})
            with pytest.raises(HubUnavailable, match="does not accept the portal's token"):
                hub_client.version()

    @pytest.mark.parametrize("status", [401, 500, 502, 503, 302])
    def test_an_answer_that_is_no_decision_means_that_the_hub_is_away(
        self, hub_client: HubClient, status: int
    ) -> None:
        with responses.RequestsMock() as mock:
            mock.delete(f"{API}/users/bob/server", status=status, body="<html>")
            with pytest.raises(HubUnavailable, match=f"Demo hub answered {status}"):
                hub_client.stop_server("bob", "", actor="bob")

    @pytest.mark.parametrize(
        "error", [requests.ConnectionError(), requests.Timeout(), requests.TooManyRedirects()]
    )
    def test_no_answer_at_all_means_that_the_hub_is_away(
        self, hub_client: HubClient, error: Exception
    ) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{API}/", body=error)
            with pytest.raises(HubUnavailable, match="Demo hub does not answer"):
                hub_client.version()

    @pytest.mark.parametrize("body", ["", "[]", "<html>", "\xff"])
    def test_an_answer_that_is_no_object_means_that_the_hub_is_away(
        self, hub_client: HubClient, body: str
    ) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{API}/", body=body)
            with pytest.raises(HubUnavailable, match="not one of a hub's API"):
                hub_client.version()

    @pytest.mark.parametrize("status", [202, 204, 404])
    def test_a_server_that_is_gone_has_stopped(self, hub_client: HubClient, status: int) -> None:
        with responses.RequestsMock() as mock:
            mock.delete(
                f"{API}/users/bob/servers/lab",
                status=status,
                match=[matchers.header_matcher({"X-LSP-Reason": "quota"})],
            )
            hub_client.stop_server("bob", "lab", actor="lsp-portal", reason="quota")

    @responses.activate
    def test_all_pages_of_servers_are_read(self, hub_client: HubClient) -> None:
        pages = [
            (0, [_person("alice", ready=True), {"name": "idle", "servers": {}}], {"offset": 200}),
            (200, [_person("bob", "lab", pending="spawn")], None),
        ]
        for offset, items, following in pages:
            responses.get(
                f"{API}/users",
                json={"items": items, "_pagination": {"next": following}},
                match=[
                    matchers.query_param_matcher(
                        {"state": "active", "limit": 200, "offset": offset}
                    )
                ],
            )
        assert list(hub_client.active_servers().servers) == [
            Server("alice", "", True, None),
            Server("bob", "lab", False, "spawn"),
        ]

    def test_a_hub_without_an_address_is_away(self, platform: Platform) -> None:
        platform.hub.api_url = ""
        with pytest.raises(HubUnavailable, match="does not know the address"):
            HubClient.of(platform.hub, at=NOW)

    def test_a_hub_without_a_valid_secret_is_away(self, platform: Platform) -> None:
        platform.hub.secrets.update(valid_to=NOW)
        with pytest.raises(HubUnavailable, match="no valid secret"):
            HubClient.of(platform.hub, at=NOW)


def _person(
    name: str, server: str = "", *, ready: bool = False, pending: str | None = None
) -> dict[str, object]:
    return {"name": name, "servers": {server: {"ready": ready, "pending": pending}}}


class TestStartingFromThePortal:
    def start(self, platform: Platform, **changes: str | None) -> object:
        values: dict[str, str | None] = {"group": "transients", "image": None, "size": "tiny"}
        return servers.start_from_portal(
            hub=platform.hub,
            user=platform.bob,
            at=NOW,
            **(values | changes),  # type: ignore[arg-type]  # one dictionary for all of them
        )

    @responses.activate
    def test_the_hub_is_told_what_its_plugin_will_ask_again(self, platform: Platform) -> None:
        call = responses.post(f"{API}/users/bob/server", status=202)
        self.start(platform)
        session = Session.objects.get()
        asked = session.grant["asked"] if session.grant else {}
        expected = {"session": str(session.key), "group": "transients", "size": "tiny"}
        assert call.calls[0].request.body == _body(expected)
        assert asked == {
            "user": "bob",
            "server": "",
            "actor": "bob",
            "group": "transients",
            "image": None,
            "size": "tiny",
        }

    @pytest.mark.parametrize(
        ("status", "error"), [(503, HubUnavailable), (400, HubRefused), (404, HubRefused)]
    )
    def test_where_the_hub_does_not_start_it_the_grant_is_withdrawn(
        self, platform: Platform, status: int, error: type[Exception]
    ) -> None:
        platform.quota("0.5")
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            mock.post(f"{API}/users/bob/server", status=status, json={"message": "no"})
            mock.post(f"{API}/users/bob", status=403)
            with pytest.raises(error):
                self.start(platform)
        session = Session.objects.get()
        assert session.state(at=NOW) == Session.State.FAILED
        assert session.message
        with responses.RequestsMock() as mock:
            mock.post(f"{API}/users/bob/server", status=202)
            self.start(platform)  # the hold was freed

    def test_what_the_portal_refuses_never_reaches_the_hub(self, platform: Platform) -> None:
        platform.quota("0")
        with responses.RequestsMock(), pytest.raises(LaunchRefused):
            self.start(platform)
        assert not Session.objects.exists()

    def test_a_name_that_the_hub_gave_to_somebody_else_starts_nothing(
        self, platform: Platform
    ) -> None:
        platform.hub.user_names.create(name="bob", user=platform.alice)
        with pytest.raises(LaunchRefused, match="does not know"):
            self.start(platform)


class TestStoppingFromThePortal:
    @pytest.mark.parametrize(
        ("who", "actor", "reason"), [("bob", "rob", "user"), ("alice", "alice", "admin")]
    )
    def test_the_hub_is_told_who_asked(
        self, platform: Platform, who: str, actor: str, reason: str
    ) -> None:
        session = platform.running(1, user=platform.bob, user_name="rob", server="lab")
        with responses.RequestsMock() as mock:
            mock.delete(
                f"{API}/users/rob/servers/lab",
                status=202,
                match=[matchers.header_matcher({"X-LSP-Actor": actor, "X-LSP-Reason": reason})],
            )
            assert servers.stop_from_portal(session, actor=getattr(platform, who), at=NOW)
        session.refresh_from_db()
        assert session.stop_requested_at == NOW

    def test_the_wish_is_kept_where_the_hub_is_away(self, platform: Platform) -> None:
        session = platform.running(1)
        with responses.RequestsMock() as mock:
            mock.delete(f"{API}/users/alice/servers/1", body=requests.ConnectionError())
            with pytest.raises(HubUnavailable):
                servers.stop_from_portal(session, actor=platform.alice, at=NOW)
        session.refresh_from_db()
        assert session.state(at=NOW) == Session.State.STOPPING

    def test_what_has_ended_is_not_stopped_again(self, platform: Platform) -> None:
        session = platform.running(1)
        Session.objects.update(ended_at=NOW, end_source="stop")
        session.refresh_from_db()
        with responses.RequestsMock():
            assert not servers.stop_from_portal(session, actor=platform.alice, at=NOW + HOUR)


def _body(content: dict[str, str]) -> bytes:
    return json.dumps(content).encode()
