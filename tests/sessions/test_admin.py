"""Hubs, their secrets, and evidence in the administration."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from lsp_portal.lib import clock
from sessions.hub.secrets import issue_secret, secret_text
from sessions.models import (
    Alert,
    Charge,
    Hub,
    HubEvent,
    Image,
    QuarantinedEvent,
    Session,
    Size,
    StorageSample,
)
from tests import factories
from tests.cast import Cast
from tests.factories import LONG_AGO
from tests.forms_in_pages import errors_of, send_form

EVIL = "<script>alert('x')</script>"
NEW_HUB = reverse("admin:hub_sessions_hub_add")


@pytest.fixture
def admin(client: Client, cast: Cast) -> Client:
    """The browser of Dora."""
    client.force_login(cast.dora)
    return client


def list_of(model: type[Any]) -> str:
    return reverse(f"admin:hub_sessions_{model._meta.model_name}_changelist")


def page_of(row: Any) -> str:
    return reverse(f"admin:hub_sessions_{row._meta.model_name}_change", args=[row.pk])


def new_secret(hub: Hub) -> str:
    return reverse("admin:hub_sessions_hub_rotate", args=[hub.pk])


def found(browser: Client, model: type[Any], term: str) -> list[Any]:
    return list(browser.get(list_of(model), {"q": term}).context["cl"].result_list)


def add_event(hub: Hub, number: int = 1, **values: Any) -> HubEvent:
    fields = {
        "event_id": f"evt_{number:032x}", "epoch": f"{1:032x}", "seq": number,
        "type": "session.ready", "time": LONG_AGO, "user_name": "bob", "server": "",
        "session": uuid4(), "data": {}, "raw": b"{}", "digest": number.to_bytes(32, "big"),
    }  # fmt: skip
    return HubEvent.objects.create(hub=hub, **(fields | values))


def test_a_new_hub_offers_everything_and_its_secret_is_shown_once(admin: Client) -> None:
    answer = send_form(admin, NEW_HUB, name="north", title="North", api_url="http://hub:8081/api")

    hub = Hub.objects.get(name="north")
    secret = secret_text(hub.secrets.get())
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert set(hub.images.all()) == set(Image.objects.all())
    assert set(hub.sizes.all()) == set(Size.objects.all())
    page = admin.get(page_of(hub)).content.decode()
    assert secret not in page
    assert hub.secrets.get().nonce not in page


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"name": "North"}, "Use 1 to 20 characters"),
        ({"name": "demo"}, "Hub with this Name already exists."),
        ({"name": "north", "api_url": "ftp://hub"}, "Enter an address that starts with http"),
        ({"name": "north", "lease_seconds": "1"}, "greater than or equal to 60"),
        ({"name": "north", "max_sessions_per_user": "99999"}, "less than or equal to 32767"),
    ],
)
def test_a_bad_hub_is_refused_in_the_form(
    admin: Client, typed: dict[str, str], complaint: str
) -> None:
    assert complaint in errors_of(send_form(admin, NEW_HUB, **({"title": "A hub"} | typed)))
    assert Hub.objects.count() == 1


def test_a_new_secret_stands_beside_the_old_for_a_while(admin: Client, cast: Cast) -> None:
    old = issue_secret(cast.hub, LONG_AGO)

    answer = send_form(admin, new_secret(cast.hub), overlap_hours="24")

    new = cast.hub.secrets.exclude(pk=old.pk).get()
    assert secret_text(new) in answer.content.decode()
    old.refresh_from_db()
    assert old.valid_to is not None
    assert timedelta(hours=23) < old.valid_to - clock.now() <= timedelta(hours=24)
    history = admin.get(reverse("admin:hub_sessions_hub_history", args=[cast.hub.pk]))
    assert "New secret" in history.content.decode()
    assert "whsec_" not in history.content.decode()


def test_a_secret_that_leaked_ends_at_once(admin: Client, cast: Cast) -> None:
    issue_secret(cast.hub, LONG_AGO)

    send_form(admin, new_secret(cast.hub), overlap_hours="0")

    assert cast.hub.secrets.valid(at=clock.now()).count() == 1


def test_looking_at_the_page_of_new_secrets_makes_none(admin: Client, cast: Cast) -> None:
    assert admin.get(new_secret(cast.hub)).status_code == 200
    answer = send_form(admin, new_secret(cast.hub), overlap_hours="-1")

    assert "greater than or equal to 0" in answer.content.decode()
    assert not cast.hub.secrets.exists()
    assert admin.get(reverse("admin:hub_sessions_hub_rotate", args=[10**6])).status_code == 404


def test_who_may_only_view_hubs_gets_no_secret(client: Client, cast: Cast) -> None:
    edna = factories.user("edna", is_staff=True)
    edna.user_permissions.add(Permission.objects.get(codename="view_hub"))
    client.force_login(edna)

    assert client.get(page_of(cast.hub)).status_code == 200
    assert "New secret" not in client.get(page_of(cast.hub)).content.decode()
    assert client.post(new_secret(cast.hub), {"overlap_hours": "0"}).status_code == 403
    assert not cast.hub.secrets.exists()


@pytest.mark.parametrize("field", ["number", "key", "person", "group", "name_at_the_hub"])
def test_a_session_is_found_by(field: str, admin: Client, cast: Cast) -> None:
    sought = factories.charged_session(cast.hub, cast.bob, cast.transients, user_name="b.builder")
    factories.charged_session(cast.hub, cast.charlie, cast.solar_system)
    terms = {
        "number": str(sought.number),
        "key": str(sought.key),
        "person": "bob",
        "group": "trans",
        "name_at_the_hub": "b.builder",
    }

    assert found(admin, Session, terms[field]) == [sought]
    assert [row.session for row in found(admin, Charge, terms[field])] == [sought]
    assert found(admin, Session, "nobody-at-all") == []


def test_events_are_found_by_their_id_and_by_their_session(admin: Client, cast: Cast) -> None:
    session = factories.session(cast.hub, cast.bob, cast.transients)
    event = add_event(cast.hub, 1, session=session.key)
    add_event(cast.hub, 2)

    for term in (event.event_id, str(session.key), str(session.number)):
        assert found(admin, HubEvent, term) == [event]


def test_unattributed_sessions_are_filtered(admin: Client, cast: Cast) -> None:
    lost = factories.session(cast.hub, None, None, user_name="stranger")
    factories.session(cast.hub, None, None, user_name="failed", ready_at=None)
    factories.session(cast.hub, cast.bob, cast.transients)

    answer = admin.get(list_of(Session), {"attribution": "none"})

    assert list(answer.context["cl"].result_list) == [lost]
    assert "stranger (unknown here)" in answer.content.decode()


def test_the_states_of_sessions_are_filtered(admin: Client, cast: Cast) -> None:
    now = clock.now()
    later = now + timedelta(hours=1)
    over = factories.session(cast.hub, cast.bob, cast.transients)
    running = factories.session(cast.hub, cast.bob, cast.transients, ended_at=None)
    waits: dict[str, Any] = {"ready_at": None, "requested_at": now, "ended_at": None}
    pending = factories.session(cast.hub, cast.bob, cast.transients, lease_until=later, **waits)
    failed = factories.session(cast.hub, cast.bob, cast.transients, lease_until=now, **waits)
    expected = {"over": [failed, over], "running": [running], "pending": [pending]}

    for state, sessions in expected.items():
        answer = admin.get(list_of(Session), {"state": state})
        assert list(answer.context["cl"].result_list) == sessions


def test_what_hubs_say_is_shown_as_text(admin: Client, cast: Cast) -> None:
    session = factories.charged_session(
        cast.hub, None, None, user_name=EVIL, message=EVIL, group_name=EVIL, end_reason=EVIL,
        image=EVIL, server=EVIL, pod=EVIL, grant={"ask": EVIL},
    )  # fmt: skip
    event = add_event(cast.hub, user_name=EVIL, type=EVIL, server=EVIL, session=session.key,
                      raw=b'{"user": "<script>alert(1)</script>"}')  # fmt: skip
    quarantined = QuarantinedEvent.objects.create(
        hub=cast.hub, digest=b"1", event_id=EVIL, code="bad_value", detail=EVIL, raw=EVIL.encode()
    )
    alert = Alert.objects.create(hub=cast.hub, kind="conflict", subject=EVIL, detail=EVIL)

    for row in (session, event, quarantined, alert):
        for address in (list_of(type(row)), page_of(row)):
            page = admin.get(address).content.decode()
            assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in admin.get(page_of(event)).content.decode()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'{"user":"zo\xc3\xab"}', "{\n  &quot;user&quot;: &quot;zoë&quot;\n}"),
        (b'{"user":"\\ud800"}', "\\ud800"),
        (b"\xff\xfe not json", "\\xff\\xfe not json"),
        (b"[" * 100_000, "[[[["),
        (b"", "<pre></pre>"),
        (b'"\\u0000"', "\\u0000"),
    ],
)
def test_quarantined_bytes_are_shown_whatever_they_are(
    admin: Client, cast: Cast, raw: bytes, shown: str
) -> None:
    row = QuarantinedEvent.objects.create(
        hub=cast.hub, digest=b"1", code="malformed", detail="Not an event.", raw=raw
    )

    assert shown in admin.get(page_of(row)).content.decode()


def test_the_way_leads_from_the_session_to_events_charges_and_group(
    admin: Client, cast: Cast
) -> None:
    session = factories.charged_session(cast.hub, cast.bob, cast.transients)
    event = add_event(cast.hub, session=session.key)

    page = admin.get(page_of(session)).content.decode()

    assert page_of(event) in page
    assert page_of(session) in admin.get(page_of(event)).content.decode()
    assert reverse("admin:accounts_group_change", args=[cast.transients.pk]) in page
    group = admin.get(reverse("admin:accounts_group_change", args=[cast.transients.pk]))
    assert f"{list_of(Charge)}?group__id__exact={cast.transients.pk}" in group.content.decode()


def test_alerts_are_resolved_once(admin: Client, cast: Cast) -> None:
    alert = Alert.objects.create(hub=cast.hub, kind="conflict", subject="evt_1")
    chosen = {"action": "resolve", "_selected_action": [alert.pk]}

    assert "Resolved 1 alerts." in admin.post(list_of(Alert), chosen, follow=True).content.decode()
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    assert "Resolved 0 alerts." in admin.post(list_of(Alert), chosen, follow=True).content.decode()
    assert list(admin.get(list_of(Alert), {"state": "open"}).context["cl"].result_list) == []


def test_who_may_only_view_alerts_resolves_none(client: Client, cast: Cast) -> None:
    edna = factories.user("edna", is_staff=True)
    edna.user_permissions.add(Permission.objects.get(codename="view_alert"))
    client.force_login(edna)
    alert = Alert.objects.create(hub=cast.hub, kind="conflict", subject="evt_1")

    client.post(list_of(Alert), {"action": "resolve", "_selected_action": [alert.pk]})

    alert.refresh_from_db()
    assert alert.resolved_at is None


def test_a_size_needs_cpu_and_keeps_its_name(admin: Client) -> None:
    typed = {"name": "nano", "title": "Nano", "cpu_millicores": "0", "memory_mib": "1"}
    add = reverse("admin:hub_sessions_size_add")
    assert "greater than or equal to 1" in errors_of(send_form(admin, add, **typed))

    size = Size.objects.get(name="tiny")
    send_form(admin, page_of(size), name="nano", title="Nano")

    size.refresh_from_db()
    assert (size.name, size.title) == ("tiny", "Nano")


def test_a_long_list_says_that_it_goes_on(admin: Client, cast: Cast) -> None:
    StorageSample.objects.bulk_create(
        StorageSample(user=cast.bob, mount="/home", taken_at=LONG_AGO + timedelta(minutes=number),
                      used_bytes=1)
        for number in range(10_001)
    )  # fmt: skip

    first = admin.get(list_of(StorageSample)).content.decode()
    last = admin.get(list_of(StorageSample), {"p": "200"})
    beyond = admin.get(list_of(StorageSample), {"p": "201"}, follow=True)

    assert "more than 10000 storage samples" in " ".join(first.split())
    assert last.status_code == 200
    assert beyond.status_code == 200
