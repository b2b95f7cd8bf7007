"""What becomes of pods, as tests want it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch


@dataclass(frozen=True, slots=True)
class Plan:
    """The course of a pod; times are in seconds.

    `pull_error` has the image refused. `probe_url` is asked until it answers, then the pod is
    ready. `ends_seconds` after it runs it ends with the exit code, killed for memory if `oom`;
    `log` is what it wrote. `prepared` has the exit code and the message of init containers by
    name; others end well.
    """

    pull_seconds: float = 0.0
    pull_error: str = ""
    start_seconds: float = 0.0
    ready_seconds: float = 0.0
    never_ready: bool = False
    probe_url: str = ""
    kill_seconds: float = 0.0
    ends_seconds: float | None = None
    exit_code: int = 0
    oom: bool = False
    log: str = ""
    prepared: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass
class Plans:
    """The newest plan whose pattern fits the name of the pod counts."""

    known: list[tuple[str, Plan]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, plan: Plan) -> None:
        with self.lock:
            self.known.insert(0, (name, plan))

    def of(self, name: str) -> Plan:
        with self.lock:
            return next((plan for pattern, plan in self.known if fnmatch(name, pattern)), Plan())
