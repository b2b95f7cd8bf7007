"""LSP Portal's plugin for JupyterHub: `configure(c, ...)` is the one line a site writes.

`configure_login(c, ...)` is another, for hubs whose people sign in with the portal. In notebooks,
which may have neither JupyterHub nor tornado, `lsp_hub.dask` works by itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lsp_hub.version import __version__

if TYPE_CHECKING:
    from lsp_hub.authenticator import PortalAuthenticator
    from lsp_hub.config import configure
    from lsp_hub.login import configure_login
    from lsp_hub.service import derive_service_token
    from lsp_hub.spawner import PortalSpawner

__all__ = [
    "PortalAuthenticator",
    "PortalSpawner",
    "__version__",
    "configure",
    "configure_login",
    "derive_service_token",
]

# Loaded when asked for: the first needs oauthenticator, the second JupyterHub, the others tornado.
HOMES = {
    "PortalAuthenticator": "lsp_hub.authenticator",
    "PortalSpawner": "lsp_hub.spawner",
    "configure": "lsp_hub.config",
    "configure_login": "lsp_hub.login",
    "derive_service_token": "lsp_hub.service",
}


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
