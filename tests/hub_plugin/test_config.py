"""`configure` refuses what cannot work and keeps what the site has."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lsp_hub import configure
from tests.hub_plugin.real_hub import PLUGIN, environment
from tests.hub_plugin.stub_portal import SECRET

GOOD: dict[str, Any] = {"portal": "http://127.0.0.1:8000", "hub": "demo", "secret": SECRET}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"portal": "portal.example.org"}, "portal has to be an http or https address"),
        ({"portal": "ftp://example.org"}, "portal has to be an http or https address"),
        ({"hub": "Demo Hub"}, "hub has to be a name"),
        ({"hub": "a-name-that-is-too-long"}, "hub has to be a name"),
        ({"secret": None}, "either secret or secret_file"),
        ({"secret_file": "secret"}, "either secret or secret_file"),
        ({"secret": []}, "no secret"),
        ({"secret": "whsec_short"}, "hub's secret"),
        ({"on_outage": "maybe"}, "on_outage has to be"),
        ({"launch_timeout": 0}, "more than 0"),
        ({"snapshot_interval": -1}, "more than 0"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_hub(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        configure(None, **(GOOD | wrong))


IN_THE_HUB = """
import sys
from traitlets.config import Config
from jupyterhub.spawner import SimpleLocalProcessSpawner
from lsp_hub import configure
from lsp_hub.hooks import ReadyHandler

def site_hook(spawner): pass
handler = object()
c = Config()
c.JupyterHub.services.append({"name": "culler"})      # a lazy value
c.JupyterHub.load_roles = [{"name": "culler"}]
c.JupyterHub.spawner_class = "simple"
c.SomeSpawner.pre_spawn_hook = site_hook
c.EventLogger.handlers = [handler]
configure(c, portal="https://portal.example.org", hub="demo", secret_file=sys.argv[1],
          create_users=True)
assert [s["name"] for s in c.JupyterHub.services] == ["culler", "lsp-portal"]
assert len(c.JupyterHub.services[1]["api_token"]) == 64
assert [r["name"] for r in c.JupyterHub.load_roles] == ["culler", "lsp-portal"]
assert "admin:users" in c.JupyterHub.load_roles[1]["scopes"]
assert c.EventLogger.handlers[0] is handler
assert isinstance(c.EventLogger.handlers[1], ReadyHandler)
assert issubclass(c.JupyterHub.spawner_class, SimpleLocalProcessSpawner)
assert c.SomeSpawner.pre_spawn_hook is not site_hook
assert "post_stop_hook" not in c.SomeSpawner
for name in ("options_form", "options_from_form", "apply_user_options", "post_stop_hook"):
    assert callable(c.Spawner[name])
print("good")
"""


@pytest.mark.hub
def test_the_sites_own_configuration_is_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    done = subprocess.run(
        [str(environment() / "bin" / "python"), "-c", IN_THE_HUB, str(tmp_path / "secret")],
        env={"PYTHONPATH": str(PLUGIN)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "good\n", done.stderr
