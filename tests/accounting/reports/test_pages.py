"""The page of reports: what it counts, for whom, and that its numbers are those of other pages."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts.audit import change_rows
from accounts.models import Membership
from tests import factories
from tests.accounting.visits import DAY, HOUR, NOW, records, rows, text, visit
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db

MAY: dict[str, Any] = {"first": "2026-04-01", "last": "2026-05-31"}
BEGIN = NOW - 3 * DAY
ODS = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
}


@pytest.fixture
def cast(db: None) -> Cast:
    """Alice 2 h and Bob 1 h of lsst for transients, Bob 4 h and Charlie 8 h elsewhere."""
    made = make_cast()
    said = {"value": "staff@ed.ac.uk", "organisation": "ed.ac.uk", "issuer": "", "last_seen_at": ""}
    for who, group, hours, values in (
        (made.alice, made.transients, 2, {"image": "lsst", "affiliation": said}),
        (made.bob, made.transients, 1, {"image": "lsst", "size": "large"}),
        (made.bob, made.galaxies, 4, {}),
        (made.charlie, made.solar_system, 8, {"image": ""}),
    ):
        factories.charged_session(
            made.hub, who, group, ready_at=BEGIN, ended_at=BEGIN + hours * HOUR, **values
        )
    return made


def amounts(who: Any, **asked: Any) -> dict[str, str]:
    """Core-hours by what is in the first cells, and the total."""
    shown = rows(who, "/reports/", "report", **MAY, **asked)
    size = 2 if "then" in asked else 1
    return {" | ".join(row[:size]): row[-2] for row in shown[:-1]} | {
        "total": shown[-1][1] if shown else "0"
    }


def test_alice_sees_what_her_group_paid_by_person_image_and_size(cast: Cast) -> None:
    assert amounts(cast.alice) == {
        "Alice Example alice": "2.000000", "Bob Example bob": "1.000000", "total": "3.000000",
    }  # fmt: skip
    assert amounts(cast.alice, by="image", then="size") == {
        "lsst | Small small": "2.000000", "lsst | Large large": "1.000000", "total": "3.000000",
    }  # fmt: skip
    assert amounts(cast.alice, by="institution") == {
        "ed.ac.uk": "2.000000", "No affiliation on record": "1.000000", "total": "3.000000",
    }  # fmt: skip
    assert amounts(cast.alice, by="size", user="bob")["total"] == "1.000000"


def test_bob_sees_his_own_and_charlie_his(cast: Cast) -> None:
    assert amounts(cast.bob) == {
        "Galaxies galaxies": "4.000000", "Transients transients": "1.000000", "total": "5.000000",
    }  # fmt: skip
    assert amounts(cast.charlie, by="image") == {
        "Not told by the hub": "8.000000", "total": "8.000000",
    }  # fmt: skip


def test_dora_sees_everything_and_narrows_it(cast: Cast) -> None:
    assert amounts(cast.dora)["total"] == "15.000000"
    assert amounts(cast.dora, by="hub")["total"] == "15.000000"
    assert amounts(cast.dora, by="group", image="lsst") == {
        "Transients transients": "3.000000", "total": "3.000000",
    }  # fmt: skip
    assert amounts(cast.dora, by="user", image="-", group="solar-system")["total"] == "8.000000"


@pytest.mark.parametrize(
    ("who", "asked", "said"),
    [
        ("bob", {"whose": "all"}, "“all” cannot be chosen. Choose one of: mine."),
        ("bob", {"group": "solar-system"}, "There is no group “solar-system” whose usage"),
        ("alice", {"group": "galaxies"}, "There is no group “galaxies” whose usage"),
        ("charlie", {"user": "bob"}, "There is nobody “bob” whose usage you may see."),
        ("alice", {"user": "charlie"}, "There is nobody “charlie” whose usage you may see."),
        ("dora", {"hub": "demon"}, "There is no hub “demon”. There are: demo."),
        ("dora", {"by": "image", "then": "image"}, "Choose two different dimensions"),
        ("dora", {"order": "hub"}, "Order by core_hours, group, with a minus"),
    ],
)
def test_what_one_may_not_see_or_cannot_mean_is_refused_in_words(
    cast: Cast, who: str, asked: dict[str, Any], said: str
) -> None:
    reader = getattr(cast, who)
    page = text(reader, "/reports/", **MAY, **asked)
    assert said in page
    assert 'id="report"' not in page
    for kind in ("csv", "ods"):
        refused = visit(reader, f"/reports/usage.{kind}", **MAY, **asked)
        assert refused.status_code == 400
        assert said in refused.content.decode()


@pytest.mark.parametrize("by", ["group", "user", "hub", "image", "size", "institution"])
@pytest.mark.parametrize("who", ["alice", "bob", "charlie", "dora"])
def test_each_number_opens_sessions_with_the_same_sum(cast: Cast, who: str, by: str) -> None:
    factories.charged_session(cast.hub, None, None, ready_at=BEGIN, image="odd & old")
    reader = getattr(cast, who)
    page = text(reader, "/reports/", by=by, **MAY)
    found = re.findall(r'<td class="num"><a href="([^"]+)">.*?<data value="([^"]+)"', page)
    assert found
    for address, amount in found:
        listed = text(reader, address.replace("&amp;", "&"))
        shown = re.search(r'id="sum".*?<data value="([^"]+)"', listed, re.DOTALL)
        assert shown
        assert shown[1] == amount, address
        csv = records(reader, address.replace("&amp;", "&").replace("/?", "/list.csv?"))
        assert sum(Decimal(row["core_hours"]) for row in csv) == Decimal(amount), address


def test_who_left_since_still_counts_and_is_listed_with_dates(cast: Cast) -> None:
    Membership.objects.filter(user=cast.bob, group=cast.transients).update(valid_to=NOW - DAY)
    assert "Bob Example bob" in amounts(cast.alice)
    assert amounts(cast.bob, group="transients")["total"] == "1.000000"
    belonged = rows(cast.alice, "/reports/members/", "members", **MAY)
    assert [row[1] for row in belonged] == ["Alice Example alice", "Bob Example bob"]
    assert "2026-04-30" in belonged[1][4]
    later = rows(cast.alice, "/reports/members/", "members", first="2026-05-01", last="2026-05-02")
    assert [row[1] for row in later] == ["Alice Example alice"]


def test_members_are_shown_to_those_who_lead_and_to_themselves(cast: Cast) -> None:
    def groups(who: Any) -> set[str]:
        return {row["group"] for row in records(who, "/reports/members.csv", **MAY)}

    assert groups(cast.dora) == {"transients", "galaxies", "solar-system"}
    assert groups(cast.alice) == {"transients"}
    assert groups(cast.bob) == {"transients", "galaxies"}
    own = records(cast.bob, "/reports/members.csv", **MAY)
    assert {row["user"] for row in own} == {"bob"}
    assert records(cast.charlie, "/reports/members.csv", group="transients", **MAY) == []


def test_people_and_groups_are_named_as_now_with_what_became_of_them(cast: Cast) -> None:
    change_rows([cast.transients], lambda row: setattr(row, "title", "Flashes"), "title")
    change_rows([cast.bob], lambda row: setattr(row, "last_name", "Builder"), "last_name")
    cast.alice.is_active, cast.alice.merged_into = False, cast.bob
    cast.alice.save(update_fields=["is_active", "merged_into"])

    by_both = records(cast.dora, "/reports/usage.csv", by="user", then="group", **MAY)
    notes = {row["user"]: (row["user_title"], row["user_note"]) for row in by_both}
    assert notes["bob"] == ("Bob Builder", "formerly Bob Example")
    assert notes["alice"] == ("Alice Example", "goes on as bob")
    assert {row["group_title"] for row in by_both if row["group"] == "transients"} == {"Flashes"}
    assert "(formerly Transients)" in text(cast.dora, "/reports/", by="group", **MAY)


def test_files_have_every_row_and_both_are_the_same(cast: Cast) -> None:
    cast.galaxies.title = '=cmd|" /C calc"!A0 <&>\x02'
    cast.galaxies.save(update_fields=["title"])
    found = records(cast.dora, "/reports/usage.csv", **MAY)
    assert [row["core_hours"] for row in found] == ["8.000000", "4.000000", "3.000000"]
    assert found[0]["millicore_seconds"] == str(8 * 3_600_000)
    assert found[1]["group_title"] == '\'=cmd|" /C calc"!A0 <&>\x02'

    sheet = table(visit(cast.dora, "/reports/usage.ods", **MAY).content)
    assert sheet[0] == list(found[0])
    assert sheet[2][1] == '=cmd|" /C calc"!A0 <&>�'
    assert [row[3:] for row in sheet[1:]] == [list(row.values())[3:] for row in found]


def table(document: bytes) -> list[list[str]]:
    """The cells of a spreadsheet; a number is what it is, not only what it says."""
    archive = zipfile.ZipFile(io.BytesIO(document))
    assert archive.testzip() is None
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert archive.read("mimetype") == b"application/vnd.oasis.opendocument.spreadsheet"
    ElementTree.fromstring(archive.read("META-INF/manifest.xml"))  # noqa: S314 - our own
    content = ElementTree.fromstring(archive.read("content.xml"))  # noqa: S314 - our own
    return [
        [_value(cell) for cell in row.iterfind("table:table-cell", ODS)]
        for row in content.iterfind(".//table:table-row", ODS)
    ]


def _value(cell: ElementTree.Element) -> str:
    number = cell.get(f"{{{ODS['office']}}}value")
    said = "".join(cell.itertext())
    assert number in (None, said)
    return said


def test_rows_are_sorted_and_paged_and_a_page_beyond_is_the_last(cast: Cast) -> None:
    for number in range(30):
        person = factories.user(f"zoe-{number:02}")
        end = BEGIN + timedelta(minutes=number + 1)
        factories.charged_session(
            cast.hub, person, cast.transients, ready_at=BEGIN, ended_at=end
        )  # fmt: skip
    first = rows(cast.alice, "/reports/", "report", **MAY)
    last = rows(cast.alice, "/reports/", "report", page=99, **MAY)
    assert (len(first), len(last)) == (26, 8)
    assert first[-1] == last[-1]
    assert first[-1][0] == "Total of all 32"
    by_name = rows(cast.alice, "/reports/", "report", order="-user", **MAY)
    assert by_name[0][0].endswith("zoe-29")


def test_people_of_the_whole_service_by_something_else_come_as_a_file(cast: Cast) -> None:
    page = text(cast.dora, "/reports/", by="user", then="image", **MAY)
    assert "Too many rows for a page." in page
    assert len(records(cast.dora, "/reports/usage.csv", by="user", then="image", **MAY)) == 4
    assert "Too many" not in text(cast.dora, "/reports/", by="user", then="image", user="bob")


def test_nothing_used_and_nobody_there_is_said(cast: Cast) -> None:
    empty: dict[str, Any] = {"first": "2020-01-01", "last": "2020-01-02"}
    assert "Nothing was used" in text(cast.alice, "/reports/", **empty)
    assert "Nobody" in text(cast.alice, "/reports/members/", **empty)
    assert "Shown instead" in text(cast.alice, "/reports/", first="2026-02-02", last="2026-01-01")


@pytest.mark.parametrize("path", ["/reports/?by=user", "/reports/?by=image", "/reports/members/"])
def test_pages_cost_the_same_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries, path: str
) -> None:
    text(cast.alice, path, **MAY)
    with CaptureQueriesContext(connection) as few:
        text(cast.alice, path, **MAY)
    for number in range(20):
        person = factories.user(f"zoe-{number:02}")
        factories.membership(person, cast.transients)
        factories.charged_session(
            cast.hub, person, cast.transients, ready_at=BEGIN, image=f"image-{number}"
        )
    with django_assert_num_queries(len(few)):
        text(cast.alice, path, **MAY)
