"""Why somebody cannot have a Dask cluster like that, in words made for that person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lsp_portal.lib import display
from quotas.admission import Balance
from quotas.vocabulary import core_hours
from sessions.refusals import quota_facts

TITLES = {
    "not_offered": "There is no Dask here",
    "not_running": "The server does not run",
    "no_cluster": "There is no Dask cluster",
    "deleting": "The Dask cluster is being deleted",
    "bad_value": "This makes no sense",
    "too_many_workers": "Too many workers",
    "quota_exhausted": "The compute quota is used up",
}


@dataclass
class DaskRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The portal does not do that to the cluster. `facts` are further fields of the answer."""

    code: str
    detail: str
    status: int = 409
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    @property
    def title(self) -> str:
        return TITLES[self.code]


def not_offered(hub: str) -> DaskRefused:
    return DaskRefused(
        "not_offered",
        f"{hub} has no Dask clusters: an administrator turns them on where the portal runs the "
        "servers itself.",
    )


def not_running() -> DaskRefused:
    return DaskRefused(
        "not_running",
        "A Dask cluster belongs to a server that runs. Start the server, and ask again once it "
        "is ready.",
    )


def no_cluster() -> DaskRefused:
    return DaskRefused("no_cluster", "The session has no Dask cluster.", status=404)


def deleting() -> DaskRefused:
    return DaskRefused(
        "deleting",
        "The Dask cluster of the session is still being deleted. Ask again when it is gone.",
    )


def bad_value(detail: str) -> DaskRefused:
    return DaskRefused("bad_value", detail, status=400)


def too_many(whose: str, *, wanted: int, taken: int, limit: int) -> DaskRefused:
    """`whose` begins a sentence: a cluster, your clusters, the clusters of a group."""
    others = f", and {taken} are taken" if taken else ""
    return DaskRefused(
        "too_many_workers",
        f"{whose} may have {limit} workers at once{others}; this one would have {wanted}. "
        f"Up to {max(0, limit - taken)} are possible.",
        status=403,
        facts={"limit": limit, "used": taken, "fits": max(0, limit - taken)},
    )


def quota_exhausted(
    group: str, balance: Balance, *, wanted: int, own: int, each: int
) -> DaskRefused:
    """`own` is what the cluster would hold, `each` what one worker does, in millicore-seconds."""
    left = balance.remaining
    fits = max(0, left // each) if left is not None else wanted
    return DaskRefused(
        "quota_exhausted",
        f"The group “{group}” has used {display.core_hours(balance.used)} core-hours, and what "
        f"runs holds {display.core_hours(balance.held)} more. {wanted} workers need "
        f"{display.core_hours(own)} to start. Up to {fits} are possible.",
        status=403,
        facts=quota_facts(balance) | {"fits": fits},
    )


def member_hours_used(group: str, *, used: int, held: int, limit: int) -> DaskRefused:
    return DaskRefused(
        "quota_exhausted",
        f"You have used {display.core_hours(used)} of the {display.core_hours(limit)} core-hours "
        f"that each member of “{group}” may use, and what you run holds "
        f"{display.core_hours(held)} more.",
        status=403,
        facts={
            "limit": str(core_hours(limit)),
            "used": str(core_hours(used)),
            "held": str(core_hours(held)),
        },
    )
