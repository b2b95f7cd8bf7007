"""What a size may say of the nodes of a cluster, in the cluster's own words."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

PART = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
DOMAIN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
KEY = re.compile(rf"({DOMAIN}/)?{PART}")
VALUE = re.compile(rf"({PART})?")
OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
FIELDS = {"key", "operator", "value", "effect", "tolerationSeconds"}

NODE_SELECTOR_HELP = (
    'Labels that a node must have, as JSON: {"accelerator": "a100"}. Empty ({}): any node.'
)
TOLERATIONS_HELP = (
    'Taints of nodes that servers of this size bear, as JSON: [{"key": '
    '"nvidia.com/gpu", "operator": "Exists", "effect": '
    '"NoSchedule"}]. Nodes kept for servers of people are borne anyway.'
)
PRIORITY_CLASS_HELP = "A priority class that exists in the cluster. Empty: the cluster's default."

validate_priority_class = RegexValidator(
    rf"^{DOMAIN}\Z", "Use the name of a priority class, such as lsp-user.", code="bad_priority"
)


def validate_node_selector(value: Any) -> None:
    """Labels: a name, perhaps with a domain in front, and at most 63 characters for the value."""
    if not isinstance(value, dict):
        raise ValidationError('Use an object such as {"accelerator": "a100"}.', code="bad_labels")
    for key, text in value.items():
        if not _is_label(key, text):
            raise ValidationError(
                "“%(key)s”: “%(value)s” is no label of a node. Both are short texts of letters, "
                "digits, dots, hyphens and underscores; the key may begin with a domain and /.",
                code="bad_labels",
                params={"key": key, "value": text},
            )


def validate_tolerations(value: Any) -> None:
    """As Kubernetes has them: key, operator, value, effect, tolerationSeconds."""
    if not isinstance(value, list):
        raise ValidationError("Use a list of tolerations, [] for none.", code="bad_tolerations")
    for position, toleration in enumerate(value, 1):
        if problem := _problem(toleration):
            raise ValidationError(
                "Toleration %(position)s: %(problem)s",
                code="bad_tolerations",
                params={"position": position, "problem": problem},
            )


def _is_label(key: object, value: object) -> bool:
    texts = isinstance(key, str) and isinstance(value, str)
    return texts and bool(KEY.fullmatch(str(key)) and VALUE.fullmatch(str(value)))


def _problem(toleration: Any) -> str:
    if not isinstance(toleration, dict) or not toleration:
        return 'use an object such as {"key": "nvidia.com/gpu", "operator": "Exists"}.'
    if unknown := sorted(set(toleration) - FIELDS):
        return f"there is no “{unknown[0]}”; use {', '.join(sorted(FIELDS))}."
    if toleration.get("operator", "Equal") not in OPERATORS:
        return f"operator must be one of {', '.join(OPERATORS)}."
    if "effect" in toleration and toleration["effect"] not in EFFECTS:
        return f"effect must be one of {', '.join(EFFECTS)}, or be left out for all."
    return _problem_of_values(toleration)


def _problem_of_values(toleration: dict[str, Any]) -> str:
    exists = toleration.get("operator") == "Exists"
    if exists and "value" in toleration:
        return "with the operator Exists there is no value."
    if "key" not in toleration and not exists:
        return "without a key the operator must be Exists."
    if not _is_label(toleration.get("key", "any"), toleration.get("value", "")):
        return "key and value must be those of a taint."
    if "tolerationSeconds" not in toleration:
        return ""
    if type(toleration["tolerationSeconds"]) is not int or toleration.get("effect") != "NoExecute":
        return "tolerationSeconds must be a whole number, and needs the effect NoExecute."
    return ""
