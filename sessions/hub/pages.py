"""Reading a hub's list of servers: what JupyterHub answers to `GET /users?state=active`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils.dateparse import parse_datetime

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class HubUnavailable(Exception):  # noqa: N818 - what happened, in the words of the page
    """The hub gave no usable answer; it may have acted all the same."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that the hub has, or is starting or stopping."""

    user: str
    server: str
    ready: bool
    pending: str | None
    started_at: datetime | None = None  # by the hub's clock; None where it does not say
    options: Mapping[str, str] = field(default_factory=dict, compare=False)  # what was chosen


@dataclass(frozen=True, slots=True)
class Listing:
    """What a hub answered when it was asked for its servers."""

    servers: tuple[Server, ...]
    hub_time: datetime | None  # by the hub's clock, when it answered first
    took: timedelta  # until that answer was there


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: some of the servers, and where the next answer begins."""

    servers: list[Server]
    next_offset: int | None


def read(content: dict[str, Any], title: str) -> Page:
    """The servers in one answer. Raises HubUnavailable for what is no page of people."""
    try:
        servers = [server for person in content["items"] for server in _servers(person)]
        following = content["_pagination"]["next"]
        return Page(servers, int(following["offset"]) if following else None)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HubUnavailable(f"{title} sent a list of servers that cannot be read.") from error


def date_of(header: str | None) -> datetime | None:
    """The moment in a `Date` header; None where it says none."""
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except ValueError:
        return None


def _servers(person: dict[str, Any]) -> Iterator[Server]:
    running = ((n, s) for n, s in (person["servers"] or {}).items() if not s.get("stopped"))
    for name, server in running:
        yield Server(
            user=_text(person["name"]),
            server=_text(name),
            ready=bool(server["ready"]),
            pending=server.get("pending"),
            started_at=_moment(server.get("started")),
            options=_options(server.get("user_options")),
        )


def _options(chosen: Any) -> dict[str, str]:
    """Group, image and size among the options of a start, which any program may have sent."""
    known = chosen if isinstance(chosen, dict) else {}
    found = {name: known.get(name) for name in ("group", "image", "size")}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and SLUG.fullmatch(value)
    }


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1024 or "\0" in value:
        raise ValueError("no name")
    value.encode()  # lone surrogates cannot be kept
    return value


def _moment(value: str | None) -> datetime | None:
    moment = parse_datetime(value) if value else None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
