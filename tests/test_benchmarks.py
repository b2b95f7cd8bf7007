"""The benchmarks' own tables can be filled, whatever columns have come since."""

from __future__ import annotations

import pytest
from django.db.models import Sum

from sessions.models import Charge, Session
from tests.bench import ledger


@pytest.mark.django_db(transaction=True)
def test_sessions_in_bulk_have_people_groups_and_charges() -> None:
    hub = ledger.fill(sessions=40, groups=3, people=5)

    sessions = Session.objects.filter(hub=hub, user__isnull=False, group__isnull=False)
    assert sessions.count() == Charge.objects.count() == 40
    rates = sessions.aggregate(total=Sum("cpu_millicores"))["total"]
    assert rates == Charge.objects.aggregate(total=Sum("cpu_millicores"))["total"] > 0
