"""Who changed what: the trail, and how it is read."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.administration import close_groups, deactivate, end_memberships
from accounts.models import ApiToken, Change, Group, Identity, Membership, Policy, User
from accounts.tokens import issue_token
from lsp_portal.lib import clock
from lsp_portal.lib.acting import acting_for
from quotas.models import Grant
from sessions.models import Image, Size
from tests import factories
from tests.cast import Cast

pytestmark = pytest.mark.django_db
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def text(answer: object) -> str:
    body = re.sub(r"<[^>]+>", " ", answer.content.decode())  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", body).replace("&#x27;", "'")


def change_end(cast: Cast) -> Membership:
    membership = Membership.objects.get(user=cast.bob, group=cast.transients)
    membership.valid_to = DECEMBER
    with acting_for(cast.dora):
        membership.save(update_fields=["valid_to"])
    return membership


def test_a_pi_reads_what_happened_to_the_group_in_plain_words(cast: Cast, client: Client) -> None:
    change_end(cast)
    client.force_login(cast.alice)
    page = text(client.get("/groups/transients/history/"))
    assert "Dora Example" in page
    assert "changed the end of Bob Example's membership from — to 2026-12-01" in page


def test_what_has_several_changes_lists_them(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    cast.transients.title, cast.transients.description = "Bursts", ""
    cast.transients.closed_at = DECEMBER
    cast.transients.save(update_fields=["title", "closed_at"])
    page = text(client.get("/groups/transients/history/"))
    assert "The portal changed the group transients" in page
    assert "the closing of the group transients from — to 2026-12-01" in page
    assert "the title of the group transients from Transients to Bursts" in page


def test_the_history_tells_of_quotas_invitations_and_who_acted_through_what(
    cast: Cast, client: Client
) -> None:
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1), "2026")
    with acting_for(cast.dora, "API token “sync”"):
        factories.quota(cast.transients, period, "100")
    factories.invitation(cast.transients, cast.alice, email="erin@example.org")
    client.force_login(cast.dora)
    page = text(client.get("/groups/transients/history/"))
    assert "Dora Example (API token “sync”) added the compute quota for 2026" in page
    assert "core hours: 100" in page
    assert "added the invitation of erin@example.org" in page


def test_grants_stand_in_the_history_of_the_group_of_their_quota(cast: Cast) -> None:
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1), "2026")
    quota = factories.quota(cast.transients, period, "100")
    Grant.objects.create(quota=quota, core_hours=5, reason="more", author=cast.dora)
    newest = Change.objects.of_group(cast.transients).first()
    assert newest is not None
    assert newest.about == "a grant for 2026"


def test_the_history_is_for_those_who_look_after_the_members(cast: Cast, client: Client) -> None:
    manager, viewer = factories.user("max"), factories.user("vera")
    factories.membership(manager, cast.transients, "manager", rights=["members"])
    factories.membership(viewer, cast.transients, "manager", rights=["usage"])
    seen = {}
    for person in (cast.alice, manager, viewer, cast.bob, cast.charlie, cast.dora):
        client.force_login(person)
        seen[person.username] = client.get("/groups/transients/history/").status_code
    assert seen == {
        "alice": 200, "max": 200, "vera": 404, "bob": 404, "charlie": 404, "dora": 200,
    }  # fmt: skip
    assert client.get("/groups/nothing/history/").status_code == 404


def test_the_history_pages_with_a_constant_number_of_queries(
    cast: Cast, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        with acting_for(cast.dora):
            factories.membership(factories.user(f"more-{number}"), cast.transients)
    client.force_login(cast.alice)
    with django_assert_max_num_queries(7):
        first = client.get("/groups/transients/history/")
    assert first.content.decode().count("<tr>") == 51
    assert "Page 1 of 2" in text(first)
    assert "added the group transients" in text(client.get("/groups/transients/history/?page=2"))


def test_bulk_changes_of_administrators_are_in_the_trail(cast: Cast) -> None:
    now = clock.now()
    with acting_for(cast.dora):
        end_memberships(Membership.objects.filter(group=cast.transients), at=now)
        close_groups(Group.objects.filter(name="transients"), at=now)
        deactivate(User.objects.filter(username="bob").order_by("pk"), by=cast.dora)
    trail = Change.objects.filter(actor=cast.dora)
    assert [sorted(change.changes) for change in trail] == [
        ["is_active"], ["closed_at"], ["valid_to"], ["valid_to"],
    ]  # fmt: skip
    assert cast.transients.memberships.valid(at=now).count() == 0


def test_passwords_digests_and_sign_ins_are_not_in_the_trail(cast: Cast, client: Client) -> None:
    before = Change.objects.count()
    cast.bob.set_password("new")
    cast.bob.save(update_fields=["password"])
    client.force_login(cast.bob)
    assert Change.objects.count() == before
    token, secret = issue_token(
        name="x", user=cast.bob, scopes=["read"], created_by=cast.bob, expires_at=None, at=DECEMBER
    )
    entry = Change.objects.of_object(token).get()
    assert sorted(entry.changes) == ["name", "scopes", "user"]
    assert secret not in str(entry.__dict__)


def test_everything_that_matters_is_watched(cast: Cast) -> None:
    """Each is changed, and the trail must have it."""
    identity = Identity.objects.create(user=cast.bob, issuer="https://idp", subject="1")
    policy = Policy.objects.create(version="1", text="Be nice.")
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    image, size = Image.objects.all()[0], Size.objects.all()[0]
    changed = [
        (identity, "user", cast.alice),
        (policy, "text", "Be kind."),
        (period, "title", "New"),
        (cast.hub, "maintenance", "Closed"),
        (image, "title", "Newer"),
        (size, "memory_mib", 1),
        (cast.bob, "is_staff", True),
    ]
    for row, field, value in changed:
        setattr(row, field, value)
        row.save(update_fields=[field])
        entry = Change.objects.of_object(row).first()
        assert entry is not None, row
        assert list(entry.changes) == [field]
    image.allowed_groups.add(cast.transients)
    entry = Change.objects.of_object(image).first()
    assert entry is not None
    assert entry.changes["allowed_groups"]["objects"] == ["transients"]


def test_forged_headers_neither_break_nor_reach_the_trail(cast: Cast, client: Client) -> None:
    client.force_login(cast.dora)
    answer = client.post(
        "/account/tokens/",
        {"name": "mine", "scopes": ["read"], "days": 9},
        headers={
            "X-Forwarded-For": "nonsense",
            "X-Forwarded-Port": "9" * 30,
            "X-Correlation-Id": "x" * 500,
        },
    )
    assert answer.status_code == 200
    entry = Change.objects.of_object(ApiToken.objects.get()).get()
    assert (entry.actor, entry.remote_addr) == (cast.dora, "127.0.0.1")


def test_commands_are_named_in_the_trail(cast: Cast) -> None:
    call_command("create_service_token", "sync", stdout=io.StringIO())
    assert Change.objects.of_object(ApiToken.objects.get()).get().by == (
        "command create_service_token"
    )


def test_administrators_come_from_an_object_to_its_changes(cast: Cast, client: Client) -> None:
    membership = change_end(cast)
    client.force_login(cast.dora)
    page = client.get(f"/admin/accounts/membership/{membership.pk}/change/").content.decode()
    found = re.search(r'href="(/admin/accounts/change/\?[^"]+)"', page)
    assert found is not None
    trail = text(client.get(found[1].replace("&amp;", "&")))
    assert "changed the end of Bob Example's membership" in trail
    assert "1 change" in trail or "2 changes" in trail
    newest = Change.objects.first()
    assert newest is not None
    one = client.get(f"/admin/accounts/change/{newest.pk}/change/")
    assert "2026-12-01" in text(one)
    assert client.post(f"/admin/accounts/change/{newest.pk}/delete/").status_code == 403
