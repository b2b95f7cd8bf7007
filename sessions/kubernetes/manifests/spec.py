"""What one server shall be, in the words of the portal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from quotas.vocabulary import Resources
from sessions.kubernetes import names
from sessions.kubernetes.names import Manifest


@dataclass(frozen=True, slots=True)
class HomeMount:
    """A home: where the server sees it, the claim it is on, and the directory there.

    Without `sub_path` the claim is the person's own, of `size` bytes.
    """

    path: str
    claim: str
    sub_path: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """On which nodes a server may run, those to keep away from, and how important it is there."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    priority_class: str = ""
    avoided: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What one server shall be, in the namespace where the home is.

    `image` is by digest; `environment` is readable by administrators of the cluster's pods,
    `secret_environment` by those of its secrets. A rescue session has `rescue_seconds` to live.
    """

    session: UUID
    number: int
    hub: str
    namespace: str
    user: str
    server: str
    image: str
    command: tuple[str, ...]
    port: int
    resources: Resources
    uid: int
    gids: tuple[int, ...]
    home: HomeMount
    group: str = ""
    rescue_seconds: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: Mapping[str, str] = field(default_factory=dict)
    placement: Placement = Placement()

    @property
    def name(self) -> str:
        return names.server_name(self.user, self.server, self.session)

    @property
    def is_rescue(self) -> bool:
        return self.rescue_seconds > 0

    @property
    def owner(self) -> dict[str, str]:
        """What objects say that are the person's for longer than a session."""
        return {names.USER: self.user, names.UID: str(self.uid)}

    def metadata(self) -> Manifest:
        """What the server's pod, service and secret say of themselves."""
        annotations = {
            names.SESSION: str(self.session),
            names.NUMBER: str(self.number),
            names.USER: self.user,
            names.SERVER: self.server,
            names.GROUP: self.group,
            names.HUB: self.hub,
        }
        return {
            "name": self.name,
            "namespace": self.namespace,
            "labels": names.labels(names.NOTEBOOK, self.user, self.server),
            "annotations": annotations,
        }
