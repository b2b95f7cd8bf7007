"""The hub's authenticator: people sign in with the portal, which is asked again while they work.

Needs oauthenticator, which `lsp_hub.configure` alone does not.
"""

import inspect
import time
from contextvars import ContextVar
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Float

from lsp_hub.trust import CONFIRMED, is_away, is_trusted

# Why the portal gave no decision during this refresh; the base class hides some of the errors.
_AWAY: ContextVar[str] = ContextVar("lsp_away", default="")


class PortalAuthenticator(GenericOAuthenticator):  # type: ignore[misc]  # untyped base
    """Signs people in with the portal, and ends their login when the portal says so."""

    trusted_seconds = Float(
        8 * 3600.0,
        config=True,
        help="How long people go on working while the portal cannot be asked about them.",
    )

    async def httpfetch(self, *args: Any, **kwargs: Any) -> Any:
        """As it was, but remember that the portal was away."""
        try:
            return await super().httpfetch(*args, **kwargs)
        except Exception as error:
            if is_away(error):
                _AWAY.set(f"{type(error).__name__}: {error}")
            raise

    def build_auth_state_dict(self, token_info: Any, user_info: Any) -> Any:
        """What is kept of a login, with the moment at which the portal confirmed it."""
        kept: dict[str, Any] = super().build_auth_state_dict(token_info, user_info)
        return kept | {CONFIRMED: time.time()}

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        """Ask the portal about the person again: False ends the login here.

        Where somebody else starts the person's server, as the portal does, there is no login to
        end: the person may never have signed in here, and the launch decision says who may start.
        JupyterHub 6 goes on by itself then, 5 would refuse.
        """
        _AWAY.set("")
        try:
            answer = await super().refresh_user(user, handler, **kwargs)
        except Exception as error:
            _AWAY.set(f"{type(error).__name__}: {error}")
            answer = False
        if isinstance(answer, dict):
            return answer if await self._is_still_allowed(user, answer) else False
        if answer or _is_for_another(handler, user):
            return True
        return bool(_AWAY.get()) and await self._is_trusted(user)

    async def _is_still_allowed(self, user: Any, model: dict[str, Any]) -> bool:
        """JupyterHub looks at `allowed_groups` and blocked users at the login only."""
        name = model["name"]
        if name != user.name:
            self.log.warning("The portal calls %s by another name now: %s", user.name, name)
            return False
        for check in (self.check_blocked_users, self.check_allowed):
            allowed = check(name, model)
            if inspect.isawaitable(allowed):
                allowed = await allowed
            if not allowed:
                self.log.warning("%s may not use this hub any more", name)
                return False
        return True

    async def _is_trusted(self, user: Any) -> bool:
        trusted = is_trusted(
            await user.get_auth_state(), now=time.time(), seconds=self.trusted_seconds
        )
        what = "goes on for now" if trusted else "has to sign in again"
        self.log.warning("The portal cannot confirm %s, who %s: %s", user.name, what, _AWAY.get())
        return trusted


def _is_for_another(handler: Any, user: Any) -> bool:
    """Whether the request was made by an administrator or a service for that person."""
    caller = getattr(handler, "_jupyterhub_user", None)
    return caller is not None and caller is not user
