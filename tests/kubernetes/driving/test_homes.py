"""Homes: where each is is decided once, and what is not the person's is never touched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection
from pytest_django import Settings

from lsp_portal.lib import clock
from quotas.models import HomeQuota
from sessions import launch
from sessions.driving.asking import StartAsk, ask_to_start
from sessions.kubernetes.configuration import Cluster
from sessions.kubernetes.homes import HomeElsewhere, home_of
from sessions.kubernetes.names import UID
from sessions.models import Home, HubUserName, Server, Session
from tests import factories
from tests.kubernetes.driving.story import Story
from tests.kubernetes.fake.resources import Object, core
from tests.kubernetes.specs import ONE, PER_USER, SHARED

CLAIMS = core("persistentvolumeclaims")


def test_the_first_launch_makes_the_home_that_is_written_down(story: Story) -> None:
    bob = story.platform.bob
    HomeQuota.objects.create(user=bob, limit_bytes=5_000_000_000, reason="thesis", author=bob)
    story.start()
    home = Home.objects.get()
    assert (home.user, home.namespace, home.claim) == (bob, "lsp", f"home-bob-{bob.uid}")
    claim = story.fake.store.get(CLAIMS, "lsp", home.claim)
    assert claim["spec"]["resources"]["requests"] == {"storage": "5000000000"}
    assert claim["metadata"]["annotations"][UID] == str(bob.uid)
    assert _mounted(story.pod()) == home.claim


def test_with_another_name_at_a_hub_and_another_quota_it_is_the_same_home(
    story: Story,
) -> None:
    story.start()
    claim = Home.objects.get().claim
    bob = story.platform.bob
    HomeQuota.objects.create(user=bob, limit_bytes=9, reason="less", author=bob)
    platform = story.platform
    HubUserName.objects.create(hub=platform.hub, user=bob, name="robert")
    ask = platform.ask(2, user="robert", actor="robert", server="two")
    launch.grant(platform.hub, ask, at=story.clock)
    second = Session.objects.get(server="two")
    ask_to_start(second, StartAsk(("jupyterhub-singleuser",), {}, 8888), at=story.clock)
    other = Story(story.fake, platform, Server.objects.get(pk=second.pk), story.clock)
    other.start()
    assert other.row().state == "starting"
    assert [_mounted(pod) for pod in story.fake.pods("lsp")] == [claim, claim]
    assert _claims(story) == [claim]


def test_a_claim_of_somebody_else_is_never_touched(story: Story) -> None:
    bob = story.platform.bob
    foreign = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"home-bob-{bob.uid}", "namespace": "lsp"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1"}},
        },
    }
    story.fake.store.create(CLAIMS, "lsp", foreign)
    story.start()
    assert story.row().failure_code == "name_taken"
    there = story.fake.store.get(CLAIMS, "lsp", f"home-bob-{bob.uid}")
    assert (there["spec"], there["metadata"].get("annotations")) == (foreign["spec"], None)
    assert story.fake.pods("lsp") == []


@pytest.mark.parametrize("kind", ["lost", "dropped", "error"])
def test_a_home_whose_making_goes_wrong_is_made_once(story: Story, kind: str) -> None:
    story.fake.fault(kind, verb="create", resource="persistentvolumeclaims")
    again = story.start()
    assert again is not None
    story.start(later=again)
    story.until("ready")
    assert Home.objects.count() == 1
    assert len(_claims(story)) == 1


def test_a_directory_is_that_of_the_persons_name(story: Story, settings: Settings) -> None:
    settings.KUBERNETES_HOMES = "directory"
    settings.KUBERNETES_SHARED_CLAIM = "homes"
    story.start()
    home = Home.objects.get()
    assert (home.claim, home.directory, home.size_bytes) == ("homes", "bob", 0)
    assert _claims(story) == []


def test_a_home_elsewhere_is_said(story: Story) -> None:
    Home.objects.create(user=story.platform.bob, namespace="old", claim="home-bob", size_bytes=1)
    story.start()
    server = story.row()
    assert server.failure_code == "no_spec"
    assert (
        "is in the namespace old of the cluster, and servers run in lsp" in server.failure_message
    )


@pytest.mark.parametrize(("here", "there"), [(ONE, PER_USER), (PER_USER, ONE)])
def test_a_home_of_the_other_kind_of_namespace_is_elsewhere(
    db: None, here: Cluster, there: Cluster
) -> None:
    bob = factories.user("bob")
    home_of(bob, here, at=clock.now())
    with pytest.raises(HomeElsewhere):
        home_of(bob, there, at=clock.now())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cluster", [ONE, SHARED, replace(PER_USER, namespace="x")])
def test_of_two_starts_at_once_one_decides_where_the_home_is(cluster: Cluster) -> None:
    bob = factories.user("bob")

    def decide(_: int) -> object:
        try:
            return home_of(bob, cluster, at=clock.now()).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(decide, range(8))) == {bob.pk}
    assert Home.objects.count() == 1


def test_a_full_home_ends_the_start_with_that_reason(story: Story) -> None:
    story.fake.plan(prepared={"home": (28, "dd: error writing: Disk quota exceeded")})
    story.start()
    server = story.until("failed")
    assert server.failure_code == "home_full"
    assert story.session().message == server.failure_message
    story.until_clean()


def test_notebooks_that_cannot_be_fetched_are_a_step_and_stop_nothing(
    story: Story, settings: Settings
) -> None:
    settings.NOTEBOOKS_REPOSITORY = "https://git.example.org/notebooks.git"
    story.fake.plan(prepared={"notebooks": (0, "failed fatal: unable to access: timed out")})
    story.ready()
    step = story.server.steps.get(code="notebooks_old")
    assert step.message.startswith("The standard notebooks could not be refreshed (fatal: unable")
    names = [container["name"] for container in story.pod()["spec"]["initContainers"]]
    assert names == ["home", "notebooks"]


def _claims(story: Story) -> list[str]:
    return [name for found, _, name in story.fake.store.contents("lsp") if found == CLAIMS]


def _mounted(pod: Object) -> str:
    [volume] = [v for v in pod["spec"]["volumes"] if "persistentVolumeClaim" in v]
    return str(volume["persistentVolumeClaim"]["claimName"])
