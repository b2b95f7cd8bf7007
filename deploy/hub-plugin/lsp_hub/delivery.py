"""Bring the events of the outbox to the portal: in order, again and again until they are there."""

import asyncio
import contextlib
import hashlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from lsp_hub import store
from lsp_hub.outbox import Outbox
from lsp_hub.portal import MAX_DETAIL, Answer, Portal, PortalAwayError
from lsp_hub.store import Queued

FIRST_PAUSE = 1.0  # seconds after the first failure, then doubled
LONGEST_PAUSE = 10.0  # so that a portal which comes back is heard of soon
LONGEST_RETRY_AFTER = 3600.0  # a portal that asks for more is asked again after this
LOG_SECONDS = 300.0  # between two lines about the same trouble

HALVE = {400, 413}


class NotDeliveredError(Exception):
    """The batch stays in the outbox; `pause` is what Retry-After asked for (s), if anything."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


class Delivery:
    """The one sender of a hub's events."""

    def __init__(
        self,
        outbox: Outbox,
        portal: Portal,
        log: logging.Logger,
        *,
        first_pause: float = FIRST_PAUSE,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.outbox = outbox
        self.portal = portal
        self.log = log
        self.first_pause = first_pause
        self.chance = chance
        self.parked = 0
        self._failures = 0
        self._trouble_since = 0.0
        self._logged_at = 0.0
        self._work = asyncio.Event()
        self._nudged = asyncio.Event()

    async def run(self) -> None:
        """Deliver for ever; ends only by cancellation."""
        loop = asyncio.get_running_loop()
        self.outbox.on_change = lambda: _call_soon(loop, self._work.set)
        while True:
            self._work.clear()
            try:
                await self.deliver_all()
            except NotDeliveredError as error:
                await self._wait_after(error)
            except Exception as error:  # a full disk, a bug: the events are still there
                await self._wait_after(NotDeliveredError(f"{type(error).__name__}: {error}"))
            else:
                self._note_success()
                await self._work.wait()

    def nudge(self) -> None:
        """The portal has just answered somebody else: no need to wait longer."""
        self._nudged.set()

    async def deliver_all(self) -> None:
        """Deliver until the outbox is empty. Raises NotDeliveredError, or sqlite3.Error."""
        while batch := await self.outbox.oldest_events():
            await self._deliver(batch)
            self._note_success()

    async def _deliver(self, batch: Sequence[Queued]) -> None:
        answer = await self._send(batch)
        if answer.status == 200:
            await self._settle(batch, answer.json())
        elif answer.status not in HALVE:
            pause = retry_after(answer.retry_after, now=time.time())
            raise NotDeliveredError(f"the portal answered {answer.status}", pause)
        elif len(batch) == 1:
            await self._park(batch[0], answer)
        else:
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])

    async def _send(self, batch: Sequence[Queued]) -> Answer:
        body = ('{"events":[' + ",".join(queued.body for queued in batch) + "]}").encode()
        message = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
        try:
            return await self.portal.send_events(body, message)
        except PortalAwayError as error:
            raise NotDeliveredError(str(error)) from error

    async def _settle(self, batch: Sequence[Queued], content: dict[str, Any]) -> None:
        """Forget the batch; what the portal rejected is kept apart, with its reason."""
        if not isinstance(content.get("accepted"), int):
            raise NotDeliveredError("the portal answered 200 without its counts")
        parked = rejections(batch, content.get("rejected"))
        for seq, code, detail in parked:
            self.log.error("The portal rejected event %d: %s: %s", seq, code, detail)
        await self.outbox.settle([queued.seq for queued in batch], parked)
        self.parked += len(parked)

    async def _park(self, queued: Queued, answer: Answer) -> None:
        code = str(answer.json().get("code") or answer.status)
        detail = answer.body[:MAX_DETAIL].decode(errors="replace")
        self.log.error(
            "The portal answers %d to event %d alone, so it is put aside: %s",
            answer.status,
            queued.seq,
            detail,
        )
        await self.outbox.settle([queued.seq], [(queued.seq, code, detail)])
        self.parked += 1

    async def _wait_after(self, error: NotDeliveredError) -> None:
        self._failures += 1
        await self._note_failure(error)
        if error.pause is not None:
            await asyncio.sleep(error.pause)
            return
        self._nudged.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nudged.wait(), self._backoff())

    def _backoff(self) -> float:
        """Exponential, between half and all of it, so that hubs do not come back in step."""
        pause = min(LONGEST_PAUSE, self.first_pause * 2.0 ** min(self._failures - 1, 16))
        return pause * (0.5 + self.chance() / 2)

    async def _note_failure(self, error: NotDeliveredError) -> None:
        """One line when the trouble begins, then one every LOG_SECONDS."""
        now = time.monotonic()
        if self._failures == 1:
            self._trouble_since = now
        elif now - self._logged_at < LOG_SECONDS:
            return
        self._logged_at = now
        self.log.warning(
            "Portal away for %.0f s: %s. %s events wait, %d put aside",
            now - self._trouble_since,
            error,
            await self._waiting(),
            self.parked,
        )

    async def _waiting(self) -> str:
        try:
            return str(await self.outbox.ask(store.count_events))
        except Exception:  # the file is what fails
            return "?"

    def _note_success(self) -> None:
        if self._failures:
            away = time.monotonic() - self._trouble_since
            self.log.warning("Portal back after %.0f s, events are delivered again", away)
        self._failures = 0


def rejections(batch: Sequence[Queued], rejected: object) -> list[tuple[int, str, str]]:
    """(seq, code, detail) of the events that the portal could not take."""
    found = []
    for item in rejected if isinstance(rejected, list) else []:
        index = item.get("index") if isinstance(item, dict) else None
        if isinstance(index, int) and 0 <= index < len(batch):
            found.append((batch[index].seq, str(item.get("code")), str(item.get("detail"))))
    return found


def retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds from a Retry-After header, a number or a date; None when there is no sense in it."""
    if not value:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else _seconds_until(value, now)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _seconds_until(value: str, now: float) -> float:
    moment = parsedate_to_datetime(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the hub is ending
        loop.call_soon_threadsafe(callback)
