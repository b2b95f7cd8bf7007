"""The numbers of a group's statement are those of the pages, the API and every kind of file."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from accounting import usage
from accounting.group_statements import files, pdf
from accounting.group_statements.content import GroupStatement, of_window
from accounting.models import Statement
from accounting.usage import Window
from accounts.models import Group, User
from quotas.models import AllocationPeriod
from quotas.vocabulary import Usage, core_hours
from sessions.models import Charge, Hub
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, records, text, visit
from tests.html_tables import tables

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sessions")]

PAGE = "/groups/transients/statement/"
NUMBER = re.compile(r"-?[0-9,]+\.[0-9]{6}")


def printed(document: bytes) -> str:
    """The text of all pages."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages)


def answered(who: User, path: str, **asked: Any) -> Any:
    """What the API says."""
    return json.loads(visit(who, path, **asked).content)


def numbers(text: str) -> list[Decimal]:
    return [Decimal(found.replace(",", "")) for found in NUMBER.findall(text)]


def section(text: str, head: str, until: str) -> str:
    return text.split(head, 1)[1].split(until, 1)[0]


def of_period(group: Group, period: AllocationPeriod, **asked: Any) -> GroupStatement:
    return of_window(group, Window(period.starts_at, period.ends_at, NOW), period, **asked)


def test_every_part_adds_up_to_what_the_group_used(
    transients: Group, period: AllocationPeriod
) -> None:
    found = of_period(transients, period)
    window = Window(period.starts_at, period.ends_at, NOW)
    total = usage.total(window, group=transients)
    assert total.millicore_seconds > 0
    for parts in (found.months, found.images, found.sizes):
        assert sum((part.usage for part in parts), Usage()) == total
    assert found.people is not None
    assert sum(line.sums.millicore_seconds for line in found.people) == total.millicore_seconds
    assert (found.total.millicore_seconds, found.total.mib_seconds, found.total.gpu_seconds) == (
        total.millicore_seconds, total.mib_seconds, total.gpu_seconds,
    )  # fmt: skip
    assert found.closed is None
    assert {line.name: line.role for line in found.people} == {
        "bob": "member", "alice": "pi", "": "",
    }  # fmt: skip


def test_running_sessions_count_up_to_the_moment(
    hub: Hub, bob: User, transients: Group, current: AllocationPeriod
) -> None:
    factories.charged_session(hub, bob, transients, ready_at=NOW - 30 * HOUR, ended_at=None)
    window = Window(current.starts_at, current.ends_at, NOW)
    found = of_window(transients, window, current)
    assert found.total.millicore_seconds == usage.total(window, group=transients).millicore_seconds
    assert sum((month.usage for month in found.months), Usage()).millicore_seconds == (
        found.total.millicore_seconds
    )
    assert found.months[-1].name == "2026-05"


def test_closed_numbers_are_the_frozen_ones_with_their_number_and_hash(
    hub: Hub, bob: User, transients: Group, period: AllocationPeriod, statement: Statement
) -> None:
    before = of_period(transients, period)
    assert before.closed is not None
    assert (before.closed.number, before.closed.hash) == (statement.number, statement.hash)
    late = NOW - 20 * DAY
    factories.charged_session(hub, bob, transients, ready_at=late, ended_at=late + HOUR)
    after = of_period(transients, period)
    assert after.total == before.total
    assert after.people == before.people
    assert after.changed.millicore_seconds == 3_600_000
    assert "corrected by 1.000000 core-hours" in " ".join(printed(pdf.document(after)).split())


def test_page_api_csv_ods_and_pdf_say_the_same(
    alice: User, transients: Group, period: AllocationPeriod, statement: Statement
) -> None:
    asked: dict[str, Any] = {"period": period.pk}
    api = answered(alice, "/api/v1/groups/transients/statement", **asked)
    used = Decimal(api["total"]["core_hours"])
    people = [Decimal(person["core_hours"]) for person in api["people"]]
    months = [Decimal(month["core_hours"]) for month in api["months"]]

    rows = records(alice, "/groups/transients/statement.csv", **asked)
    by_kind = {kind: [Decimal(row["core_hours"]) for row in rows if row["kind"] == kind]
               for kind in ("total", "person", "month", "quota")}  # fmt: skip
    assert by_kind == {"total": [used], "person": people, "month": months, "quota": [1000]}
    assert {row["statement"] for row in rows} == {str(statement.number)}

    document = visit(alice, "/groups/transients/statement.ods", **asked).content
    content = zipfile.ZipFile(io.BytesIO(document)).read("content.xml").decode()
    for amount in (used, *people, *months):
        assert f'office:value="{amount}"' in content

    answer = visit(alice, "/groups/transients/statement.pdf", **asked)
    assert answer["Content-Type"] == "application/pdf"
    assert "transients-" in answer["Content-Disposition"]
    said = printed(answer.content)
    assert numbers(section(said, "By person\n", "How these numbers")) == [*people, used]
    assert numbers(section(said, "Core-hours GPU time\n", "By image")) == [*months, used]
    assert numbers(section(said, "Used ", "\n")) == [used]
    assert numbers(section(said, "Allocation ", "\n")) == [Decimal(1000)]
    assert statement.hash in said
    assert "PROVISIONAL" not in said

    page = text(alice, PAGE, **asked)
    assert f'value="{used}"' in page
    shown = re.findall(r'<data value="([0-9.]+)"', page.split('id="people"')[1])
    assert [Decimal(value) for value in shown] == people
    assert len(tables(page)["people"]) == 1 + len(people)
    frozen = statement.lines.get(kind="group", group=transients)
    assert core_hours(frozen.millicore_seconds) == used


def test_an_open_period_is_provisional_everywhere(alice: User, current: AllocationPeriod) -> None:
    asked: dict[str, Any] = {"period": current.pk}
    said = printed(visit(alice, "/groups/transients/statement.pdf", **asked).content)
    assert said.count("PROVISIONAL") == 1
    assert "provisional, as of 2026-05-01 08:00:00 UTC" in said  # on the foot of each page
    assert "Beyond the allocation" in said
    assert "Provisional." in text(alice, PAGE, **asked)
    rows = records(alice, "/groups/transients/statement.csv", **asked)
    assert {row["statement"] for row in rows} == {""}
    assert answered(alice, "/api/v1/groups/transients/statement", **asked)["statement"] is None


def test_without_names_nobody_is_in_any_file(
    alice: User, bob: User, period: AllocationPeriod, statement: Statement
) -> None:
    asked: dict[str, Any] = {"period": period.pk, "names": "no"}
    for kind in files.MEDIA_TYPES:
        content = visit(alice, f"/groups/transients/statement.{kind}", **asked).content
        said = printed(content) if kind == "pdf" else content.decode(errors="replace")
        if kind == "ods":
            said = zipfile.ZipFile(io.BytesIO(content)).read("content.xml").decode()
        for person in (alice, bob):
            assert person.username not in said
            assert person.title not in said
    answer = answered(alice, "/api/v1/groups/transients/statement", **asked)
    assert answer["people"] is None
    assert answer["people_count"] == 3


def test_the_same_statement_gives_the_same_bytes(
    transients: Group, period: AllocationPeriod, statement: Statement
) -> None:
    for kind in ("pdf", "csv"):
        first, second = (files.made(of_period(transients, period), kind) for _ in range(2))
        assert first == second


def test_how_many_people_there_are_does_not_change_how_many_questions_are_asked(
    hub: Hub, transients: Group, period: AllocationPeriod
) -> None:
    with CaptureQueriesContext(connection) as few:
        of_period(transients, period)
    begin = NOW - 30 * DAY
    for _ in range(5):
        factories.charged_session(hub, factories.user(), transients, ready_at=begin)
    with CaptureQueriesContext(connection) as many:
        of_period(transients, period)
    assert len(many) == len(few)


def test_a_group_that_used_nothing_has_a_statement_too(
    alice: User, solar_system: Group, period: AllocationPeriod
) -> None:
    found = of_period(solar_system, period)
    assert found.people == []
    assert "0.000000 core-hours" in printed(pdf.document(found))


def test_only_who_may_see_the_usage_gets_it(
    bob: User, charlie: User, period: AllocationPeriod
) -> None:
    for who in (bob, charlie):
        assert visit(who, PAGE).status_code == 404
        assert visit(who, "/groups/transients/statement.pdf").status_code == 404
        assert visit(who, "/api/v1/groups/transients/statement").status_code == 404


def test_what_cannot_be_asked_is_told(alice: User) -> None:
    path = "/groups/transients/statement"
    assert visit(alice, f"{path}.doc").status_code == 404
    assert b"last day" in visit(alice, f"{path}.pdf", first="2026-02-01", last="2026-01-01").content
    api = "/api/v1/groups/transients/statement"
    assert b"names" in visit(alice, api, names="perhaps").content
    assert b"format" in visit(alice, api, format="doc").content
    assert visit(alice, api, colour="red").status_code == 400


def test_the_address_in_the_paper_says_what_was_stated(
    alice: User, transients: Group, period: AllocationPeriod, statement: Statement
) -> None:
    document = visit(alice, "/groups/transients/statement.pdf", period=period.pk).content
    (address,) = {
        link.get_object()["/A"]["/URI"]
        for page in PdfReader(io.BytesIO(document)).pages
        for link in page.get("/Annots", ())
    }
    assert address in printed(document).replace("\n", "")
    path = urlsplit(address).path
    page = visit(None, path)
    line = statement.lines.get(kind="group", group=transients)
    assert page.status_code == 200
    assert str(line.millicore_seconds) in page.content.decode()
    assert statement.hash in page.content.decode()
    assert "noindex" in page["X-Robots-Tag"]
    assert visit(None, path.replace("/verify/", "/verify/x")).status_code == 404


def test_statements_as_ods_and_through_the_api(
    alice: User, charlie: User, dora: User, galaxies: Group, statement: Statement
) -> None:
    path = f"/api/v1/statements/{statement.number}"
    listed = answered(alice, "/api/v1/statements")["results"]
    assert [row["hash"] for row in listed] == [statement.hash]
    own = answered(alice, path)
    assert {line["group"] for line in own["results"]} == {"transients"}
    everything = answered(dora, path, limit="2")
    assert (len(everything["results"]), everything["count"]) == (2, statement.lines.count())
    rows = list(csv.reader(io.StringIO(visit(dora, path, format="csv").content.decode())))
    assert len(rows) == 1 + statement.lines.count()
    assert visit(charlie, path).status_code == 404
    document = visit(alice, f"/statements/{statement.number}.ods").content
    content = zipfile.ZipFile(io.BytesIO(document)).read("content.xml").decode()
    assert content.count("<table:table-row>") == 1 + own["count"]
    assert "galaxies" not in content


def test_charges_of_others_do_not_count(transients: Group, period: AllocationPeriod) -> None:
    before = of_period(transients, period)
    Charge.objects.filter(group__name="galaxies").update(cpu_millicores=9999)
    assert of_period(transients, period).total == before.total
