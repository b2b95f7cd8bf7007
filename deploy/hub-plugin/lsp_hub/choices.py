"""The choices of a person: from the portal, or from its last good answer."""

import json
from dataclasses import dataclass

from lsp_hub.events import time_text, utc_now
from lsp_hub.options import LaunchOptions, parse_launch_options
from lsp_hub.portal import PortalAwayError
from lsp_hub.runtime import Runtime


@dataclass(frozen=True)
class KeptOptions:
    """Launch options and when the portal gave them (RFC 3339)."""

    options: LaunchOptions
    received: str


async def current_options(runtime: Runtime, user: str) -> LaunchOptions:
    """What the portal says now, kept for later. Raises PortalRefusedError or PortalAwayError."""
    content = await runtime.portal.launch_options(user, runtime.settings.options_timeout)
    try:
        options = parse_launch_options(content)
    except ValueError as error:
        raise PortalAwayError(str(error), perhaps_done=False) from error
    runtime.outbox.keep_answer(user, json.dumps(content), time_text(utc_now()))
    return options


async def last_options(runtime: Runtime, user: str) -> KeptOptions | None:
    """The last good answer for this person, however old; None where there never was one."""
    kept = await runtime.outbox.kept_answer(user)
    if kept is None:
        return None
    body, received = kept
    return KeptOptions(parse_launch_options(json.loads(body)), received)
