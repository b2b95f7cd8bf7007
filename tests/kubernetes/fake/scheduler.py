"""Where pods go: capacity, labels and taints of nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction

from tests.kubernetes.fake.quantities import pod_total, quantity
from tests.kubernetes.fake.resources import CLAIMS, NODES, Object
from tests.kubernetes.fake.store import Store

Amounts = dict[str, Fraction]


class Scheduler:
    """What each node has left is kept as pods come and go."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._placed: dict[str, tuple[str, Amounts]] = {}
        self._used: dict[str, Amounts] = defaultdict(lambda: defaultdict(Fraction))

    def place(self, pod: Object) -> tuple[str, str]:
        """The node for the pod, or an empty name and why there is none."""
        if missing := self._missing_claim(pod):
            return "", f'persistentvolumeclaim "{missing}" not found'
        asked = pod_total(pod, "requests") | {"pods": Fraction(1)}
        nodes, why = self._store.all(NODES), Counter[str]()
        for node in nodes:
            reason = self._refusal(pod, asked, node)
            if not reason:
                self._take(pod, node["metadata"]["name"], asked)
                return node["metadata"]["name"], ""
            why[reason] += 1
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(why.items()))
        return "", f"0/{len(nodes)} nodes are available: {reasons}."

    def forget(self, pod: Object) -> None:
        node, asked = self._placed.pop(pod["metadata"]["uid"], ("", {}))
        for what, amount in asked.items():
            self._used[node][what] -= amount

    def _take(self, pod: Object, node: str, asked: Amounts) -> None:
        self._placed[pod["metadata"]["uid"]] = (node, asked)
        for what, amount in asked.items():
            self._used[node][what] += amount

    def _missing_claim(self, pod: Object) -> str:
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and self._store.find(CLAIMS, namespace, claim) is None:
                return str(claim)
        return ""

    def _refusal(self, pod: Object, asked: Amounts, node: Object) -> str:
        spec, labels = node.get("spec", {}), node["metadata"].get("labels", {})
        if spec.get("unschedulable"):
            return "node(s) were unschedulable"
        if any(not _tolerated(taint, pod) for taint in spec.get("taints", [])):
            return "node(s) had untolerated taint(s)"
        if not pod["spec"].get("nodeSelector", {}).items() <= labels.items():
            return "node(s) didn't match Pod's node affinity/selector"
        if node["metadata"]["name"] in _avoided(pod):
            return "node(s) didn't match Pod's node affinity/selector"
        there, used = node["status"]["allocatable"], self._used[node["metadata"]["name"]]
        for what, amount in asked.items():
            if used[what] + amount > quantity(there.get(what, "0")):
                return f"Insufficient {what}"
        return ""


def _avoided(pod: Object) -> list[str]:
    """The names that a required node affinity excludes; no other affinity is understood."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    [term] = required.get("nodeSelectorTerms") or [{}]
    fields = term.get("matchFields", [])
    assert all((one["key"], one["operator"]) == ("metadata.name", "NotIn") for one in fields)
    return [name for one in fields for name in one["values"]]


def _tolerated(taint: Object, pod: Object) -> bool:
    if taint["effect"] == "PreferNoSchedule":
        return True
    return any(
        toleration.get("key", taint["key"]) == taint["key"]
        and toleration.get("effect") in (None, "", taint["effect"])
        and (
            toleration.get("operator") == "Exists"
            or toleration.get("value", "") == taint.get("value", "")
        )
        for toleration in pod["spec"].get("tolerations", [])
    )
