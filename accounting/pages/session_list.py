"""Lists of sessions with what each used, page by page or as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from accounting.pages import corrections, endings
from accounting.usage import Window
from quotas.vocabulary import Usage, core_hours
from sessions.models import Image, Session, Size
from sessions.models.records import SessionQuerySet
from sessions.usage import Paid, session_usage

ROWS = 25
CHUNK = 2_000
Cursor = tuple[datetime, int]
ALL: Paid = MappingProxyType({})

CURSOR = re.compile(r"([0-9]{1,11})-([0-9]{1,18})")

NOT_CHARGED = "a rescue session: not charged"
COLUMNS = (
    "session", "user", "group", "hub", "server", "image", "size", "cpu_millicores", "memory_mib",
    "gpus", "state", "requested", "ready", "ended", "end_source", "end_reason", "core_hours",
    "sub_name", "affiliation", "correction",
)  # fmt: skip

# A server that is ready runs, as people say.
WORDS = {Session.State.READY: "running"}


@dataclass(frozen=True, slots=True)
class Row:
    """A session as lists show it: its state now, and its usage within the window."""

    session: Session
    state: Session.State
    usage: Usage
    image: str
    size: str
    correction: str = ""

    @property
    def word(self) -> str:
        """The state in a word for people."""
        return WORDS.get(self.state, str(self.state.label))

    @property
    def ending(self) -> str:
        """Who ended the session and why, in plain words; empty while it runs."""
        return endings.words(self.session, self.state)

    def cells(self) -> list[str]:
        """The row as CSV has it, in the order of `COLUMNS`; times are UTC."""
        session = self.session
        values = [
            session.number, session.user or session.user_name, session.group, session.hub,
            session.server, session.image, session.size, session.cpu_millicores,
            session.memory_mib, session.gpus, self.state, session.requested_at, session.ready_at,
            session.ended_at, session.end_source, session.end_reason,
            core_hours(self.usage.millicore_seconds), session.sub_name, session.institution,
            self.correction or (NOT_CHARGED if session.is_rescue else ""),
        ]  # fmt: skip
        return [_cell(value) for value in values]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the cursors that lead to the neighbouring pages."""

    rows: list[Row]
    older: str
    newer: str

    @property
    def is_live(self) -> bool:
        """Whether a session of the page still runs or waits for its server."""
        return any(row.session.ended_at is None for row in self.rows)


def page(
    sessions: SessionQuerySet, window: Window, asked: Mapping[str, Any], *, paid: Paid = ALL
) -> Page:
    """The page that the address asks for by `before` or `after` the cursor of a session."""
    before, after = _cursor(asked.get("before")), _cursor(asked.get("after"))
    if after is not None:
        found = list(_newer(sessions, after)[: ROWS + 1])
        return _page(found[:ROWS][::-1], window, paid, is_older=True, is_newer=len(found) > ROWS)
    found = list(_older(sessions, before)[: ROWS + 1])
    return _page(
        found[:ROWS], window, paid, is_older=len(found) > ROWS, is_newer=before is not None
    )


def every(sessions: SessionQuerySet, window: Window, *, paid: Paid = ALL) -> Iterator[Row]:
    """All rows, newest first, read in bounded pieces."""
    below: Cursor | None = None
    while chunk := list(_older(sessions, below)[:CHUNK]):
        yield from rows(chunk, window, paid=paid)
        below = _cursor(_text(chunk[-1]))


def rows(sessions: list[Session], window: Window, *, paid: Paid = ALL) -> list[Row]:
    """The sessions with state, usage, titles and corrections; a query each for all of them."""
    numbers = [session.number for session in sessions]
    used = session_usage(numbers, at=window.at, window=(window.start, window.end), paid=paid)
    images = _titles(Image, {session.image for session in sessions})
    sizes = _titles(Size, {session.size for session in sessions})
    corrected = corrections.in_words(sessions)
    return [
        Row(
            session,
            session.state(at=window.at),
            used[session.number],
            images.get(session.image, session.image),
            sizes.get(session.size, session.size),
            corrected.get(session.number, ""),
        )
        for session in sessions
    ]


def _titles(kind: type[Image | Size], names: set[str]) -> dict[str, str]:
    return dict(kind.objects.filter(name__in=names).values_list("name", "title"))


def _older(sessions: SessionQuerySet, cursor: Cursor | None) -> SessionQuerySet:
    found = sessions.before(*cursor) if cursor else sessions
    return found.newest_first().select_related("hub", "user", "group")


def _newer(sessions: SessionQuerySet, cursor: Cursor) -> SessionQuerySet:
    return sessions.after(*cursor).newest_first().reverse().select_related("hub", "user", "group")


def _page(
    shown: list[Session], window: Window, paid: Paid, *, is_older: bool, is_newer: bool
) -> Page:
    return Page(
        rows(shown, window, paid=paid),
        older=_text(shown[-1]) if shown and is_older else "",
        newer=_text(shown[0]) if shown and is_newer else "",
    )


def _text(session: Session) -> str:
    return f"{int(session.began.timestamp())}-{session.number}" if session.began else ""


def _cursor(text: Any) -> Cursor | None:
    """Begin and number of a session from an address; anything else counts as absent."""
    found = CURSOR.fullmatch(text) if isinstance(text, str) else None
    return (datetime.fromtimestamp(int(found[1]), UTC), int(found[2])) if found else None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
