"""A rescue session, from a full home to the record: nothing of it is charged anywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import orjson
import pytest
from django.core.management import call_command

from sessions import launch
from sessions.adjustments import AdjustmentRefused, standing
from sessions.attribution import AttributionRefused, attribute
from sessions.driving.asking import StartAsk, ask_to_start, ask_to_stop
from sessions.models import Charge, Home, Hub, Server, Session, StorageSample
from sessions.options import launch_options
from sessions.progress import progress
from sessions.refusals import LaunchRefused
from sessions.usage import used
from tests.kubernetes.driving.story import SECOND, Story
from tests.sessions.events.sender import Sender
from tests.sessions.launch.platform import Platform

FULL = {"home": (28, "dd: error writing: Disk quota exceeded")}
DAY = timedelta(days=1)


def rescue(platform: Platform, number: int = 2, **changes: object) -> object:
    ask = platform.ask(number, **{"group": None, "image": None, "size": None, **changes})
    return replace(ask, rescue=True)


def start(story: Story, number: int = 2, **changes: object) -> Story:
    """The rescue session of Bob's, begun by the hub."""
    platform = story.platform
    launch.grant(platform.hub, rescue(platform, number, **changes), at=story.clock)  # type: ignore[arg-type]
    session = Session.objects.get(is_rescue=True, ended_at=None)
    ask_to_start(session, StartAsk(("jupyterhub-singleuser",), {}, 8888), at=story.clock)
    return Story(story.fake, platform, Server.objects.get(pk=session.pk), story.clock)


@pytest.fixture
def full(story: Story) -> Story:
    """Bob's server found no room."""
    story.fake.plan(prepared=FULL)
    story.start()
    story.until("failed")
    story.until_clean()
    story.fake.plan()
    return story


def options(story: Story) -> dict[str, object]:
    story.platform.hub.refresh_from_db()
    return launch_options(story.platform.hub, user_name="bob", at=story.clock)


def test_a_full_home_that_a_server_found_is_told_and_a_rescue_session_offered(full: Story) -> None:
    assert "Start a rescue session" in full.row().failure_message
    offered = options(full)
    assert offered["rescue"] == {
        "image": "base",
        "size": "tiny",
        "minutes": 60,
        "detail": "Your home is full. A rescue session has a home of its own for 60 minutes, lists "
        "what is large in yours, and lets you remove it. Nobody is charged for it.",
    }
    assert offered["groups"][0]["allowed"], "what a server found may be over: the next one looks"  # type: ignore[index]


def test_a_rescue_session_is_recorded_and_charged_to_nobody(full: Story) -> None:
    other = start(full)
    other.ready()
    session = other.session()
    assert (session.is_rescue, session.group, session.size) == (True, None, "tiny")
    assert not Charge.objects.exists()
    told = [step.message for step in progress(session, at=other.clock)]
    assert told[0] == "Granted: tiny, a rescue session, charged to nobody"
    assert ask_to_stop(session, at=other.clock)
    other.until_clean()
    group = full.platform.transients
    at = other.clock
    assert used(group=group, start=at - DAY, end=at + DAY, at=at).millicore_seconds == 0
    assert not Session.objects.unattributed().exists()
    said = StringIO()
    call_command("audit_usage", stdout=said)
    assert said.getvalue()


def test_the_pod_has_the_real_home_beside_and_ends_by_itself(full: Story) -> None:
    other = start(full)
    other.ready()
    spec = other.pod()["spec"]
    assert spec["activeDeadlineSeconds"] == 3600
    assert [c["name"] for c in spec["initContainers"]] == ["home", "rescue"]
    [container] = spec["containers"]
    assert {"name": "HOME", "value": "/rescue"} in container["env"]
    places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert places == {"/home/bob": "home", "/rescue": "rescue", "/tmp": "tmp"}  # noqa: S108


def test_after_a_server_with_room_nothing_is_offered_any_more(full: Story) -> None:
    assert Home.objects.get().full_at is not None
    platform = full.platform
    launch.grant(platform.hub, platform.ask(3), at=full.clock)
    session = Session.objects.order_by("pk").last()
    assert session is not None
    ask_to_start(session, StartAsk(("jupyterhub-singleuser",), {}, 8888), at=full.clock)
    Story(full.fake, platform, Server.objects.get(pk=session.pk), full.clock).ready()
    assert Home.objects.get().full_at is None
    assert options(full)["rescue"] is None


def test_a_sample_counts_until_a_rescue_session_began_after_it(story: Story) -> None:
    platform = story.platform
    sample(platform, taken_at=story.clock - DAY)
    with pytest.raises(LaunchRefused, match="Start a rescue session") as refused:
        launch.grant(platform.hub, platform.ask(3, server="x"), at=story.clock)
    assert (refused.value.code, refused.value.facts["rescue"]) == ("storage_full", True)
    ask_to_stop(story.session(), at=story.clock)
    story.until_clean()
    Home.objects.create(user=platform.bob, namespace="lsp", claim="home-bob", size_bytes=1)
    Home.objects.update(claim=f"home-bob-{platform.bob.uid}")
    start(story).ready()
    launch.grant(platform.hub, platform.ask(3, server="x"), at=story.clock)
    sample(platform, taken_at=story.clock + 60 * SECOND)
    with pytest.raises(LaunchRefused, match="may hold"):
        launch.grant(platform.hub, platform.ask(4, server="y"), at=story.clock)


def test_a_full_database_is_not_rescued(story: Story) -> None:
    sample(story.platform, taken_at=story.clock - DAY, source="database")
    assert options(story)["rescue"] is None
    with pytest.raises(LaunchRefused) as refused:
        launch.grant(story.platform.hub, story.platform.ask(3, server="x"), at=story.clock)
    assert not refused.value.facts["rescue"]


def test_without_a_full_home_there_is_no_rescue_session(story: Story) -> None:
    with pytest.raises(LaunchRefused, match="Your home is not full") as refused:
        start(story)
    assert refused.value.code == "no_rescue"


def test_a_hub_that_starts_its_servers_itself_has_none(full: Story) -> None:
    Hub.objects.update(mode=Hub.Mode.OBSERVE)
    full.platform.hub.refresh_from_db()
    assert options(full)["rescue"] is None
    with pytest.raises(LaunchRefused, match="has no rescue sessions"):
        start(full)


def test_one_at_a_time_and_not_beyond_the_servers_of_a_hub(full: Story) -> None:
    platform = full.platform
    asked = rescue(platform)
    first = launch.grant(platform.hub, asked, at=full.clock)  # type: ignore[arg-type]
    assert launch.grant(platform.hub, asked, at=full.clock) == first, "asked again"  # type: ignore[arg-type]
    with pytest.raises(LaunchRefused, match="a rescue session already"):
        launch.grant(platform.hub, rescue(platform, 3, server="x"), at=full.clock)  # type: ignore[arg-type]
    Session.objects.filter(is_rescue=True).update(lease_until=full.clock)
    platform.running(7, user=platform.bob, user_name="bob", server="other")
    Hub.objects.update(max_sessions_per_user=1)
    platform.hub.refresh_from_db()
    with pytest.raises(LaunchRefused, match="1 at once are allowed"):
        launch.grant(platform.hub, rescue(platform, 4), at=full.clock)  # type: ignore[arg-type]


def test_a_session_that_runs_already_does_not_become_one(full: Story) -> None:
    platform = full.platform
    sender = Sender(platform.hub)
    key = str(platform.ask(9).session)
    event = {"id": "evt_" + "1" * 32, "epoch": "2" * 32, "seq": 1, "type": "session.ready",
             "time": "2026-05-01T08:00:00Z", "user": "bob", "server": "", "session": key,
             "data": {}}  # fmt: skip
    sender.take_in([event])
    with pytest.raises(LaunchRefused, match="runs already"):
        launch.grant(platform.hub, rescue(platform, 9), at=full.clock)  # type: ignore[arg-type]


def test_whatever_a_hub_says_of_its_group_nobody_pays(full: Story) -> None:
    start(full)
    session = Session.objects.get(is_rescue=True)
    requested = {
        "id": "evt_" + "1" * 32, "epoch": "2" * 32, "seq": 1, "type": "session.requested",
        "time": f"{full.clock:%Y-%m-%dT%H:%M:%SZ}", "user": "bob", "server": "",
        "session": str(session.key),
        "data": {"group": "transients", "image": "base", "size": "small", "actor": "bob",
                 "resources": {"cpu_millicores": 9000, "memory_mib": 1, "gpus": 0},
                 "checked": True},
    }  # fmt: skip
    ready = {**requested, "id": "evt_" + "3" * 32, "seq": 2, "type": "session.ready", "data": {}}
    Sender(full.platform.hub).take_in([requested, ready])
    session.refresh_from_db()
    assert session.ready_at is not None
    assert (session.group, session.is_rescue, Charge.objects.count()) == (None, True, 0)
    call_command("audit_usage", stdout=StringIO())


def test_nobody_can_be_made_to_pay_later(full: Story) -> None:
    other = start(full)
    other.ready()
    session = other.session()
    with pytest.raises(AttributionRefused, match="rescue session"):
        attribute(session, user=full.platform.bob, group=full.platform.transients, at=other.clock)
    with pytest.raises(AdjustmentRefused, match="it is a rescue session"):
        standing(session)


def test_exports_count_it_and_leave_it_out(full: Story, tmp_path: Path) -> None:
    other = start(full)
    other.ready()
    Session.objects.filter(pk=other.server.pk).update(
        ended_at=other.clock, stopped_at=other.clock, end_source="stop"
    )
    until = (other.clock + DAY).isoformat()
    call_command(
        "export_xdmod", "--hub=demo", f"--output={tmp_path}", f"--until={until}", "--settle=0",
        stdout=StringIO(),
    )  # fmt: skip
    [found] = tmp_path.glob("manifest-*.json")
    manifest = orjson.loads(found.read_bytes())
    assert (manifest["rescue_sessions"], manifest["refused"], manifest["exported"]) == (1, [], 0)


def test_the_last_choice_stays_what_the_person_chose(full: Story) -> None:
    before = options(full)["last_choice"]
    start(full)
    assert options(full)["last_choice"] == before


def test_by_the_hubs_api(full: Story) -> None:
    body = {"session": str(full.platform.ask(2).session), "user": "bob", "server": "",
            "actor": "bob", "rescue": True}  # fmt: skip
    wrong = full.platform.send("POST", "sessions", body | {"group": "transients"})
    assert (wrong.status_code, wrong.json()["detail"]) == (
        400,
        "group: must be left out, for the portal chooses what a rescue session is.",
    )
    assert full.platform.send("POST", "sessions", body | {"rescue": "yes"}).status_code == 400
    answer = full.platform.send("POST", "sessions", body).json()
    assert (answer["group"], answer["size"]) == ("", "tiny")
    assert "LSP_GROUP" not in answer["environment"]


def sample(platform: Platform, **values: object) -> None:
    StorageSample.objects.create(
        user=platform.bob, mount="/home", used_bytes=10, limit_bytes=10, **values
    )
