"""The one decision on a start, and what it does to the spawner."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsp_hub.choices import last_options
from lsp_hub.endings import asker_of
from lsp_hub.events import event, new_session, short_text, time_text, utc_now
from lsp_hub.options import LaunchOptions, Size, Wish, known_or_default
from lsp_hub.portal import PortalAwayError, PortalRefusedError
from lsp_hub.refusal import refusal
from lsp_hub.runtime import Runtime, key_of
from lsp_hub.service import SERVICE_NAME
from lsp_hub.store import REQUESTED, Seat

UNKNOWN = "unknown"  # the label of a choice that nobody made and the portal was not there to make
DEFAULT_MILLICORES = 1000  # what such a start is given and charged where nothing else is known
DEFAULT_MIB = 2048
AWAY = (
    "The portal cannot be reached, and this hub starts no server without asking it. "
    "Please try again in a few minutes."
)


@dataclass(frozen=True)
class Grant:
    """What a server gets; `checked` is false when the portal was not there to decide."""

    session: str
    group: str
    image: str
    size: str
    cpu_millicores: int
    memory_mib: int
    gpus: int
    environment: Mapping[str, str]
    image_reference: str | None
    checked: bool

    def event_data(self, actor: str | None, sub_name: str | None = None) -> dict[str, Any]:
        """The data of session.requested."""
        named = {"sub_name": sub_name} if sub_name else {}
        return named | {
            "group": self.group,
            "image": self.image,
            "size": self.size,
            "resources": {
                "cpu_millicores": self.cpu_millicores,
                "memory_mib": self.memory_mib,
                "gpus": self.gpus,
            },
            "actor": actor,
            "checked": self.checked,
        }


async def decide(runtime: Runtime, spawner: Any, wish: Wish) -> None:
    """Ask the portal, record the request and prepare the spawner.

    What was decided is on record before anything of the site's can go wrong. Raises the refusal
    that the person reads.
    """
    actor = _actor(spawner)
    grant = await _grant(runtime, spawner, wish, actor)
    at = utc_now()
    key = key_of(spawner)
    runtime.spawners[key] = spawner
    requested = event(
        "session.requested",
        at=at,
        user=key.user,
        server=key.server,
        session=grant.session,
        data=grant.event_data(actor, wish.sub_name),
    )
    seat = Seat(key.user, key.server, grant.session, REQUESTED, time_text(at))
    await runtime.outbox.record(requested, seat=seat)
    apply_grant(spawner, grant, gpu_resource=runtime.settings.gpu_resource)


def _actor(spawner: Any) -> str:
    """Who asked for the start; the portal's service asks for the person it does not name."""
    asker = asker_of(getattr(spawner, "handler", None))
    if asker is None or asker.name == SERVICE_NAME:
        return str(spawner.user.name)
    return asker.name


async def _grant(runtime: Runtime, spawner: Any, wish: Wish, actor: str) -> Grant:
    key = key_of(spawner)
    session = wish.session or new_session()
    asked = {"session": session, "user": key.user, "server": key.server, "actor": actor}
    seconds = runtime.settings.launch_timeout
    try:
        grant = grant_of(await runtime.portal.launch(asked | wish.asked(), seconds))
    except PortalRefusedError as error:
        raise refusal(error.detail, code=error.code, status=error.status) from error
    except (PortalAwayError, ValueError) as error:
        return await _without_portal(runtime, spawner, wish, session, error)
    runtime.delivery.nudge()
    return grant


async def _without_portal(
    runtime: Runtime, spawner: Any, wish: Wish, session: str, error: Exception
) -> Grant:
    """The site's choice for a time without portal: an unchecked start, or a clear no."""
    key = key_of(spawner)
    runtime.log.warning("No decision on the server of %s: %s", key, error)
    if runtime.outage_allows:
        kept = await last_options(runtime, key.user)
        return unchecked_grant(session, wish, kept.options if kept else None, own_size(spawner))
    if not isinstance(error, PortalAwayError) or error.perhaps_done:
        _give_back(runtime, spawner, session)
    raise refusal(AWAY, code="portal_away") from error  # 5xx would count against the hub


def _give_back(runtime: Runtime, spawner: Any, session: str) -> None:
    """The portal may have granted what it could not tell: free the hold."""
    key = key_of(spawner)
    data = {"reason": "hub", "message": "The portal's decision did not arrive; not started"}
    failed = event(
        "session.failed",
        at=utc_now(),
        user=key.user,
        server=key.server,
        session=session,
        data=data,
    )
    runtime.outbox.put(failed)


def grant_of(content: Mapping[str, Any]) -> Grant:
    """The portal's 201. Raises ValueError when it is not what the contract says."""
    try:
        resources = content["resources"]
        environment = content.get("environment") or {}
        return Grant(
            session=str(content["session"]),
            group=str(content["group"]),
            image=str(content["image"]),
            size=str(content["size"]),
            cpu_millicores=int(resources["cpu_millicores"]),
            memory_mib=int(resources["memory_mib"]),
            gpus=int(resources.get("gpus") or 0),
            environment={str(name): str(value) for name, value in environment.items()},
            image_reference=content.get("image_reference"),
            checked=True,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a grant without {error}") from error


def unchecked_grant(
    session: str, wish: Wish, options: LaunchOptions | None, fallback: Size
) -> Grant:
    """A start that nobody checked: the labels that were chosen, the size as last known."""
    known = options or LaunchOptions((), (), (), "")
    wish = known_or_default(wish, known)
    size = next((size for size in known.sizes if size.name == wish.size), fallback)
    image = next((image for image in known.images if image.name == wish.image), None)
    return Grant(
        session=session,
        group=wish.group or UNKNOWN,
        image=wish.image or UNKNOWN,
        size=wish.size or UNKNOWN,
        cpu_millicores=size.cpu_millicores,
        memory_mib=size.memory_mib,
        gpus=size.gpus,
        environment={},
        image_reference=image.reference if image else None,
        checked=False,
    )


def own_size(spawner: Any) -> Size:
    """The limits that the site gave its spawner, for a size of which nothing is known."""
    cores, memory = _amount(spawner.cpu_limit), _amount(spawner.mem_limit)
    return Size(
        name=UNKNOWN,
        title=UNKNOWN,
        cpu_millicores=max(1, round(cores * 1000)) if cores else DEFAULT_MILLICORES,
        memory_mib=max(1, int(memory) // 2**20) if memory else DEFAULT_MIB,
        gpus=0,
        default=False,
        groups=None,
        why_not="",
    )


def _amount(limit: object) -> float | None:
    """A limit that is a number; some spawners take functions of the spawner as well."""
    return limit if isinstance(limit, int | float) else None


def apply_grant(spawner: Any, grant: Grant, *, gpu_resource: str) -> None:
    """Give the server what was granted, as far as its spawner has a knob for it."""
    environment = {**spawner.environment, **grant.environment}
    spawner.environment = environment | {
        "LSP_SESSION": grant.session,
        "LSP_GROUP": grant.group,
    }
    spawner.cpu_limit = spawner.cpu_guarantee = grant.cpu_millicores / 1000
    spawner.mem_limit = spawner.mem_guarantee = grant.memory_mib * 2**20 or None
    if grant.image_reference and spawner.has_trait("image"):
        spawner.image = short_text(grant.image_reference)
    if grant.gpus and spawner.has_trait("extra_resource_limits"):
        limits = {**spawner.extra_resource_limits, gpu_resource: str(grant.gpus)}
        spawner.extra_resource_limits = limits
