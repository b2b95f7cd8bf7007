"""What the trail of changes watches in this app, and the ways past the library's signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from ipaddress import ip_address
from typing import Any, TypeVar

from auditlog.diff import model_instance_diff
from auditlog.registry import auditlog
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from accounts.models import (
    ApiToken,
    Change,
    ClaimRule,
    Group,
    Identity,
    Invitation,
    Membership,
    NoticeHours,
    NoticeWay,
    Policy,
    User,
)
from accounts.models.changes import CONCERNED, WORDS, circumstances
from lsp_portal.lib.acting import Acting, acting_as

BATCH = 500

Row = TypeVar("Row", bound=Model)


def watch(
    model: type[Model],
    *fields: str,
    about: Callable[[Any], str],
    many: Sequence[str] = (),
    group: Callable[[Any], Group | None] | None = None,
) -> None:
    """Write each change of these fields to the trail, and call the object `about` there.

    `group` finds the group that it concerns where the object has no field of that name.
    """
    WORDS[model] = about
    if group is not None:
        CONCERNED[model] = group
    auditlog.register(model, include_fields=list(fields), m2m_fields=set(many))


def watch_people_and_groups() -> None:
    """All that administrators, PIs and programs change here; never passwords and digests."""
    watch(
        User, "username", "uid", "kind", "first_name", "last_name", "email", "registered_at",
        "is_active", "is_staff", "is_superuser", "default_group", "expires_at", "owner",
        "merged_into", "shares_git_identity",
        about=lambda user: f"the account {user.username}",
        many=("user_permissions",),
    )  # fmt: skip
    watch(
        Group, "name", "title", "kind", "parent", "description", "gid", "opens_at", "closed_at",
        about=lambda group: f"the group {group.name}",
    )  # fmt: skip
    watch(
        Membership, "user", "group", "role", "valid_from", "valid_to", "rights", "ceiling", "rule",
        about=lambda membership: f"{membership.user.title}'s membership",
    )  # fmt: skip
    watch(
        ClaimRule, "provider", "kind", "value", "claim_role", "group", "role", "active",
        about=lambda rule: f"the rule for {rule}",
    )  # fmt: skip
    watch(
        Identity, "user", "provider", "issuer", "subject",
        about=lambda identity: f"an identity of {identity.user.username}",
    )  # fmt: skip
    watch(
        Invitation, "email", "group", "role", "valid_from", "valid_to", "expires_at",
        "revoked_at", "accepted_at", "accepted_by",
        about=lambda invitation: f"the invitation of {invitation.email}",
    )  # fmt: skip
    watch(
        Policy, "version", "text", "effective_at",
        about=lambda policy: f"the policy {policy.version}",
    )  # fmt: skip
    watch(
        NoticeWay, "user", "topic", "way",
        about=lambda row: f"how {row.user.username} is told of {row.get_topic_display()}",
    )  # fmt: skip
    watch(
        NoticeHours, "user", "quiet_from", "quiet_until", "digest_hour",
        about=lambda row: f"when mails reach {row.user.username}",
    )  # fmt: skip
    watch(
        ApiToken, "name", "user", "scopes", "expires_at", "revoked_at",
        about=lambda token: f"the API token “{token.name}” ({token.hint}…)",
    )  # fmt: skip


def change_rows(rows: Iterable[Row], change: Callable[[Row], None], *fields: str) -> list[Row]:
    """Change many rows with few statements, each with its entry in the trail.

    The caller holds locks on the rows; those that `change` left as they were are not written.
    """
    written, entries = [], []
    for row in rows:
        before = copy(row)
        change(row)
        found = model_instance_diff(before, row, fields, use_json_for_changes=True)
        if found:
            written.append(row)
            entries.append(_entry(row, Change.Action.UPDATE, found))
    if written:
        manager = type(written[0])._default_manager
        manager.bulk_update(written, fields, batch_size=BATCH)
        Change.objects.bulk_create(entries, batch_size=BATCH)
    return written


def create_rows(rows: Sequence[Row]) -> list[Row]:
    """Insert many rows with few statements, each with its entry in the trail."""
    if not rows:
        return []
    made = type(rows[0])._default_manager.bulk_create(rows, batch_size=BATCH)
    entries = [_entry(row, Change.Action.CREATE, _all_of(row)) for row in made]
    Change.objects.bulk_create(entries, batch_size=BATCH)
    return made


class ActingMiddleware:
    """Changes within a request are on behalf of whom it is found to come from.

    Asked at the change itself: the API knows its caller only after the middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting_as(lambda: _who(request)):
            return self.get_response(request)


def _who(request: HttpRequest) -> Acting:
    user: Any = getattr(request, "user", None)
    token = getattr(request, "auth", None)
    words = f"API token “{token.name}”" if isinstance(token, ApiToken) else ""
    return Acting(user if isinstance(user, User) else None, words, _address(request))


def _address(request: HttpRequest) -> str | None:
    """The visitor's address: behind a proxy the one that it saw, which it puts last."""
    header = "HTTP_X_FORWARDED_FOR" if settings.BEHIND_PROXY else "REMOTE_ADDR"
    try:
        return str(ip_address(request.META.get(header, "").rpartition(",")[2].strip()))
    except ValueError:  # a server behind a socket has none
        return None


def _all_of(row: Model) -> dict[str, Any]:
    return model_instance_diff(None, row, use_json_for_changes=True) or {}


def _entry(row: Model, action: int, changes: dict[str, Any]) -> Change:
    return Change(
        content_type=ContentType.objects.get_for_model(type(row)),
        object_pk=str(row.pk),
        object_id=row.pk,
        object_repr=str(row),
        action=action,
        changes=changes,
        **circumstances(row),
    )
