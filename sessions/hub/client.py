"""The portal's client of a JupyterHub's REST API: start, stop and list servers.

Whatever goes wrong is a HubUnavailable (no usable answer) or a HubRefused (the hub said no), with
a text for people. Nothing here may be called inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import requests

from sessions.hub import pages
from sessions.hub.pages import HubUnavailable, Listing
from sessions.hub.secrets import NoValidSecretError, service_tokens
from sessions.models import Hub

__all__ = ["HubClient", "HubRefused", "HubUnavailable"]

CONNECT_SECONDS = 3.05
# The hub answers the start of a slow server after 10 s (its `slow_spawn_timeout`).
READ_SECONDS = 20
MOST_PAGES = 500
PAGE = 200  # people in one answer; a hub gives at most 200 unless told otherwise
STRANGER = "Missing or invalid credentials"  # what JupyterHub says then
PAGINATION = "application/jupyterhub-pagination+json"


class HubRefused(Exception):  # noqa: N818 - as HubUnavailable
    """The hub said no; the text says why."""


@dataclass(frozen=True, slots=True)
class HubClient:
    """One hub's REST API, as the service that the hub's plugin registers for the portal."""

    title: str
    api_url: str
    tokens: tuple[str, ...]

    @classmethod
    def of(cls, hub: Hub, *, at: datetime) -> Self:
        """The client of a hub. Raises HubUnavailable where its address or secret is not known."""
        if not hub.api_url:
            raise HubUnavailable(f"The portal does not know the address of {hub.title}.")
        try:
            tokens = tuple(service_tokens(hub, at=at))
        except NoValidSecretError as error:
            raise HubUnavailable(str(error)) from error
        return cls(hub.title, hub.api_url.rstrip("/"), tokens)

    def start_server(
        self, user: str, server: str, options: Mapping[str, str], *, actor: str
    ) -> None:
        """Start a server for the person; it need not be ready on return."""
        path, headers = _server_path(user, server), _actor(actor)
        answer = self._send("POST", path, json=dict(options), headers=headers)
        if answer.status_code == 404:
            self._create_user(user)
            answer = self._send("POST", path, json=dict(options), headers=headers)
        self._expect(answer, 201, 202)

    def stop_server(self, user: str, server: str, *, actor: str, reason: str = "user") -> None:
        """Stop a server; it need not have stopped on return. One that is not there is stopped."""
        headers = _actor(actor) | {"X-LSP-Reason": reason}
        answer = self._send("DELETE", _server_path(user, server), headers=headers)
        self._expect(answer, 202, 204, 404)

    def active_servers(self) -> Listing:
        """All servers that run, start or stop, page after page.

        Raises HubUnavailable also where the list is no list of servers, or does not end.
        """
        first = self._page(0)
        content, servers = self._content(first), []
        for _ in range(MOST_PAGES):
            page = pages.read(content, self.title)
            servers += page.servers
            if page.next_offset is None:
                return Listing(
                    tuple(servers), pages.date_of(first.headers.get("Date")), first.elapsed
                )
            content = self._content(self._page(page.next_offset))
        raise HubUnavailable(f"{self.title} lists servers without an end.")

    def _page(self, offset: int) -> requests.Response:
        query = {"state": "active", "limit": PAGE, "offset": offset}
        answer = self._send("GET", "users", params=query, headers={"Accept": PAGINATION})
        return self._expect(answer, 200)

    def version(self) -> str:
        """The hub's version; also the cheapest way to see whether its API answers."""
        return str(self._content(self._expect(self._send("GET", ""), 200)).get("version", ""))

    def _create_user(self, user: str) -> None:
        answer = self._send("POST", f"users/{quote(user, safe='@~')}")
        if answer.status_code in (403, 404):
            raise HubRefused(
                f"{self.title} does not know “{user}” yet. Open the hub once and sign in there."
            )
        self._expect(answer, 201, 409)

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """The answer; while a secret is turned over the hub may know only an earlier token."""
        for token in self.tokens:
            answer = self._send_as(token, method, path, **arguments)
            if not _is_stranger(answer):
                return answer
        raise HubUnavailable(
            f"{self.title} does not accept the portal's token; it may have another secret."
        )

    def _send_as(
        self,
        token: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> requests.Response:
        try:
            return requests.request(
                method,
                f"{self.api_url}/{path}",
                headers={"Authorization": f"token {token}"} | dict(headers or {}),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            raise HubUnavailable(f"{self.title} does not answer. Try again later.") from error

    def _expect(self, answer: requests.Response, *statuses: int) -> requests.Response:
        if answer.status_code in statuses:
            return answer
        message = _message(answer)
        if answer.status_code >= 500 or not message:
            raise HubUnavailable(
                f"{self.title} answered {answer.status_code}"
                f"{f' ({message})' if message else ''}. Try again later."
            )
        raise HubRefused(f"{self.title}: {message}")

    def _content(self, answer: requests.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except requests.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise HubUnavailable(f"{self.title} sent an answer that is not one of a hub's API.")
        return content


def _server_path(user: str, server: str) -> str:
    name = quote(user, safe="@~")
    return f"users/{name}/servers/{quote(server, safe='@~')}" if server else f"users/{name}/server"


def _actor(actor: str) -> dict[str, str]:
    """Who asked, for the plugin's records; header values can only be Latin-1."""
    return {"X-LSP-Actor": actor} if actor.isascii() else {}


def _is_stranger(answer: requests.Response) -> bool:
    """Whether the hub does not know the token, which is not the same as a refusal."""
    return answer.status_code in (401, 403) and _message(answer).startswith(STRANGER)


def _message(answer: requests.Response) -> str:
    try:
        content = answer.json()
    except requests.JSONDecodeError:
        return ""
    return str(content.get("message") or "") if isinstance(content, dict) else ""
