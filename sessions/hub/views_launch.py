"""The launch endpoints of the hub API: options, grants, and the state of one session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem, endpoint
from sessions.driving.asking import StartRefused, ask_to_start
from sessions.driving.showing import driven_content, state_of
from sessions.grants import Grant
from sessions.hub.asks import read_ask, read_cursor, read_start, read_user, session_id
from sessions.hub.environment import environment
from sessions.hub.signing import verified_hub
from sessions.launch import ask_to_stop, grant
from sessions.models import Hub, Session
from sessions.options import launch_options
from sessions.progress import progress
from sessions.refusals import LaunchRefused


@endpoint("GET")
def options(request: HttpRequest, hub: str) -> HttpResponse:
    """What a person may start."""
    sender = verified_hub(request, hub)
    user = read_user(request.GET.get("user"))
    try:
        return _json(launch_options(sender, user_name=user, at=clock.now()))
    except LaunchRefused as refusal:
        raise _problem(refusal) from refusal


@endpoint("POST")
def sessions(request: HttpRequest, hub: str) -> HttpResponse:
    """The decision on one start."""
    sender = verified_hub(request, hub)
    ask = read_ask(request.body)
    try:
        granted = grant(sender, ask, at=clock.now())
    except LaunchRefused as refusal:
        raise _problem(refusal) from refusal
    return _json(grant_content(sender, granted), status=201)


@endpoint("GET", "DELETE")
def session(request: HttpRequest, hub: str, session: str) -> HttpResponse:
    """How one session is, or the wish to stop it."""
    sender = verified_hub(request, hub)
    record = _record(sender, session)
    at = clock.now()
    if request.method == "DELETE":
        return HttpResponse(status=202 if ask_to_stop(record, at=at) else 204)
    after = read_cursor(request.GET.get("after"))
    return _json(session_content(sender, record, at=at, after=after))


@endpoint("POST")
def server(request: HttpRequest, hub: str, session: str) -> HttpResponse:
    """The start of a session's server in the portal's cluster."""
    sender = verified_hub(request, hub)
    ask, at = read_start(request.body), clock.now()
    record = _record(sender, session)
    try:
        ask_to_start(record, ask, at=at)
    except StartRefused as refusal:
        title = "The server is not started"
        raise Problem(refusal.status, refusal.code, title, refusal.detail) from refusal
    record = _record(sender, session)
    return _json(session_content(sender, record, at=at, after=0), status=202)


def grant_content(hub: Hub, granted: Grant) -> dict[str, Any]:
    """A grant as the hub is told it."""
    return {
        "session": granted.session,
        "number": granted.number,
        "group": granted.group,
        "image": granted.image,
        "image_reference": granted.image_reference or None,
        "size": granted.size,
        "resources": granted.resources,
        "environment": environment(hub, granted),
        "lease_until": granted.lease_until,
    }


def session_content(hub: Hub, record: Session, *, at: datetime, after: int) -> dict[str, Any]:
    """A session as the hub is told it, with the steps behind the cursor."""
    return {
        "session": record.key,
        "number": record.number,
        "state": state_of(record, at=at),
        "url": record.url,
        "progress": progress(record, at=at, after=after),
        **driven_content(record),
    }


def _record(hub: Hub, session: str) -> Session:
    key = session_id(session)
    found = (
        key
        and Session.objects.select_related("group", "hub", "driven")
        .filter(hub=hub, key=key)
        .first()
    )
    if not found:
        detail = f"This hub has no session “{session[:80]}”."
        raise Problem(404, "unknown_session", "There is no such session", detail)
    return found


def _problem(refusal: LaunchRefused) -> Problem:
    return Problem(refusal.status, refusal.code, refusal.title, refusal.detail, **refusal.facts)


def _json(content: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    return HttpResponse(body, status=status, content_type="application/json")
