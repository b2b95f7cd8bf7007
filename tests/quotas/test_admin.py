"""What administrators do to allocation periods and quotas."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from lsp_portal.lib import clock
from lsp_portal.lib.byte_sizes import read_byte_size, write_byte_size
from quotas.models import AllocationPeriod, ComputeQuota, StorageQuota
from tests import factories
from tests.cast import Cast
from tests.forms_in_pages import errors_of, send_form

NEW_PERIOD = reverse("admin:quotas_allocationperiod_add")
QUOTAS = reverse("admin:quotas_computequota_changelist")
TIB = 2**40


@pytest.fixture
def admin(client: Client, cast: Cast) -> Client:
    """The browser of Dora."""
    client.force_login(cast.dora)
    return client


@pytest.fixture
def year(db: None) -> AllocationPeriod:
    return factories.period(date(2026, 1, 1), date(2027, 1, 1), "2026")


@pytest.fixture
def now_period(db: None) -> AllocationPeriod:
    this = clock.now().year
    return factories.period(date(this, 1, 1), date(this + 1, 1, 1), "now")


def page_of(row: AllocationPeriod | ComputeQuota | StorageQuota, page: str = "change") -> str:
    return reverse(f"admin:quotas_{row._meta.model_name}_{page}", args=[row.pk])


def group_page(cast: Cast) -> str:
    return reverse("admin:accounts_group_change", args=[cast.transients.pk])


def test_a_period_is_added(admin: Client) -> None:
    typed = {"title": "2027", "starts_on": "2027-01-01", "ends_on": "2028-01-01"}

    assert send_form(admin, NEW_PERIOD, **typed).status_code == 302

    assert AllocationPeriod.objects.get().ends_on == date(2028, 1, 1)


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"starts_on": "2027-06-01", "ends_on": "2027-06-01"}, "must end after it starts"),
        ({"starts_on": "2027-06-01", "ends_on": "2027-01-01"}, "must end after it starts"),
        ({"starts_on": "2026-12-31", "ends_on": "2027-12-31"}, "overlaps these dates"),
        ({"starts_on": "", "ends_on": "2027-12-31"}, "This field is required."),
        ({"starts_on": "soon", "ends_on": "2027-12-31"}, "Enter a valid date."),
        ({"title": "2026", "starts_on": "2027-01-01", "ends_on": "2027-12-31"}, "already exists"),
    ],
)
def test_a_bad_period_is_refused_in_the_form(
    admin: Client, year: AllocationPeriod, typed: dict[str, str], complaint: str
) -> None:
    answer = send_form(admin, NEW_PERIOD, **({"title": "another"} | typed))

    assert complaint in errors_of(answer)


def test_a_period_cannot_be_changed_into_another(admin: Client, year: AllocationPeriod) -> None:
    other = factories.period(date(2027, 1, 1), date(2028, 1, 1))

    answer = send_form(admin, page_of(other), starts_on="2026-12-01")

    assert "overlaps these dates" in errors_of(answer)


def test_quotas_are_given_on_the_page_of_the_group(
    admin: Client, cast: Cast, year: AllocationPeriod
) -> None:
    typed = {
        "compute_quotas-TOTAL_FORMS": "1",
        "compute_quotas-0-period": year.pk,
        "compute_quotas-0-core_hours": "1234.5",
        "compute_quotas-0-mode": "soft",
        "storage_quotas-TOTAL_FORMS": "1",
        "storage_quotas-0-period": year.pk,
        "storage_quotas-0-limit_bytes": "1.5 TiB",
    }

    assert send_form(admin, group_page(cast), **typed).status_code == 302

    quota = ComputeQuota.objects.get(group=cast.transients)
    assert (quota.core_hours, quota.mode) == (Decimal("1234.5"), "soft")
    assert StorageQuota.objects.get(group=cast.transients).limit_bytes == 3 * TIB // 2


def test_a_quota_is_changed_on_the_page_of_the_group(
    admin: Client, cast: Cast, year: AllocationPeriod
) -> None:
    quota = factories.quota(cast.transients, year, "100")

    typed = {"compute_quotas-0-core_hours": "200"}
    assert send_form(admin, group_page(cast), **typed).status_code == 302

    quota.refresh_from_db()
    assert quota.core_hours == 200


@pytest.mark.parametrize(
    ("hours", "complaint"),
    [
        ("-1", "Core-hours must not be negative."),
        ("NaN", "Enter a number."),
        ("0.0000001", "no more than 6 decimal places"),
        ("1e30", "no more than"),
        ("", "This field is required."),
    ],
)
def test_a_bad_quota_is_refused_in_the_form(
    admin: Client, cast: Cast, year: AllocationPeriod, hours: str, complaint: str
) -> None:
    typed = {
        "compute_quotas-TOTAL_FORMS": "1",
        "compute_quotas-0-period": year.pk,
        "compute_quotas-0-core_hours": hours,
    }

    assert complaint in errors_of(send_form(admin, group_page(cast), **typed))


def test_a_group_gets_one_quota_in_a_period(
    admin: Client, cast: Cast, year: AllocationPeriod
) -> None:
    factories.quota(cast.transients, year, "100")
    complaint = "The group already has a compute quota in this period."
    on_group = {
        "compute_quotas-TOTAL_FORMS": "2",
        "compute_quotas-1-period": year.pk,
        "compute_quotas-1-core_hours": "1",
        "compute_quotas-1-mode": "hard",
    }
    on_period = {
        "quotas-TOTAL_FORMS": "1",
        "quotas-0-group": cast.transients.pk,
        "quotas-0-core_hours": "1",
        "quotas-0-mode": "hard",
    }
    alone = {"group": cast.transients.pk, "period": year.pk, "core_hours": "1"}

    twice = errors_of(send_form(admin, group_page(cast), **on_group))
    assert "Please correct the duplicate data for period." in twice
    assert complaint in errors_of(send_form(admin, page_of(year), **on_period))
    added = send_form(admin, reverse("admin:quotas_computequota_add"), **alone)
    assert complaint in errors_of(added)


def test_further_quotas_are_given_on_the_page_of_the_period(
    admin: Client, cast: Cast, year: AllocationPeriod
) -> None:
    typed = {
        "quotas-TOTAL_FORMS": "2",
        "quotas-0-group": cast.transients.pk,
        "quotas-0-core_hours": "10",
        "quotas-0-mode": "hard",
        "quotas-1-group": cast.galaxies.pk,
        "quotas-1-core_hours": "20",
        "quotas-1-mode": "soft",
    }

    assert send_form(admin, page_of(year), **typed).status_code == 302

    assert sorted(ComputeQuota.objects.values_list("core_hours", flat=True)) == [10, 20]


def test_many_quotas_are_changed_in_the_list(
    admin: Client, cast: Cast, year: AllocationPeriod
) -> None:
    factories.quota(cast.galaxies, year, "1")
    factories.quota(cast.transients, year, "2")

    typed = {"form-0-core_hours": "10", "form-1-core_hours": "20", "form-1-mode": "nominal"}
    assert send_form(admin, QUOTAS, **typed, action="").status_code == 302

    quotas = ComputeQuota.objects.order_by("group__name").values_list("core_hours", "mode")
    assert list(quotas) == [(Decimal(10), "hard"), (Decimal(20), "nominal")]


def test_the_list_of_groups_shows_the_quota_of_now(
    admin: Client, cast: Cast, now_period: AllocationPeriod
) -> None:
    factories.quota(cast.transients, now_period, "1234.5")
    factories.quota(cast.galaxies, factories.period(date(1990, 1, 1), date(1991, 1, 1)), "77")

    page = admin.get(reverse("admin:accounts_group_changelist")).content.decode()

    assert "1,234.5" in page
    assert page.count("no quota") == 2
    assert ">77<" not in page


def test_quotas_of_a_period_that_is_over_are_kept(
    admin: Client, cast: Cast, now_period: AllocationPeriod
) -> None:
    old = factories.quota(
        cast.transients, factories.period(date(1990, 1, 1), date(1991, 1, 1)), "1"
    )
    new = factories.quota(cast.transients, now_period, "1")

    assert admin.get(page_of(old, "delete")).status_code == 403
    assert admin.get(page_of(new, "delete")).status_code == 200
    admin.post(page_of(old.period, "delete"), {"post": "yes"})
    selected = {"action": "delete_selected", "_selected_action": [old.pk, new.pk], "post": "yes"}
    admin.post(QUOTAS, selected)
    assert ComputeQuota.objects.count() == 2
    assert AllocationPeriod.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1024", 1024), ("500 GiB", 500 * 2**30), ("1.5 TiB", 3 * 2**39), ("7 B", 7)],
)
def test_bytes_are_written_with_or_without_a_unit(text: str, count: int) -> None:
    assert read_byte_size(text) == count
    assert read_byte_size(write_byte_size(count)) == count


@pytest.mark.parametrize(
    "text", ["", "much", "-1", "1.5", "1.5 B", "9 EiB", "9999 PiB", "٣", "1 gb"]
)
def test_what_is_no_amount_of_bytes_is_refused(
    admin: Client, cast: Cast, year: AllocationPeriod, text: str
) -> None:
    with pytest.raises(ValueError, match="“"):
        read_byte_size(text)
    typed = {
        "storage_quotas-TOTAL_FORMS": "1",
        "storage_quotas-0-period": year.pk,
        "storage_quotas-0-limit_bytes": text,
    }
    assert errors_of(send_form(admin, group_page(cast), **typed))
