"""What the portal and the hub hold, read past their programs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from tests.chaos.script import Place
from tests.chaos.site import Site
from tests.chaos.truth import Record

RECORDS = """
    SELECT key::text, extract(epoch FROM ready_at)::bigint, extract(epoch FROM ended_at)::bigint,
        end_source
    FROM hub_sessions_session
"""
PLACES = """
    SELECT user_name, server FROM hub_sessions_session
    WHERE ready_at IS NOT NULL AND ended_at IS NULL
"""
REPAIRS = "SELECT kind, string_agg(user_name, ' ') FROM hub_sessions_repair GROUP BY kind"


def records(site: Site) -> list[Record]:
    return [Record(*row) for row in site.rows(RECORDS)]


def places_that_run(site: Site) -> set[Place]:
    """Where something runs by the records."""
    return {Place(*row) for row in site.rows(PLACES)}


def repairs(site: Site) -> dict[str, str]:
    """What was repaired: the kinds, each with the people's names."""
    return dict(site.rows(REPAIRS))


def waiting_events(site: Site) -> int:
    """What the hub has not sent."""
    with closing(sqlite3.connect(site.hub.home / "outbox.sqlite")) as outbox:
        return int(outbox.execute("SELECT count(*) FROM event").fetchone()[0])


def running(site: Site) -> set[str]:
    """The sessions of the servers that the hub has, by its own database."""
    with closing(sqlite3.connect(site.hub.home / "hub.sqlite")) as database:
        query = "SELECT state FROM spawners WHERE server_id IS NOT NULL"
        states = [json.loads(state or "{}") for (state,) in database.execute(query)]
    return {state["lsp_session"] for state in states if state}
