"""Where everything of `make run` is: addresses, folders, what the programs are told."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_network
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
MARK = "LSP_DEMO_HOME"
"""The variable that marks every process of a run; its value is the run's home."""

HELPER = "LSP_DEMO_HELPER"
"""The same for what a hub leaves behind when it is killed and its successor starts anew."""


OBSERVE, DRIVE = "observe", "drive"
IMAGE = "quay.io/jupyterhub/singleuser"
"""The image of servers in a real cluster; its tags are the versions of JupyterHub."""


class BadSettingError(Exception):
    """A variable of the environment that cannot work."""


@dataclass(frozen=True)
class Layout:
    """One run: a home and the ports."""

    home: Path
    portal_port: int
    hub_port: int
    identity_port: int
    hub_environment: Path
    mode: str = OBSERVE
    cluster_port: int = 8020
    hub_address: str = HOST
    inherited: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def portal_url(self) -> str:
        return f"http://{HOST}:{self.portal_port}"

    @property
    def hub_url(self) -> str:
        return f"http://{HOST}:{self.hub_port}/hub/"

    @property
    def issuer(self) -> str:
        return f"http://{HOST}:{self.identity_port}"

    @property
    def is_driving(self) -> bool:
        """Whether the portal runs the servers, not the hub."""
        return self.mode == DRIVE

    @property
    def pretends(self) -> bool:
        """Whether the cluster in which it runs them is a pretended one."""
        return self.is_driving and not self.inherited.get("KUBECONFIG")

    @property
    def pretended_kubeconfig(self) -> Path:
        return self.home / "cluster" / "kubeconfig"

    @property
    def cluster_check(self) -> str:
        return f"http://{HOST}:{self.cluster_port}/fake/recorded"

    @property
    def portal_check(self) -> str:
        return f"{self.portal_url}/healthz"

    @property
    def login_check(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def hub_api_port(self) -> int:
        """Where the hub itself listens, behind its proxy."""
        return self.hub_port + 1

    @property
    def proxy_api_port(self) -> int:
        return self.hub_port + 2

    @property
    def ports(self) -> dict[str, int]:
        """Every port that the run needs, with the variable that moves it."""
        cluster = {"CLUSTER_PORT": self.cluster_port} if self.pretends else {}
        return {
            "PORTAL_PORT": self.portal_port,
            "HUB_PORT": self.hub_port,
            "HUB_PORT (+1)": self.hub_api_port,
            "HUB_PORT (+2)": self.proxy_api_port,
            "IDP_PORT": self.identity_port,
            **cluster,
        }

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def hub_folder(self) -> Path:
        return self.home / "hub"

    @property
    def credentials(self) -> Path:
        """What the hub needs to know to talk to the portal (mode 0600)."""
        return self.hub_folder / "credentials.json"

    def environment(self, database_url: str) -> dict[str, str]:
        """What every program of the run is told."""
        return {
            **self._cluster(),
            **self.inherited,
            MARK: str(self.home),
            "PORTAL_HOME": str(self.home),
            "PORTAL_URL": self.portal_url,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "lsp_portal.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "OIDC_ISSUER": self.issuer,
            "OIDC_TITLE": "the demo login",
            "OIDC_CLIENT_ID": "lsp-portal",
            "OIDC_CLIENT_SECRET": "not-a-secret",
            "DEMO_HUB_PORT": str(self.hub_port),
            "DEMO_IDP_PORT": str(self.identity_port),
            "DEMO_HUB_ADDRESS": self.hub_address,
            "DEMO_SERVERS": self.servers,
            **self._pretended(),
        }

    @property
    def servers(self) -> str:
        """Where servers run: at the `hub`, in a `cluster`, or in a `pretended` one."""
        if not self.is_driving:
            return "hub"
        return "pretended" if self.pretends else "cluster"

    def _cluster(self) -> dict[str, str]:
        """What the portal is told of the cluster, where the environment does not say it."""
        if not self.is_driving:
            return {}
        return {
            "KUBERNETES_HUB_PORT": str(self.hub_api_port),
            "KUBERNETES_EGRESS": str(ip_network(self.hub_address)),
            "DEMO_IMAGE": f"{IMAGE}:{_version(self.hub_environment)}",
        }

    def _pretended(self) -> dict[str, str]:
        """What the pretended cluster needs to know, and who uses it."""
        if not self.pretends:
            return {}
        return {
            "KUBECONFIG": str(self.pretended_kubeconfig),
            "DEMO_CLUSTER_PORT": str(self.cluster_port),
            "DEMO_CLUSTER_PROGRAMS": str(self.hub_environment / "bin"),
        }


def from_environment() -> Layout:
    """The run that the environment describes. Raises BadSettingError."""
    home = Path(os.environ.get("PORTAL_HOME") or ROOT / "var").resolve()
    mode = os.environ.get("MODE") or OBSERVE
    if mode not in (OBSERVE, DRIVE):
        raise BadSettingError(f"MODE must be {OBSERVE} or {DRIVE}, not {mode!r}.")
    return Layout(
        home=home,
        portal_port=_port("PORTAL_PORT", 8000),
        hub_port=_port("HUB_PORT", 8010),
        identity_port=_port("IDP_PORT", 9400),
        hub_environment=(ROOT / os.environ.get("LSP_HUB_ENV", ".venv-hub")).resolve(),
        mode=mode,
        cluster_port=_port("CLUSTER_PORT", 8020),
        hub_address=_hub_address(mode),
    )


def python() -> str:
    """The interpreter of the portal's environment: the one that runs this."""
    return sys.executable


def _hub_address(mode: str) -> str:
    """The address at which servers reach the hub; where they run in a cluster it must be told."""
    if mode != DRIVE or not (kubeconfig := os.environ.get("KUBECONFIG")):
        return HOST
    if not os.access(kubeconfig, os.R_OK):
        raise BadSettingError(f"KUBECONFIG names no file that can be read: {kubeconfig}.")
    text = os.environ.get("HUB_ADDRESS", "")
    if not _is_of_others(text):
        raise BadSettingError(
            "HUB_ADDRESS must be the IPv4 address of this machine at which the cluster's pods "
            f"reach it, for example 192.0.2.7, not {text!r}: servers ask the hub there who may "
            "use them."
        )
    return text


def _is_of_others(text: str) -> bool:
    """Whether that is an address that others can reach."""
    try:
        address = IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def _version(hub_environment: Path) -> str:
    """The version of JupyterHub there, as its images are tagged."""
    found = sorted(hub_environment.glob("lib/python*/site-packages/jupyterhub-*.dist-info"))
    return found[-1].name.removeprefix("jupyterhub-").removesuffix(".dist-info") if found else "5"


def _port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 1024 <= int(text) <= 65_000:
        raise BadSettingError(f"{name} must be a port from 1024 to 65000, not {text!r}.")
    return int(text)
