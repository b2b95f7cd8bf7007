"""Events as hubs send them, checked one by one: what is good becomes a row, what is bad a reason.

Decisions where the contract leaves room: null counts as absent; everything wrong with a time that
is given is `bad_time`; labels (group, image, size) must be slugs; `resources` may be left out,
since what the portal granted stands in; only the four kinds of session events belong to a session.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from lsp_portal.lib.problems import Problem
from sessions.hub import fields
from sessions.hub.fields import BadEventError
from sessions.hub.seats import seat

MAX_EVENTS = 500
MAX_LISTED = 5000  # servers in one part of a snapshot
REASONS = frozenset(
    ("user", "admin", "culled", "quota", "crashed", "oom", "evicted", "hub", "unknown")
)
PHASES = frozenset(("pending", "ready", "stopping"))
EVENT_ID = re.compile(r"evt_[0-9a-f]{32}\Z")
EPOCH = re.compile(r"[0-9a-f]{32}\Z")

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An element that cannot be taken in: why, and as it was."""

    index: int
    id: str | None
    code: str
    detail: str
    raw: str

    def answer(self) -> Data:
        return {"index": self.index, "id": self.id, "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Batch:
    """The elements of a request: rows for the database, and those that are refused."""

    rows: list[Data]
    indexes: list[int]  # of the rows among the elements
    rejected: list[Rejected]

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.rejected)


def read_batch(body: bytes, *, at: datetime) -> Batch:
    """The events in the body of a request received at that moment.

    Raises Problem 400 for what is no list of 1 to 500 events.
    """
    elements = _elements(_document(body))
    batch = Batch([], [], [])
    latest = int(at.timestamp()) + fields.MAX_AHEAD
    for index, element in enumerate(elements):
        try:
            batch.rows.append(_row(element, latest))
        except BadEventError as error:
            reason = (error.code, str(error), canonical(element))
            batch.rejected.append(Rejected(index, _id_of(element), *reason))
        else:
            batch.indexes.append(index)
    return batch


def canonical(element: Any) -> str:
    """The one JSON text for this content, whatever the order of its keys and its white space.

    Raises Problem 400 for what is nested too deeply.
    """
    try:
        return orjson.dumps(element, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return _lenient_canonical(element)


def _lenient_canonical(element: Any) -> str:
    """For lone surrogates, and for deeper nesting than the fast way goes."""
    try:
        return json.dumps(element, sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise _bad_body("malformed", "The body is nested too deeply.") from error


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _lenient_document(body, str(error))


def _lenient_document(body: bytes, reason: str) -> Any:
    """What only the standard library reads: lone surrogates; but not NaN, nor endless depth."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _bad_body("malformed", f"The body is not JSON: {reason}.") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _elements(document: Any) -> list[Any]:
    if not isinstance(document, dict) or "events" not in document:
        raise _bad_body("malformed", 'The body must be an object with a list "events".')
    elements = document["events"]
    if not isinstance(elements, list):
        raise _bad_body("malformed", '"events" must be a list.')
    if not 1 <= len(elements) <= MAX_EVENTS:
        raise _bad_body(
            "bad_size", f"A request has 1 to {MAX_EVENTS} events, this one has {len(elements)}."
        )
    return elements


def _row(element: Any, latest: int) -> Data:
    if not isinstance(element, dict):
        raise BadEventError("malformed", "An event must be an object.")
    kind = fields.text(fields.required(element, "type"), "type", minimum=1)
    row = {
        "id": fields.pattern(fields.required(element, "id"), "id", EVENT_ID, "evt_ and 32 hex"),
        "epoch": fields.pattern(fields.required(element, "epoch"), "epoch", EPOCH, "32 hex"),
        "seq": fields.integer(fields.required(element, "seq"), "seq"),
        "type": kind,
        "time": fields.moment(fields.required(element, "time"), "time", latest=latest),
    }
    row |= READERS.get(kind, _other)(element, latest)
    row["raw"] = canonical(element)
    return row


def _session(element: Data, read_data: Any, *, required: bool) -> Data:
    return {
        "user": fields.text(fields.required(element, "user"), "user", minimum=1),
        "server": fields.text(fields.required(element, "server"), "server"),
        "session": fields.uuid(fields.required(element, "session"), "session"),
        "data": read_data(_data(element, required=required)),
    }


def _requested(element: Data, _latest: int) -> Data:
    return _session(element, _request, required=True)


def _ready(element: Data, _latest: int) -> Data:
    return _session(
        element, lambda data: _texts(data, optional=("pod", "node", "pod_uid")), required=False
    )


def _stopped(element: Data, _latest: int) -> Data:
    return _session(element, _stop, required=True)


def _failed(element: Data, _latest: int) -> Data:
    return _session(
        element, lambda data: _texts(data, ("reason",), optional=("message",)), required=True
    )


def _login(element: Data, latest: int) -> Data:
    fields.text(fields.required(element, "user"), "user", minimum=1)
    data = _data(element, required=False)
    known = _texts(data, optional=("remote_ip",))
    if data.get("groups") is not None:
        names = fields.items(data["groups"], "data.groups", MAX_LISTED)
        known["groups"] = [fields.text(name, "data.groups[]") for name in names]
    return _other(element, latest) | {"data": known}


def _started(element: Data, latest: int) -> Data:
    data = _texts(_data(element, required=True), ("version", "plugin_version"))
    return _other(element, latest) | {"data": data}


def _other(element: Data, _latest: int) -> Data:
    """Of an event that belongs to no session: whom it names, if anybody."""
    row: Data = {"session": None, "data": {}}
    for name in ("user", "server"):
        value = element.get(name)
        row[name] = "" if value is None else fields.text(value, name)
    return row


def _request(data: Data) -> Data:
    known: Data = {
        name: fields.slug(fields.required(data, name, "data."), f"data.{name}")
        for name in ("group", "image", "size")
    }
    known["actor"] = fields.text(fields.required(data, "actor", "data."), "data.actor")
    known["checked"] = fields.boolean(fields.required(data, "checked", "data."), "data.checked")
    if data.get("sub_name") is not None:
        known["sub_name"] = fields.sub_name(data["sub_name"], "data.sub_name")
    if data.get("resources") is not None:
        known["resources"] = _resources(fields.mapping(data["resources"], "data.resources"))
    return known


def _resources(resources: Data) -> Data:
    return {
        name: fields.integer(
            fields.required(resources, name, "data.resources."),
            f"data.resources.{name}",
            minimum=minimum,
        )
        for name, minimum in (("cpu_millicores", 1), ("memory_mib", 0), ("gpus", 0))
    }


def _stop(data: Data) -> Data:
    known = _texts(data, optional=("actor",))
    known["reason"] = fields.choice(
        fields.required(data, "reason", "data."), "data.reason", REASONS
    )
    if data.get("exit_code") is not None:
        known["exit_code"] = fields.integer(data["exit_code"], "data.exit_code")
    return known


def _snapshot(element: Data, latest: int) -> Data:
    data = _data(element, required=True)
    name = fields.text(fields.required(data, "snapshot", "data."), "data.snapshot", minimum=1)
    part, parts = (
        fields.integer(fields.required(data, key, "data."), f"data.{key}", minimum=minimum)
        for key, minimum in (("part", 0), ("parts", 1))
    )
    if part > parts:
        raise BadEventError("bad_value", "data.part must not be greater than data.parts.")
    listed = fields.items(fields.required(data, "sessions", "data."), "data.sessions", MAX_LISTED)
    places = [_listed(entry) for entry in listed]
    return _other(element, latest) | {
        "data": {"snapshot": name, "part": part, "parts": parts},
        "sessions": [session for session, _ in places if session],
        "seats": [str(place) for session, place in places if not session],
    }


def _listed(entry: Any) -> tuple[str | None, Any]:
    """The session id of an entry, or else its seat."""
    server = fields.mapping(entry, "data.sessions[]")
    user = fields.text(fields.required(server, "user", "data.sessions[]."), "user", minimum=1)
    name = fields.text(fields.required(server, "server", "data.sessions[]."), "server")
    fields.choice(fields.required(server, "phase", "data.sessions[]."), "phase", PHASES)
    if server.get("since") is not None:
        fields.moment(server["since"], "data.sessions[].since")
    session = server.get("session")
    if session is not None:
        return fields.uuid(session, "data.sessions[].session"), None
    return None, seat(user, name)


READERS = {
    "session.requested": _requested,
    "session.ready": _ready,
    "session.stopped": _stopped,
    "session.failed": _failed,
    "user.login": _login,
    "hub.started": _started,
    "hub.snapshot": _snapshot,
}


def _data(element: Data, *, required: bool) -> Data:
    value = fields.required(element, "data") if required else element.get("data")
    return {} if value is None else fields.mapping(value, "data")


def _texts(data: Data, names: tuple[str, ...] = (), *, optional: tuple[str, ...] = ()) -> Data:
    known = {
        name: fields.text(fields.required(data, name, "data."), f"data.{name}") for name in names
    }
    for name in optional:
        if data.get(name) is not None:
            known[name] = fields.text(data[name], f"data.{name}")
    return known


def _id_of(element: Any) -> str | None:
    """The id to answer with: that of the element, as far as it is a text that can be sent back."""
    value = element.get("id") if isinstance(element, dict) else None
    return value if isinstance(value, str) and fields.is_text(value) else None


def _bad_body(code: str, detail: str) -> Problem:
    return Problem(400, code, "No list of events", detail)
