"""What the hooks of one hub share: its settings, its outbox, its portal."""

import logging
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from lsp_hub.delivery import Delivery
from lsp_hub.outbox import Outbox
from lsp_hub.portal import Portal
from lsp_hub.store import Key, Seat

LOG = logging.getLogger("lsp_hub")

ALLOW = "allow"
REFUSE = "refuse"


@dataclass(frozen=True)
class Settings:
    """What `configure` was told; times in seconds."""

    portal: str
    hub: str
    on_outage: str
    launch_timeout: float
    options_timeout: float
    snapshot_interval: float
    idle_rule: str
    gpu_resource: str
    cullers: frozenset[str]


@dataclass
class Runtime:
    """The plugin in one hub process."""

    settings: Settings
    portal: Portal
    outbox: Outbox
    delivery: Delivery
    log: logging.Logger = LOG
    started: bool = False  # the hub serves; before that, what ended did so without us
    spawners: "WeakValueDictionary[Key, Any]" = field(default_factory=WeakValueDictionary)
    task: Any = None

    @property
    def outage_allows(self) -> bool:
        return self.settings.on_outage == ALLOW

    def seat_of(self, spawner: Any) -> Seat | None:
        """The open session of a server, from the outbox."""
        return self.outbox.seats.get(key_of(spawner))

    def session_of(self, spawner: Any) -> str | None:
        """The id of the open session of a server; never raises."""
        try:
            seat = self.seat_of(spawner)
        except Exception:  # a spawner that is only half made
            return None
        return seat.session if seat else None


def key_of(spawner: Any) -> Key:
    """The place of a server: user name and server name of the hub."""
    return Key(spawner.user.name, spawner.name or "")
