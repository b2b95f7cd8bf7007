"""Keeping up with one source for ever: list, repair, watch; after any trouble a pause and again."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection

from sessions.kubernetes.client import Client, WatchEvent
from sessions.kubernetes.configuration import NotConfigured, cluster
from sessions.kubernetes.failures import Gone, KubernetesError
from sessions.kubernetes.watching.listing import take, take_list
from sessions.kubernetes.watching.memory import Memory, uid_of
from sessions.kubernetes.watching.sources import Source
from sessions.models import ClusterWatch

LOG = logging.getLogger(__name__)
AWAY = (KubernetesError, NotConfigured, DatabaseError, InterfaceError)
NOTED_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, in seconds."""

    relist: float = 300.0  # a full list
    silence: float = 180.0  # bookmarks come about once a minute
    shortest: float = 1.0  # pause after a round, doubled while nothing works
    longest: float = 30.0


@dataclass
class Watcher:
    """One source, followed in a thread of its own until `stopping` is set."""

    source: Source
    now: Callable[[], datetime]
    stopping: threading.Event
    pace: Pace = field(default_factory=Pace)
    memory: Memory = field(default_factory=Memory)
    heard_at: datetime | None = None
    failures: int = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            self._try_round()
            self.stopping.wait(self._pause())
        connection.close()

    def _try_round(self) -> None:
        try:
            self._round()
        except Gone:
            LOG.info("%s is listed again: its version was forgotten", self.source.name)
            self.failures += 1
        except AWAY as error:
            LOG.warning("%s is not heard: %s", self.source.name, error)
            self.failures += 1
            self._note_trouble(str(error))

    def _round(self) -> None:
        """A full list, and a watch until the next is due."""
        client = Client.of(cluster())
        version = take_list(client, self.source, self.memory, at=self.now())
        due = time.monotonic() + self.pace.relist * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
        while not self.stopping.is_set() and (left := due - time.monotonic()) > 0:
            began = time.monotonic()
            version = self._watch(client, version, max(1, round(left)))
            if time.monotonic() - began < self.pace.shortest:
                self.stopping.wait(self._pause())
        self.failures = 0

    def _watch(self, client: Client, version: str, seconds: int) -> str:
        """One watch from this version; the version after it."""
        events = client.watch(
            self.source.kind,
            self.source.namespace,
            selector=self.source.selector,
            resource_version=version,
            timeout_seconds=seconds,
            silence_seconds=self.pace.silence,
        )
        for event in events:
            self._hear(client, event)
            version = event.resource_version
            self.failures = 0
            if self.stopping.is_set():
                break
        return version

    def _hear(self, client: Client, event: WatchEvent) -> None:
        at, thing = self.now(), event.object
        self._note_heard(at)
        if event.kind == "BOOKMARK":
            return
        if event.kind == "DELETED":
            take(client, self.source, [thing], at=at, deleted=True)
            self.memory.forget(uid_of(thing))
        elif self.memory.is_news(thing):
            take(client, self.source, [thing], at=at)
            self.memory.keep(thing)

    def _note_heard(self, at: datetime) -> None:
        if self.heard_at is None or at - self.heard_at >= NOTED_EVERY:
            ClusterWatch.objects.filter(source=self.source.name).update(heard_at=at)
            self.heard_at = at

    def _note_trouble(self, text: str) -> None:
        """Where people look; if the database itself is away, the log has it."""
        try:
            ClusterWatch.objects.update_or_create(
                source=self.source.name, defaults={"trouble": text}
            )
        except (DatabaseError, InterfaceError):
            connection.close()

    def _pause(self) -> float:
        """Doubled with every failure up to the longest, and never the same for two watchers."""
        whole = min(self.pace.shortest * 2.0 ** min(self.failures, 10), self.pace.longest)
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
