"""Every page of the administration opens, and none costs more as the tables grow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteMixin
from django.db import connection
from django.db.models import Model
from django.forms import ModelChoiceField
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.http import urlencode
from oauth2_provider.models import get_application_model

from accounting.models import ApelGroup, Webhook
from accounts.models import (
    ApiToken,
    ClaimRule,
    Group,
    Identity,
    Membership,
    Policy,
    User,
)
from lsp_portal.administration import ORDER
from lsp_portal.models import Service
from quotas.models import (
    AllocationPeriod,
    Award,
    ComputeQuota,
    HomeQuota,
    StorageQuota,
)
from sessions.models import (
    Charge,
    Home,
    Hub,
    HubEvent,
    HubUserName,
    Image,
    ImageSource,
    Session,
    Size,
    StorageSample,
)
from tests import factories
from tests.administration_rows import MAKE, period_of, plain_hub
from tests.cast import Cast
from tests.factories import LONG_AGO

Application: type[Model] = get_application_model()
ODD_TERMS = ["12", "9" * 40, str(UUID(int=1)), "o'hara %_\\ \0 ² " * 50]
OPEN_TO_MANY = (User, Group, Session)


ADDED = {
    ApiToken, User, Group, Membership, Policy, ClaimRule, AllocationPeriod, ComputeQuota,
    StorageQuota, HomeQuota, Award, Home, Hub, HubUserName, Image, ImageSource, Size, Service,
    ApelGroup, Webhook,
}  # fmt: skip
# The quotas and awards made here are of a period that is over, which is history.
DELETED = {
    AllocationPeriod, ClaimRule, Home, HubUserName, Image, Size, Service, Application, ApelGroup,
    Webhook,
}  # fmt: skip

every_model = pytest.mark.parametrize(
    "model", MAKE, ids=[model._meta.label_lower for model in MAKE]
)


@pytest.fixture
def dora(client: Client, cast: Cast) -> Client:
    """The browser of the administrator."""
    client.force_login(cast.dora)
    return client


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def queries_of(browser: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert browser.get(path).status_code == 200
    return len(queries)


def add_rows(model: type[Model], first: int, last: int) -> Model:
    for number in range(first, last):
        MAKE[model](number)
    return model._default_manager.latest("pk")


def test_no_page_is_left_out() -> None:
    assert set(admin.site._registry) == set(MAKE)


def test_the_index_begins_with_what_administrators_do_most(dora: Client) -> None:
    apps = dora.get(reverse("admin:index")).context["app_list"]
    assert [app["app_label"] for app in apps] == list(ORDER)
    assert "lsp_portal" not in [app["name"].lower() for app in apps]


def test_times_are_shown_to_the_second(dora: Client, cast: Cast) -> None:
    session = factories.session(cast.hub, cast.bob, cast.transients)
    page = dora.get(address(Session, "change", session.pk)).content.decode()
    assert f"{session.ready_at:%Y-%m-%d %H:%M:%S}" in page


@every_model
def test_a_list_costs_the_same_however_many_rows_it_has(dora: Client, model: type[Model]) -> None:
    add_rows(model, 1, 3)
    path = address(model, "changelist")
    queries_of(dora, path)  # content types are read once for all
    before = queries_of(dora, path)
    add_rows(model, 3, 9)
    assert queries_of(dora, path) == before


@every_model
def test_a_list_answers_any_search_and_every_choice_of_its_filters(
    dora: Client, model: type[Model]
) -> None:
    add_rows(model, 1, 2)
    path = address(model, "changelist")
    shown = dora.get(path).context["cl"]
    choices = [choice for spec in shown.filter_specs for choice in spec.choices(shown)]
    filtered = [path + choice.get("query_string", "") for choice in choices]
    searched = [f"{path}?{urlencode({'q': term})}" for term in ODD_TERMS]
    for asked in filtered + searched:
        assert dora.get(asked).status_code == 200, asked


@every_model
def test_a_row_has_a_page_and_is_added_or_deleted_only_where_that_is_meant(
    dora: Client, model: type[Model]
) -> None:
    row = add_rows(model, 1, 2)
    for page in ("change", "history"):
        assert dora.get(address(model, page, row.pk)).status_code == 200
    assert dora.get(address(model, "change", 10**9)).status_code == 302
    added = dora.get(address(model, "add"))
    assert added.status_code == (200 if model in ADDED else 403)
    if model in ADDED:
        assert_no_choice_reads_a_long_list(added.context)
    deleted = dora.get(address(model, "delete", row.pk))
    assert deleted.status_code == (200 if model in DELETED else 403)


def assert_no_choice_reads_a_long_list(page: Any) -> None:
    forms = [page["adminform"].form]
    forms += [formset.formset.empty_form for formset in page["inline_admin_formsets"]]
    fields = [field for form in forms for field in form.fields.values()]
    for field in fields:
        if isinstance(field, ModelChoiceField) and not field.widget.is_hidden:
            assert field.queryset is not None
            is_searched = isinstance(field.widget.widget, AutocompleteMixin)
            assert is_searched or field.queryset.model not in OPEN_TO_MANY, field.label


def test_a_group_costs_the_same_however_many_members_and_quotas_it_has(
    dora: Client, cast: Cast
) -> None:
    path = address(Group, "change", cast.transients.pk)

    def grow(first: int, last: int) -> None:
        for number in range(first, last):
            factories.membership(factories.user(), cast.transients)
            period = period_of(number)
            factories.quota(cast.transients, period, "5")
            StorageQuota.objects.create(group=cast.transients, period=period, limit_bytes=1)

    grow(1, 4)
    queries_of(dora, path)
    before = queries_of(dora, path)
    grow(4, 12)
    assert queries_of(dora, path) == before


def test_a_person_costs_the_same_however_many_groups_they_were_in(dora: Client, cast: Cast) -> None:
    path = address(User, "change", cast.alice.pk)

    def grow(first: int, last: int) -> None:
        for number in range(first, last):
            factories.membership(cast.alice, factories.group())
            hub = plain_hub(number)
            HubUserName.objects.create(hub=hub, name="a", user=cast.alice)
            Identity.objects.create(user=cast.alice, issuer="https://idp", subject=str(number))

    grow(1, 4)
    queries_of(dora, path)
    before = queries_of(dora, path)
    grow(4, 12)
    assert queries_of(dora, path) == before


def test_a_session_leads_to_its_events_and_its_charges(dora: Client, cast: Cast) -> None:
    session = factories.charged_session(cast.hub, cast.bob, cast.transients)
    HubEvent.objects.create(
        hub=cast.hub, event_id="evt_1", epoch="1", seq=1, type="session.ready", time=LONG_AGO,
        user_name="bob", server="", session=session.key, data={}, raw=b"{}", digest=b"1",
    )  # fmt: skip
    page = dora.get(address(Session, "change", session.pk)).content.decode()
    for model, lookup in (
        (HubEvent, f"hub__id__exact={cast.hub.pk}&amp;session__exact={session.key}"),
        (Charge, f"session__number__exact={session.pk}"),
    ):
        link = f"{address(model, 'changelist')}?{lookup}"
        assert link in page
        shown = dora.get(link.replace("&amp;", "&")).context["cl"]
        assert shown.result_count == 1


def test_bob_does_not_get_in(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    for model in MAKE:
        assert client.get(address(model, "changelist")).status_code == 302


def test_staff_without_rights_see_no_rows(client: Client, cast: Cast) -> None:
    cast.bob.is_staff = True
    cast.bob.save(update_fields=["is_staff"])
    client.force_login(cast.bob)
    assert client.get(reverse("admin:index")).status_code == 200
    for model in MAKE:
        assert client.get(address(model, "changelist")).status_code == 403


def test_the_evidence_is_not_counted_to_the_end(dora: Client, cast: Cast) -> None:
    row = {"user": cast.bob, "mount": "/home", "used_bytes": 1}
    StorageSample.objects.bulk_create(
        StorageSample(**row, taken_at=LONG_AGO + timedelta(minutes=number))
        for number in range(10_050)
    )
    shown = dora.get(address(StorageSample, "changelist")).context["cl"]
    assert shown.result_count == 10_000
