"""LSP Portal's plugin for JupyterHub: `configure(c, ...)` is the one line a site writes.

`configure_login(c, ...)` is another, for hubs whose people sign in with the portal.
"""

from lsp_hub.config import configure
from lsp_hub.login import configure_login
from lsp_hub.service import derive_service_token
from lsp_hub.version import __version__

__all__ = [
    "PortalAuthenticator",
    "__version__",
    "configure",
    "configure_login",
    "derive_service_token",
]


def __getattr__(name: str) -> object:
    """PortalAuthenticator, loaded when it is asked for: not every hub has oauthenticator."""
    if name != "PortalAuthenticator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lsp_hub.authenticator import PortalAuthenticator

    return PortalAuthenticator
