"""Items gather while work is under way; everybody gets the answer or the error that is theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lsp_portal.lib.gather import Gatherer


class Kitchen:
    """Work that waits for a word to go on, and notes what it was given together."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.busy = threading.Event()
        self.go_on = threading.Event()

    def cook(self, table: Hashable, take: Callable[[], Sequence[str]]) -> list[str]:
        assert table == "table"
        orders = take()
        self.calls.append(list(orders))
        self.busy.set()
        assert self.go_on.wait(10)
        if "stone" in orders:
            raise ValueError("stones cannot be cooked")
        return [order.upper() for order in orders]


def order_while_busy(
    kitchen: Kitchen, gatherer: Gatherer[str, str], orders: list[str]
) -> list[Future[str]]:
    """The first order occupies the kitchen; the others come meanwhile."""
    pool = ThreadPoolExecutor(len(orders))
    futures = [pool.submit(gatherer.submit, "table", orders[0])]
    assert kitchen.busy.wait(10)
    for order in orders[1:]:
        futures.append(pool.submit(gatherer.submit, "table", order))
        while sum(len(queue.waiting) for queue in gatherer._queues.values()) < len(futures) - 1:
            pass
    kitchen.go_on.set()
    pool.shutdown()
    return futures


def test_what_comes_while_work_is_under_way_is_worked_on_together() -> None:
    kitchen = Kitchen()
    futures = order_while_busy(kitchen, Gatherer(kitchen.cook, most=100), ["a", "b", "c", "d"])
    assert [future.result() for future in futures] == ["A", "B", "C", "D"]
    assert kitchen.calls == [["a"], ["b", "c", "d"]]


def test_one_call_takes_no_more_than_the_most() -> None:
    kitchen = Kitchen()
    orders = ["a", "bb", "cc", "ddddddd", "e"]
    futures = order_while_busy(kitchen, Gatherer(kitchen.cook, most=5), orders)
    assert [future.result() for future in futures] == [order.upper() for order in orders]
    assert kitchen.calls == [["a"], ["bb", "cc"], ["ddddddd"], ["e"]]


def test_an_error_reaches_only_whose_item_it_is() -> None:
    kitchen = Kitchen()
    futures = order_while_busy(kitchen, Gatherer(kitchen.cook, most=99), ["a", "b", "stone", "c"])
    results = [future.exception() or future.result() for future in futures]
    assert [result for result in results if isinstance(result, str)] == ["A", "B", "C"]
    assert isinstance(results[2], ValueError)
    assert kitchen.calls[1] == ["b", "stone", "c"]
    assert sorted(kitchen.calls[2:]) == [["b"], ["c"], ["stone"]]


def test_an_item_that_comes_alone_raises_its_own_error() -> None:
    kitchen = Kitchen()
    kitchen.go_on.set()
    gatherer: Gatherer[str, str] = Gatherer(kitchen.cook, most=99)
    with pytest.raises(ValueError, match="stones"):
        gatherer.submit("table", "stone")
    assert gatherer.submit("table", "a") == "A"


def test_nobody_is_forgotten_where_work_fails_before_it_takes_anything() -> None:
    def refuse(table: Hashable, take: Callable[[], Sequence[str]]) -> list[str]:
        raise ConnectionError("the stove is out")

    gatherer: Gatherer[str, str] = Gatherer(refuse, most=99)
    with pytest.raises(ConnectionError):
        gatherer.submit("table", "a")


def test_what_comes_while_work_waits_for_its_turn_is_taken_along() -> None:
    waits, go_on = threading.Event(), threading.Event()
    calls: list[list[str]] = []

    def wait_and_cook(table: Hashable, take: Callable[[], Sequence[str]]) -> list[str]:
        waits.set()
        assert go_on.wait(10)
        calls.append(list(take()))
        return calls[-1]

    gatherer: Gatherer[str, str] = Gatherer(wait_and_cook, most=99)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(gatherer.submit, "table", "a")
        assert waits.wait(10)
        second = pool.submit(gatherer.submit, "table", "b")
        while len(gatherer._queues["table"].waiting) < 2:
            pass
        go_on.set()
        assert (first.result(), second.result()) == ("a", "b")
    assert calls == [["a", "b"]]
