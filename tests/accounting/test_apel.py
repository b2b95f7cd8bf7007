"""What APEL adds up from our records is the ledger, whatever was corrected and whatever died."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounting.exports.apel import export as apel
from accounting.exports.apel import spool
from accounting.exports.apel.records import cpu_count
from accounting.models import ApelGroup, ApelMark, ApelRun
from accounts.models import Identity
from sessions.adjustments import adjust
from sessions.models import Charge, Session
from tests import factories
from tests.accounting.apel_receiver import Receiver, messages, read_message
from tests.accounting.cast import Cast
from tests.accounting.rows import add_charge, add_session
from tests.documents import Documents

pytestmark = pytest.mark.django_db

MAY, JUNE, JULY = (date(2026, month, 1) for month in (5, 6, 7))
NOW = datetime(2026, 7, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
ISSUER = "https://aai.example.org"


@pytest.fixture(autouse=True)
def july() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def run(directory: Path, *options: str) -> str:
    out = StringIO()
    call_command(
        "export_apel",
        "--hub=demo",
        f"--output={directory}",
        "--site=UKI-ROE",
        "--gpu-model=A100",
        *options,
        stdout=out,
    )
    return out.getvalue()


def session(cast: Cast, start: datetime, end: datetime | None, **changes: Any) -> Session:
    details: dict[str, Any] = {"user": cast.bob, "group": cast.transients, **changes}
    added = add_session(cast.hub, started_at=start, ended_at=end, **details)
    add_charge(added)
    return added


def over_may_and_june(cast: Cast, **changes: Any) -> Session:
    start = datetime(2026, 5, 31, 22, tzinfo=UTC)
    return session(cast, start, start + 5 * HOUR, **changes)


def test_the_messages_are_those_of_the_data_folder(
    cast: Cast, tmp_path: Path, documents: Documents
) -> None:
    ApelGroup.objects.create(group=cast.transients, fqan="/lsst.example.org/transients/Role=NULL")
    made = over_may_and_june(cast, cpu_millicores=500, gpus=2)
    session(cast, datetime(2026, 6, 30, 20, tzinfo=UTC), None, group=cast.galaxies)
    for number, one in enumerate(Session.objects.order_by("number"), start=1):
        Session.objects.filter(pk=one.pk).update(key=f"00000000-0000-0000-0000-{number:012}")
    Session.objects.filter(pk=made.pk).update(image="lsst\n%%none", pod="jupyter-bob")
    Session.objects.exclude(pk=made.pk).update(pod="jupyter-bob-2")
    assert "Exported 3 records of demo" in run(tmp_path)
    [cloud] = messages(tmp_path / "cloud")
    [gpus] = messages(tmp_path / "accelerator")
    documents.expect("apel/cloud.txt", cloud)
    documents.expect("apel/accelerator.json", gpus)


def test_months_add_up_to_the_ledger(cast: Cast, tmp_path: Path) -> None:
    receiver = Receiver()
    over_may_and_june(cast, cpu_millicores=500)
    session(cast, NOW - 3 * HOUR, NOW - HOUR, group=cast.galaxies)
    run(tmp_path)
    receiver.take_all(tmp_path)
    assert receiver.core_seconds() == {
        ("transients", MAY): 0.5 * (7200 - 1),
        ("transients", JUNE): 0.5 * (10800 + 1),
        ("galaxies", JULY): 7200,
    }


def test_what_is_known_is_not_sent_again(cast: Cast, tmp_path: Path) -> None:
    over_may_and_june(cast)
    run(tmp_path)
    assert "Exported 0 records" in run(tmp_path)
    assert len(messages(tmp_path / "cloud")) == 1


def test_a_correction_replaces_what_was_sent(cast: Cast, tmp_path: Path) -> None:
    receiver = Receiver()
    made = over_may_and_june(cast)
    run(tmp_path)
    receiver.take_all(tmp_path)
    dora = factories.user()
    factories.membership(cast.bob, cast.galaxies, valid_from=datetime(2020, 1, 1, tzinfo=UTC))
    adjust(
        made, author=dora, reason="It hung.", at=NOW, ended_at=datetime(2026, 5, 31, 23, tzinfo=UTC)
    )
    assert "Exported 2 records" in run(tmp_path)
    receiver.take_all(tmp_path)
    assert receiver.core_seconds() == {("transients", MAY): 3600}
    adjust(made, author=dora, reason="Theirs.", at=NOW, group=cast.galaxies)
    run(tmp_path)
    receiver.take_all(tmp_path)
    assert receiver.core_seconds() == {("galaxies", MAY): 3600}


def test_evidence_after_an_adjustment_waits_for_a_person(cast: Cast, tmp_path: Path) -> None:
    made = over_may_and_june(cast)
    adjust(
        made,
        author=factories.user(),
        reason="It hung.",
        at=NOW,
        ended_at=datetime(2026, 5, 31, 23, tzinfo=UTC),
    )
    Charge.objects.filter(session=made, origin="notebook").update(ended_at=NOW - HOUR)
    assert "refused 1 (evidence_after_adjustment)" in run(tmp_path)
    assert not ApelMark.objects.exists()


def test_what_nobody_pays_for_is_refused_until_it_is_attributed(cast: Cast, tmp_path: Path) -> None:
    made = over_may_and_june(cast, group=None)
    assert "Exported 0 records" in (said := run(tmp_path))
    assert "refused 1 (unattributed)" in said
    Charge.objects.filter(session=made).update(group=cast.galaxies)
    assert "Exported 2 records" in run(tmp_path)


def test_people_as_a_provider_knows_them(cast: Cast, tmp_path: Path, settings: Any) -> None:
    settings.IDENTITY_PROVIDERS = [
        {
            "name": "egi",
            "title": "EGI",
            "issuer": ISSUER,
            "client_id": "portal",
            "client_secret": "secret",
        }
    ]
    Identity.objects.create(user=cast.bob, provider="egi", issuer=ISSUER, subject="f00@egi.eu")
    over_may_and_june(cast)
    run(tmp_path, "--identities=egi")
    [text] = messages(tmp_path / "cloud")
    assert {record["GlobalUserName"] for record in read_message(text)} == {"f00@egi.eu"}
    assert {record["LocalUserId"] for record in read_message(text)} == {"bob"}


@pytest.mark.parametrize("place", range(6))
def test_a_run_that_dies_is_finished_by_the_next(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(apel, "RECORDS_PER_MESSAGE", 1)
    for _ in range(2):
        over_may_and_june(cast, gpus=1)
    real, calls = spool.put, iter(range(100))

    def dies(*args: Any) -> Any:
        if next(calls) == place:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(spool, "put", dies)
    with pytest.raises(CommandError, match=r"No space left.*Nothing is lost"):
        run(tmp_path)
    assert ApelRun.objects.get().state == ApelRun.State.CLAIMED
    monkeypatch.setattr(spool, "put", real)
    assert "Exported 0 records" in (said := run(tmp_path))
    assert "finished 1 interrupted before" in said
    receiver = Receiver()
    assert receiver.take_all(tmp_path) == 8  # four records and four of GPUs, each once
    assert len(receiver.records) == len(receiver.accelerators) == 4


def test_gpus_of_a_month_are_told_in_its_own_seconds(cast: Cast, tmp_path: Path) -> None:
    receiver = Receiver()
    over_may_and_june(cast, gpus=2)
    run(tmp_path)
    receiver.take_all(tmp_path)
    durations = {
        month: record["AvailableDuration"] for (_, month), record in receiver.accelerators.items()
    }
    assert durations == {MAY: 7199, JUNE: 10801}


@pytest.mark.parametrize(
    ("options", "right"),
    [
        (["--hub=nowhere"], "no hub nowhere"),
        (["--site= "], "--site must be the name"),
        (["--identities=nobody"], "no identity provider nobody"),
        (["--until=yesterday"], "--until yesterday is not a time"),
    ],
)
def test_bad_options_are_told(cast: Cast, tmp_path: Path, options: list[str], right: str) -> None:
    with pytest.raises(CommandError, match=right):
        run(tmp_path, *options)


def test_cpus_have_three_decimals() -> None:
    assert [cpu_count(number) for number in (1, 500, 4000)] == ["0.001", "0.500", "4.000"]


def test_a_session_that_is_told_as_another_counts_nothing(cast: Cast, tmp_path: Path) -> None:
    receiver = Receiver()
    start = datetime(2026, 6, 5, tzinfo=UTC)
    adopted = session(cast, start, start + HOUR)
    Session.objects.filter(pk=adopted.pk).update(adopted_until=start + HOUR)
    run(tmp_path)
    Session.objects.filter(pk=adopted.pk).update(ended_at=start)
    Charge.objects.filter(session=adopted).update(ended_at=start)
    run(tmp_path)
    receiver.take_all(tmp_path)
    assert receiver.core_seconds() == {}
    unknown = session(cast, start, start)
    Session.objects.filter(pk=unknown.pk).update(adopted_until=start)
    assert "Exported 0 records" in run(tmp_path)
