"""Programs are told of usage, storage and quotas: each thing once, and again when it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounting import rollups
from accounting.models import Webhook, WebhookMessage
from accounting.tasks import tell_webhooks
from accounting.webhooks.noting import note_all
from accounting.webhooks.posting import MOST_ATTEMPTS, post_next, secret_of
from accounts.models import Group
from lsp_portal.lib import clock
from sessions.models import Charge, StorageSample
from tests import factories
from tests.accounting.cast import Cast
from tests.accounting.rows import add_charge, add_session, mark_stale
from tests.accounting.webhook_receiver import Receiver, receiver

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WAITING, SENT = WebhookMessage.State.WAITING, WebhookMessage.State.SENT


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def add_webhook(told: Receiver, *kinds: str, group: Group | None = None) -> Webhook:
    webhook = Webhook.objects.create(
        title="The centre",
        url=told.url,
        kinds=list(kinds) or ["usage.day"],
        group=group,
        created_at=clock.now() - 10 * DAY,
    )
    told.secret = secret_of(webhook)
    return webhook


def yesterday() -> datetime:
    today = clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - DAY


def use(cast: Cast, hours: int = 2, group: Group | None = None) -> Charge:
    start = yesterday() + HOUR
    payer = group or cast.transients
    session = add_session(
        cast.hub, user=cast.bob, group=payer, started_at=start, ended_at=start + hours * HOUR
    )
    return add_charge(session)


def test_a_day_is_told_once_and_again_when_it_changed(cast: Cast, told: Receiver) -> None:
    add_webhook(told)
    charge = use(cast)
    rollups.refresh()
    assert tell_webhooks() == 1
    assert tell_webhooks() == 0
    [content] = told.contents
    assert content["type"] == "usage.day"
    assert content["data"] == {
        "group": "transients",
        "day": f"{yesterday():%Y-%m-%d}",
        "core_hours": "2.000000",
        "millicore_seconds": 7_200_000,
        "mib_seconds": 2048 * 7200,
        "gpu_seconds": 0,
    }
    Charge.objects.filter(pk=charge.pk).update(ended_at=charge.started_at + HOUR)
    mark_stale(charge)
    assert tell_webhooks() == 0, "its sum is not known yet"
    rollups.refresh()
    assert tell_webhooks() == 1
    assert told.contents[-1]["data"]["core_hours"] == "1.000000"


def test_a_day_that_is_not_over_is_not_told(cast: Cast, told: Receiver) -> None:
    add_webhook(told)
    today = yesterday() + DAY
    add_charge(
        add_session(
            cast.hub, user=cast.bob, group=cast.transients, started_at=today, ended_at=today
        )
    )
    rollups.refresh()
    assert tell_webhooks() == 0


def test_a_webhook_of_a_group_hears_of_no_other(cast: Cast, told: Receiver) -> None:
    add_webhook(told, "usage.day", "storage.sample", group=cast.galaxies)
    use(cast)
    use(cast, hours=3, group=cast.galaxies)
    StorageSample.objects.create(user=cast.bob, mount="/home", taken_at=clock.now(), used_bytes=5)
    StorageSample.objects.create(
        group=cast.galaxies, mount="/data", taken_at=clock.now(), used_bytes=7
    )
    rollups.refresh()
    tell_webhooks()
    assert [content["data"]["group"] for content in told.contents] == ["galaxies", "galaxies"]
    assert told.contents[-1]["data"]["bytes"] == 7


def test_what_was_before_the_webhook_is_not_told(cast: Cast, told: Receiver) -> None:
    webhook = add_webhook(told)
    Webhook.objects.filter(pk=webhook.pk).update(created_at=clock.now())
    use(cast)
    rollups.refresh()
    assert tell_webhooks() == 0


def test_a_receiver_that_is_away_is_told_later_with_the_same_id(cast: Cast, told: Receiver) -> None:
    add_webhook(told)
    use(cast)
    rollups.refresh()
    told.status = 503
    assert tell_webhooks() == 1
    message = WebhookMessage.objects.get()
    assert (message.state, message.attempts) == (WAITING, 1)
    assert message.answer.startswith("503")
    assert message.due_at > clock.now()
    told.status = 200
    assert not post_next(at=clock.now())
    assert post_next(at=message.due_at)
    message.refresh_from_db()
    assert message.state == SENT
    assert len({name for name, _ in told.received}) == 1
    assert len(told.received) == 2


def test_a_newer_message_overtakes_one_that_waits(cast: Cast, told: Receiver) -> None:
    add_webhook(told)
    charge = use(cast)
    rollups.refresh()
    note_all(at=clock.now())
    Charge.objects.filter(pk=charge.pk).update(ended_at=charge.started_at + HOUR)
    mark_stale(charge)
    rollups.refresh()
    tell_webhooks()
    assert [content["data"]["core_hours"] for content in told.contents] == ["1.000000"]
    assert WebhookMessage.objects.filter(state=WebhookMessage.State.OVERTAKEN).count() == 1


def test_a_receiver_that_is_gone_is_not_asked_again(cast: Cast, told: Receiver) -> None:
    webhook = add_webhook(told)
    use(cast)
    use(cast, group=cast.galaxies)
    rollups.refresh()
    told.status = 410
    assert tell_webhooks() == 1
    webhook.refresh_from_db()
    assert not webhook.is_active


def test_after_many_attempts_it_is_given_up_until_somebody_says_otherwise(
    cast: Cast, told: Receiver, client: Client
) -> None:
    add_webhook(told)
    use(cast)
    rollups.refresh()
    told.status = 500
    tell_webhooks()
    WebhookMessage.objects.update(attempts=MOST_ATTEMPTS - 1, due_at=clock.now())
    tell_webhooks()
    message = WebhookMessage.objects.get()
    assert message.state == WebhookMessage.State.FAILED
    dora = factories.user(is_staff=True, is_superuser=True)
    client.force_login(dora)
    chosen = {"action": "post_again", "_selected_action": [message.pk]}
    client.post("/admin/accounting/webhookmessage/", chosen)
    told.status = 204
    tell_webhooks()
    message.refresh_from_db()
    assert message.state == SENT


def test_nobody_at_the_address_is_no_error(cast: Cast, told: Receiver) -> None:
    webhook = add_webhook(told)
    Webhook.objects.filter(pk=webhook.pk).update(url="http://127.0.0.1:9/nobody")
    use(cast)
    rollups.refresh()
    tell_webhooks()
    message = WebhookMessage.objects.get()
    assert message.state == WAITING
    assert "ConnectionError" in message.answer


def test_a_message_in_work_is_not_posted_by_another_worker(cast: Cast, told: Receiver) -> None:
    add_webhook(told)
    use(cast)
    rollups.refresh()
    note_all(at=clock.now())
    message = WebhookMessage.objects.get()
    assert message.claim(at=clock.now(), until=clock.now() + HOUR)
    assert not message.claim(at=clock.now(), until=clock.now() + HOUR)
    assert not post_next(at=clock.now())
    assert post_next(at=clock.now() + 2 * HOUR), "a worker that died does not keep it"


def test_the_form_asks_for_something_to_tell(client: Client) -> None:
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    form = {"title": "The centre", "url": "gopher://example.org", "is_active": "on"}
    answer = client.post("/admin/accounting/webhook/add/", form)
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {"url", "kinds"}
    form |= {"url": "https://example.org/told", "kinds": ["usage.day"]}  # type: ignore[dict-item]
    assert client.post("/admin/accounting/webhook/add/", form).status_code == 302
    webhook = Webhook.objects.get()
    page = client.get(f"/admin/accounting/webhook/{webhook.pk}/change/").content.decode()
    assert secret_of(webhook) in page
