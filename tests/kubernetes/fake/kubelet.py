"""All nodes in one: pods are placed, images pulled, containers run, become ready and end."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable

from tests.kubernetes.fake import statuses
from tests.kubernetes.fake.plans import Plan, Plans
from tests.kubernetes.fake.resources import CLAIMS, NODES, PODS, ApiError, Change, Object, stamp
from tests.kubernetes.fake.scheduler import Scheduler
from tests.kubernetes.fake.statuses import SIGKILL, SIGTERM, condition, note
from tests.kubernetes.fake.store import Store
from tests.kubernetes.fake.timeline import Timeline

OVER = ("Succeeded", "Failed")
PROBE_SECONDS = 0.05
IMAGE_BYTES = 4_000_000_000


class Containers:
    """What runs in pods: nothing; one address stands for all of them."""

    def start(self, pod: Object) -> str:
        """The address of the pod."""
        return "127.0.0.1"

    def is_ready(self, pod: Object, plan: Plan) -> bool:
        return _answers(plan.probe_url)

    def end(self, pod: Object) -> None:
        """Nothing of the pod runs any more."""


class Kubelet:
    def __init__(self, store: Store, timeline: Timeline, containers: Containers) -> None:
        self._containers = containers
        self._store = store
        self._timeline = timeline
        self._scheduler = Scheduler(store)
        self._waiting: dict[str, Object] = {}
        self._ending: set[str] = set()
        self.plans = Plans()
        store.listeners.append(self._heard)

    def finish(self, pod: Object, code: int, reason: str, log: str = "") -> None:
        """The containers end by themselves."""
        words = statuses.last_words(pod, code, log)
        state = statuses.terminated(code, reason, statuses.started_at(pod), words)
        phase = "Succeeded" if code == 0 else "Failed"

        def over(now: Object) -> Object:
            status = condition(statuses.containers(now, state), "Ready", False, "PodFailed")
            return {**now, "status": {**status, "phase": phase}}

        self._change(pod, over)

    def evict(self, pod: Object, message: str) -> None:
        """The node puts the pod out, for want of memory or disk."""
        note(self._store, pod, "Evicted", message, warning=True)
        state = statuses.terminated(SIGKILL, "Error", statuses.started_at(pod))

        def over(now: Object) -> Object:
            status = statuses.containers(now, state)
            told = {"phase": "Failed", "reason": "Evicted", "message": message}
            return {**now, "status": {**condition(status, "Ready", False), **told}}

        self._change(pod, over)

    def _heard(self, change: Change) -> None:
        if change.resource in (NODES, CLAIMS):
            self._timeline.after(0, self._try_waiting)
        if change.resource != PODS:
            return
        pod = change.object
        if change.kind == "ADDED":
            self._timeline.after(0, lambda: self._schedule(pod))
        elif change.kind == "DELETED" or pod["status"].get("phase") in OVER:
            self._timeline.after(0, lambda: self._free(pod))
        if change.kind == "MODIFIED" and "deletionTimestamp" in pod["metadata"]:
            self._end_gracefully(pod)

    def _free(self, pod: Object) -> None:
        self._waiting.pop(pod["metadata"]["uid"], None)
        self._scheduler.forget(pod)
        self._try_waiting()

    def _try_waiting(self) -> None:
        for pod in list(self._waiting.values()):
            self._schedule(pod)

    def _schedule(self, pod: Object) -> None:
        if self._now(pod) is None:
            return
        node, why = self._scheduler.place(pod)
        uid = pod["metadata"]["uid"]
        if not node:
            if uid not in self._waiting:
                note(self._store, pod, "FailedScheduling", why, warning=True)
            self._waiting[uid] = pod
            self._set(pod, condition(pod["status"], "PodScheduled", False, "Unschedulable", why))
            return
        self._waiting.pop(uid, None)

        def placed(now: Object) -> Object:
            status = condition(now["status"], "PodScheduled", True) | {"startTime": stamp()}
            return {**now, "spec": now["spec"] | {"nodeName": node}, "status": status}

        self._change(pod, placed)
        place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        note(self._store, pod, "Scheduled", f"Successfully assigned {place} to {node}")
        self._pull(pod, node)

    def _pull(self, pod: Object, node: str) -> None:
        plan = self._plan(pod)
        known = self._store.get(NODES, "", node)["status"].get("images", [])
        there = {name for image in known for name in image["names"]}
        missing = [image for image in statuses.images(pod) if image not in there]
        self._set(pod, statuses.containers(pod, statuses.waiting("ContainerCreating")))
        if plan.pull_error and missing:
            self._fail_pull(pod, missing[0], plan.pull_error)
            return
        for image in missing:
            note(self._store, pod, "Pulling", f'Pulling image "{image}"')
        seconds = plan.pull_seconds if missing else 0
        self._timeline.after(seconds, lambda: self._pulled(pod, node, missing, seconds))

    def _fail_pull(self, pod: Object, image: str, error: str) -> None:
        note(self._store, pod, "Failed", f'Failed to pull image "{image}": {error}', warning=True)
        state = statuses.waiting("ImagePullBackOff", f'Back-off pulling image "{image}": {error}')
        self._set(pod, statuses.containers(pod, state))

    def _pulled(self, pod: Object, node: str, images: list[str], seconds: float) -> None:
        if self._now(pod) is None:
            return
        for image in images:
            took = f"{seconds:g}s ({seconds:g}s including waiting). Image size: {IMAGE_BYTES} bytes"
            note(self._store, pod, "Pulled", f'Successfully pulled image "{image}" in {took}.')
        self._keep_images(node, images)
        self._timeline.after(self._plan(pod).start_seconds, lambda: self._start(pod))

    def _keep_images(self, node: str, images: list[str]) -> None:
        def kept(now: Object) -> Object:
            new = [{"names": [image], "sizeBytes": IMAGE_BYTES} for image in images]
            status = {**now["status"], "images": [*now["status"].get("images", []), *new]}
            return {**now, "status": status}

        if images:
            self._store.update(NODES, "", node, kept)

    def _start(self, pod: Object) -> None:
        plan = self._plan(pod)
        if self._now(pod) is None or not self._prepare(pod, plan):
            return
        address = self._containers.start(pod)
        note(self._store, pod, "Started", "Started container")

        def started(now: Object) -> Object:
            status = condition(statuses.containers(now, statuses.running()), "Initialized", True)
            status = condition(status, "Ready", False, "ContainersNotReady")
            return {**now, "status": {**status, "phase": "Running", "podIP": address}}

        self._change(pod, started)
        if all(c.get("command") == ["/bin/true"] for c in pod["spec"]["containers"]):
            self.finish(pod, 0, "Completed")
            return
        if not plan.never_ready:
            self._timeline.after(plan.ready_seconds, lambda: self._probe(pod, plan))
        if plan.ends_seconds is not None:
            self._timeline.after(plan.ends_seconds, lambda: self._end(pod, plan))

    def _prepare(self, pod: Object, plan: Plan) -> bool:
        """Run the init containers; the first that fails ends the pod."""
        status, is_well = statuses.prepared(pod, plan.prepared)
        if "initContainerStatuses" in status:
            told = {"initContainerStatuses": status["initContainerStatuses"]}
            self._set(pod, told if is_well else {**told, "phase": "Failed"})
        return is_well

    def _probe(self, pod: Object, plan: Plan) -> None:
        now = self._now(pod)
        if now is None or now["status"]["phase"] != "Running":
            return
        if not self._containers.is_ready(now, plan):
            self._timeline.after(PROBE_SECONDS, lambda: self._probe(pod, plan))
            return

        def ready(now: Object) -> Object:
            ready_ones = [{**c, "ready": True} for c in now["status"].get("containerStatuses", [])]
            status = condition(now["status"], "Ready", True)
            status = condition(status, "ContainersReady", True)
            return {**now, "status": {**status, "containerStatuses": ready_ones}}

        self._change(pod, ready)

    def _end(self, pod: Object, plan: Plan) -> None:
        now = self._now(pod)
        if now is not None and now["status"]["phase"] not in OVER:
            code = SIGKILL if plan.oom else plan.exit_code
            reason = "OOMKilled" if plan.oom else "Error" if code else "Completed"
            self.finish(now, code, reason, plan.log)

    def _end_gracefully(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._ending:
            return
        self._ending.add(uid)
        plan = self._plan(pod)
        self._timeline.after(plan.kill_seconds, lambda: self._killed(pod))

    def _killed(self, pod: Object) -> None:
        """MODIFIED once more, then DELETED."""
        now = self._now(pod)
        if now is None:
            return
        self._containers.end(now)
        if now["status"]["phase"] not in OVER:
            self.finish(now, SIGTERM, "Error")
        with self._store.lock:
            last = self._now(pod)
            if last is not None and not last["metadata"].get("finalizers"):
                self._store.remove(PODS, *_where(pod))

    def _plan(self, pod: Object) -> Plan:
        return self.plans.of(pod["metadata"]["name"])

    def _now(self, pod: Object) -> Object | None:
        """The very same pod as it is now."""
        found = self._store.find(PODS, *_where(pod))
        if found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]:
            return None
        return found

    def _set(self, pod: Object, status: Object) -> None:
        self._change(pod, lambda now: {**now, "status": {**now["status"], **status}})

    def _change(self, pod: Object, change: Callable[[Object], Object]) -> None:
        with self._store.lock:
            if self._now(pod) is not None:
                self._store.update(PODS, *_where(pod), change)


def _where(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _answers(url: str) -> bool:
    if not url:
        return True
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - the address of a test
            return True
    except (urllib.error.URLError, OSError):
        return False


__all__ = ["ApiError", "Containers", "Kubelet"]
