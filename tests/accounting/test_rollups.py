"""Roll-ups follow while charges change under them, whoever refreshes and how often."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from io import StringIO
from random import Random

import pytest
from django.core.management import call_command
from django.db import connections, transaction

from accounting import rollups, usage
from accounting.audit import sums
from accounting.models import GroupDay
from accounting.tasks import refresh_rollups
from accounting.usage import Window
from sessions.models import Charge, StaleDay
from tests.accounting.cast import Cast
from tests.accounting.rows import EPOCH, add_charge, add_many, add_session, mark_stale

FORK = multiprocessing.get_context("fork")
WRITERS = 3
CHANGES = 60


@pytest.mark.django_db
def test_the_task_refreshes(cast: Cast) -> None:
    end = EPOCH + timedelta(hours=1)
    add_charge(
        add_session(cast.hub, user=cast.bob, group=cast.transients, started_at=EPOCH, ended_at=end)
    )
    assert refresh_rollups() == 1
    assert GroupDay.objects.get().millicore_seconds == 3_600_000
    assert refresh_rollups() == 0


@pytest.mark.django_db
def test_rebuild_says_what_it_did(cast: Cast) -> None:
    add_many(cast, 3)
    out = StringIO()
    call_command("rebuild_usage", stdout=out)
    assert out.getvalue() == "Rebuilt 1 group-days and 1 person-days.\n"
    assert GroupDay.objects.get().millicore_seconds == 3 * 60 * 1500


@pytest.mark.django_db(transaction=True)
def test_no_change_is_lost_between_writers_refreshers_and_a_rebuild(cast: Cast) -> None:
    add_many(cast, WRITERS * 20)
    rollups.rebuild()
    numbers = list(Charge.objects.order_by("pk").values_list("pk", flat=True))
    shares = [numbers[place::WRITERS] for place in range(WRITERS)]
    work = [FORK.Process(target=_write, args=(share,)) for share in shares]
    work += [FORK.Process(target=_refresh) for _ in range(2)]
    connections.close_all()
    for process in work:
        process.start()
    for process in work:
        process.join()
    assert [process.exitcode for process in work] == [0] * len(work)
    _check_sums()
    rollups.refresh()
    assert not StaleDay.objects.exists()
    _check_sums()


def _write(charges: list[int]) -> None:
    """End charges otherwise again and again, on other days, as late events do."""
    random = Random(charges[0])
    for _ in range(CHANGES):
        with transaction.atomic():
            charge = Charge.objects.get(pk=random.choice(charges))
            mark_stale(charge)
            charge.ended_at = charge.started_at + timedelta(hours=random.randint(1, 80))
            charge.save(update_fields=["ended_at"])
            mark_stale(charge)


def _refresh() -> None:
    for turn in range(8):
        rollups.refresh()
        if turn == 4:
            rollups.rebuild()


def _check_sums() -> None:
    """Clean days are those of the charges, and what pages show is the sum of the charges."""
    for check in sums.CHECKS:
        check.run()
    seconds = sum(
        int((charge.ended_at - charge.started_at).total_seconds())
        for charge in Charge.objects.all()
        if charge.ended_at
    )
    window = Window(EPOCH, EPOCH + timedelta(days=9), EPOCH)
    assert usage.total(window).millicore_seconds == 1500 * seconds
