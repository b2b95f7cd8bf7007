"""The API as it describes itself."""

from __future__ import annotations

import io
import re
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from accounting.models import Statement
from accounting.statements.closing import close_period
from lsp_portal.lib import clock
from quotas.models import StorageQuota
from sessions.models import DaskCluster, NodeDrain, Size, SizeRoom, StorageSample
from sessions.reattributing import requests
from tests import factories
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Made as a strict reader wants it: a warning or an invalid document fails."""
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    found: dict[str, Any] = yaml.safe_load(out.getvalue())
    return found


def test_it_has_people_and_hubs_and_examples(schema: dict[str, Any]) -> None:
    paths = schema["paths"]
    assert {"/api/v1/me", "/api/v1/users", "/api/v1/memberships/{membership}/end"} <= set(paths)
    assert "/api/v1/hubs/{hub}/events" in paths
    body = paths["/api/v1/memberships"]["post"]["requestBody"]["content"]["application/json"]
    assert [example["value"]["user"] for example in body["examples"].values()] == ["bob"]
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_write_tells_of_idempotency_and_of_problems(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        for method in {"post", "patch"} & methods.keys():
            if path.startswith("/api/v1/hubs"):
                continue
            names = [parameter["name"] for parameter in methods[method].get("parameters", [])]
            assert "Idempotency-Key" in names, path
            assert "application/problem+json" in methods[method]["responses"]["400"]["content"]


def quotas(cast: Cast) -> dict[str, int]:
    """A period, a quota with a grant, and a storage quota with the same number."""
    period = factories.period(date(2026, 1, 1), date(2027, 1, 1))
    quota = factories.quota(cast.transients, period, "100")
    grant = factories.grant(quota, "5", cast.dora)
    stored = StorageQuota(pk=quota.pk, group=cast.transients, period=period, limit_bytes=1)
    stored.save(force_insert=True)
    return {"period": period.pk, "quota": quota.pk, "grant": grant.pk}


def asked_to_move(cast: Cast) -> int:
    """A request that galaxies pays for a session of Bob."""
    session = factories.charged_session(cast.hub, cast.bob, cast.transients)
    made = requests.ask(session, to=cast.galaxies, reason="Ours", by=cast.bob, at=clock.now())
    return made.pk


def sample_of(cast: Cast) -> int:
    """What somebody measured of Bob's home."""
    return StorageSample.objects.create(
        user=cast.bob, mount="/home", taken_at=clock.now(), used_bytes=1
    ).pk


def closed_period() -> Statement:
    period = factories.period(date(2020, 1, 1), date(2021, 1, 1))
    return close_period(period, author=None, at=period.ends_at)


def emptied_node(cast: Cast) -> dict[str, object]:
    """A node that Dora empties, and the room for a size."""
    node, size = factories.node(), Size.objects.get(name="small")
    SizeRoom.objects.create(size=size, free=1, seen_at=clock.now())
    row = NodeDrain.objects.create(node=node.name, asked_by=cast.dora, started_at=clock.now())
    return {"node": node.name, "size": size.name, "drain": row.pk}


def session_with_dask(cast: Cast) -> UUID:
    """A session of Dora, who asks, with workers."""
    session, at = factories.charged_session(cast.hub, cast.dora, cast.transients), clock.now()
    DaskCluster.objects.create(
        session=session, workers=2, cpu_millicores=1000, memory_mib=8192, idle_seconds=60,
        asked_at=at, changed_at=at,
    )  # fmt: skip
    return session.key


def test_every_described_address_answers(schema: dict[str, Any], cast: Cast, program: Any) -> None:
    names = {
        "username": "bob",
        "name": "transients",
        "membership": cast.transients.memberships.get(user=cast.bob).pk,
        "invitation": factories.invitation(cast.transients, cast.alice).pk,
        "request_id": asked_to_move(cast),
        "sample": sample_of(cast),
        "number": closed_period().number,
        "session": session_with_dask(cast),
        **emptied_node(cast),
        **quotas(cast),
    }
    dora, asked = program(cast.dora), 0
    for path, methods in schema["paths"].items():
        if path.startswith("/api/v1/hubs"):
            continue
        address = re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), path)
        for method in {"get", "post", "patch"} & methods.keys():
            answer = getattr(dora.client, method)(address, content_type="application/json")
            assert answer.status_code in (200, 201, 400, 409), (method, address, answer.content)
            asked += 1
    assert asked >= 15


def test_the_pages_about_it_are_there_for_everybody(client: Client) -> None:
    assert client.get("/api/schema/").status_code == 200
    assert client.get("/api/docs/").status_code == 200
