"""LSP Portal's plugin for JupyterHub: `configure(c, ...)` is the one line a site writes."""

from lsp_hub.config import configure
from lsp_hub.service import derive_service_token
from lsp_hub.version import __version__

__all__ = ["__version__", "configure", "derive_service_token"]
