"""ResourceQuota: what is created is charged at once, what failed after that stays charged."""

from __future__ import annotations

import time
from collections import defaultdict
from fractions import Fraction

from tests.kubernetes.fake.quantities import pod_total, quantity, text
from tests.kubernetes.fake.resources import (
    CLAIMS,
    PODS,
    QUOTAS,
    SECRETS,
    SERVICES,
    Object,
    Resource,
    forbidden,
)
from tests.kubernetes.fake.store import Store

Amounts = dict[str, Fraction]
COUNTED = (PODS, CLAIMS, SECRETS, SERVICES)


class QuotaAdmission:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.lag_seconds = 300.0
        self._ghosts: dict[str, list[tuple[float, Amounts]]] = defaultdict(list)

    def check(self, resource: Resource, namespace: str, thing: Object) -> None:
        """Raises 403 where a quota of the namespace has no room."""
        asked, name = _charge(resource, thing), thing["metadata"].get("name", "")
        for quota in self._store.all(QUOTAS, namespace):
            hard = quota["spec"].get("hard", {})
            self._check_named(resource, thing, hard, name)
            used = self.used(namespace)
            for what in sorted(set(hard) & set(asked)):
                if used.get(what, Fraction()) + asked[what] > quantity(hard[what]):
                    message = (
                        f"exceeded quota: {quota['metadata']['name']}, requested: "
                        f"{what}={text(asked[what])}, used: {what}="
                        f"{text(used.get(what, Fraction()))}, limited: {what}={hard[what]}"
                    )
                    raise forbidden(resource, name, message)

    def failed(self, resource: Resource, namespace: str, thing: Object) -> None:
        """What was admitted was not created: it stays charged for a while."""
        if self._store.all(QUOTAS, namespace):
            ghost = (time.monotonic() + self.lag_seconds, _charge(resource, thing))
            self._ghosts[namespace].append(ghost)

    def recalculate(self) -> None:
        self._ghosts.clear()

    def used(self, namespace: str) -> Amounts:
        total: Amounts = {}
        now = time.monotonic()
        live = [
            _charge(resource, thing)
            for resource in COUNTED
            for thing in self._store.all(resource, namespace)
        ]
        for amounts in [*live, *(a for until, a in self._ghosts[namespace] if until > now)]:
            for what, amount in amounts.items():
                total[what] = total.get(what, Fraction()) + amount
        return total

    def status(self, quota: Object) -> Object:
        """The quota with what is used now."""
        hard = quota["spec"].get("hard", {})
        used = self.used(quota["metadata"]["namespace"])
        counts = {what: text(used.get(what, Fraction())) for what in hard}
        return {**quota, "status": {"hard": hard, "used": counts}}

    @staticmethod
    def _check_named(resource: Resource, thing: Object, hard: Object, name: str) -> None:
        if resource != PODS:
            return
        asked = _charge(resource, thing)
        missing = [w for w in hard if w.startswith(("limits.", "requests.cpu")) and w not in asked]
        if missing:
            raise forbidden(resource, name, f"failed quota: must specify {','.join(missing)}")


def _charge(resource: Resource, thing: Object) -> Amounts:
    one = {resource.plural: Fraction(1), f"count/{resource.plural}": Fraction(1)}
    if resource == CLAIMS:
        return one | {
            "requests.storage": quantity(thing["spec"]["resources"]["requests"]["storage"])
        }
    if resource != PODS:
        return one
    if (thing.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {"count/pods": Fraction(1)}
    for side in ("requests", "limits"):
        for what, amount in pod_total(thing, side).items():
            one[f"{side}.{what}"] = amount
            if side == "requests":
                one[what] = amount
    return one
