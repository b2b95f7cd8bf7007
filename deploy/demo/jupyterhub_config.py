"""The demo's JupyterHub: people sign in with the portal, and the plugin talks to it."""

import json
import os
import time
from pathlib import Path
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from tornado.httpclient import HTTPClientError

from lsp_hub import configure

HOME = Path(os.environ["LSP_DEMO_HOME"])
PORTAL = os.environ["PORTAL_URL"]
PORT = int(os.environ["DEMO_HUB_PORT"])
CREDENTIALS = json.loads((HOME / "hub" / "credentials.json").read_text())
IDLE_SECONDS = 3600
TRUSTED_SECONDS = 8 * 3600  # that people go on working while the portal cannot be asked


class PortalAuthenticator(GenericOAuthenticator):
    """Signs people in with the portal, and lets them work on while it is away for a while."""

    confirmed: dict[str, float] = {}

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        try:
            answer = await super().refresh_user(user, handler, **kwargs)
        except (HTTPClientError, OSError, TimeoutError) as error:
            last = self.confirmed.setdefault(user.name, time.monotonic())
            self.log.warning("The portal cannot confirm %s: %s", user.name, error)
            return time.monotonic() - last < TRUSTED_SECONDS
        self.confirmed[user.name] = time.monotonic()
        return answer


c = get_config()  # noqa: F821  # JupyterHub provides it

c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{PORT + 1}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 2}"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = PortalAuthenticator

c.PortalAuthenticator.client_id = CREDENTIALS["client_id"]
c.PortalAuthenticator.client_secret = CREDENTIALS["client_secret"]
c.PortalAuthenticator.oauth_callback_url = f"http://127.0.0.1:{PORT}/hub/oauth_callback"
c.PortalAuthenticator.authorize_url = f"{PORTAL}/oauth/authorize"
c.PortalAuthenticator.token_url = f"{PORTAL}/oauth/token"
c.PortalAuthenticator.userdata_url = f"{PORTAL}/oauth/userinfo"
c.PortalAuthenticator.scope = ["openid", "profile", "email", "groups"]
c.PortalAuthenticator.username_claim = "preferred_username"
c.PortalAuthenticator.login_service = "the portal"
c.PortalAuthenticator.auto_login = True
c.PortalAuthenticator.allow_all = True  # the portal decides who may sign in
c.PortalAuthenticator.admin_users = {"dora"}
c.PortalAuthenticator.enable_auth_state = True
c.PortalAuthenticator.manage_groups = True
c.PortalAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.PortalAuthenticator.auth_refresh_age = 300
c.CryptKeeper.keys = [bytes.fromhex(CREDENTIALS["crypt_key"])]

c.SimpleLocalProcessSpawner.home_dir_template = str(HOME / "homes" / "{username}")
c.Spawner.default_url = "/lab"
c.Spawner.environment = {"LSP_DEMO_HOME": str(HOME)}
c.Spawner.start_timeout = c.Spawner.http_timeout = 180  # a small machine that is busy
if os.getuid() == 0:
    c.Spawner.args = ["--allow-root"]

c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": ["jupyterhub-idle-culler", f"--timeout={IDLE_SECONDS}"],
        # It outlives a hub that is killed; so it is found, and the next hub starts its own.
        "environment": {"LSP_DEMO_HOME": str(HOME), "LSP_DEMO_HELPER": str(HOME)},
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]

configure(
    c,
    portal=PORTAL,
    hub=CREDENTIALS["hub"],
    secret=CREDENTIALS["secret"],
    outbox=str(HOME / "hub" / "outbox.sqlite"),
    idle_rule="Servers that nobody uses for an hour are stopped; files in your home stay.",
    create_users=True,
    snapshot_interval=60,
)
