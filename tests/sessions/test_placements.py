"""Where servers of a size run, as administrators say it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from sessions.models import Size
from tests.forms_in_pages import errors_of, send_form

GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.fixture
def admin(client: Client, dora: User) -> Client:
    client.force_login(dora)
    return client


@pytest.fixture
def large(db: None) -> Size:
    return Size.objects.get(name="large")


def page(size: Size) -> str:
    return reverse("admin:hub_sessions_size_change", args=[size.pk])


def test_a_size_chooses_its_nodes(admin: Client, large: Size) -> None:
    send_form(
        admin,
        page(large),
        node_selector='{"example.org/accelerator": "a100"}',
        tolerations=json.dumps([GPU, {"key": "x", "effect": "NoExecute", "tolerationSeconds": 60}]),
        priority_class="lsp-user",
    )
    large.refresh_from_db()
    assert large.node_selector == {"example.org/accelerator": "a100"}
    assert large.tolerations[0] == GPU
    assert large.priority_class == "lsp-user"


def test_an_emptied_field_means_none(admin: Client, large: Size) -> None:
    Size.objects.filter(pk=large.pk).update(node_selector={"a": "b"}, tolerations=[GPU])
    send_form(admin, page(large), node_selector="", tolerations="")
    large.refresh_from_db()
    assert (large.node_selector, large.tolerations) == ({}, [])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("node_selector", "a100", "Enter a valid JSON"),
        ("node_selector", ["a100"], "Use an object"),
        ("node_selector", {"gpus": 2}, "no label of a node"),
        ("node_selector", {"a b": "c"}, "no label of a node"),
        ("node_selector", {"a": "b" * 64}, "no label of a node"),
        ("node_selector", {"a": "\0"}, "no label of a node"),
        ("tolerations", {"key": "a"}, "Use a list"),
        ("tolerations", ["a"], "Toleration 1: use an object"),
        ("tolerations", [GPU, {}], "Toleration 2: use an object"),
        ("tolerations", [{"name": "a"}], "there is no “name”"),
        ("tolerations", [{"key": "a", "operator": "In"}], "operator must be one of"),
        ("tolerations", [{"key": "a", "effect": "Never"}], "effect must be one of"),
        ("tolerations", [{"key": "a", "operator": "Exists", "value": "b"}], "there is no value"),
        ("tolerations", [{"effect": "NoSchedule"}], "the operator must be Exists"),
        ("tolerations", [{"key": "a\n"}], "must be those of a taint"),
        ("tolerations", [GPU | {"tolerationSeconds": 1}], "needs the effect NoExecute"),
        ("priority_class", "High Priority", "name of a priority class"),
    ],
)
def test_what_the_cluster_would_refuse_is_refused_here(
    admin: Client, large: Size, field: str, value: Any, message: str
) -> None:
    typed = value if isinstance(value, str) else json.dumps(value)
    assert message in errors_of(send_form(admin, page(large), **{field: typed}))
