"""What keeps servers from starting is said before anybody tries."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from sessions.kubernetes import rights
from sessions.kubernetes.checking import Level, check
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.kinds import KINDS
from sessions.models import Hub, Image, Size
from tests import factories
from tests.kubernetes.conftest import ROLES
from tests.kubernetes.fake import FakeCluster
from tests.kubernetes.fake.rbac import Rule, rules
from tests.kubernetes.specs import ONE, PER_USER

pytestmark = pytest.mark.django_db
REFERENCE = "registry.example.org/base@sha256:" + "a" * 64


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    """A cluster in which the portal may do what its roles allow, and look at storage classes."""
    with FakeCluster(roles=ROLES) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def driven(settings: Settings, kubeconfig: str) -> Hub:
    settings.KUBECONFIG = kubeconfig
    Image.objects.update(reference=REFERENCE)
    return factories.hub(mode=Hub.Mode.DRIVE)


def missing() -> str:
    return "\n".join(f"{f.text} {f.advice}" for f in check() if f.level is Level.MISSING)


def said() -> str:
    answer = StringIO()
    call_command("check_cluster", stdout=answer)
    return answer.getvalue()


def test_where_nothing_is_missing_the_command_says_what_there_is(fake: FakeCluster) -> None:
    text = said()
    assert f"ok         The cluster at {fake.url} answers." in text
    assert "The portal runs the servers of: demo." in text
    assert "It would take a server of every size." in text
    assert "not known  Whether there is a default storage class for homes" in text
    assert fake.pods("lsp") == []


def test_what_is_missing_makes_the_command_fail(driven: Hub) -> None:
    Hub.objects.update(mode=Hub.Mode.OBSERVE)
    with pytest.raises(CommandError, match="1 missing"):
        said()
    assert "Set the hub's mode to drive" in missing()


def test_settings_that_cannot_be_are_said(settings: Settings) -> None:
    settings.KUBECONFIG = "/nowhere/config"
    assert missing().startswith("KUBECONFIG names no file: /nowhere/config.")


def test_a_cluster_that_does_not_answer_is_named(settings: Settings, tmp_path: Path) -> None:
    with FakeCluster() as gone:
        settings.KUBECONFIG = gone.kubeconfig(tmp_path / "gone")
    assert f"The cluster at {gone.url} cannot be used" in missing()


def test_credentials_that_do_not_count_are_told(
    fake: FakeCluster, settings: Settings, tmp_path: Path
) -> None:
    settings.KUBECONFIG = fake.kubeconfig(tmp_path / "other", token="a-stranger")
    assert "does not accept the credentials" in missing()


def test_rights_that_lack_are_listed_with_the_file_that_gives_them(settings: Settings) -> None:
    settings.KUBERNETES_PREPULL_NAMESPACE = "lsp"
    settings.KUBERNETES_OBSERVED_NAMESPACES = ["jupyterhub"]
    text = missing()
    assert "lacks rights in the whole cluster: Node (get, list)." in text
    assert "deploy/kubernetes/prepulling.yaml" in text
    assert "in the namespace jupyterhub: Pod (get, list, watch)." in text
    assert "rbac-observe.yaml" in text


def test_a_size_that_the_cluster_refuses_is_named(fake: FakeCluster) -> None:
    Size.objects.filter(name="small").update(priority_class="no-such")
    text = missing()
    assert "would not take a server of the size Small" in text
    assert "priorities.yaml" in text
    fake.add_priority_class("no-such")
    assert missing() == ""


def test_an_image_without_a_reference_is_named(driven: Hub) -> None:
    driven.images.add(Image.objects.create(name="bare", title="Bare"))
    assert "cannot be started: bare." in missing()


def test_a_claim_for_homes_that_is_not_there_is_named(settings: Settings) -> None:
    settings.KUBERNETES_HOMES, settings.KUBERNETES_SHARED_CLAIM = "directory", "homes"
    assert "The claim homes for homes is not in the namespace lsp." in missing()


@pytest.mark.parametrize(
    ("wanted", "is_default", "text"),
    [
        ("", True, ""),
        ("nfs", False, ""),
        ("fast", False, "There is no storage class fast for homes."),
        ("", False, "The cluster has no default storage class"),
    ],
)
def test_homes_need_a_storage_class(
    settings: Settings, tmp_path: Path, wanted: str, is_default: bool, text: str
) -> None:
    with FakeCluster() as open_to_all:
        open_to_all.add_storage_class("nfs", is_default=is_default)
        settings.KUBECONFIG = open_to_all.kubeconfig(tmp_path / "open")
        settings.KUBERNETES_STORAGE_CLASS = wanted
        assert missing().startswith(text)
        assert bool(missing()) == bool(text)


@pytest.mark.parametrize(
    ("here", "files"),
    [(ONE, ("rbac.yaml", "prepulling.yaml", "capacity.yaml")), (PER_USER, ("rbac-per-user.yaml",))],
)
def test_the_rights_that_are_looked_for_are_those_of_the_files(
    settings: Settings, here: Cluster, files: tuple[str, ...]
) -> None:
    settings.KUBERNETES_PREPULL_NAMESPACE = "lsp" if "prepulling.yaml" in files else ""
    settings.KUBERNETES_CAPACITY = "capacity.yaml" in files
    settings.KUBERNETES_DASK = True
    looked_for = {_rule(right) for right in rights.needed(here)}
    given = {rule for file in files for rule in rules(ROLES.with_name(file), "lsp-portal")}
    assert looked_for == given


def _rule(right: rights.Right) -> Rule:
    name, _, subresource = right.kind.partition("/")
    resource = "/".join(filter(None, (KINDS[name].plural, subresource)))
    return Rule(right.verb, KINDS[name].group, resource, right.namespace or "")
