"""People who start and end servers through the hub's REST API, whatever breaks around them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import requests

from tests.chaos import diary
from tests.chaos.script import CRASH, CULL, FAIL, STAY, Place, Stay
from tests.hub_plugin.real_hub import RealHub

AGAIN = 0.5  # seconds until somebody tries again
PATIENCE = 45.0  # seconds for one start or one end


class GaveUpError(Exception):
    """Something did not happen in PATIENCE."""


class Person:
    """Who uses one place, from one session to the next."""

    def __init__(self, hub: RealHub, place: Place) -> None:
        self.hub = hub
        self.place = place
        tail = f"servers/{place.server}" if place.server else "server"
        self.path = f"users/{place.user}/{tail}"

    def live(self, stays: list[Stay], over: threading.Event) -> int:
        """Go through the sessions, or as many as there are until it is over; the number."""
        for number, stay in enumerate(stays):
            if over.is_set():
                return number
            self.work(stay)
        return len(stays)

    def work(self, stay: Stay) -> None:
        """One session."""
        if stay.end == FAIL:
            self.fail()
            time.sleep(stay.seconds)
            return
        self.start()
        time.sleep(stay.seconds)
        if stay.end == CRASH:
            self.crash()
        elif stay.end != STAY:
            self.stop(who="culler" if stay.end == CULL else "portal")

    def start(self) -> None:
        """Ask for a server until there is one, and wait until it is ready."""
        self._until(self._started)

    def fail(self) -> None:
        """Ask for a server that cannot start, until the hub has tried."""
        self._until(lambda: self._status("POST") == 500)

    def stop(self, who: str = "portal") -> None:
        """Ask that the server ends until the hub has none here."""
        self._until(lambda: self._status("DELETE", who) in (204, 404))

    def crash(self) -> None:
        """kill -9 of the server. Waits until the hub has seen it.

        JupyterHub loses a server that starts in the moment in which it finds the one before dead.
        """
        for life in diary.read(self.hub.home / "labs"):
            if life.place == self.place and life.ended is None:
                diary.kill(life)
        self._until(self._is_gone)

    def _started(self) -> bool:
        status = self._status("POST")
        return status == 201 or (status in (202, 400) and self._is_ready())

    def _is_gone(self) -> bool:
        answer = self.hub.api("GET", f"users/{self.place.user}")
        return answer.ok and self.place.server not in answer.json()["servers"]

    def _is_ready(self) -> bool:
        answer = self.hub.api("GET", f"users/{self.place.user}")
        server = answer.json()["servers"].get(self.place.server) if answer.ok else None
        return bool(server and server["ready"])

    def _status(self, method: str, who: str = "portal") -> int:
        actor = {"X-LSP-Actor": self.place.user} if who == "portal" else {}
        return self.hub.api(method, self.path, who=who, headers=actor).status_code

    def _until(self, is_so: Callable[[], bool]) -> None:
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            try:
                if is_so():
                    return
            except requests.RequestException:  # the hub is away
                pass
            time.sleep(AGAIN)
        raise GaveUpError(f"{self.place} in {PATIENCE} s")
