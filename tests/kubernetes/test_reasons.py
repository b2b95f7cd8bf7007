"""What the cluster says about pods, in words for people: every case in one document to read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.kubernetes.last_words import last_words
from sessions.kubernetes.observing import sight
from sessions.kubernetes.reasons import Hints, Usual, refusal
from tests.documents import Documents

HINTS = Hints(needs="4 CPU and 8 GiB", fits=("Medium", "Small"), usual=Usual(3_400_000_000, 95.4))
IMAGE = "registry.example.org/weekly:w42"
T = "2026-05-01T08:00:{:02}Z"


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "lsp-bob", "uid": "u1"},
        "spec": {
            "nodeName": "node-7",
            "containers": [{"name": "notebook", "image": f"{IMAGE}@sha256:abc"}],
        },
        "status": status,
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(phase="Pending", containerStatuses=[{"name": "notebook", "state": state}])


def ended(code: int, reason: str = "Error", message: str = "", **status: Any) -> dict[str, Any]:
    state = {
        "terminated": {
            "exitCode": code, "reason": reason, "message": message, "finishedAt": T.format(50),
        }
    }  # fmt: skip
    return pod(phase="Failed", containerStatuses=[{"name": "notebook", "state": state}], **status)


def event(reason: str, message: str = "", second: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"uid": f"{reason}-{second}"},
        "reason": reason,
        "message": message,
        "firstTimestamp": T.format(second),
        "involvedObject": {"uid": "u1"},
    }


def prepared(*ends: tuple[str, int, str], phase: str = "Failed") -> dict[str, Any]:
    statuses = [
        {"name": name, "state": {"terminated": {
            "exitCode": code, "message": message, "finishedAt": T.format(9)}}}
        for name, code, message in ends
    ]  # fmt: skip
    return pod(phase=phase, initContainerStatuses=statuses)


PULL = f'Failed to pull image "{IMAGE}": rpc error: '
EVENTS = {
    "scheduled": ("Scheduled", "Successfully assigned lsp/lsp-bob to node-7"),
    "pulling": ("Pulling", f'Pulling image "{IMAGE}"'),
    "pulled": (
        "Pulled",
        f'Successfully pulled image "{IMAGE}" in 1m32.5s (1m33s including waiting). '
        "Image size: 3400000000 bytes.",
    ),
    "was there": ("Pulled", f'Container image "{IMAGE}" already present on machine'),
    "created": ("Created", "Created container notebook"),
    "started": ("Started", "Started container notebook"),
    "attached": ("SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pvc-1"'),
    "no CPU": ("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu."),
    "no memory": ("FailedScheduling", "0/3 nodes are available: 3 Insufficient memory."),
    "no GPU": ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
    "no room on disk": (
        "FailedScheduling", "0/3 nodes are available: 3 Insufficient ephemeral-storage.",
    ),
    "too many pods": ("FailedScheduling", "0/3 nodes are available: 3 Too many pods."),
    "tainted": (
        "FailedScheduling",
        "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: batch}.",
    ),
    "cordoned": ("FailedScheduling", "0/1 nodes are available: 1 node(s) were unschedulable."),
    "affinity": (
        "FailedScheduling",
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    ),
    "no nodes": ("FailedScheduling", "no nodes available to schedule pods"),
    "volume in another zone": (
        "FailedScheduling", "0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
    ),
    "claim not bound": (
        "FailedScheduling",
        "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
    ),
    "claim missing": ("FailedScheduling", 'persistentvolumeclaim "home-bob" not found'),
    "unknown scheduling": ("FailedScheduling", "something new"),
    "scale up": ("TriggeredScaleUp", "pod triggered scale-up: [{group 1->2 (max: 5)}]"),
    "no scale up": ("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size"),
    "no manifest": ("Failed", PULL + f"{IMAGE}: not found"),
    "no pull secret": (
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (registry); attempting to pull the image may "
        "not succeed.",
    ),
    "not allowed": ("Failed", PULL + "401 Unauthorized"),
    "registry DNS": ("Failed", PULL + "dial tcp: lookup registry.example.org: no such host"),
    "registry slow": ("Failed", PULL + "dial tcp 10.0.0.1:443: i/o timeout"),
    "registry busy": ("Failed", PULL + "429 Too Many Requests: toomanyrequests"),
    "node's disk full": ("Failed", PULL + "write /var/lib: no space left on device"),
    "other processor": ("Failed", PULL + "no match for platform in manifest"),
    "unknown pull": ("Failed", PULL + "something new"),
    "container secret": ("Failed", 'Error: secret "lsp-bob" not found'),
    "said before": ("Failed", "Error: ImagePullBackOff"),
    "back-off": ("BackOff", f'Back-off pulling image "{IMAGE}"'),
    "attached elsewhere": (
        "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1": already used by pod(s)',
    ),
    "mount secret": ("FailedMount", 'MountVolume.SetUp failed: secret "x" not found'),
    "mount config": ("FailedMount", 'MountVolume.SetUp failed: configmap "x" not found'),
    "mount denied": ("FailedMount", "mount.nfs: access denied by server"),
    "mount slow": ("FailedMount", "Unable to attach or mount volumes: timed out waiting"),
    "probe": ("Unhealthy", "Readiness probe failed: dial tcp 10.1.1.1:8888: connection refused"),
    "sandbox": ("FailedCreatePodSandBox", "Failed to create pod sandbox: cni"),
    "network": ("NetworkNotReady", "network is not ready"),
    "node silent": ("NodeNotReady", "Node is not ready"),
    "preempted": ("Preempted", "Preempted by lsp/other"),
    "killing": ("Killing", "Stopping container notebook"),
    "of no interest": ("LeaderElection", "x became leader"),
}  # fmt: skip
PODS = {
    "unscheduled by condition": pod(
        phase="Pending",
        conditions=[
            {
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient cpu.",
                "lastTransitionTime": T.format(2),
            }
        ],
    ),
    "image does not exist": waiting("ErrImagePull", f"{IMAGE}: not found"),
    "image forbidden": waiting("ImagePullBackOff", "403 Forbidden"),
    "registry away, still tried": waiting("ImagePullBackOff", "i/o timeout"),
    "bad image name": waiting("InvalidImageName", "couldn't parse image"),
    "secret missing": waiting("CreateContainerConfigError", 'secret "lsp-bob" not found'),
    "runs as root": waiting(
        "CreateContainerConfigError",
        "container has runAsNonRoot and image will run as root",
    ),
    "no such program": waiting(
        "RunContainerError", 'exec: "jupyterhub-singleuser": executable file not found in $PATH'
    ),
    "container fails": waiting("CreateContainerError", "something new"),
    "being made": waiting("ContainerCreating"),
    "out of memory": ended(137, "OOMKilled"),
    "crashed": ended(1, message="Traceback\nModuleNotFoundError: No module named 'numpy'\n"),
    "no hub server in the image": ended(
        1, message="/opt/venv/bin/python: No module named jupyterhub.singleuser\n"
    ),
    "home full": ended(1, message="OSError: [Errno 28] No space left on device: '/home/bob/x'"),
    "no memory, not killed": ended(1, message="numpy._core.ArrayMemoryError: 9 GiB"),
    "writes to its image": ended(1, message="touch: /opt/x: Read-only file system"),
    "may not": ended(1, message="PermissionError: [Errno 13] Permission denied: '.local'"),
    "other machine": ended(1, message="exec /usr/bin/tini: exec format error"),
    "hub not reached": ended(
        1, message="Failed to connect to my Hub at http://hub:8081/hub/api (attempt 5/5)."
    ),
    "crashed silently": ended(134),
    "ended well": ended(0, "Completed", message="No space left on device"),
    "evicted for memory": ended(
        137, reason="Evicted", message=""
    ) | {"status": {"phase": "Failed", "reason": "Evicted",
                    "message": "The node was low on resource: memory."}},
    "evicted for disk": pod(
        phase="Failed", reason="Evicted",
        message="Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
    ),
    "evicted": pod(phase="Failed", reason="Evicted", message="The node had condition: PIDPressure"),
    "preempted": ended(
        143,
        conditions=[
            {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
             "message": "preempting to accommodate a higher priority pod"}
        ],
    ),
    "node shut down": pod(
        phase="Failed", reason="Terminated",
        message="Pod was terminated in response to imminent node shutdown.",
    ),
    "node lost": pod(phase="Failed", reason="NodeLost", message="Node node-7 is unresponsive"),
    "no room after all": pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough"),
    "ran too long": pod(phase="Failed", reason="DeadlineExceeded", message="active too long"),
    "preparation failed": prepared(("home", 127, "sh: dd: not found")),
    "home full before the server": prepared(("home", 28, "dd: error writing: Disk quota exceeded")),
    "home of somebody else": prepared(
        ("home", 13, "The directory belongs to somebody else."), phase="Failed"
    ),
    "notebooks refreshed": prepared(
        ("home", 0, ""), ("notebooks", 0, "refreshed notebooks"), phase="Running"
    ),
    "notebooks changed by the person": prepared(
        ("notebooks", 0, "kept notebooks-yours-2026-05-01"), phase="Running"
    ),
    "notebooks out of reach": prepared(
        ("notebooks", 0, "failed fatal: unable to access 'https://git.example.org/': timed out"),
        phase="Running",
    ),
    "notebooks' place taken": prepared(("notebooks", 0, "taken notebooks"), phase="Running"),
    "notebooks as they were": prepared(("notebooks", 0, ""), phase="Running"),
    "something else said": prepared(("notebooks", 0, "surprise"), phase="Running"),
}  # fmt: skip
REFUSALS = {
    "quota": 'pods "lsp-bob" is forbidden: exceeded quota: lsp, requested: limits.cpu=4, '
    "used: limits.cpu=8, limited: limits.cpu=8",
    "pod security": 'pods "lsp-bob" is forbidden: violates PodSecurity "restricted:latest": ...',
    "priority": 'pods "x" is forbidden: no PriorityClass with name user was found',
    "runtime": 'pod rejected: RuntimeClass "gvisor" not found',
    "limits": 'pods "x" is forbidden: maximum cpu usage per Container is 2, but limit is 4',
    "namespace ends": "unable to create new content in namespace lsp-bob because it is being "
    "terminated: namespace lsp-bob is being terminated",
    "namespace missing": 'namespaces "lsp" not found',
    "webhook": 'admission webhook "policy.example.org" denied the request: no',
    "rights": 'pods is forbidden: User "system:serviceaccount:lsp:portal" cannot create resource '
    '"pods" in API group "" in the namespace "lsp"',
    "unknown": "something new",
}


def said(name: str, of: dict[str, Any], events: list[dict[str, Any]]) -> str:
    seen = sight(of, events, port=8888, hints=HINTS)
    lines = [f"    {reason.code}: {reason.text}" for reason in seen.told]
    lines += [f"    END {seen.end.code}: {seen.end.text}"] if seen.end else []
    return "\n".join([f"{name}", *(lines or ["    -"])])


def test_every_reason_reads_well(documents: Documents) -> None:
    running = pod(phase="Running")
    parts = [said(name, running, [event(*what)]) for name, what in EVENTS.items()]
    parts += [said(name, of, []) for name, of in PODS.items()]
    for name, message in REFUSALS.items():
        reason = refusal(message)
        parts.append(f"{name}\n    END {reason.code}: {reason.text}")
        assert reason.is_final
    documents.expect("kubernetes/reasons.txt", "\n".join(parts) + "\n")


WORDS = {
    "one\n\n  two  \r\nthree\nfour\n": "two / three / four",
    "a" * 500: "a" * 160,
    "\x1b[31;1mred\x1b[0m \x1b]0;title\x07bell\x07": "red bell",
    "nul \0 and \u202egnp.exe": "nul and gnp.exe",
    "http://bob:8888/lab?token=4b7f9c&x=1": "http://bob:8888/lab?token=…&x=1",
    "JUPYTERHUB_API_TOKEN=4b7f9c done": "JUPYTERHUB_API_TOKEN=… done",
    '{"password": "p4ss"}': '{"password": "…"}',
    "Authorization: Bearer abc.def": "Authorization: Bearer …",
    "<script>alert({0})</script> {image}": "<script>alert({0})</script> {image}",
    "\n \x1b[0m \n": "",
}


@pytest.mark.parametrize(("left", "shown"), WORDS.items())
def test_last_words_are_few_plain_and_without_secrets(left: str, shown: str) -> None:
    seen = sight(ended(1, message=left), [], port=1, hints=HINTS)
    assert seen.end is not None
    said = f" Its last words: “{shown}”." if shown else ""
    assert seen.end.message == f"The server ended with exit code 1.{said}"


@given(st.text(max_size=3000))
def test_last_words_can_be_stored_whatever_they_are(left: str) -> None:
    words = last_words({"message": left})
    assert len(words) <= 3 * 160 + 6
    assert words.isprintable() or not words


def test_there_are_many_reasons_and_each_has_one_code() -> None:
    running = pod(phase="Running")
    codes = {
        reason.code
        for of, events in [(running, [event(*what)]) for what in EVENTS.values()]
        + [(of, []) for of in PODS.values()]
        for seen in [sight(of, events, port=1, hints=HINTS)]
        for reason in [*seen.told, *([seen.end] if seen.end else [])]
    }
    assert len(codes | {refusal(message).code for message in REFUSALS.values()}) >= 50


def test_steps_come_in_the_order_in_which_they_happened_each_once() -> None:
    events = [
        event("Started", second=9),
        event("Pulling", second=3),
        event("Scheduled", second=1),
        event("Pulling", second=3),
    ]
    seen = sight(pod(phase="Running"), events, port=1, hints=HINTS)
    assert [reason.code for reason in seen.told] == ["scheduled", "pulling", "started"]


def test_only_the_server_itself_is_said_to_start() -> None:
    def of_init(reason: str, message: str, second: int) -> dict[str, Any]:
        told = event(reason, message, second)
        return told | {"involvedObject": {"uid": "u1", "fieldPath": "spec.initContainers{home}"}}

    events = [
        of_init(*EVENTS["pulled"], 1),
        of_init(*EVENTS["created"], 2),
        of_init(*EVENTS["started"], 3),
        of_init(*EVENTS["was there"], 4),
        event(*EVENTS["started"], 5),
    ]
    seen = sight(pod(phase="Running"), events, port=1, hints=HINTS)
    assert [reason.code for reason in seen.told] == ["pulled", "started"]


@pytest.mark.parametrize(
    ("fits", "text"),
    [
        (None, "No node has 4 CPU and 8 GiB free now."),
        ((), "No node has 4 CPU and 8 GiB free now. No other size has room either."),
        (
            ("Small",),
            "No node has 4 CPU and 8 GiB free now. What would start at once: Small.",
        ),
    ],
)
def test_what_would_start_at_once_is_said_where_it_is_known(
    fits: tuple[str, ...] | None, text: str
) -> None:
    hints = Hints(needs="4 CPU and 8 GiB", fits=fits)
    seen = sight(pod(), [event(*EVENTS["no CPU"])], port=1, hints=hints)
    assert seen.told[0].message == text


@pytest.mark.parametrize(
    ("ip", "address"),
    [("10.1.2.3", "http://10.1.2.3:8888"), ("fd00::7", "http://[fd00::7]:8888"), ("", "")],
)
def test_a_server_is_reached_by_the_address_of_its_pod(ip: str, address: str) -> None:
    assert sight(pod(podIP=ip), [], port=8888, hints=HINTS).address == address
