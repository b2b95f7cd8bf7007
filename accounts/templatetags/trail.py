"""`{% load trail %}`: the way from an object to its changes."""

from __future__ import annotations

from auditlog.registry import auditlog
from django import template
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def trail_link(row: Model | None) -> SafeString | str:
    """A link to the trail of an object in the administration; nothing where none is kept."""
    if row is None or not auditlog.contains(type(row)):
        return ""
    kind = ContentType.objects.get_for_model(type(row))
    asked = urlencode({"content_type__id__exact": kind.pk, "object_pk": row.pk})
    path = reverse("admin:accounts_change_changelist")
    return format_html('<li><a href="{}?{}">Changes</a></li>', path, asked)
