"""The hooks that JupyterHub calls. Each catches everything but a deliberate refusal.

Every `make_...` takes what the site had configured in that place and keeps calling it.
"""

import inspect
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tornado.web import HTTPError

from lsp_hub.choices import current_options, last_options
from lsp_hub.endings import STOP_ASKED_BY, Ending, ending, witness_of
from lsp_hub.events import event, short_text, time_text, utc_now
from lsp_hub.form import closed_form, options_form
from lsp_hub.launch import AWAY, decide
from lsp_hub.options import (
    RESERVED,
    BadOptionsError,
    Wish,
    wish_of,
    wish_of_form,
)
from lsp_hub.pods import pod_of, pod_place
from lsp_hub.portal import PortalAwayError, PortalRefusedError
from lsp_hub.refusal import refusal
from lsp_hub.runtime import Runtime, key_of
from lsp_hub.store import READY, Key, Seat

Hook = Callable[..., Any]

NO_QUERY = "Servers are not started by a link. Please choose here and press Start."
LOST = "found ended when the hub started"


async def result_of(value: Any) -> Any:
    """The value of a hook that may be a coroutine."""
    return await value if inspect.isawaitable(value) else value


# Login


def make_post_auth_hook(runtime: Runtime, site_hook: Hook | None) -> Hook:
    """Record user.login, once the site's own hook has let the person in."""

    async def post_auth_hook(authenticator: Any, handler: Any, auth_model: Any) -> Any:
        if site_hook is not None:
            auth_model = await result_of(site_hook(authenticator, handler, auth_model))
        try:
            if auth_model:
                await runtime.outbox.record(_login(handler, auth_model))
        except Exception:
            runtime.log.exception("A login was not recorded")
        return auth_model

    return post_auth_hook


def _login(handler: Any, auth_model: Any) -> str:
    request = getattr(handler, "request", None)
    groups = auth_model.get("groups")
    data = {
        "remote_ip": getattr(request, "remote_ip", None),
        "groups": None if groups is None else [short_text(group) for group in groups],
    }
    return event("user.login", at=utc_now(), user=auth_model["name"], data=data)


# The form


def make_options_form(runtime: Runtime, site_form: Any) -> Hook:
    """The form of a person, with the site's own form below; never empty, never an error."""

    async def lsp_options_form(spawner: Any) -> str:
        try:
            form = await _form(runtime, spawner)
        except Exception:
            runtime.log.exception("The form of %s failed", key_of(spawner))
            form = _form_without_choices(runtime)
        site = await result_of(site_form(spawner)) if callable(site_form) else site_form
        return f"{form}{site or ''}"

    return lsp_options_form


async def _form(runtime: Runtime, spawner: Any) -> str:
    user = key_of(spawner).user
    last, idle_rule = _last_wish(spawner), runtime.settings.idle_rule
    try:
        options = await current_options(runtime, user)
    except PortalRefusedError as error:
        return closed_form(error.detail)
    except PortalAwayError as error:
        runtime.log.warning("No launch options for %s: %s", user, error)
    else:
        runtime.delivery.nudge()
        return options_form(options, last=last, idle_rule=idle_rule)
    kept = await last_options(runtime, user) if runtime.outage_allows else None
    if kept is None:
        return _form_without_choices(runtime)
    notice = _away_notice(kept.received)
    return options_form(kept.options, last=last, idle_rule=idle_rule, notice=notice)


def _away_notice(received: str) -> str:
    return (
        f"The portal cannot be reached. These are the choices of {received}; limits are not "
        "checked now, and your use is recorded and counted later."
    )


def _form_without_choices(runtime: Runtime) -> str:
    if not runtime.outage_allows:
        return closed_form(AWAY)
    return (
        '<div class="alert alert-warning" role="alert">The portal cannot be reached, so there is '
        "nothing to choose from. You can start a server; your use is recorded and counted later."
        "</div>\n"
    )


def _last_wish(spawner: Any) -> Wish:
    try:
        return wish_of(spawner.orm_spawner.user_options or {})
    except (AttributeError, BadOptionsError):
        return Wish()


# Options of every origin


def make_options_from_form(site_hook: Any) -> Hook:
    """Read our fields; the rest goes to the site's own hook, or nowhere.

    JupyterHub passes `spawner` for a form. Without it the options come from
    `options_from_query`, a link that starts a server without asking: refused.
    """

    def options_from_form(form_data: Any, spawner: Any = None) -> dict[str, Any]:
        if spawner is None:
            raise refusal(NO_QUERY, code="query_options", status=400)
        try:
            ours = wish_of_form(form_data).asked()
        except BadOptionsError as error:
            raise refusal(str(error), code="bad_options", status=400) from error
        rest = {name: value for name, value in form_data.items() if name not in RESERVED}
        return {**_site_options(site_hook, rest, spawner), **ours}

    return options_from_form


def _site_options(site_hook: Any, form_data: dict[str, Any], spawner: Any) -> dict[str, Any]:
    if site_hook is None:
        return {}
    if site_hook == "simple":
        return {name: value[0] for name, value in form_data.items() if len(value) == 1}
    if site_hook == "passthrough":
        return form_data
    takes_spawner = "spawner" in inspect.signature(site_hook).parameters
    options = site_hook(form_data, spawner=spawner) if takes_spawner else site_hook(form_data)
    return dict(options)


def make_apply_user_options(site_hook: Any, *, keep_rest: bool) -> Hook:
    """Check options of any origin and leave only what we know, and what the site reads."""

    async def apply_user_options(spawner: Any, user_options: Any) -> None:
        try:
            wish = wish_of(user_options or {})
        except BadOptionsError as error:
            raise refusal(str(error), code="bad_options", status=400) from error
        rest = {n: v for n, v in (user_options or {}).items() if n not in RESERVED}
        spawner.lsp_wish = wish
        spawner.user_options = {**(rest if keep_rest else {}), **wish.chosen()}
        # A session id holds for one start only, so it must not be found by the next one.
        spawner.orm_spawner.user_options = spawner.user_options
        if isinstance(site_hook, dict):
            _apply_named(spawner, site_hook, rest)
        elif site_hook is not None:
            await result_of(site_hook(spawner, rest))

    return apply_user_options


def _apply_named(spawner: Any, names: dict[str, str], options: dict[str, Any]) -> None:
    """JupyterHub's declarative form: option name to spawner attribute."""
    for option, attribute in names.items():
        if option not in options or not hasattr(spawner, attribute):
            continue
        value = options[option]
        trait = spawner.traits().get(attribute)
        if trait is not None and isinstance(value, str):
            value = trait.from_string(value)
        setattr(spawner, attribute, value)


# Start and end


def make_pre_spawn_hook(runtime: Runtime, site_hook: Hook | None) -> Hook:
    """The launch decision, then what the site does before a start."""

    async def pre_spawn_hook(spawner: Any) -> None:
        wish = getattr(spawner, "lsp_wish", None) or Wish()
        spawner.lsp_wish = spawner.lsp_witness = None
        try:
            await runtime.outbox.opened()
            await decide(runtime, spawner, wish)
        except HTTPError:  # a refusal
            raise
        except Exception as error:
            runtime.log.exception("The start for %s was not decided", key_of(spawner))
            if not runtime.outage_allows:
                raise refusal(AWAY, code="portal_away") from error
        if site_hook is not None:
            await result_of(site_hook(spawner))

    return pre_spawn_hook


def make_post_stop_hook(runtime: Runtime, site_hook: Hook | None) -> Hook:
    """Record how a session ended. Nothing is recorded for a start that was refused."""

    def post_stop_hook(spawner: Any) -> Any:
        # Only here, before the first await, is the error of a failed start still to be seen.
        return _after_stop(runtime, spawner, sys.exc_info()[1], site_hook)

    return post_stop_hook


async def _after_stop(
    runtime: Runtime, spawner: Any, error: BaseException | None, site_hook: Hook | None
) -> None:
    try:
        await record_end(runtime, spawner, error)
    except Exception:
        runtime.log.exception("The end of a server was not recorded")
    if site_hook is not None:
        await result_of(site_hook(spawner))


async def record_end(runtime: Runtime, spawner: Any, error: BaseException | None) -> None:
    """session.stopped for a session that was ready, session.failed for one that was not."""
    at, key = utc_now(), key_of(spawner)
    await runtime.outbox.opened()
    seat = runtime.seat_of(spawner) or stored_seat(spawner)
    if seat is None:
        return
    end = _ending(runtime, spawner)
    ready = seat.phase == READY
    data = asdict(end) | {"note": None if runtime.started else LOST}
    if not ready:
        data["message"] = short_text(f"{type(error).__name__}: {error}") if error else None
    ended = event(
        "session.stopped" if ready else "session.failed",
        at=at,
        user=key.user,
        server=key.server,
        session=seat.session,
        data=data,
    )
    await runtime.outbox.record(ended, clear=key)


def _ending(runtime: Runtime, spawner: Any) -> Ending:
    asker = STOP_ASKED_BY.get()
    witness = witness_of(spawner)
    end = ending(spawner.user.name, asker, witness, cullers=runtime.settings.cullers)
    if runtime.started or end.reason in {"oom", "evicted"}:
        return end
    return Ending("unknown", end.exit_code or None)  # the hub was not there to see


def stored_seat(spawner: Any) -> Seat | None:
    """The session as the hub's own database remembers it, should the outbox be lost."""
    state = getattr(spawner.orm_spawner, "state", None) or {}
    session = state.get("lsp_session")
    if not session:
        return None
    key = key_of(spawner)
    return Seat(key.user, key.server, session, READY, time_text(utc_now()))


# Ready


class ReadyHandler(logging.Handler):
    """Hears the hub's event log say `start`: the moment a server is ready. Never raises.

    The hub would leave the server without a route if it did.
    """

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(level=logging.INFO)
        self.runtime = runtime

    def emit(self, record: logging.LogRecord) -> None:
        """Queue session.ready; nothing waits for the disk here."""
        try:
            said = record.msg
            if isinstance(said, dict) and said.get("action") == "start":
                record_ready(self.runtime, Key(said["username"], said.get("servername") or ""))
        except Exception:
            self.runtime.log.exception("A server's being ready was not recorded")


def record_ready(runtime: Runtime, key: Key, note: str | None = None) -> None:
    """session.ready for the session of a server, once."""
    seat = runtime.outbox.seats.get(key)
    if seat is None or seat.phase == READY:
        return
    at = utc_now()
    spawner = runtime.spawners.get(key)
    data = {**(pod_place(pod_of(spawner)) if spawner else {}), "note": note}
    ready = event(
        "session.ready", at=at, user=key.user, server=key.server, session=seat.session, data=data
    )
    runtime.outbox.put(ready, seat=Seat(key.user, key.server, seat.session, READY, time_text(at)))
