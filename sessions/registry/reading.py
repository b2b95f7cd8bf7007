"""What a source's repository has now, as far as the catalogue needs to know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from sessions.models import ImageSource
from sessions.registry.client import Facts, Registry, registry
from sessions.registry.failures import ImageMissing, RegistryFailed
from sessions.registry.repositories import Repository
from sessions.registry.tags import Tag, newest, parse
from sessions.registry.transport import Credentials


@dataclass(frozen=True, slots=True)
class Found:
    """A tag that is to be offered, with its digest; facts only of a digest that is new to us."""

    tag: Tag
    digest: str
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All tags that the registry lists, those to be offered in their order, and the digests of
    known images that cannot be fetched any more."""

    listed: frozenset[str]
    found: tuple[Found, ...]
    lost: frozenset[str]


def read(source: ImageSource, known: Mapping[str, str]) -> Reading:
    """Read the repository; `known` has the digests of images by tag. Raises RegistryFailed."""
    with registry(Repository.read(source.repository), credentials_of(source)) as client:
        listed = frozenset(client.tags())
        aliases = source.alias_names
        tags = newest((parse(text, aliases) for text in listed), source.counts, aliases)
        found = tuple(one for tag in tags if (one := _found(client, tag, known)))
        gone = set(known) - {one.tag.text for one in found}
        return Reading(listed, found, _lost(client, (known[text] for text in gone)))


def credentials_of(source: ImageSource) -> Credentials | None:
    """From the settings. Raises RegistryFailed where they have none of that name."""
    if not source.credentials:
        return None
    pair = settings.REGISTRY_CREDENTIALS.get(source.credentials)
    if pair is None:
        raise RegistryFailed(f"REGISTRY_CREDENTIALS has none by the name “{source.credentials}”.")
    return Credentials(*pair)


def _found(client: Registry, tag: Tag, known: Mapping[str, str]) -> Found | None:
    """None where the tag went away after it was listed."""
    try:
        digest = client.digest(tag.text)
        is_known = known.get(tag.text) == digest
        return Found(tag, digest, None if is_known else client.facts(digest))
    except ImageMissing:
        return None


def _lost(client: Registry, digests: Iterable[str]) -> frozenset[str]:
    return frozenset(digest for digest in set(digests) if not client.has(digest))
