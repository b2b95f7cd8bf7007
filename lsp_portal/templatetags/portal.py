"""`{% load portal %}`: icons, the site, the header's entries, amounts, times and states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import guests
from accounts.models import User
from lsp_portal import navigation
from lsp_portal.lib import clock, display
from lsp_portal.lib.version import VERSION

register = template.Library()

for function in (
    display.about_core_hours,
    display.byte_size,
    display.core_hours,
    display.cores,
    display.day,
    display.duration,
    display.exact_core_hours,
    display.mebibytes,
    display.session_tone,
):
    register.filter(function.__name__, function)


@dataclass(frozen=True)
class Site:
    """What every page says about the installation."""

    name: str
    version: str
    help_url: str


@register.simple_tag
def site() -> Site:
    """The installation, for pages that have no context at all as well as for the others."""
    return Site(settings.SITE_NAME, VERSION, settings.HELP_URL)


@register.simple_tag(takes_context=True)
def makes_guests(context: dict[str, Any]) -> bool:
    """Whether the visitor may make guests or shared accounts."""
    user = context.get("user")
    if not isinstance(user, User) or not user.is_registered:
        return False
    return bool(guests.kinds_to_make(user, at=clock.now()))


@register.filter
def moment(at: datetime | None) -> str | SafeString:
    """A moment in the site's time zone, with its UTC time as tool tip."""
    return display.moment(at, ZoneInfo(settings.SITE_TIME_ZONE))


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite, hidden from assistive technology: the word beside it says the same."""
    sprite = static("vendor/icons/sprite.svg")
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name
    )


@dataclass(frozen=True)
class Header:
    """The pages that are offered to a visitor, and what waits to be read."""

    entries: list[navigation.Entry]
    needs_policy: bool
    unread: int = 0


@register.simple_tag(takes_context=True)
def page_header(context: dict[str, Any]) -> Header:
    """What the header tells this visitor; nothing without a request."""
    request = context.get("request")
    if request is None:
        return Header([], needs_policy=False)
    user = getattr(request, "user", AnonymousUser())
    standing = navigation.standing(user, at=clock.now())
    is_there = request.path == reverse("policy")
    entries = navigation.entries_for(standing, request.path)
    return Header(entries, standing.needs_policy and not is_there, standing.unread)
