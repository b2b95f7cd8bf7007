"""What pods show of Dask workers, merged into one row for each, and what follows for charges.

Each moment of a row is the earliest that was shown, so looks may come in any order, from several
watchers, and again. The charge is written by the same SQL that writes those of notebooks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from sessions.models import DaskCluster


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look at the pod of a worker showed; moments are whole UTC seconds.

    `finished_at` is when its container ended for good, `gone_at` when the pod was missed.
    """

    cluster: UUID
    pod_uid: str
    pod: str
    node: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    gone_at: datetime | None = None
    end_reason: str = ""


MERGE = """
INSERT INTO hub_sessions_daskworker AS w (
    cluster_id, pod_uid, pod, node, started_at, finished_at, gone_at, end_reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (pod_uid) DO UPDATE SET
    node = coalesce(nullif(w.node, ''), excluded.node),
    started_at = least(w.started_at, excluded.started_at),
    finished_at = least(w.finished_at, excluded.finished_at),
    gone_at = least(w.gone_at, excluded.gone_at),
    end_reason = CASE
        WHEN excluded.finished_at IS NOT NULL AND (w.finished_at IS NULL
            OR (excluded.finished_at, excluded.end_reason) < (w.finished_at, w.end_reason))
        THEN excluded.end_reason ELSE w.end_reason END
WHERE w.cluster_id = excluded.cluster_id
"""


def take_in(sightings: Iterable[Sighting]) -> int:
    """Write down what was seen of workers, and charge it; how many were of a known cluster.

    When this returns, every later read sees it.
    """
    seen = list(sightings)
    rows = DaskCluster.objects.filter(key__in={each.cluster for each in seen})
    clusters = {row.key: row for row in rows.select_related("session")}
    by_hub: dict[int, list[Sighting]] = defaultdict(list)
    for each in seen:
        if each.cluster in clusters:
            by_hub[clusters[each.cluster].session.hub_id].append(each)
    for hub, some in by_hub.items():
        _take_in(hub, some, clusters)
    return sum(map(len, by_hub.values()))


@transaction.atomic
def _take_in(hub: int, seen: list[Sighting], clusters: dict[UUID, DaskCluster]) -> None:
    keys = sorted({str(clusters[each.cluster].session.key) for each in seen})
    with connection.cursor() as cursor:
        cursor.execute("SELECT hub_sessions_lock(%s)", [hub])
        cursor.executemany(MERGE, [_values(each, clusters[each.cluster].pk) for each in seen])
        cursor.execute("SELECT hub_sessions_charge_workers(%s, %s::uuid[])", [hub, keys])


def _values(seen: Sighting, cluster: int) -> list[Any]:
    return [
        cluster,
        seen.pod_uid,
        seen.pod,
        seen.node,
        seen.started_at,
        seen.finished_at,
        seen.gone_at,
        seen.end_reason,
    ]
