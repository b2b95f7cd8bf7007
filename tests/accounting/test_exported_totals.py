"""What leaves adds up to the ledger, for any history, over any border, with any words in it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import time_machine
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting.exports.apel.star import NAMESPACE
from sessions.models import Charge, Session, StorageSample
from tests import factories
from tests.accounting.apel_receiver import Receiver, messages
from tests.accounting.cast import Cast, make_cast
from tests.accounting.test_export import jobs, manifest, run_export
from tests.accounting.test_xdmod_sheet import LATER, moments, session, undone

WORDS = st.sampled_from(
    ["base", "", "a|b", "x\ny", "%%", "None assigned", "höst[1-3]", "\\N", "z" * 90]
)
HISTORIES = st.lists(
    st.tuples(
        moments,
        st.integers(0, 100 * 24 * 3600),
        st.sampled_from(["transients", "galaxies"]),
        st.sampled_from([1, 499, 1000, 1001, 4000]),
        st.integers(0, 3),
        st.tuples(WORDS, WORDS, WORDS),
    ),
    max_size=8,
)
SAMPLES = st.lists(
    st.tuples(
        moments,
        st.integers(-1, 1),
        st.sampled_from(["/home", "/a b\n<&|", "/ü"]),
        st.integers(0, 2**50),
    ),
    max_size=8,
)
QUICK = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STAR = f"{{{NAMESPACE}}}"


def told(cast: Cast, piece: tuple[Any, ...]) -> None:
    start, seconds, group, millicores, gpus, (image, size, node) = piece
    charge = session(
        cast,
        start,
        seconds / 3600,
        group=getattr(cast, group),
        cpu_millicores=millicores,
        gpus=gpus,
    )
    Session.objects.filter(pk=charge.session_id).update(
        image=image, size=size, node=node, pod=image
    )


def ledger(rate: str) -> Counter[str]:
    """Seconds times a rate of the charges, by group."""
    sums: Counter[str] = Counter()
    for charge in Charge.objects.select_related("group"):
        assert charge.group
        assert charge.ended_at
        seconds = int((charge.ended_at - charge.started_at).total_seconds())
        sums[charge.group.name] += seconds * int(getattr(charge, rate))
    return +sums


@pytest.mark.django_db
@given(history=HISTORIES)
@QUICK
@time_machine.travel(LATER, tick=False)
def test_jobs_and_their_rounding_are_the_ledger(history: list[Any], tmp_path_factory: Any) -> None:
    directory = tmp_path_factory.mktemp("jobs")
    with undone():
        cast = make_cast()
        for piece in history:
            told(cast, piece)
        run_export(directory, f"--until={LATER.isoformat()}")
        found, said = jobs(directory), manifest(directory)["core_seconds"]
        assert sum(job.core_seconds for job in found) == said["exported"]
        exact = sum(ledger("cpu_millicores").values())
        assert round(float(said["exact"]) * 1000) == exact
        assert round(float(said["rounding"]) * 1000) == said["exported"] * 1000 - exact
        gpus: Counter[str] = Counter()
        for job in found:
            gpus[job.group] += job.gpus * int((job.end - job.start).total_seconds())
        assert +gpus == ledger("gpus")


@pytest.mark.django_db
@given(history=HISTORIES)
@QUICK
@time_machine.travel(LATER, tick=False)
def test_records_of_apel_are_the_ledger(history: list[Any], tmp_path_factory: Any) -> None:
    directory, receiver = tmp_path_factory.mktemp("apel"), Receiver()
    with undone():
        cast = make_cast()
        for piece in history:
            told(cast, piece)
        call_command(
            "export_apel", "--hub=demo", f"--output={directory}", "--site=X", stdout=StringIO()
        )
        receiver.take_all(directory)
        sums: Counter[str] = Counter()
        for (group, _), amount in receiver.core_seconds().items():
            sums[group] += round(amount * 1000)
        assert +sums == ledger("cpu_millicores")
        gpus: Counter[str] = Counter()
        for one in receiver.accelerators.values():
            gpus[one["FQAN"].strip("/")] += one["Count"] * one["AvailableDuration"]
        assert +gpus == ledger("gpus")


@pytest.mark.django_db
@given(history=SAMPLES)
@QUICK
@time_machine.travel(LATER, tick=False)
def test_days_of_storage_are_the_last_samples(history: list[Any], tmp_path_factory: Any) -> None:
    directory = tmp_path_factory.mktemp("storage")
    with undone():
        cast = make_cast()
        factories.membership(cast.bob, cast.transients, valid_from=datetime(2020, 1, 1, tzinfo=UTC))
        last: dict[Any, tuple[datetime, int]] = {}
        for number, (moment, seconds, mount, used) in enumerate(history):
            at = moment + timedelta(seconds=10 * number + seconds)
            StorageSample.objects.create(
                user=cast.bob, mount=mount, taken_at=at, used_bytes=used, files=1
            )
            key = mount, at.date()
            last[key] = max(last.get(key, (at, used)), (at, used))
        for receiver in ("xdmod", "apel"):
            out = f"--output={directory / receiver}"
            call_command(
                "export_storage", receiver, "--resource=r", "--site=X", out, stdout=StringIO()
            )
        expected = sum(used for _, used in last.values())
        assert stored(directory / "xdmod") == starred(directory / "apel") == expected


def stored(directory: Path) -> int:
    found = [one for path in directory.glob("*.json") for one in json.loads(path.read_text())]
    return sum(one["logical_usage"] for one in found)


def starred(directory: Path) -> int:
    roots = [ET.fromstring(text) for text in messages(directory)]  # noqa: S314 - the portal's own
    amounts = [one.text for root in roots for one in root.iter(f"{STAR}ResourceCapacityUsed")]
    return sum(int(amount or 0) for amount in amounts)
