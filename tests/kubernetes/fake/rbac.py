"""Who may do what: the roles of a manifest, as the API reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.fake.resources import ApiError, Resource


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as rules speak of it."""

    verb: str
    group: str
    resource: str  # with its subresource
    namespace: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One verb on one resource; `namespace` is empty where it holds everywhere."""

    verb: str
    group: str
    resource: str
    namespace: str

    def allows(self, call: Call) -> bool:
        where = (call.verb, call.group, call.resource)
        same = (self.verb, self.group, self.resource) == where
        return same and self.namespace in ("", call.namespace)


def rules(path: Path, account: str) -> list[Rule]:
    """What the service account may do, by the roles and bindings of a manifest."""
    documents = [d for d in yaml.safe_load_all(path.read_text()) if d]
    found = []
    for binding in documents:
        if binding["kind"] in ("RoleBinding", "ClusterRoleBinding") and any(
            subject["name"] == account for subject in binding["subjects"]
        ):
            role = _role(documents, binding)
            found += _of_role(role, binding["metadata"].get("namespace", ""))
    return found


def check(known: list[Rule], account: str, call: Call) -> None:
    """Raises 403."""
    if not any(rule.allows(call) for rule in known):
        where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
        raise ApiError(
            403,
            "Forbidden",
            f'{call.resource} is forbidden: User "{account}" cannot {call.verb} resource '
            f'"{call.resource}" in API group "{call.group}" {where}',
        )


def call(verb: str, resource: Resource, subresource: str, namespace: str) -> Call:
    whole = f"{resource.plural}/{subresource}" if subresource else resource.plural
    return Call(verb, resource.group, whole, namespace)


def _role(documents: list[Any], binding: Any) -> Any:
    named = binding["roleRef"]
    return next(
        d
        for d in documents
        if d["kind"] == named["kind"]
        and d["metadata"]["name"] == named["name"]
        and d["metadata"].get("namespace")
        == (binding["metadata"].get("namespace") if named["kind"] == "Role" else None)
    )


def _of_role(role: Any, namespace: str) -> list[Rule]:
    return [
        Rule(verb, group, resource, namespace)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
