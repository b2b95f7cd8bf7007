"""The rows of the catalogue that follow from a registry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sessions.models import Hub, Image, ImageSource
from sessions.registry.notices import tell_of_retiring
from sessions.registry.planning import Plan
from sessions.registry.reading import Found
from sessions.registry.repositories import Repository
from sessions.registry.tags import Kind, Tag

NAME_LENGTH, TITLE_LENGTH = 30, 60


def carry_out(source: ImageSource, plan: Plan, *, at: datetime) -> list[str]:
    """Write the plan down inside the caller's transaction; what could not be done, in words."""
    known = {image.tag: image for image in source.images.all()}
    wanted = _wanted(source, plan.found)
    troubles = []
    for tag, values in wanted.items():
        if tag in known:
            _update(known[tag], values)
        elif (name := free_name(source, tag)) is not None:
            known[tag] = Image.objects.create(source=source, tag=tag, name=name, **values)
        else:
            troubles.append(f"The name for the tag {tag} is taken by another image.")
    ends = dict.fromkeys(plan.lost, at)
    ends |= dict.fromkeys(plan.retiring, at + timedelta(days=source.grace_days))
    for tag, end in ends.items():
        _update(known[tag], {"retires_at": end})
        tell_of_retiring(known[tag], at=at)
    _align(source, at=at)
    return troubles


def free_name(source: ImageSource, tag: str) -> str | None:
    """The slug under which sessions will know the image; None where none is free."""
    slug = f"{source.name}-{re.sub(r'[^a-z0-9]+', '-', tag.lower()).strip('-')}"
    with_hash = f"{slug[: NAME_LENGTH - 9]}-{sha256(tag.encode()).hexdigest()[:8]}"
    for name in (slug, with_hash) if len(slug) <= NAME_LENGTH else (with_hash,):
        if not Image.objects.filter(name=name).exists():
            return name
    return None


def _wanted(source: ImageSource, images: Sequence[Found]) -> dict[str, dict[str, Any]]:
    """The values of each image by tag."""
    repository = Repository.read(source.repository)
    titles = {one.digest: one.tag.title for one in images if one.tag.kind is not Kind.ALIAS}
    return {
        one.tag.text: {
            "title": _title(source, one.tag, titles.get(one.digest, "")),
            "reference": repository.at(one.digest),
            "digest": one.digest,
            "kind": one.tag.kind.value,
            "recommended": one.tag.text == "recommended",
            "position": source.position + place,
            "retires_at": None,
            **_facts(one),
        }
        for place, one in enumerate(images)
    }


def _title(source: ImageSource, tag: Tag, same: str) -> str:
    """For people; an alias says what it stands for, where that is offered too."""
    title = f"{source.title}: {tag.title}"
    both = f"{title} ({same})"
    is_short = tag.kind is Kind.ALIAS and same and len(both) <= TITLE_LENGTH
    return (both if is_short else title)[:TITLE_LENGTH]


def _facts(one: Found) -> dict[str, Any]:
    if one.facts is None:
        return {}
    description = one.facts.labels.get("org.opencontainers.image.description", "")
    return {
        "size_bytes": one.facts.size_bytes,
        "built_at": one.facts.built_at,
        "description": " ".join(description.replace("\0", " ").split())[:255],
    }


def _update(image: Image, values: dict[str, Any]) -> None:
    changed = [name for name, value in values.items() if getattr(image, name) != value]
    for name in changed:
        setattr(image, name, values[name])
    if changed:
        image.save(update_fields=changed)


def _align(source: ImageSource, *, at: datetime) -> None:
    """Offer the images where the source says and to whom it says, and retired ones nowhere."""
    hubs, groups = source.offering_hubs(), list(source.allowed_groups.all())
    for image in source.images.offered(at=at):
        image.hubs.set(hubs)
        image.allowed_groups.set(groups)
    retired = source.images.filter(retires_at__lte=at)
    Hub.images.through.objects.filter(image__in=retired).delete()
