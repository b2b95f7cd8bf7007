"""The client of a registry, against a small one over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sessions.registry import transport
from sessions.registry.client import Registry, registry
from sessions.registry.failures import ImageMissing, RegistryFailed
from sessions.registry.repositories import BadRepositoryError, Repository
from sessions.registry.transport import Credentials
from tests.sessions.registry.stub import OCI, PASSWORD, USER, Fault, StubRegistry, stub_registry

CREDENTIALS = Credentials(USER, PASSWORD)


@pytest.fixture
def stub() -> Iterator[StubRegistry]:
    with stub_registry() as made:
        yield made


@pytest.fixture
def client(stub: StubRegistry) -> Iterator[Registry]:
    with registry(Repository.read(stub.repository), CREDENTIALS) as made:
        yield made


def test_all_pages_of_tags_are_read(stub: StubRegistry, client: Registry) -> None:
    tags = [f"w_2026_{week:02}" for week in range(1, 11)]
    stub.push(*tags)
    assert sorted(client.tags()) == tags
    assert stub.asked_for("/tags/list") == 4


def test_a_repository_without_tags_has_none(client: Registry) -> None:
    assert client.tags() == []


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_the_portal_proves_who_it_is_once(stub: StubRegistry, client: Registry, auth: str) -> None:
    stub.auth = auth
    stub.push("a", "b", "c", "d")
    assert len(client.tags()) == 4
    refused = [path for _, path, sent in stub.asked if not sent and "/token" not in path]
    assert len(refused) == 1


def test_a_token_that_ran_out_is_asked_for_again(stub: StubRegistry, client: Registry) -> None:
    stub.auth = "bearer"
    stub.push("a")
    client.tags()
    stub.token = "token-2"
    assert client.tags() == ["a"]


def test_a_wrong_password_is_told(stub: StubRegistry) -> None:
    stub.auth = "bearer"
    wrong = Credentials(USER, "guessed")
    told = pytest.raises(RegistryFailed, match=r"let the portal read \(who are you\)")
    with registry(Repository.read(stub.repository), wrong) as client, told:
        client.tags()


def test_a_password_is_never_sent_over_an_open_line(stub: StubRegistry, client: Registry) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://elsewhere.example.org/token"'}
    stub.faults["tags"] = Fault(401, challenge)
    with pytest.raises(RegistryFailed, match="without https"):
        client.tags()


def test_a_redirection_to_another_host_takes_no_password_along() -> None:
    with stub_registry() as store, stub_registry(auth="basic") as front:
        digest = front.push("a")
        store.blobs = dict(front.blobs)
        front.blobs_at = f"http://{store.host}"
        with registry(Repository.read(front.repository), CREDENTIALS) as reader:
            assert reader.facts(digest).size_bytes == 1234
        assert [sent for _, _, sent in store.asked] == [""]


def test_facts_of_an_image(stub: StubRegistry, client: Registry) -> None:
    digest = stub.push("w_2026_47", created="2026-11-20T10:11:12.123456789+02:00")
    facts = client.facts(client.digest("w_2026_47"))
    assert (facts.digest, facts.size_bytes) == (digest, 1234)
    assert facts.built_at == datetime(2026, 11, 20, 8, 11, 12, tzinfo=UTC)
    assert facts.labels == {"org.opencontainers.image.title": "w_2026_47"}


def test_a_digest_that_is_not_told_is_computed(stub: StubRegistry, client: Registry) -> None:
    stub.hides_digests = True
    digest = stub.push("a")
    assert client.digest("a") == digest


def test_of_several_platforms_the_usual_one_counts(stub: StubRegistry, client: Registry) -> None:
    other, usual = stub.push("x", content="arm"), stub.push("y", content="amd")
    index = stub.push_index(
        "multi", (usual, "unknown", "unknown"), (other, "linux", "arm64"), (usual, "linux", "amd64")
    )
    facts = client.facts(client.digest("multi"))
    assert (facts.digest, facts.labels) == (index, {"org.opencontainers.image.title": "amd"})


def test_an_image_that_is_something_else_is_refused(stub: StubRegistry, client: Registry) -> None:
    digest = stub.push("a")
    stub.manifests[digest] = (OCI, b'{"schemaVersion": 2}')
    with pytest.raises(RegistryFailed, match="something else"):
        client.facts(digest)


def test_what_is_missing_is_told_apart(stub: StubRegistry, client: Registry) -> None:
    digest = stub.push("a")
    assert client.has(digest)
    del stub.manifests[digest]
    assert not client.has(digest)
    with pytest.raises(ImageMissing):
        client.digest("a")


@pytest.mark.parametrize(("status", "attempts"), [(429, 2), (503, 3)])
def test_a_busy_registry_is_asked_again(
    stub: StubRegistry, client: Registry, status: int, attempts: int
) -> None:
    stub.push("a")
    stub.faults["tags"] = Fault(status, {"Retry-After": "0"}, times=attempts - 1)
    assert client.tags() == ["a"]
    assert stub.asked_for("tags") == attempts


def test_a_registry_that_wants_to_be_left_alone_for_long_is(
    stub: StubRegistry, client: Registry
) -> None:
    stub.faults["tags"] = Fault(429, {"Retry-After": "3600"}, times=9)
    with pytest.raises(RegistryFailed, match="asked too often"):
        client.tags()
    assert stub.asked_for("tags") == 1


TROUBLES = [
    (Fault(500, times=9), "in trouble: it answered 500"),
    (Fault(403), "Look whether the credentials"),
    (Fault(404), "no such repository"),
    (Fault(418), "which no registry should"),
    (Fault(401), "let the portal read"),
    (Fault(401, {"WWW-Authenticate": "Bearer service=x"}), "does not say where"),
    (Fault(200, body=b"<html>"), "no JSON object"),
    (Fault(200, body=b'{"tags": 3}'), "no list of tags"),
    (Fault(200, {"Link": '<http://example.org/x>; rel="next"'}, b"{}"), "another host"),
    (Fault(200, {"Link": '<?n=1000>; rel="next"'}, b"{}", times=9), "without an end"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), TROUBLES, ids=[words for _, words in TROUBLES])
def test_every_trouble_has_its_words(
    stub: StubRegistry, client: Registry, fault: Fault, words: str
) -> None:
    stub.faults["tags"] = Fault(fault.status, fault.headers, fault.body, fault.times)
    with pytest.raises(RegistryFailed, match=words):
        client.tags()


def test_an_answer_without_end_is_cut(
    stub: StubRegistry, client: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LARGEST", 10)
    stub.push("a")
    with pytest.raises(RegistryFailed, match="does not end"):
        client.tags()


def test_a_registry_that_is_away_is_told() -> None:
    told = pytest.raises(RegistryFailed, match="cannot be reached: no connection")
    with registry(Repository("127.0.0.1:9", "lsst/lab"), None) as client, told:
        client.tags()


def test_names_of_repositories() -> None:
    assert Repository.read("lsst/lab").base_url == "https://registry-1.docker.io/v2/lsst/lab"
    assert Repository.read("python") == Repository("docker.io", "library/python")
    assert Repository.read("images.example.org:5000/a/b").host == "images.example.org:5000"
    for text in ("https://images.example.org/a", "a/B", "images.example.org/a:tag", "", "x.y/"):
        with pytest.raises(BadRepositoryError):
            Repository.read(text)
