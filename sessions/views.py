"""What people do about servers on the portal's own pages: start, stop, let them go on."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HTMX_STOP_POLLING

from accounts.access import person, registered
from lsp_portal.lib import clock
from lsp_portal.lib.display import plain_moment
from sessions import grace
from sessions.course import course_or_404
from sessions.hub.client import HubRefused, HubUnavailable
from sessions.hub.servers import start_from_portal, stop_from_portal
from sessions.models import Hub, Session
from sessions.refusals import LaunchRefused
from sessions.sub_names import BadSubNameError, sub_name


@require_POST
@registered
def start_session(request: HttpRequest, hub: str) -> HttpResponseBase:
    """Start a server at the hub; what is wrong is said on the page that asked."""
    group, image, size = (request.POST.get(name) or None for name in ("group", "image", "size"))
    rescue = request.POST.get("rescue") == "1"
    try:
        granted = start_from_portal(
            hub=get_object_or_404(Hub, name=hub),
            user=person(request),
            group=group,
            image=image,
            size=size,
            at=clock.now(),
            sub_name=sub_name(request.POST.get("sub_name")),
            rescue=rescue,
        )
    except (BadSubNameError, LaunchRefused, HubRefused, HubUnavailable) as error:
        messages.error(request, str(error))
        return redirect("my_usage")
    return redirect("server", granted.session)


@never_cache
@require_safe
@registered
def server(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """The steps of one's own server on its way, and what can be done about it."""
    found = course_or_404(key, person(request), at=clock.now())
    return render(request, "sessions/server.html", {"course": found})


@never_cache
@require_safe
@registered
def server_live(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """The part of that page that changes; 204 while it does not, 286 with the last change."""
    found = course_or_404(key, person(request), at=clock.now())
    if request.GET.get("seen") == found.seen:
        return HttpResponse(status=204)
    status = 200 if found.is_moving else HTMX_STOP_POLLING
    shown = {"course": found, "is_part": True}
    return render(request, "sessions/server_course.html", shown, status=status)


@require_POST
@registered
def stop_session(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """Stop one's own server; `then` says which page follows: its steps, or all one's servers."""
    mine = Session.objects.filter(user=person(request)).select_related("hub")
    session = get_object_or_404(mine, key=key)
    try:
        is_stopping = stop_from_portal(session, actor=person(request), at=clock.now())
    except (HubRefused, HubUnavailable) as error:
        messages.error(request, str(error))
    else:
        text = "Your server is stopping." if is_stopping else "That server had ended already."
        messages.success(request, text)
    if request.POST.get("then") == "steps":
        return redirect("server", session.key)
    return redirect("my_usage")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def quota_grace(request: HttpRequest, token: str) -> HttpResponseBase:
    """Let the running sessions of a group go on: asked on GET, granted on POST."""
    user, at = person(request), clock.now()
    try:
        if request.method != "POST":
            offer = grace.offered(token, user=user, at=at)
            return render(request, "sessions/grace.html", {"offer": offer})
        granted = grace.grant(token, by=user, at=at)
    except grace.GraceRefused as refusal:
        shown = {"text": refusal.text}
        return render(request, "sessions/grace_refused.html", shown, status=refusal.status)
    text = f"Running sessions of {granted.group.title} go on until {plain_moment(granted.until)}."
    messages.success(request, text)
    return redirect("group", granted.group.name)
