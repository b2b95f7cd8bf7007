"""Start what runs beside the hub's own work, once the hub serves."""

import asyncio
from typing import Any

from lsp_hub.endings import watch_stops
from lsp_hub.hooks import ReadyHandler
from lsp_hub.runtime import Runtime
from lsp_hub.service import SERVICE_NAME
from lsp_hub.snapshots import keep_reporting

LOOK_SECONDS = 0.1  # between two looks whether the hub has started
OUR_HOOKS = ("pre_spawn_hook", "post_stop_hook", "apply_user_options", "options_from_form")


def start_soon(runtime: Runtime) -> None:
    """Start once the hub runs; outside of a hub (a test of the configuration) do nothing."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    runtime.task = loop.create_task(_run(runtime))


async def _run(runtime: Runtime) -> None:
    """Never started for `jupyterhub token` and the like, which read the configuration too."""
    import jupyterhub
    from jupyterhub.app import JupyterHub
    from jupyterhub.handlers.base import BaseHandler

    if JupyterHub.initialized():
        # Write into the hub's log, as the hub arranges it for tornado's loggers.
        runtime.log.parent = JupyterHub.instance().log
    app = await _started_hub(JupyterHub)
    runtime.started = True
    watch_stops(BaseHandler)
    try:
        check_installed(runtime, app)
    except Exception:  # it is only advice
        runtime.log.exception("The hub's configuration could not be checked")
    await asyncio.gather(
        runtime.delivery.run(), keep_reporting(runtime, app, jupyterhub.__version__)
    )


async def _started_hub(hub_class: Any) -> Any:
    """The hub, when it has looked after all its servers and serves requests."""
    while True:
        if hub_class.initialized():
            app = hub_class.instance()
            started = getattr(app, "_start_future", None)
            if started is not None and started.done():
                return app
        await asyncio.sleep(LOOK_SECONDS)


def check_installed(runtime: Runtime, app: Any) -> None:
    """Say what a later line of the configuration took away from us."""
    for name in OUR_HOOKS:
        hook = _configured(app.config, app.spawner_class, name)
        if getattr(hook, "__module__", "") != "lsp_hub.hooks":
            runtime.log.error("Spawner.%s is not ours: call lsp_hub.configure last", name)
    services = {entry.get("name") for entry in app.services}
    if SERVICE_NAME not in services:
        runtime.log.error("The portal has no service here: call lsp_hub.configure last")
    if not any(isinstance(handler, ReadyHandler) for handler in app.eventlog.handlers or ()):
        runtime.log.error("The event log does not reach us: call lsp_hub.configure last")


def _configured(config: Any, spawner_class: Any, name: str) -> Any:
    """The hook that the spawner will have: the section of the nearest class wins."""
    sections = (config.get(ancestor.__name__, {}) for ancestor in spawner_class.__mro__)
    return next((section[name] for section in sections if name in section), None)
