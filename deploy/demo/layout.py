"""Where everything of `make run` is: addresses, folders, what the programs are told."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
MARK = "LSP_DEMO_HOME"
"""The variable that marks every process of a run; its value is the run's home."""

HELPER = "LSP_DEMO_HELPER"
"""The same for what a hub leaves behind when it is killed and its successor starts anew."""


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
        return {
            "PORTAL_PORT": self.portal_port,
            "HUB_PORT": self.hub_port,
            "HUB_PORT (+1)": self.hub_api_port,
            "HUB_PORT (+2)": self.proxy_api_port,
            "IDP_PORT": self.identity_port,
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
        return self.inherited | {
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
        }


def from_environment() -> Layout:
    """The run that the environment describes. Raises BadSettingError."""
    home = Path(os.environ.get("PORTAL_HOME") or ROOT / "var").resolve()
    return Layout(
        home=home,
        portal_port=_port("PORTAL_PORT", 8000),
        hub_port=_port("HUB_PORT", 8010),
        identity_port=_port("IDP_PORT", 9400),
        hub_environment=(ROOT / os.environ.get("LSP_HUB_ENV", ".venv-hub")).resolve(),
    )


def python() -> str:
    """The interpreter of the portal's environment: the one that runs this."""
    return sys.executable


def _port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 1024 <= int(text) <= 65_000:
        raise BadSettingError(f"{name} must be a port from 1024 to 65000, not {text!r}.")
    return int(text)
