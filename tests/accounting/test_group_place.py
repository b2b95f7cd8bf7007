"""Where a group stands among others, and the pages beside its own that its page leads to."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Group, Membership, User
from tests import factories
from tests.accounting.visits import HOUR, NOW, records, rows, text

PAGE = "/groups/transients/"


@pytest.fixture
def survey(transients: Group) -> Group:
    """Transients is a part of it."""
    group = factories.group("survey", title="The Survey")
    Group.objects.filter(pk=transients.pk).update(parent=group)
    return group


def test_a_pi_opens_the_relatives_that_she_leads_and_reads_the_names_of_others(
    alice: User, dora: User, survey: Group, galaxies: Group, transients: Group
) -> None:
    Group.objects.filter(pk=galaxies.pk).update(parent=transients)
    factories.membership(alice, galaxies, "pi")

    page = text(alice, PAGE)

    assert '<a href="/groups/galaxies/">Galaxies</a>' in page
    assert "The Survey /" in page
    assert 'href="/groups/survey/"' not in page
    assert '<a href="/groups/survey/">The Survey</a> /' in text(dora, PAGE)


@pytest.mark.parametrize(
    ("rights", "leads_to"),
    [
        (["members"], {"people", "history"}),
        (["invitations"], {"invitations"}),
        ([], set()),
        (["members", "invitations"], {"people", "history", "invitations"}),
    ],
)
def test_a_manager_is_led_to_the_pages_that_the_rights_open(
    rights: list[str], leads_to: set[str], bob: User, transients: Group
) -> None:
    bobs = Membership.objects.filter(user=bob, group=transients)
    bobs.update(role="manager", rights=["usage", *rights])

    page = text(bob, PAGE)

    pages = {"people", "history", "invitations"}
    assert {name for name in pages if f'href="{PAGE}{name}/"' in page} == leads_to


def test_the_number_of_queries_does_not_grow_with_the_parts(alice: User, transients: Group) -> None:
    factories.group("first", parent=transients)
    text(alice, PAGE)  # statements are prepared once for each connection
    with CaptureQueriesContext(connection) as few:
        text(alice, PAGE)
    for number in range(5):
        factories.group(f"part-{number}", parent=transients)

    with CaptureQueriesContext(connection) as many:
        text(alice, PAGE)

    assert len(many) == len(few)


def test_members_come_in_pages_and_the_total_is_that_of_all(alice: User, transients: Group) -> None:
    hub = factories.hub()
    for number in range(60):
        person = factories.user(f"person-{number:02}")
        factories.membership(person, transients)
        factories.charged_session(hub, person, transients, ready_at=NOW - HOUR, ended_at=NOW)

    first, second = (rows(alice, PAGE, "members", members=str(n)) for n in (1, 2))

    assert (len(first), len(second)) == (50 + 1, 11 + 1)  # and the line of the total
    assert first[-1] == second[-1]
    names = {cells[0] for cells in first[:-1] + second[:-1]}
    assert len(names) == 61
    assert rows(alice, PAGE, "members", members="nonsense") == first
    assert len(records(alice, f"{PAGE}members.csv")) == 61
