"""What the portal relies on when it lists and watches."""

from __future__ import annotations

import pytest

from sessions.kubernetes.client import Gone
from tests.kubernetes.contract.conftest import Arena


def test_labels_select(arena: Arena) -> None:
    for name, labels in {"s1": {"kind": "a"}, "s2": {"kind": "b"}, "s3": {}}.items():
        arena.client.create(arena.secret(name, set="selected", **labels))

    def found(selector: str) -> list[str]:
        listing = arena.client.list("Secret", arena.namespace, selector=f"set=selected,{selector}")
        return [secret["metadata"]["name"] for secret in listing]

    assert found("kind=a") == ["s1"]
    assert found("kind!=a") == ["s2", "s3"]
    assert found("kind in (a, b)") == ["s1", "s2"]
    assert found("kind notin (a)") == ["s2", "s3"]
    assert found("kind") == ["s1", "s2"]
    assert found("!kind") == ["s3"]


def test_a_list_is_of_one_version_whatever_happens_between_its_pages(arena: Arena) -> None:
    for number in range(5):
        arena.client.create(arena.secret(f"page-{number}", set="paged"))
    listing = arena.client.list("Secret", arena.namespace, selector="set=paged", limit=2)
    arena.client.delete("Secret", "page-4", arena.namespace)
    arena.client.create(arena.secret("page-9", set="paged"))
    assert [s["metadata"]["name"] for s in listing] == [f"page-{n}" for n in range(5)]


def test_a_watch_goes_on_from_a_list(arena: Arena) -> None:
    listing = arena.client.list("Secret", arena.namespace, selector="set=watched")
    arena.client.create(arena.secret("seen", set="watched"))
    arena.client.create(arena.secret("unseen"))
    arena.client.patch("Secret", "seen", arena.namespace, {"data": {"word": "eA=="}})
    arena.client.patch("Secret", "seen", arena.namespace, {"metadata": {"labels": {"set": "x"}}})
    assert _watched(arena, listing.resource_version) == [
        ("ADDED", "seen"),
        ("MODIFIED", "seen"),
        ("DELETED", "seen"),  # for those who look for the label
    ]
    arena.client.delete("Secret", "seen", arena.namespace)


def test_a_watch_can_go_on_from_any_event(arena: Arena) -> None:
    listing = arena.client.list("Secret", arena.namespace, selector="set=resumed")
    for name in ("r1", "r2"):
        arena.client.create(arena.secret(name, set="resumed"))
    events = arena.client.watch(
        "Secret",
        arena.namespace,
        selector="set=resumed",
        resource_version=listing.resource_version,
        timeout_seconds=5,
    )
    first = next(events)
    events.close()  # type: ignore[attr-defined] # it is a generator
    rest = _watched(arena, first.resource_version, "resumed")
    assert (first.object["metadata"]["name"], rest) == ("r1", [("ADDED", "r2")])


def test_a_forgotten_version_is_gone(arena: Arena) -> None:
    arena.forget_versions()
    with pytest.raises(Gone):
        _watched(arena, "1")


def _watched(arena: Arena, version: str, what: str = "watched") -> list[tuple[str, str]]:
    events = arena.client.watch(
        "Secret",
        arena.namespace,
        selector=f"set={what}",
        resource_version=version,
        timeout_seconds=1,
    )
    return [(e.kind, e.object["metadata"]["name"]) for e in events if e.kind != "BOOKMARK"]
