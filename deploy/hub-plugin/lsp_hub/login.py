"""`configure_login`: let people sign in to the hub with the portal."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from lsp_hub.config import check_address

SCOPES = ("openid", "profile", "email", "groups")
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0


def configure_login(
    c: Any,
    *,
    portal: str,
    client_id: str,
    client_secret: str,
    callback_url: str,
    portal_inside: str | None = None,
    admins: Iterable[str] = (),
    admin_groups: Iterable[str] = (),
    allowed_groups: Iterable[str] | None = None,
    refresh_age: int = 300,
    trusted_seconds: float = 8 * 3600.0,
    ca_certs: str | None = None,
) -> None:
    """Make the portal the login of this hub; docs/hub-plugin.md explains each option.

    Needs oauthenticator in the hub's environment, and keys for JupyterHub's CryptKeeper. Raises
    ValueError for a setting that cannot work.
    """
    outside, inside = portal.rstrip("/"), (portal_inside or portal).rstrip("/")
    for address in (outside, inside, callback_url):
        check_address(address)
    if refresh_age <= 0 or trusted_seconds < 0:
        raise ValueError("refresh_age has to be more than 0 seconds, trusted_seconds not less")
    from lsp_hub.authenticator import PortalAuthenticator

    c["JupyterHub"]["authenticator_class"] = PortalAuthenticator
    section = c["PortalAuthenticator"]
    _set(section, _client(client_id, client_secret, callback_url, ca_certs))
    _set(section, _addresses(outside, inside, client_id))
    _set(section, _access(admins, admin_groups, allowed_groups))
    _set(section, {"auth_refresh_age": refresh_age, "trusted_seconds": trusted_seconds})


def _set(section: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        section[name] = value


def _client(
    client_id: str, client_secret: str, callback_url: str, ca_certs: str | None
) -> dict[str, Any]:
    request = {"connect_timeout": CONNECT_SECONDS, "request_timeout": ANSWER_SECONDS}
    return {
        "client_id": client_id,
        "client_secret": client_secret,
        "oauth_callback_url": callback_url,
        "http_request_kwargs": request | ({"ca_certs": ca_certs} if ca_certs else {}),
        "enable_pkce": True,
        "scope": list(SCOPES),
        "username_claim": "preferred_username",
        "enable_auth_state": True,
    }


def _addresses(outside: str, inside: str, client_id: str) -> dict[str, Any]:
    """Browsers go to the one address of the portal, the hub itself to the other."""
    return {
        "authorize_url": f"{outside}/oauth/authorize",
        "token_url": f"{inside}/oauth/token",
        "userdata_url": f"{inside}/oauth/userinfo",
        "logout_redirect_url": f"{outside}/oauth/logout?client_id={quote(client_id, safe='')}",
        "login_service": "the portal",
        "auto_login": True,
    }


def _access(
    admins: Iterable[str], admin_groups: Iterable[str], allowed_groups: Iterable[str] | None
) -> dict[str, Any]:
    """The portal decides who may sign in, unless only some groups may use this hub."""
    return {
        "manage_groups": True,
        "auth_state_groups_key": "oauth_user.groups",
        "admin_users": set(admins),
        "admin_groups": set(admin_groups),
        "allow_all": allowed_groups is None,
        "allowed_groups": set(allowed_groups or ()),
    }
