"""One watcher at a time, with a thread for each source; the others stand by.

The lock only saves work: what two watchers see at once is the same evidence.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connection

from lsp_portal.lib import advisory
from sessions.kubernetes.configuration import cluster
from sessions.kubernetes.watching.loop import Pace, Watcher
from sessions.kubernetes.watching.sources import Source, sources

LOG = logging.getLogger(__name__)
LOCK = "watch cluster"
CHECK_SECONDS = 5.0  # between two looks at the lock and at what is to be watched
END_SECONDS = 5.0  # for what is being written; open watches are left behind


def watch_cluster(
    stopping: threading.Event, *, now: Callable[[], datetime], pace: Pace | None = None
) -> None:
    """Watch until `stopping` is set. Raises NotConfigured."""
    cluster()
    while not stopping.is_set():
        try:
            with advisory.try_held(LOCK) as is_mine:
                if is_mine:
                    _lead(stopping, now, pace or Pace())
        except (DatabaseError, InterfaceError) as error:
            LOG.warning("the database is away: %s", error)
            connection.close()
        stopping.wait(CHECK_SECONDS)


def _lead(stopping: threading.Event, now: Callable[[], datetime], pace: Pace) -> None:
    """Have every source followed while the lock's connection, which is this thread's, lives."""
    ending = threading.Event()
    threads: dict[Source, threading.Thread] = {}
    try:
        while not stopping.is_set():
            wanted = sources(cluster())  # also asks the connection that holds the lock
            for source in wanted:
                if source not in threads:
                    threads[source] = _followed(source, ending, now, pace)
            stopping.wait(CHECK_SECONDS)
    finally:
        ending.set()
        for thread in threads.values():
            thread.join(END_SECONDS)


def _followed(
    source: Source, ending: threading.Event, now: Callable[[], datetime], pace: Pace
) -> threading.Thread:
    watcher = Watcher(source, now, ending, pace)
    thread = threading.Thread(target=watcher.run, name=source.name, daemon=True)
    thread.start()
    return thread
