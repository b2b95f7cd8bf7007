"""Starting and stopping one's servers on the portal's own pages."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.access import person, registered
from lsp_portal.lib import clock
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
    try:
        start_from_portal(
            hub=get_object_or_404(Hub, name=hub),
            user=person(request),
            group=group,
            image=image,
            size=size,
            at=clock.now(),
            sub_name=sub_name(request.POST.get("sub_name")),
        )
    except (BadSubNameError, LaunchRefused, HubRefused, HubUnavailable) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Your server is starting. It can be opened once it is ready.")
    return redirect("my_usage")


@require_POST
@registered
def stop_session(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """Stop one's own server."""
    mine = Session.objects.filter(user=person(request)).select_related("hub")
    session = get_object_or_404(mine, key=key)
    try:
        is_stopping = stop_from_portal(session, actor=person(request), at=clock.now())
    except (HubRefused, HubUnavailable) as error:
        messages.error(request, str(error))
    else:
        text = "Your server is stopping." if is_stopping else "That server had ended already."
        messages.success(request, text)
    return redirect("my_usage")
