"""The portal's client of a registry (OCI distribution API, version 2): tags, digests, images."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from requests.utils import parse_header_links

from sessions.registry.failures import ImageMissing, RegistryFailed
from sessions.registry.repositories import Repository
from sessions.registry.transport import Answer, Credentials, Transport

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
PAGE, MOST_PAGES = 1000, 200
DIGEST = re.compile(r"(sha256):[0-9a-f]{64}|(sha512):[0-9a-f]{128}")
PLATFORM = ("linux", "amd64")  # preferred, where an index has several


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an image: bytes of its packed layers, when it was built, its labels."""

    digest: str
    size_bytes: int
    built_at: datetime | None
    labels: dict[str, str]


class Registry:
    """One repository, as its registry tells it. Whatever goes wrong is a RegistryFailed."""

    def __init__(self, repository: Repository, transport: Transport) -> None:
        self._base, self._transport = repository.base_url, transport

    def tags(self) -> list[str]:
        """All tags, page after page."""
        url, tags = f"{self._base}/tags/list?n={PAGE}", list[str]()
        for _ in range(MOST_PAGES):
            answer = self._transport.ask("GET", url)
            tags += _tags(answer.document("list of tags"))
            following = _next(answer, url)
            if following is None:
                return tags
            url = following
        raise RegistryFailed("The registry lists tags without an end.")

    def digest(self, reference: str) -> str:
        """The digest that a tag has now. Raises ImageMissing."""
        url = f"{self._base}/manifests/{reference}"
        told = self._transport.ask("HEAD", url, accept=ACCEPT).headers.get("Docker-Content-Digest")
        return _ensure_digest(told) if told else self._manifest(reference)[0]

    def has(self, digest: str) -> bool:
        """Whether the image with that digest can still be fetched."""
        try:
            self._transport.ask("HEAD", f"{self._base}/manifests/{digest}", accept=ACCEPT)
        except ImageMissing:
            return False
        return True

    def facts(self, digest: str) -> Facts:
        """What is known of the image with that digest; of several platforms, one stands for it."""
        _, manifest = self._manifest(digest)
        if "manifests" in manifest:
            _, manifest = self._manifest(_of_platform(manifest))
        config, layers = manifest.get("config"), manifest.get("layers")
        if not isinstance(config, dict) or not isinstance(layers, list):
            raise RegistryFailed(f"{digest} is no image: its manifest names no config and layers.")
        content = self._config(_ensure_digest(config.get("digest")))
        return Facts(digest, sum(map(_size, layers)), _built_at(content), _labels(content))

    def _manifest(self, reference: str) -> tuple[str, dict[str, Any]]:
        url = f"{self._base}/manifests/{reference}"
        answer = self._transport.ask("GET", url, accept=ACCEPT)
        expected = reference if ":" in reference else answer.headers.get("Docker-Content-Digest")
        digest = _verify(answer.body, expected)
        content = answer.document("manifest")
        if content.get("schemaVersion") != 2:
            raise RegistryFailed(f"{reference} has a manifest of the old kind (schema 1).")
        return digest, content

    def _config(self, digest: str) -> dict[str, Any]:
        answer = self._transport.ask("GET", f"{self._base}/blobs/{digest}", accept="*/*")
        _verify(answer.body, digest)
        return answer.document("configuration of an image")


@contextmanager
def registry(repository: Repository, credentials: Credentials | None) -> Iterator[Registry]:
    """The registry of that repository, while the block runs."""
    transport = Transport(repository.path, credentials)
    try:
        yield Registry(repository, transport)
    finally:
        transport.close()


def _tags(content: dict[str, Any]) -> list[str]:
    tags = content.get("tags") or []  # null where there are none
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryFailed("The registry's list of tags has no list of tags.")
    return tags


def _next(answer: Answer, url: str) -> str | None:
    """The address of the page that follows; only the registry itself may have it."""
    links = parse_header_links(answer.headers.get("Link", ""))
    found = next((link["url"] for link in links if link.get("rel") == "next"), None)
    if found is None:
        return None
    following = urljoin(url, found)
    if urlsplit(following)[:2] != urlsplit(url)[:2]:
        raise RegistryFailed("The registry sends us to another host for its next page of tags.")
    if following == url:
        raise RegistryFailed("The registry lists tags without an end.")
    return following


def _ensure_digest(value: object) -> str:
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        raise RegistryFailed(f"“{str(value)[:80]}” is no digest.")
    return value


def _verify(body: bytes, expected: str | None) -> str:
    """The digest of what came, which must be the one that was told."""
    algorithm = _ensure_digest(expected).partition(":")[0] if expected else "sha256"
    digest = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
    if expected and digest != expected:
        raise RegistryFailed(f"What came for {expected} is something else ({digest}).")
    return digest


def _of_platform(index: dict[str, Any]) -> str:
    """The digest of one image of the index: for PLATFORM, else the first that can run at all."""
    entries = [entry for entry in index["manifests"] if isinstance(entry, dict)]
    systems = [(_platform(entry), entry) for entry in entries]
    real = [(system, entry) for system, entry in systems if system[0] != "unknown"]
    preferred = [entry for system, entry in real if system == PLATFORM]
    for entry in (*preferred, *(entry for _, entry in real)):
        return _ensure_digest(entry.get("digest"))
    raise RegistryFailed("The index of the image names no image.")


def _platform(entry: dict[str, Any]) -> tuple[str, str]:
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return "", ""
    return str(platform.get("os", "")), str(platform.get("architecture", ""))


def _size(layer: object) -> int:
    size = layer.get("size") if isinstance(layer, dict) else None
    if not isinstance(size, int) or size < 0:
        raise RegistryFailed("The manifest of the image has a layer without size.")
    return size


def _built_at(config: dict[str, Any]) -> datetime | None:
    """When it was built; reproducible builds say 1970 or nothing."""
    with suppress(ValueError, TypeError, OverflowError):
        moment = datetime.fromisoformat(config["created"]) if config.get("created") else None
        if moment is not None and moment.tzinfo is not None and moment.year > 1980:
            return moment.astimezone(UTC).replace(microsecond=0)
    return None


def _labels(config: dict[str, Any]) -> dict[str, str]:
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return {str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {}
