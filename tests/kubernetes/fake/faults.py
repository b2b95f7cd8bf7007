"""What goes wrong on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(slots=True)
class Fault:
    """Goes wrong for the next `times` requests that match; `seconds` are Retry-After or a delay.

    Kinds: `too_many` (429), `error` (500), `dropped` (nothing is done, the connection closes),
    `lost` (it is done, the connection closes), `slow` (it is done later); for watches `cut`
    (breaks in the middle of a line after the next event) and `stalled` (nothing comes any more).
    """

    kind: str
    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    times: int = 1
    seconds: float = 1

    def matches(self, verb: str, resource: str, name: str) -> bool:
        return (
            self.times > 0
            and fnmatch(verb, self.verb)
            and fnmatch(resource, self.resource)
            and fnmatch(name, self.name)
        )


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._known.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def take(self, verb: str, resource: str, name: str) -> Fault | None:
        with self._lock:
            found = next((f for f in self._known if f.matches(verb, resource, name)), None)
            if found is not None:
                found.times -= 1
            return found
