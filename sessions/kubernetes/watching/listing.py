"""A list from the start, compared with the records: the first thing of a watch, and the second net.

Nothing here may be called inside a database transaction: the cluster is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from lsp_portal.lib.portions import portions
from sessions.kubernetes.client import Client, Listing
from sessions.kubernetes.configuration import NotConfigured, cluster
from sessions.kubernetes.failures import KubernetesError
from sessions.kubernetes.watching import absences, endings, workers
from sessions.kubernetes.watching.memory import Memory, uid_of
from sessions.kubernetes.watching.pods import Manifest
from sessions.kubernetes.watching.sources import Source, sources
from sessions.kubernetes.watching.taking import take_events, take_pods
from sessions.kubernetes.watching.workers import take_workers
from sessions.models import ClusterWatch

LOG = logging.getLogger(__name__)
TOGETHER = 200  # pods that are taken in at once


def look(*, at: datetime) -> int:
    """List everything once and repair; how many lists could be read.

    Where nothing is to be watched the cluster is not asked.
    """
    try:
        here = cluster()
    except NotConfigured:
        return 0
    return sum(_looked_at(Client.of(here), source, at=at) for source in sources(here))


def _looked_at(client: Client, source: Source, *, at: datetime) -> bool:
    try:
        take_list(client, source, Memory(), at=at)
    except KubernetesError as error:
        LOG.warning("%s could not be listed: %s", source.name, error)
        return False
    return True


def take_list(client: Client, source: Source, memory: Memory, *, at: datetime) -> str:
    """Read the whole list, act upon what is new in it; the version to watch from."""
    listing = client.list(source.kind, source.namespace, selector=source.selector)
    uids = _take_each(client, source, listing, memory, at=at)
    if source.kind == "Pod":
        memory.keep_only(uids)
        _end_absent(client, source, uids, asked_at=at)
    ClusterWatch.objects.update_or_create(
        source=source.name,
        defaults={"listed_at": at, "heard_at": at, "listed": len(uids), "trouble": ""},
    )
    return listing.resource_version


def take(
    client: Client, source: Source, news: Sequence[Manifest], *, at: datetime, deleted: bool = False
) -> None:
    """Act upon objects of the source that are new, have changed, or are `deleted`."""
    if source.is_of_workers:
        take_workers(news, at=at, deleted=deleted)
    elif source.kind == "Pod":
        take_pods(news, at=at, deleted=deleted)
    elif not deleted:
        take_events(client, news, at=at)


def _end_absent(client: Client, source: Source, uids: set[str], *, asked_at: datetime) -> None:
    if source.is_of_workers:
        workers.end_absent(client, source, uids, asked_at=asked_at)
        return
    absences.end_absent(client, source, uids, asked_at=asked_at)
    endings.note(at=asked_at)


def _take_each(
    client: Client, source: Source, listing: Listing, memory: Memory, *, at: datetime
) -> set[str]:
    uids: set[str] = set()
    for some in portions(_seen(listing, uids), TOGETHER):
        news = [each for each in some if memory.is_news(each)]
        take(client, source, news, at=at)
        for each in news:
            memory.keep(each)
    return uids


def _seen(listing: Listing, uids: set[str]) -> Iterator[Manifest]:
    for each in listing:
        uids.add(uid_of(each))
        yield each
