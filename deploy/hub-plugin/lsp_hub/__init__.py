"""LSP Portal's plugin for JupyterHub: `configure(c, ...)` is the one line a site writes.

`configure_login(c, ...)` is another, for hubs whose people sign in with the portal.
"""

from lsp_hub.config import configure
from lsp_hub.login import configure_login
from lsp_hub.service import derive_service_token
from lsp_hub.version import __version__

__all__ = [
    "PortalAuthenticator",
    "PortalSpawner",
    "__version__",
    "configure",
    "configure_login",
    "derive_service_token",
]


def __getattr__(name: str) -> object:
    """The classes for the hub alone, loaded when they are asked for.

    PortalAuthenticator needs oauthenticator, which not every hub has, PortalSpawner JupyterHub,
    which the tests of the plugin do without.
    """
    if name == "PortalAuthenticator":
        from lsp_hub.authenticator import PortalAuthenticator

        return PortalAuthenticator
    if name == "PortalSpawner":
        from lsp_hub.spawner import PortalSpawner

        return PortalSpawner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
