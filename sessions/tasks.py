"""Background work on sessions. A task may be lost or run twice: it reads what is due from rows."""

from __future__ import annotations

from celery import shared_task

from lsp_portal.lib import clock
from sessions import draining, enforcement, removals
from sessions.kubernetes import following, starting, stopping, sweeping, tending
from sessions.kubernetes.capacity import keeping, looking
from sessions.kubernetes.prepulling.prepull import prepull
from sessions.kubernetes.watching import listing
from sessions.models import Hub
from sessions.reattributing import requests
from sessions.reconciling.reconcile import reconcile
from sessions.registry.syncing import sync_due
from sessions.storage import notices


@shared_task
def stop_sessions_of_removed_members() -> int:
    """Stop servers of people who left the group that pays; the number asked for."""
    return removals.stop_sessions_of_removed_members(at=clock.now())


@shared_task
def enforce_quotas() -> int:
    """One tick of the ladder of quotas; the number of servers that hubs were asked to stop."""
    return enforcement.enforce_quotas(at=clock.now())


@shared_task
def reconcile_hubs() -> int:
    """Ask every hub for its servers; the number of hubs whose answer became evidence."""
    hubs = Hub.objects.exclude(api_url="")
    return sum(reconcile(hub, at=clock.now()) for hub in hubs)


@shared_task
def tell_storage() -> int:
    """Tell people how full their homes and groups are, each step once; the notices written."""
    return notices.tell_storage(at=clock.now())


@shared_task
def expire_reattributions() -> int:
    """Close requests to move sessions that nobody answered in time; how many there were."""
    return requests.expire(at=clock.now())


@shared_task
def sync_images() -> int:
    """Let the catalogue follow the registries that are due; how many were read."""
    return sync_due(at=clock.now())


@shared_task
def prepull_images() -> int:
    """Have nodes fetch images before anybody waits for them; how many fetches were begun."""
    return prepull(at=clock.now())


@shared_task
def start_server(number: int) -> None:
    """Bring the server of that session into the cluster, and see that somebody looks after it."""
    again = starting.start(number, at=clock.now(), now=clock.now)
    if again is not None:
        start_server.apply_async((number,), countdown=again.total_seconds())
    follow_servers.delay()


@shared_task
def stop_server(number: int) -> None:
    """Take the server of that session out of the cluster."""
    again = stopping.stop(number, at=clock.now(), now=clock.now)
    if again is not None:
        follow_servers.apply_async(countdown=again.total_seconds())


@shared_task
def follow_servers() -> None:
    """Look at the servers in motion, and again after a pause while there are any."""
    if following.follow(at=clock.now()):
        follow_servers.apply_async(countdown=following.PAUSE.total_seconds())


@shared_task
def tend_dask(number: int) -> None:
    """Do what is due for that Dask cluster, and again after a pause while it is on its way."""
    again = tending.tend(number, at=clock.now(), now=clock.now)
    if again is not None:
        tend_dask.apply_async((number,), countdown=again.total_seconds())


@shared_task
def sweep_cluster() -> int:
    """Compare the cluster with the rows; the number of objects that were removed."""
    removed = sweeping.sweep(at=clock.now())
    follow_servers.delay()
    return removed


@shared_task
def look_at_cluster() -> int:
    """List the cluster's pods and repair what no watch has seen; the number of lists read."""
    return listing.look(at=clock.now())


@shared_task
def look_at_room() -> int:
    """Note what room the cluster has for each size; the number of nodes that were seen."""
    return looking.look(at=clock.now())


@shared_task
def empty_nodes() -> int:
    """Look after nodes that are being emptied; the number of servers hubs were asked to stop."""
    return draining.tend(at=clock.now())


@shared_task
def keep_placeholders() -> int:
    """Keep room for servers, as the sizes say; the number of placeholders that were made."""
    return keeping.keep(at=clock.now())
