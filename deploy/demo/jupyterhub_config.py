"""The demo's JupyterHub: people sign in with the portal, and the plugin talks to it."""

import json
import os
from pathlib import Path

from lsp_hub import configure, configure_login

HOME = Path(os.environ["LSP_DEMO_HOME"])
PORTAL = os.environ["PORTAL_URL"]
HUB_ADDRESS = os.environ["DEMO_HUB_ADDRESS"]
SERVERS = os.environ["DEMO_SERVERS"]
PORT = int(os.environ["DEMO_HUB_PORT"])
CREDENTIALS = json.loads((HOME / "hub" / "credentials.json").read_text())
IDLE_SECONDS = 3600
REFRESH_SECONDS = int(os.environ.get("DEMO_REFRESH_SECONDS", "300"))


c = get_config()  # noqa: F821  # JupyterHub provides it

c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://{HUB_ADDRESS}:{PORT + 1}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 2}"
c.CryptKeeper.keys = [bytes.fromhex(CREDENTIALS["crypt_key"])]

c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = 180  # a small machine that is busy
if SERVERS == "hub":
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = str(HOME / "homes" / "{username}")
    c.Spawner.start_timeout = 180
else:
    c.JupyterHub.spawner_class = "lsp_hub.PortalSpawner"
if SERVERS != "cluster":  # servers are processes of this machine
    c.Spawner.environment = {"LSP_DEMO_HOME": str(HOME)}
    c.Spawner.args = ["--allow-root"] if os.getuid() == 0 else []

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

configure_login(
    c,
    portal=PORTAL,
    client_id=CREDENTIALS["client_id"],
    client_secret=CREDENTIALS["client_secret"],
    callback_url=f"http://127.0.0.1:{PORT}/hub/oauth_callback",
    admins=["dora"],
    refresh_age=REFRESH_SECONDS,
)
configure(
    c,
    portal=PORTAL,
    hub=CREDENTIALS["hub"],
    secret=CREDENTIALS["secret"],
    outbox=str(HOME / "hub" / "outbox.sqlite"),
    idle_rule="Servers that nobody uses for an hour are stopped; files in your home stay.",
    create_users=True,
    on_outage="allow" if SERVERS == "hub" else "refuse",
    snapshot_interval=60,
)
