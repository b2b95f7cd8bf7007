"""Telling the portal: readings wait in files until it has taken them."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from lsp_storage.readings import Reading

READINGS_PER_FILE = 500
SECONDS = 30.0
PAUSES = (1.0, 5.0, 30.0)  # seconds, between the attempts of one run


class PortalError(Exception):
    """The portal did not take the readings; they wait for the next run."""


@dataclass(frozen=True)
class Portal:
    """Where the portal is, and the token of a service that may write storage samples."""

    address: str
    token: str


def put(spool: Path, readings: Iterable[Reading], *, name: str) -> int:
    """Write the readings into files of the spool, each whole or not at all; how many there were."""
    number = 0
    for place, chunk in enumerate(_chunks(readings)):
        path = spool / f"{name}-{place:05}.json"
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text("\n".join(reading.line() for reading in chunk) + "\n")
        temporary.rename(path)
        number += len(chunk)
    return number


def post_all(
    spool: Path,
    portal: Portal,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Post what waits, the oldest first; how many files the portal took. Raises PortalError."""
    taken = 0
    for path in sorted(spool.glob("*.json")):
        answer = _post(path, portal, say, sleep)
        for rejected in answer.get("rejected", []):
            say(f"{path.name}: not taken: {json.dumps(rejected)}")
        path.unlink()
        taken += 1
    return taken


def _post(
    path: Path, portal: Portal, say: Callable[[str], None], sleep: Callable[[float], None]
) -> dict[str, Any]:
    error: Exception | None = None
    for pause in (0.0, *PAUSES):
        sleep(pause)
        try:
            return _ask(path, portal)
        except HTTPError as found:
            found.close()
            error = found
            if found.code < 500 and found.code != 429:
                break
        except (URLError, TimeoutError, ConnectionError) as found:
            error = found
        say(f"{portal.address}: {error}; trying again")
    raise PortalError(f"{portal.address} did not take {path.name}: {error}") from error


def _ask(path: Path, portal: Portal) -> dict[str, Any]:
    samples = [json.loads(line) for line in path.read_text().splitlines()]
    request = Request(  # noqa: S310 - the address is the operator's own
        f"{portal.address.rstrip('/')}/api/v1/storage-samples",
        data=json.dumps({"samples": samples}).encode(),
        headers={
            "Authorization": f"Bearer {portal.token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        },
    )
    with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - likewise
        content = json.load(answer)
    return content if isinstance(content, dict) else {}


def _chunks(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    rows = iter(readings)
    while chunk := list(islice(rows, READINGS_PER_FILE)):
        yield chunk
