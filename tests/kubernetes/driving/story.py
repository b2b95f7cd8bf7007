"""What the workers do, one step at a time, with a clock of the test's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sessions.kubernetes import following, starting, stopping, sweeping
from sessions.models import Server, Session
from tests.kubernetes.fake import FakeCluster
from tests.sessions.launch.platform import Platform

SECOND = timedelta(seconds=1)
PATIENCE = 10.0  # seconds


@dataclass
class Story:
    """One server on its way."""

    fake: FakeCluster
    platform: Platform
    server: Server
    clock: datetime

    def start(self, *, later: timedelta = SECOND) -> timedelta | None:
        self.clock += later
        return starting.start(self.server.pk, at=self.clock, now=lambda: self.clock)

    def stop(self, *, later: timedelta = SECOND) -> timedelta | None:
        self.clock += later
        return stopping.stop(self.server.pk, at=self.clock, now=lambda: self.clock)

    def follow(self, *, later: timedelta = 2 * SECOND) -> bool:
        self.clock += later
        return following.follow(at=self.clock)

    def sweep(self, *, later: timedelta = 60 * SECOND) -> int:
        self.clock += later
        return sweeping.sweep(at=self.clock)

    def row(self) -> Server:
        self.server.refresh_from_db()
        return self.server

    def session(self) -> Session:
        return Session.objects.get(pk=self.server.pk)

    def codes(self) -> list[str]:
        return list(self.server.steps.order_by("seq").values_list("code", flat=True))

    def until(self, state: str) -> Server:
        """Look again and again until the server is in that state."""
        self._wait(lambda: self.follow() is not None and self.row().state == state, state)
        return self.server

    def ready(self) -> Server:
        assert self.start() is None
        return self.until("ready")

    def until_clean(self) -> Server:
        def is_clean() -> bool:
            self.stop()
            return self.row().cleaned_at is not None

        self._wait(is_clean, "clean")
        return self.server

    def objects(self) -> list[str]:
        """The kinds of the server's own objects in the cluster."""
        own = {"pods", "secrets", "services"}
        there = [r.plural for r, _, name in self.fake.store.contents("lsp") if name[:4] == "lsp-"]
        return sorted(own.intersection(there))

    def pod(self) -> dict[str, Any]:
        [pod] = self.fake.pods("lsp")
        return pod

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < ends, f"not {what}: {self.row().state} {self.codes()}"
            time.sleep(0.05)
