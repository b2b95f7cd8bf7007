"""What happens in a chaos: who starts and ends which servers, and what breaks when.

All of it follows from a seed; times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

STOP, CULL, CRASH, FAIL, STAY = "stop", "cull", "crash", "fail", "stay"
ENDS = [STOP] * 5 + [CRASH] * 3 + [CULL] * 2
BROKEN = "broken"  # the name of servers that cannot start

HUB, PORTAL, WORKER, DATABASE = "hub", "portal", "worker", "database"
CUT, STALL, LOSE_ANSWERS = "cut", "stall", "lose answers"
TROUBLES = [CUT, WORKER, LOSE_ANSWERS, HUB, DATABASE, PORTAL, STALL, HUB]
WARM_UP = 5.0  # before the first trouble


@dataclass(frozen=True)
class Place:
    """Where servers run, one after the other: a person, and the name of the server."""

    user: str
    server: str


@dataclass(frozen=True)
class Stay:
    """One session: how long it works, and how it ends."""

    seconds: float
    end: str


@dataclass(frozen=True)
class Trouble:
    """Something breaks that long after the beginning, and is mended after some seconds."""

    at: float
    kind: str
    seconds: float


@dataclass(frozen=True)
class Script:
    """The whole story: what each place sees, and the troubles in order."""

    stays: dict[Place, list[Stay]]
    troubles: list[Trouble]

    @property
    def people(self) -> list[str]:
        return sorted({place.user for place in self.stays})


def write(*, seed: int, sessions: int, seconds: float, places: int) -> Script:
    """A story of so many sessions, on so many places, in about so many seconds."""
    random = Random(seed)
    stays: dict[Place, list[Stay]] = {place: [] for place in islice(_places(), places)}
    mean = seconds * places / sessions
    for place in islice(cycle(stays), sessions - len(stays)):
        stays[place].append(_stay(place, random, mean))
    for number, place in enumerate(stays):
        last = STAY if number % 3 == 0 and place.server != BROKEN else STOP
        stays[place].append(Stay(1.0, FAIL if place.server == BROKEN else last))
    return Script(stays, list(_troubles(random, seconds)))


def _places() -> list[Place]:
    """Each person has a server; some have a second one, some one that never starts."""
    people = [f"person-{number}" for number in range(40)]
    more = [Place(name, BROKEN if n % 6 == 0 else "second") for n, name in enumerate(people)]
    return [place for n, name in enumerate(people) for place in (Place(name, ""), more[n])]


def _stay(place: Place, random: Random, mean: float) -> Stay:
    """A start, an end and what lies between take about three seconds on a slow machine."""
    if place.server == BROKEN:
        return Stay(random.uniform(0.5, 1.5) * mean, FAIL)
    return Stay(random.uniform(0.0, 2.0) * max(1.0, mean - 4.0), random.choice(ENDS))


def _troubles(random: Random, seconds: float) -> list[Trouble]:
    """All kinds in turn, so that each meets every phase of sessions."""
    rounds = max(1, round(seconds / 100))
    kinds = TROUBLES * rounds
    pace = (seconds - WARM_UP) / len(kinds)
    return [
        Trouble(
            WARM_UP + pace * (n + random.uniform(0, 0.4)), kind, random.uniform(0.2, 0.5) * pace
        )
        for n, kind in enumerate(kinds)
    ]
