"""What became of people and groups since: reports name them as they are called now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from accounts.models import Change, Group, User

Notes = dict[str, str]
NAMES = ("first_name", "last_name")


def of_people(names: Iterable[str]) -> Notes:
    """By user name: former full name, merged into whom, or switched off; nothing for most."""
    people = list(User.objects.filter(username__in=list(names)).select_related("merged_into"))
    former = _former(User, [person.pk for person in people], NAMES)
    found = {}
    for person in people:
        was = " ".join(former.get(person.pk, {}).get(name, getattr(person, name)) for name in NAMES)
        words = [f"formerly {was.strip()}"] if person.pk in former and was.strip() else []
        if person.merged_into is not None:
            words.append(f"goes on as {person.merged_into.username}")
        elif not person.is_active:
            words.append("switched off")
        found[person.username] = ", ".join(words)
    return {name: words for name, words in found.items() if words}


def of_groups(names: Iterable[str]) -> Notes:
    """By name: the former title."""
    groups = list(Group.objects.filter(name__in=list(names)))
    former = _former(Group, [group.pk for group in groups], ("title",))
    return {
        group.name: f"formerly {former[group.pk]['title']}"
        for group in groups
        if former.get(group.pk, {}).get("title", group.title) != group.title
    }


def _former(model: type[Model], keys: list[int], fields: tuple[str, ...]) -> dict[int, Any]:
    """What fields said before they were changed last, by key; from the trail of changes."""
    kind = ContentType.objects.get_for_model(model)
    changes = Change.objects.filter(
        content_type=kind, object_pk__in=[str(key) for key in keys], action=Change.Action.UPDATE,
        changes__has_any_keys=list(fields),
    )  # fmt: skip
    found: dict[int, Any] = {}
    for key, changed in changes.order_by("pk").values_list("object_pk", "changes"):
        said = {field: changed[field][0] or "" for field in fields if field in changed}
        found.setdefault(int(key), {}).update(said)
    return found


OF = {"user": of_people, "group": of_groups}
