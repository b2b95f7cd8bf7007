"""What every test may use."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from pytest_django import DjangoDbBlocker, Settings

from accounts.models import Group, User
from tests import factories
from tests.cast import Cast, make_cast
from tests.databases import migrated_template
from tests.documents import Documents
from tests.smtp import MailServer

COMMITS = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-test-data",
        action="store_true",
        help="write the files below tests/data anew from what the code produces",
    )
    parser.addoption(
        "--kubeconfig",
        default="",
        help="run the contract of the Kubernetes API against this cluster instead of the fake one",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that commits finds what the migrations brought, and leaves nothing else.

    One that did not ask for it would leave rows that stand in the way of the next.
    """
    for item in items:
        if isinstance(item, pytest.Function) and commits(item):
            item.add_marker(COMMITS, append=False)


def commits(item: pytest.Function) -> bool:
    marker = item.get_closest_marker("django_db")
    marked = marker is not None and marker.kwargs.get("transaction", False)
    return marked or not {"live_server", "transactional_db"}.isdisjoint(item.fixturenames)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Copy the test database instead of migrating it, which takes many times as long."""
    with django_db_blocker.unblock():
        connection.settings_dict["TEST"]["TEMPLATE"] = migrated_template()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The test database, with what the migrations brought kept for every connection object.

    Once Playwright's event loop runs, the thread has a second one, which would not know it.
    """
    contents = getattr(connection, "_test_serialized_contents", None)
    if contents is not None:
        setattr(DatabaseWrapper, "_test_serialized_contents", contents)  # noqa: B010 - not declared


@pytest.fixture
def documents(request: pytest.FixtureRequest) -> Documents:
    return Documents(update=request.config.getoption("--update-test-data"))


@pytest.fixture
def transients(db: None) -> Group:
    return factories.group("transients", title="Transients")


@pytest.fixture
def galaxies(db: None) -> Group:
    return factories.group("galaxies", title="Galaxies")


@pytest.fixture
def solar_system(db: None) -> Group:
    return factories.group("solar-system", title="Solar System")


@pytest.fixture
def alice(transients: Group) -> User:
    """The PI of transients."""
    person = factories.user("alice")
    factories.membership(person, transients, "pi")
    return person


@pytest.fixture
def bob(transients: Group, galaxies: Group) -> User:
    """A member of transients and galaxies."""
    person = factories.user("bob")
    for group in (transients, galaxies):
        factories.membership(person, group)
    return person


@pytest.fixture
def charlie(solar_system: Group) -> User:
    """The outsider: a member of solar-system only."""
    person = factories.user("charlie")
    factories.membership(person, solar_system)
    return person


@pytest.fixture
def dora(db: None) -> User:
    """The administrator."""
    return factories.administrator("dora")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A mail server to which the portal's mails go, over a real connection."""
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address[:2]
        yield server
        server.shutdown()
