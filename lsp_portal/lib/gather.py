"""Work that is cheaper together: while one call is under way, the next items gather."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence, Sized
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Sized)
Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Job(Generic[Item, Answer]):
    item: Item
    tried: bool = False
    answers: list[Answer] = field(default_factory=list)  # empty until the work succeeded


@dataclass(slots=True)
class _Queue(Generic[Item, Answer]):
    waiting: deque[_Job[Item, Answer]] = field(default_factory=deque)
    turn: threading.Lock = field(default_factory=threading.Lock)


class Gatherer(Generic[Item, Answer]):
    """Hands items of many threads to `work`, as many at a time as are there.

    Per key one call runs at a time. `work` gets the key and a function that takes the items of the
    moment, so that it may first wait for something else. Nothing waits for company: an item that
    comes alone is worked on alone. Where work on several fails, each is tried again alone, so that
    nobody gets the error of another. `most` bounds the sizes that one call takes together.
    """

    def __init__(
        self,
        work: Callable[[Hashable, Callable[[], Sequence[Item]]], Sequence[Answer]],
        *,
        most: int,
    ) -> None:
        self._work = work
        self._most = most
        self._queues: dict[Hashable, _Queue[Item, Answer]] = {}

    def submit(self, key: Hashable, item: Item) -> Answer:
        """The answer to this item; raises what `work` raises for it alone."""
        queue = self._queues.setdefault(key, _Queue())
        job: _Job[Item, Answer] = _Job(item)
        queue.waiting.append(job)
        with queue.turn:
            while not job.tried:
                self._work_off(key, queue.waiting)
            return job.answers[0] if job.answers else self._work(key, lambda: [item])[0]

    def _work_off(self, key: Hashable, waiting: deque[_Job[Item, Answer]]) -> None:
        jobs: list[_Job[Item, Answer]] = []

        def take() -> list[Item]:
            jobs.extend(self._next(waiting))
            return [job.item for job in jobs]

        try:
            answers = self._work(key, take)
            for job, answer in zip(jobs, answers, strict=True):
                job.answers.append(answer)
        except Exception:  # whatever it is, each finds it again alone
            return
        finally:
            for job in jobs or self._next(waiting):
                job.tried = True

    def _next(self, waiting: deque[_Job[Item, Answer]]) -> list[_Job[Item, Answer]]:
        jobs = [waiting.popleft()]
        size = len(jobs[0].item)
        while waiting and size + len(waiting[0].item) <= self._most:
            jobs.append(waiting.popleft())
            size += len(jobs[-1].item)
        return jobs
