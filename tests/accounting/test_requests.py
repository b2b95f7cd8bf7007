"""A PI asks for more hours or storage, and administrators decide, once."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounting.pages.requests import facts
from accounts.models import Change, Membership, Notice, User
from lsp_portal.lib import clock
from quotas import requests
from quotas.models import AllocationPeriod, ComputeQuota, Grant, QuotaRequest, StorageQuota
from tests import factories
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ASK = "/groups/transients/requests/ask/"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def present() -> AllocationPeriod:
    return period(-100, 100)


def period(first: int, last: int) -> AllocationPeriod:
    today = clock.now().date()
    return factories.period(today + first * DAY, today + last * DAY)


def browser(of: User) -> Client:
    client = Client()
    client.force_login(of)
    return client


def asked(
    cast: Cast, within: AllocationPeriod, amount: str = "50", kind: str = "hours"
) -> QuotaRequest:
    return requests.ask(
        group=cast.transients, period=within, kind=kind, reason="A supernova",
        amount=requests.read_amount(kind, amount), by=cast.alice,
        facts=facts(cast.transients, at=clock.now()), at=clock.now(),
    )  # fmt: skip


def send(who: User, path: str, **data: Any) -> Any:
    return browser(who).post(path, data)


def page_of(row: QuotaRequest) -> str:
    return f"/groups/transients/requests/{row.pk}/"


def test_what_a_pi_asks_for_becomes_a_grant_with_the_request_as_its_reason(
    cast: Cast, present: AllocationPeriod
) -> None:
    quota = factories.quota(cast.transients, present, "100")
    body = {"kind": "hours", "period": present.pk, "amount": "50.5", "reason": "A supernova"}
    answer = send(cast.alice, ASK, **body)
    row = QuotaRequest.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(row))
    assert row.facts["limit"] == 100 * 3_600_000
    assert Notice.objects.filter(recipient=cast.dora, topic="request").count() == 1
    assert b"A supernova" in browser(cast.dora).get(page_of(row)).content
    assert b"50.5 core-hours" in browser(cast.dora).get("/quota-requests/").content
    decided = send(cast.dora, page_of(row), decision="grant", answer="Good science")
    assert decided.status_code == 302
    grant = Grant.objects.get(quota=quota)
    assert (grant.core_hours, grant.author) == (Decimal("50.5"), cast.dora)
    assert grant.reason == f"Request {row.pk}: A supernova"
    row.refresh_from_db()
    assert (row.state, row.grant) == ("granted", grant)
    assert Notice.objects.filter(recipient=cast.alice, topic="request").count() == 1
    assert Change.objects.of_group(cast.transients).filter(actor=cast.dora).exists()
    assert b"Good science" in browser(cast.alice).get(page_of(row)).content


def test_an_offer_is_accepted_or_turned_down_by_the_pi(
    cast: Cast, present: AllocationPeriod
) -> None:
    quota = factories.quota(cast.transients, present, "100")
    row = asked(cast, present)
    offer = {"decision": "counter", "amount": "20", "answer": "That is left"}
    assert send(cast.dora, page_of(row), **offer).status_code == 302
    assert not Grant.objects.exists()
    assert send(cast.bob, page_of(row), action="accept").status_code == 404
    assert send(cast.dora, page_of(row), action="accept").status_code == 409
    assert send(cast.alice, page_of(row), action="accept").status_code == 302
    assert Grant.objects.get(quota=quota).core_hours == 20
    assert send(cast.alice, page_of(row), action="turn_down").status_code == 409
    second = asked(cast, present)
    assert send(cast.dora, page_of(second), **offer).status_code == 302
    assert send(cast.alice, page_of(second), action="turn_down").status_code == 302
    assert Grant.objects.count() == 1


def test_the_quota_of_a_new_period_comes_from_a_request_and_keeps_the_mode(
    cast: Cast, present: AllocationPeriod
) -> None:
    factories.quota(cast.transients, present, "100", mode="soft")
    coming = period(100, 200)
    row = asked(cast, coming, "300")
    requests.grant(row, by=cast.dora, answer="Yes", at=clock.now())
    quota = ComputeQuota.objects.with_limit(at=clock.now()).get(period=coming)
    assert (quota.limit, quota.mode) == (Decimal(300), "soft")


def test_a_renewal_begins_with_the_use_of_these_days(cast: Cast, present: AllocationPeriod) -> None:
    factories.quota(cast.transients, present, "100")
    period(100, 200)
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(1, 29):
        factories.charged_session(cast.hub, cast.alice, cast.transients, ready_at=today - day * DAY)
    page = browser(cast.alice).get(ASK).content.decode()
    assert 'value="100"' in page


def test_storage_is_asked_for_as_a_new_limit(cast: Cast, present: AllocationPeriod) -> None:
    row = asked(cast, present, "2 TiB", "storage")
    requests.grant(row, by=cast.dora, answer="Yes", at=clock.now())
    assert StorageQuota.objects.get(group=cast.transients).limit_bytes == 2 * 1024**4
    less = asked(cast, present, "1 TiB", "storage")
    answer = send(cast.dora, page_of(less), decision="grant", answer="Yes")
    assert (answer.status_code, b"already" in answer.content) == (409, True)
    less.refresh_from_db()
    assert less.state == "open"


@pytest.mark.parametrize(
    "amount", ["0", "-5", "1e400", "NaN", "10000000000", "0.0000001", "many", "", "9" * 41]
)
def test_an_absurd_amount_is_refused(cast: Cast, present: AllocationPeriod, amount: str) -> None:
    for kind in ("hours", "storage"):
        body = {"kind": kind, "period": present.pk, "amount": amount, "reason": "More"}
        if (kind, amount) != ("storage", "10000000000"):
            assert send(cast.alice, ASK, **body).status_code == 400
    assert not QuotaRequest.objects.exists()


def test_a_request_that_is_there_already_is_not_made_twice(
    cast: Cast, present: AllocationPeriod
) -> None:
    body = {"kind": "hours", "period": present.pk, "amount": "5", "reason": "More"}
    assert send(cast.alice, ASK, **body).status_code == 302
    again = send(cast.alice, ASK, **body)
    assert (again.status_code, b"already" in again.content) == (400, True)
    assert QuotaRequest.objects.count() == 1


def test_nobody_asks_for_a_closed_group_or_a_period_that_has_ended(
    cast: Cast, present: AllocationPeriod
) -> None:
    past = period(-200, -100)
    body = {"kind": "hours", "period": past.pk, "amount": "5", "reason": "More"}
    assert send(cast.alice, ASK, **body).status_code == 400
    with pytest.raises(requests.RequestError, match="has ended"):
        asked(cast, past)
    row = asked(cast, present)
    cast.transients.closed_at = clock.now()
    cast.transients.save(update_fields=["closed_at"])
    assert send(cast.alice, ASK, **body | {"period": present.pk}).status_code == 400
    assert send(cast.dora, page_of(row), decision="grant", answer="Yes").status_code == 409
    assert send(cast.dora, page_of(row), decision="decline", answer="Closed").status_code == 302


def test_a_withdrawn_request_is_not_decided(cast: Cast, present: AllocationPeriod) -> None:
    row = asked(cast, present)
    assert send(cast.alice, page_of(row), action="withdraw").status_code == 302
    answer = send(cast.dora, page_of(row), decision="grant", answer="Yes")
    assert (answer.status_code, b"withdrawn meanwhile" in answer.content) == (409, True)
    assert not Grant.objects.exists()


def test_what_somebody_asked_who_is_no_pi_any_more_is_only_declined(
    cast: Cast, present: AllocationPeriod
) -> None:
    row = asked(cast, present)
    pi = Membership.objects.get(user=cast.alice)
    pi.valid_to = clock.now()
    pi.save(update_fields=["valid_to"])
    answer = send(cast.dora, page_of(row), decision="grant", answer="Yes")
    assert (answer.status_code, b"any more" in answer.content) == (409, True)
    assert send(cast.dora, page_of(row), decision="decline", answer="No PI").status_code == 302


@pytest.mark.parametrize("change", [{"is_superuser": False}, {"is_staff": False}])
def test_an_offer_holds_while_who_made_it_may_decide(
    cast: Cast, present: AllocationPeriod, change: dict[str, bool]
) -> None:
    row = asked(cast, present)
    requests.counter(row, by=cast.dora, amount=Decimal(20), answer="That is left", at=clock.now())
    User.objects.filter(pk=cast.dora.pk).update(**change)
    answer = send(cast.alice, page_of(row), action="accept")
    assert (answer.status_code, b"does not hold" in answer.content) == (409, True)
    assert not Grant.objects.exists()
    User.objects.filter(pk=cast.dora.pk).update(is_staff=True, is_superuser=True)
    assert send(cast.alice, page_of(row), action="accept").status_code == 302
    assert Grant.objects.get().core_hours == 20


def test_who_may_not_decide_is_sent_away(cast: Cast, present: AllocationPeriod) -> None:
    row = asked(cast, present)
    sam = factories.user("sam", is_staff=True)
    for who, status in ((cast.alice, 403), (sam, 403), (cast.bob, 404), (cast.charlie, 404)):
        answer = send(who, page_of(row), decision="grant", answer="Yes")
        assert answer.status_code == status
    assert not Grant.objects.exists()


def test_the_lists_ask_the_database_no_more_for_many(cast: Cast, present: AllocationPeriod) -> None:
    dora = browser(cast.dora)

    def questions(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert dora.get(path).status_code == 200
        return len(captured)

    asked(cast, present)
    paths = ("/quota-requests/", "/groups/transients/requests/")
    few = [questions(path) for path in paths]
    for _ in range(5):
        group = factories.group()
        factories.membership(cast.alice, group, "pi")
        requests.ask(
            group=group, period=present, kind="hours", amount=Decimal(1), reason="More",
            by=cast.alice, facts=facts(group, at=clock.now()), at=clock.now(),
        )  # fmt: skip
    assert [questions(path) for path in paths] == few


@pytest.mark.django_db(transaction=True)
def test_of_two_administrators_at_once_one_decides() -> None:
    cast, present = make_cast(), period(-100, 100)
    row = asked(cast, present)
    together, outcomes = threading.Barrier(4), []

    def decide() -> None:
        together.wait()
        try:
            requests.grant(row, by=cast.dora, answer="Yes", at=clock.now())
            outcomes.append("granted")
        except requests.RequestError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["granted", "refused", "refused", "refused"]
    assert Grant.objects.count() == 1
