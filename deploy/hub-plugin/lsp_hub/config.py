"""`configure`: the one line of jupyterhub_config.py."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lsp_hub import hooks, service
from lsp_hub.delivery import Delivery
from lsp_hub.endings import watched
from lsp_hub.lifecycle import start_soon
from lsp_hub.options import SLUG
from lsp_hub.outbox import Outbox
from lsp_hub.portal import Portal
from lsp_hub.runtime import ALLOW, LOG, REFUSE, Runtime, Settings
from lsp_hub.signing import secret_key

MAX_HUB_NAME = 20  # characters, by the contract
CULLERS = ("cull-idle", "idle-culler", "jupyterhub-idle-culler", "jupyterhub-idle-culler-service")

# Where a site reads options of its own, they are kept for it.
OPTIONS = ("options_form", "options_from_form", "apply_user_options")


def configure(
    c: Any,
    *,
    portal: str,
    hub: str,
    secret: str | Sequence[str] | None = None,
    secret_file: str | None = None,
    outbox: str = "lsp-outbox.sqlite",
    on_outage: str = ALLOW,
    launch_timeout: float = 5.0,
    options_timeout: float = 3.0,
    snapshot_interval: float = 300.0,
    idle_rule: str = "",
    cullers: Iterable[str] = CULLERS,
    create_users: bool = False,
    gpu_resource: str = "nvidia.com/gpu",
    ca_certs: str | None = None,
) -> Runtime:
    """Make this hub ask the portal before each start and tell it what happened.

    Call it last in jupyterhub_config.py, so that it finds the hooks that the site has; they go on
    working. Times are in seconds. `secret` may be a list while it is being changed: requests are
    signed with each, the portal's service token comes from the first. `secret_file` holds the
    same, one a line. `on_outage` says what happens while the portal is away: "allow" starts
    servers unchecked, "refuse" starts none. docs/hub-plugin.md explains each option.

    Raises ValueError for a setting that cannot work.
    """
    secrets = _secrets(secret, secret_file)
    _check(portal, hub, on_outage, launch_timeout, options_timeout, snapshot_interval)
    settings = Settings(
        portal=portal,
        hub=hub,
        on_outage=on_outage,
        launch_timeout=launch_timeout,
        options_timeout=options_timeout,
        snapshot_interval=snapshot_interval,
        idle_rule=idle_rule,
        gpu_resource=gpu_resource,
        cullers=frozenset(cullers),
    )
    runtime = _runtime(settings, secrets, outbox, ca_certs)
    _install_hooks(c, runtime)
    _install_ready_handler(c, runtime)
    _install_service(c, service.derive_service_token(secrets[0], hub), create_users)
    _watch_spawner(c, runtime)
    start_soon(runtime)
    return runtime


def _secrets(secret: str | Sequence[str] | None, secret_file: str | None) -> list[str]:
    if (secret is None) == (secret_file is None):
        raise ValueError("lsp_hub.configure needs either secret or secret_file")
    if secret_file is not None:
        secret = Path(secret_file).read_text().split()
    secrets = [secret] if isinstance(secret, str) else list(secret or ())
    if not secrets:
        raise ValueError("lsp_hub.configure got no secret")
    for one in secrets:
        secret_key(one)
    return secrets


def _check(portal: str, hub: str, on_outage: str, *times: float) -> None:
    check_address(portal)
    if not SLUG.fullmatch(hub) or len(hub) > MAX_HUB_NAME:
        raise ValueError(f"hub has to be a name as the portal knows it, not {hub!r}")
    if on_outage not in {ALLOW, REFUSE}:
        raise ValueError(f'on_outage has to be "{ALLOW}" or "{REFUSE}", not {on_outage!r}')
    if min(times) <= 0:
        raise ValueError("Timeouts and intervals have to be more than 0 seconds")


def check_address(address: str) -> None:
    """Raises ValueError for what is no address of the portal or of a hub."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"portal has to be an http or https address, not {address!r}")


def _runtime(
    settings: Settings, secrets: Sequence[str], outbox: str, ca_certs: str | None
) -> Runtime:
    keys = [secret_key(one) for one in secrets]
    portal = Portal(settings.portal, settings.hub, keys, ca_certs=ca_certs)
    # An absolute path, because the hub may change its working directory.
    store = Outbox(str(Path(outbox).absolute()), LOG)
    return Runtime(settings, portal, store, Delivery(store, portal, LOG))


def _install_hooks(c: Any, runtime: Runtime) -> None:
    """Put our hooks into place, around those of the site."""
    _wrap(c, "Authenticator", "post_auth_hook", partial(hooks.make_post_auth_hook, runtime))
    reads_options = any(name in section for section in _sections(c, "Spawner") for name in OPTIONS)
    apply = partial(hooks.make_apply_user_options, keep_rest=reads_options)
    _wrap(c, "Spawner", "apply_user_options", apply)
    _wrap(c, "Spawner", "options_form", partial(hooks.make_options_form, runtime))
    _wrap(c, "Spawner", "options_from_form", hooks.make_options_from_form)
    _wrap(c, "Spawner", "pre_spawn_hook", partial(hooks.make_pre_spawn_hook, runtime))
    _wrap(c, "Spawner", "post_stop_hook", partial(hooks.make_post_stop_hook, runtime))


def _wrap(c: Any, kind: str, name: str, make: Callable[[Any], Any]) -> None:
    """Set a hook in the general section and wherever else the site has one.

    For JupyterHub c.KubeSpawner wins over c.Spawner.
    """
    for section in _sections(c, kind):
        if section is c[kind] or name in section:
            section[name] = make(_configured(section, name))


def _sections(c: Any, kind: str) -> list[Any]:
    names = {name for name in c if isinstance(name, str) and name.endswith(kind)} | {kind}
    return [c[name] for name in sorted(names)]


def _configured(section: Any, name: str) -> Any:
    """What the site set, None for nothing (reading a missing name would make a lazy value)."""
    return _plain(section.get(name), None)


def _plain(value: Any, default: Any) -> Any:
    """The value of a LazyConfigValue, which stands for changes to a default."""
    return value.get_value(default) if hasattr(value, "get_value") else value


def _install_ready_handler(c: Any, runtime: Runtime) -> None:
    section = c["EventLogger"]
    others = _plain(section.get("handlers"), []) or []
    section["handlers"] = [*others, hooks.ReadyHandler(runtime)]


def _install_service(c: Any, token: str, create_users: bool) -> None:
    scopes = [*service.SCOPES, *([service.CREATE_USERS_SCOPE] if create_users else [])]
    section = c["JupyterHub"]
    _append(section, "services", service.service_entry(token))
    _append(section, "load_roles", service.role_entry(scopes))


def _append(section: Any, name: str, item: Any) -> None:
    before = _plain(section.get(name), []) or []
    section[name] = [*before, item]


def _watch_spawner(c: Any, runtime: Runtime) -> None:
    """Let the site's spawner note how its servers end; without it only the reason is missing."""
    section = c["JupyterHub"]
    try:
        chosen = section.get("spawner_class")
        spawner = watched(_spawner_class(chosen), runtime.session_of)
        if hasattr(spawner, "lsp_runtime"):
            spawner.lsp_runtime = runtime
        section["spawner_class"] = spawner
    except Exception as error:
        logging.getLogger("lsp_hub").warning("How servers end will not be seen: %s", error)


def _spawner_class(chosen: Any) -> Any:
    """The class behind a name as JupyterHub takes it: an entry point or a dotted path."""
    from importlib.metadata import entry_points

    from traitlets.utils.importstring import import_item

    if chosen is not None and not isinstance(chosen, str):
        return chosen
    name = (chosen or "default").lower()
    for point in entry_points(group="jupyterhub.spawners"):
        if point.name.lower() == name:
            return point.load()
    return import_item(chosen or "jupyterhub.spawner.LocalProcessSpawner")
