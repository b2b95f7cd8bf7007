"""The trail of changes: who changed what, when, on whose behalf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from auditlog.models import AbstractLogEntry, LogEntryManager
from django.contrib.contenttypes.models import ContentType
from django.db import models

from accounts.models.groups import Group
from lsp_portal.lib.acting import acting

WORDS: dict[type[models.Model], Callable[[Any], str]] = {}
"""How each kind of object is called in the trail; `accounts.audit.watch` fills it."""

CONCERNED: dict[type[models.Model], Callable[[Any], Group | None]] = {}
"""The group of objects that do not have it as `group`."""


class ChangeQuerySet(models.QuerySet["Change"]):
    def of_group(self, group: Group) -> Self:
        """What happened to a group: itself, its members, quotas, rules and invitations."""
        return self.filter(group=group)

    def of_object(self, row: models.Model) -> Self:
        """The timeline of one object."""
        kind = ContentType.objects.get_for_model(type(row))
        return self.filter(content_type=kind, object_pk=str(row.pk))


class ChangeManager(LogEntryManager.from_queryset(ChangeQuerySet)):  # type: ignore[misc]
    """Adds to each entry who acted and which group it concerns."""

    def log_create(self, instance: models.Model, force_log: bool = False, **values: Any) -> Any:
        return super().log_create(instance, force_log, **{**circumstances(instance), **values})

    def log_m2m_changes(
        self, changed_queryset: Any, instance: models.Model, *args: Any, **values: Any
    ) -> Any:
        values = {**circumstances(instance), **values}
        return super().log_m2m_changes(changed_queryset, instance, *args, **values)


class Change(AbstractLogEntry):  # type: ignore[misc]
    """One change of one object; written by the audit library, never edited."""

    # Without a constraint in the database: the trail outlives what it tells of.
    group: models.ForeignKey[Any, Any] = models.ForeignKey(
        Group,
        null=True,
        editable=False,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    about: models.CharField[str, str] = models.CharField(
        max_length=300, editable=False, help_text="What it concerns: “Bob's membership”."
    )
    by: models.CharField[str, str] = models.CharField(
        max_length=120, blank=True, editable=False, help_text="The program that acted."
    )

    objects = ChangeManager()

    class Meta(AbstractLogEntry.Meta):  # type: ignore[misc]  # untyped
        abstract = False
        verbose_name = "change"
        verbose_name_plural = "changes"
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=["group", "-id"]),
            models.Index(fields=["content_type", "object_pk", "-id"]),
        )


def circumstances(instance: models.Model) -> dict[str, Any]:
    """Who acts at this moment, and what the object is a part of."""
    who = acting()
    return {
        "actor": who.user,
        "actor_email": getattr(who.user, "email", None),
        "by": who.words[:120],
        "remote_addr": who.address,
        "group": concerned(instance),
        "about": words(instance)[:300],
    }


def concerned(instance: models.Model) -> Group | None:
    """The group in whose history the object stands: itself, or what it is a part of."""
    if isinstance(instance, Group):
        return instance
    find = CONCERNED.get(type(instance))
    found: Group | None = find(instance) if find else getattr(instance, "group", None)
    return found


def words(instance: models.Model) -> str:
    """What the object is called in the trail."""
    write = WORDS.get(type(instance))
    return write(instance) if write else f"the {instance._meta.verbose_name} {instance}"
