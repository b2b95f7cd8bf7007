"""The manifest of a run: what was published, what was refused and why, what changed since.

Lists are streamed, since after an outage they may be long.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from accounting.exports.claims import Cut
from accounting.exports.corrections import CHANGED, HAS_CHANGED
from accounting.exports.files import Measured
from accounting.exports.lines import CANDIDATES, REFUSAL
from accounting.models import ExportRun

INGESTOR_LOOKS_BACK = timedelta(days=7)

# Few candidates are left of many sessions, so their reasons are found last. What has no refusal
# became due after the claim; the next run exports it.
REFUSED = f"""
SELECT s.number, s.key::text, coalesce({REFUSAL}, 'due_next_run')
{CANDIDATES}
ORDER BY s.number
"""

NEVER_READY = """
SELECT count(*) FROM hub_sessions_session
WHERE hub_id = %(hub)s AND ready_at IS NULL
  AND (ended_at < %(cut)s OR (ended_at IS NULL AND lease_until < %(cut)s))
"""

RESCUES = """
SELECT count(*) FROM hub_sessions_session
WHERE hub_id = %(hub)s AND is_rescue AND ready_at IS NOT NULL AND ended_at < %(cut)s
"""

CORRECTIONS = f"""
SELECT m.session_id, s.key::text, m.job_id, m.user_name, m.group_name, m.started_at, m.ended_at,
       m.cpu_millicores, (
           SELECT coalesce(json_agg(json_build_array(
               u.username, g.name, c.started_at, c.ended_at, c.cpu_millicores * c.sign,
               c.origin) ORDER BY c.id), '[]')::text
           FROM hub_sessions_charge c
           LEFT JOIN accounts_user u ON u.id = c.user_id
           LEFT JOIN accounts_group g ON g.id = c.group_id
           WHERE c.session_id = m.session_id AND c.origin IN ('notebook', 'adjustment'))
{CHANGED} JOIN hub_sessions_session s ON s.number = m.session_id
JOIN accounting_exportrun r ON r.id = m.run_id
WHERE r.hub_id = %(hub)s AND r.id < %(run)s AND {HAS_CHANGED}
ORDER BY m.job_id
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A finished file, by its name from the manifest; absolute where it lies elsewhere."""

    name: str
    measured: Measured


def write(run: ExportRun, files: list[Published], out: Measured) -> None:
    """The whole manifest as JSON. All about its lines comes from the claim."""
    cut = Cut(run.until, run.settle_seconds).moment
    parameters = {"hub": run.hub_id, "run": run.pk, "cut": cut}
    refused: Counter[str] = Counter()
    _write(out, json.dumps(_claimed(run, files), indent=2)[:-2])
    _write_list(out, "corrections", map(_correction, _rows(CORRECTIONS, parameters)))
    _write_list(out, "refused", _count(map(_refusal, _rows(REFUSED, parameters)), refused))
    [(never_ready,)] = _rows(NEVER_READY, parameters)
    [(rescues,)] = _rows(RESCUES, parameters)
    counts = {
        "refused_by_reason": dict(sorted(refused.items())),
        "never_ready": never_ready,
        "rescue_sessions": rescues,
    }
    _write(out, ",\n" + json.dumps(counts, indent=2)[2:] + "\n")


def _claimed(run: ExportRun, files: list[Published]) -> dict[str, Any]:
    exact = run.summary["exact_millicore_seconds"]
    exported = run.summary["exported_core_seconds"]
    last_job = run.first_job_id + run.jobs - 1
    return {
        "format": "slurm",
        "hub": run.hub.name,
        "run": run.pk,
        "claimed_at": _utc(run.started_at),
        "until": _utc(run.until),
        "settle_seconds": run.settle_seconds,
        "files": [
            {
                "name": file.name,
                "lines": file.measured.lines,
                "bytes": file.measured.size,
                "sha256": file.measured.hash.hexdigest(),
            }
            for file in files
        ],
        "exported": run.jobs,
        "job_ids": [run.first_job_id, last_job] if run.jobs else None,
        "states": run.summary["states"],
        "core_seconds": {
            "exact": core_seconds(exact),
            "exported": exported,
            "rounding": core_seconds(exported * 1000 - exact),
        },
        "ingest": _ingest(run),
    }


def _ingest(run: ExportRun) -> dict[str, Any] | None:
    """What to tell the ingestor; it looks back a week by default and would miss older ends."""
    if run.summary["first_end"] is None:
        return None
    first = datetime.fromisoformat(run.summary["first_end"])
    late = first < run.started_at - INGESTOR_LOOKS_BACK
    option = f"--last-modified-start-date {first:%Y-%m-%d}" if late else None
    return {
        "first_end": _utc(first),
        "last_end": _utc(datetime.fromisoformat(run.summary["last_end"])),
        "late": late,
        "xdmod_ingestor_option": option,
    }


def _correction(row: tuple[Any, ...]) -> dict[str, Any]:
    number, key, job_id, user, group, started, ended, millicores, charges = row
    return {
        "session": number,
        "key": key,
        "job_id": job_id,
        "published": _entry(user, group, started, ended, millicores),
        "ledger": [
            {**_entry(name, payer, _moment(begin), _moment(end), rate), "origin": origin}
            for name, payer, begin, end, rate, origin in json.loads(charges)
        ],
    }


def _entry(
    user: str | None, group: str | None, start: datetime | None, end: datetime | None, rate: int
) -> dict[str, Any]:
    seconds = int((end - start).total_seconds()) if start and end else None
    return {
        "user": user,
        "group": group,
        "start": start and _utc(start),
        "end": end and _utc(end),
        "core_seconds": None if seconds is None else core_seconds(rate * seconds),
    }


def _refusal(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("session", "key", "reason"), row, strict=True))


def _count(rows: Iterable[dict[str, Any]], counts: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        counts[row["reason"]] += 1
        yield row


def _rows(statement: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows in chunks; to be called within a transaction, which keeps the cursor open."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while chunk := cursor.fetchmany(2000):
            yield from chunk


def _write_list(out: Measured, name: str, rows: Iterable[dict[str, Any]]) -> None:
    _write(out, f",\n  {json.dumps(name)}: [")
    separator = "\n    "
    for row in rows:
        _write(out, separator + json.dumps(row))
        separator = ",\n    "
    _write(out, "\n  ]" if separator.startswith(",") else "]")


def _write(out: Measured, text: str) -> None:
    out.write(text.encode())


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def core_seconds(millicore_seconds: int) -> str:
    """Core-seconds with exactly three decimal places."""
    return str(Decimal(millicore_seconds).scaleb(-3).quantize(Decimal("0.001")))
