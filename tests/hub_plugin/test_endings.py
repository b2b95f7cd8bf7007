"""Why a session ended, from who asked and what was seen."""

from types import SimpleNamespace
from typing import Any

import pytest

from lsp_hub.endings import (
    STOP_ASKED_BY,
    Asker,
    Ending,
    Witness,
    asker_of,
    ending,
    watch_stops,
    watched,
    witness_of,
)
from lsp_hub.pods import PodEnd, pod_end, pod_place
from tests.hub_plugin.loops import run

ALICE = Asker("alice", "user")
DORA = Asker("dora", "user")
CULLER = Asker("idle-culler", "service")


@pytest.mark.parametrize(
    ("asker", "witness", "expected"),
    [
        (ALICE, None, Ending("user", actor="alice")),
        (DORA, None, Ending("admin", actor="dora")),
        (CULLER, None, Ending("culled", actor="idle-culler")),
        (Asker("backup", "service"), None, Ending("admin", actor="backup")),
        (Asker("dora", "user", "quota"), None, Ending("quota", actor="dora")),
        (None, None, Ending("unknown")),
        (None, Witness(), Ending("unknown")),
        (None, Witness(asked_to_stop=True), Ending("hub")),
        (None, Witness(status=0), Ending("unknown", 0)),
        (None, Witness(status=3), Ending("crashed", 3)),
        (None, Witness(status=-9), Ending("crashed", 137)),
        (None, Witness(status="gone"), Ending("unknown")),
        (None, Witness(status=1, pod=PodEnd("oom", 137)), Ending("oom", 137)),
        (None, Witness(status=1, pod=PodEnd(None, 2)), Ending("crashed", 2)),
    ],
)
def test_the_reason_of_an_end(
    asker: Asker | None, witness: Witness | None, expected: Ending
) -> None:
    assert ending("alice", asker, witness, cullers={"idle-culler"}) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, PodEnd(None, None)),
        ({"reason": "Evicted"}, PodEnd("evicted", None)),
        (
            {"containerStatuses": [{"state": {"terminated": {"exitCode": 137}}}]},
            PodEnd(None, 137),
        ),
        (
            {
                "containerStatuses": [
                    {"name": "sidecar", "state": {"terminated": {"exitCode": 0}}},
                    {
                        "name": "notebook",
                        "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    },
                ]
            },
            PodEnd("oom", 137),
        ),
    ],
)
def test_what_a_pod_says_about_its_end(status: dict[str, Any], expected: PodEnd) -> None:
    assert pod_end({"status": status}) == expected


def test_where_a_pod_runs() -> None:
    pod = {"metadata": {"name": "jupyter-alice", "uid": "u-1"}, "spec": {"nodeName": "node-7"}}
    assert pod_place(pod) == {"pod": "jupyter-alice", "node": "node-7", "pod_uid": "u-1"}
    assert pod_place({}) == {}


def handler(name: str, kind: str, **headers: str) -> Any:
    who = SimpleNamespace(name=name, kind=kind)
    return SimpleNamespace(current_user=who, request=SimpleNamespace(headers=headers))


def test_only_the_portals_service_may_speak_for_a_person() -> None:
    speaks = {"X-LSP-Actor": "dora", "X-LSP-Reason": "quota"}
    assert asker_of(handler("lsp-portal", "service", **speaks)) == Asker("dora", "user", "quota")
    assert asker_of(handler("lsp-portal", "user", **speaks)) == Asker("lsp-portal", "user")
    assert asker_of(handler("other", "service", **speaks)) == Asker("other", "service")
    assert asker_of(handler("lsp-portal", "service", **{"X-LSP-Reason": "because"})) == Asker(
        "lsp-portal", "service"
    )
    assert asker_of(None) is None


class BareSpawner:
    """As much of a spawner as the watch touches."""

    def __init__(self) -> None:
        self.status: int | None = None

    def get_state(self) -> dict[str, Any]:
        return {"pid": 7}

    async def poll(self) -> int | None:
        return self.status

    async def stop(self, now: bool = False) -> None:
        self.status = -15
        await self.poll()


def test_a_server_that_ends_by_itself_is_told_from_one_that_is_stopped() -> None:
    watching = watched(BareSpawner, lambda spawner: "one")
    crashed, stopped = watching(), watching()
    crashed.status = 3
    for step in (crashed.poll(), crashed.stop(), stopped.poll(), stopped.stop(), stopped.poll()):
        run(step)
    assert witness_of(crashed).status == 3
    assert witness_of(stopped) == Witness(asked_to_stop=True)
    assert crashed.get_state() == {"pid": 7, "lsp_session": "one"}
    assert watching.__name__ == "BareSpawner"


def test_a_stop_is_seen_with_the_one_who_asked_and_watched_only_once() -> None:
    seen = []

    class Handler:
        current_user = SimpleNamespace(name="alice", kind="user")

        async def stop_single_user(self, user: str, server_name: str = "") -> str:
            seen.append(STOP_ASKED_BY.get())
            return f"{user}/{server_name}"

    watch_stops(Handler)
    watch_stops(Handler)
    assert run(Handler().stop_single_user("alice", server_name="x")) == "alice/x"
    assert seen == [ALICE]
    assert STOP_ASKED_BY.get() is None
