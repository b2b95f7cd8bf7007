"""Bad bodies and bad events: each gets a clear answer, none is lost, and good ones go through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from lsp_portal.lib import clock
from sessions.models import Alert, HubEvent, QuarantinedEvent, Session
from tests.sessions.events.sender import EPOCH, Event, Sender, make_sender

LONG = "x" * 1025
ID = "evt_" + "0" * 32
SESSION = "11111111-2222-3333-4444-555555555555"
GONE = object()

REQUEST = {
    "group": "transients",
    "image": "base",
    "size": "small",
    "resources": {"cpu_millicores": 1000, "memory_mib": 2048, "gpus": 0},
    "actor": "bob",
    "checked": False,
}
SNAPSHOT: dict[str, Any] = {"snapshot": "s", "part": 1, "parts": 1, "sessions": []}
LISTED = {"user": "bob", "server": "", "session": None, "phase": "ready", "since": None}


def good(kind: Any = "session.requested", data: Any = None, **changes: Any) -> Event:
    event = {
        "id": ID,
        "epoch": EPOCH,
        "seq": 17,
        "type": kind,
        "time": "2026-05-01T08:00:20Z",
        "user": "bob",
        "server": "",
        "session": SESSION,
        "data": REQUEST if data is None else data,
    }
    return {name: value for name, value in (event | changes).items() if value is not GONE}


def request(**changes: Any) -> Event:
    data = {name: value for name, value in (REQUEST | changes).items() if value is not GONE}
    return good(data=data)


def resources(**changes: Any) -> Event:
    known = {"cpu_millicores": 1000, "memory_mib": 2048, "gpus": 0} | changes
    return request(resources={name: v for name, v in known.items() if v is not GONE})


def snapshot(**changes: Any) -> Event:
    data = {name: value for name, value in (SNAPSHOT | changes).items() if value is not GONE}
    return good("hub.snapshot", data)


def listed(**changes: Any) -> Event:
    entry = {name: value for name, value in (LISTED | changes).items() if value is not GONE}
    return snapshot(sessions=[entry])


def bad(name: str, *values: Any, make: Callable[..., Event] = good) -> list[tuple[str, Any]]:
    """An event for each of these values of that field, and why each is refused."""
    return [("bad_value", make(**{name: value})) for value in values]


BAD_TIMES: list[Any] = [
    "",
    "now",
    1777622420,
    True,
    [],
    "2026-05-01",
    "2026-05-01T08:00:20",
    "2026-05-01T08:00Z",
    "2026-13-01T08:00:20Z",
    "2026-02-30T08:00:20Z",
    "2026-05-01T24:00:00Z",
    "2026-05-01T08:60:00Z",
    "2026-05-01T08:00:61Z",
    "2026-05-01T08:00:20+24:00",
    "2026-05-01T08:00:20+0100",
    "2026-05-01T08:00:20.Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "9999-12-31T23:59:59Z",
    "2126-05-01T08:00:20Z",
    "\u0662\u0660\u0662\u0666-05-01T08:00:20Z",
    "2026-05-01T08:00:20Z\n",
    "2026-05-01T08:00:20Z" + "0" * 2000,
]
BAD: list[tuple[str, Any]] = [
    ("malformed", None),
    ("malformed", 17),
    ("malformed", "evt"),
    ("malformed", []),
    ("malformed", True),
    ("missing_field", {}),
    *[("missing_field", {k: v for k, v in good().items() if k != name}) for name in good()],
    *[("missing_field", {**good(), name: None}) for name in good() if name != "data"],
    ("missing_field", good("session.ready", {}, user=GONE)),
    ("missing_field", good("user.login", {}, user=GONE)),
    ("missing_field", good("session.stopped", {})),
    ("missing_field", good("session.failed", {})),
    ("missing_field", good("hub.started", {"version": "6.1"})),
    ("missing_field", {**good("session.stopped"), "data": None}),
    *(("missing_field", request(**{name: GONE})) for name in REQUEST if name != "resources"),
    *(("missing_field", resources(**{n: GONE})) for n in ("cpu_millicores", "memory_mib", "gpus")),
    *(("missing_field", snapshot(**{name: GONE})) for name in SNAPSHOT),
    *(("missing_field", listed(**{name: GONE})) for name in ("user", "server", "phase")),
    *bad("id", 17, "", "evt_", "0" * 32, "evt_" + "0" * 31, "evt_" + "G" * 32, ID + "\n"),
    *bad("epoch", 1, "", EPOCH.upper(), EPOCH + "0", []),
    *bad("seq", -1, 2**31, 1.0, "1", True, 2**60, []),
    *bad("type", 1, "", LONG, "a\0b", ["session.ready"], {}),
    *bad("user", 1, "", LONG, "a\0b", True),
    *bad("server", 1, LONG, "\0", []),
    *bad("session", "", "x", 1, SESSION[:-1], SESSION + "0", f" {SESSION}", "1_" * 16, []),
    *bad("data", [], "x", 1, True),
    *(("bad_value", request(**{n: "No slug"})) for n in ("group", "image", "size")),
    *bad("group", "", "a" * 31, make=request),
    *bad("size", "", "a" * 31, make=request),
    ("bad_value", request(image=1)),
    ("bad_value", request(actor=7)),
    *bad("checked", 0, 1, "true", [], make=request),
    *bad("resources", [], 1, "1000", make=request),
    *bad("cpu_millicores", 0, -1, 2**31, 1.5, 1000.0, "1000", True, make=resources),
    *bad("memory_mib", -1, 2**31, 0.5, False, make=resources),
    *bad("gpus", -1, "0", [], make=resources),
    *[("bad_value", good("session.stopped", {"reason": r})) for r in ("", "bored", 1, ["user"])],
    ("bad_value", good("session.stopped", {"reason": "user", "exit_code": -9})),
    ("bad_value", good("session.stopped", {"reason": "user", "exit_code": True})),
    ("bad_value", good("session.failed", {"reason": 1})),
    ("bad_value", good("session.failed", {"reason": "x", "message": LONG})),
    ("bad_value", good("session.ready", {"pod": 1})),
    ("bad_value", good("session.ready", {"node": "a\0"})),
    ("bad_value", good("user.login", {"remote_ip": 1})),
    ("bad_value", good("user.login", {"groups": "all"})),
    ("bad_value", good("user.login", {"groups": [1]})),
    ("bad_value", good("hub.started", {"version": 6, "plugin_version": "1"})),
    ("bad_value", good("something.else", {}, user=5)),
    ("bad_value", snapshot(part=-1)),
    ("bad_value", snapshot(part=2)),
    ("bad_value", snapshot(parts=0)),
    ("bad_value", snapshot(snapshot="")),
    ("bad_value", snapshot(sessions={})),
    ("bad_value", snapshot(sessions=[1])),
    ("bad_value", snapshot(sessions=[LISTED] * 5001)),
    ("bad_value", listed(session="x")),
    ("bad_value", listed(phase="asleep")),
    ("bad_value", listed(user="")),
    ("bad_time", listed(since="yesterday")),
    *(("bad_time", good(time=value)) for value in BAD_TIMES),
]


def test_bad_events_are_refused_each_with_its_reason_and_kept(sender: Sender) -> None:
    for place, (code, event) in enumerate(BAD):
        answer = sender.post([event])
        (rejected,) = orjson.loads(answer.content)["rejected"]
        assert (rejected["index"], rejected["code"]) == (0, code), (place, rejected)
        assert rejected["detail"]
        kept = QuarantinedEvent.objects.latest("pk")
        assert orjson.loads(bytes(kept.raw)) == event, place
        assert (kept.code, kept.event_id) == (code, rejected["id"]), place
    assert QuarantinedEvent.objects.count() == len(BAD)
    assert not HubEvent.objects.exists()
    assert not Session.objects.exists()


GOOD: list[Event] = [
    good(),
    good(time="2026-05-01T08:00:20.999999999Z"),
    good(time="2026-05-01t08:00:20z"),
    good(time="2026-05-01 08:00:20-00:00"),
    good(time="2026-05-01T13:30:20+05:30"),
    good(time="2016-12-31T23:59:60Z"),
    good(time="0001-01-01T00:00:00Z"),
    good(time="0001-01-01T00:00:00-23:59"),
    good(session=SESSION.upper()),
    good(session=SESSION.replace("-", "")),
    good(seq=0),
    good(seq=2**31 - 1),
    good(user="x" * 1024, server="x" * 1024),
    good(user="Zoë 🔭"),
    good(unknown={"nested": [1, 2.5, None, "\0"]}),
    good("session.ready", GONE),
    {**good("session.ready"), "data": None},
    good("session.ready", {"pod": None, "extra": "\0"}),
    good("session.stopped", {"reason": "user", "exit_code": 137, "actor": "alice"}),
    good("session.failed", {"reason": "anything", "message": "too long"}),
    request(resources=GONE),
    request(resources=None),
    request(image="never-heard-of", size="nor-of-this", group="nobody"),
    resources(memory_mib=0),
    good("user.login", {"remote_ip": "::1", "groups": ["a"]}, session=GONE, server=GONE),
    good("user.login", GONE, session=None),
    good("hub.started", {"version": "6.1.1", "plugin_version": "1.0"}, user=GONE, session=GONE),
    good("tomorrow.invented", GONE, user=GONE, server=GONE, session=GONE),
    good("tomorrow.invented", [1, 2, 3], session="not a uuid"),
    snapshot(part=0),
    listed(session=GONE),
    listed(session=SESSION, since="2026-05-01T08:00:20Z"),
    snapshot(sessions=[LISTED] * 5000),
]


def test_good_events_are_taken_in_as_they_are(sender: Sender) -> None:
    for place, event in enumerate(GOOD):
        event["id"] = f"evt_{place:032x}"
        answer = orjson.loads(sender.post([event]).content)
        assert answer == {"accepted": 1, "duplicates": 0, "rejected": []}, (place, answer)
        assert orjson.loads(bytes(HubEvent.objects.latest("pk").raw)) == event, place
    assert not QuarantinedEvent.objects.exists()


def test_numbers_beyond_64_bits_are_no_reason_to_refuse_what_nobody_reads(sender: Sender) -> None:
    body = orjson.dumps(good()).replace(b'"seq":17', b'"seq":17,"more":%d' % 2**70)
    assert orjson.loads(sender.post(b'{"events": [%s]}' % body).content)["accepted"] == 1


def test_halves_of_characters_are_refused_where_they_matter_and_kept_elsewhere(
    sender: Sender,
) -> None:
    text = orjson.dumps(good()).decode()
    answer = sender.post(
        b'{"events": [%s, %s]}'
        % (
            text.replace('"bob"', '"\\ud800"').encode(),
            text.replace('"seq":17', '"seq":17,"note":"\\udfff"').encode(),
        )
    )
    content = orjson.loads(answer.content)
    assert content["accepted"] == 1
    assert content["rejected"][0]["code"] == "bad_value"
    assert b"\\udfff" in bytes(HubEvent.objects.get().raw)
    assert b"\\ud800" in bytes(QuarantinedEvent.objects.get().raw)


BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"17",
    b'"events"',
    b"{}",
    b'{"events": null}',
    b'{"events": {}}',
    b'{"events": []}',
    b'{"events": [NaN]}',
    b'{"events": [Infinity]}',
    b'{"events": [1],}',
    b'{"events": [1]} x',
    b"\xef\xbb\xbf" + b'{"events": [1]}',
    '{"events": [1]}'.encode("utf-16"),
    b"\xff",
    b'{"events": [' + b"9" * 5000 + b"]}",
    b'{"events": ' + b"[" * 100_000,
    b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"events": [' + b"1," * 500 + b"1]}",
]


def test_bodies_that_are_no_list_of_events_are_refused(sender: Sender) -> None:
    for place, body in enumerate(BODIES):
        answer = sender.post(body)
        assert answer.status_code == 400, (place, answer.content)
        assert answer["Content-Type"] == "application/problem+json"
        assert {"code", "title", "detail"} <= orjson.loads(answer.content).keys()
    assert not QuarantinedEvent.objects.exists()


@pytest.mark.parametrize("depth", [200, 300, 900, 990, 1010, 2000])
def test_deep_nesting_is_kept_or_refused_but_breaks_nothing(sender: Sender, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    text = orjson.dumps(good()).replace(b'"seq":17', b'"seq":17,"note":%s' % nested)
    for _ in range(2):
        answer = sender.post(b'{"events": [%s]}' % text)
        assert answer.status_code in (200, 400)
    assert depth > 900 or answer.status_code == 200


def test_500_events_are_the_most_that_one_request_takes(sender: Sender) -> None:
    events = [sender.ready(0, number) for number in range(500)]
    assert orjson.loads(sender.post(events).content)["accepted"] == 500
    assert sender.post([*events, events[0]]).status_code == 400


def test_one_bad_event_does_not_hold_up_the_good_ones(sender: Sender) -> None:
    events: list[Any] = [sender.requested(0), 17, sender.ready(20)]
    events.append({**sender.stopped(40), "time": "soon"})
    content = orjson.loads(sender.post([*events, events[0]]).content)
    assert (content["accepted"], content["duplicates"]) == (2, 1)
    assert [(r["index"], r["id"], r["code"]) for r in content["rejected"]] == [
        (1, None, "malformed"),
        (3, events[3]["id"], "bad_time"),
    ]
    assert Session.objects.get().ready_at is not None


def test_a_bad_event_is_kept_once_however_often_it_comes(sender: Sender) -> None:
    bad = {**sender.stopped(0), "time": "soon"}
    shuffled = dict(reversed(bad.items()))
    for events in ([bad], [bad, bad], [shuffled]):
        assert len(orjson.loads(sender.post(events).content)["rejected"]) == len(events)
    assert QuarantinedEvent.objects.count() == 1


def test_the_same_id_with_other_content_is_a_conflict(sender: Sender) -> None:
    event = sender.ready(20)
    other = {**event, "note": "changed"}
    sender.post([event])
    content = orjson.loads(sender.post([other, event, dict(reversed(event.items()))]).content)
    assert (content["accepted"], content["duplicates"]) == (0, 2)
    (rejected,) = content["rejected"]
    assert (rejected["index"], rejected["id"], rejected["code"]) == (0, event["id"], "conflict")
    assert QuarantinedEvent.objects.get().code == "conflict"
    assert Alert.objects.get().kind == Alert.Kind.CONFLICT
    sender.post([other])
    assert QuarantinedEvent.objects.count() == Alert.objects.count() == 1


def test_two_contents_of_one_id_in_one_batch_conflict_and_the_first_stays(sender: Sender) -> None:
    event = sender.ready(20)
    other = {**event, "time": "2026-05-01T09:00:00Z"}
    content = orjson.loads(sender.post([event, other, event]).content)
    assert (content["accepted"], content["duplicates"]) == (1, 1)
    assert [(r["index"], r["code"]) for r in content["rejected"]] == [(1, "conflict")]
    assert HubEvent.objects.get().time.isoformat() == "2026-05-01T08:00:20+00:00"


def test_one_id_may_come_from_two_hubs(sender: Sender) -> None:
    event = sender.ready(0)
    for hub in (sender, make_sender("other")):
        assert orjson.loads(hub.post([event]).content)["accepted"] == 1
    assert Session.objects.count() == 2


def test_a_number_used_twice_is_taken_in_and_reported(sender: Sender) -> None:
    first, second = sender.requested(0), sender.ready(20)
    second["seq"] = first["seq"]
    assert orjson.loads(sender.post([first, second]).content)["accepted"] == 2
    assert Alert.objects.get().kind == Alert.Kind.SEQUENCE_REUSED
    assert Session.objects.get().ready_at is not None


def test_a_receipt_a_little_before_the_event_is_no_reason_to_refuse_it(sender: Sender) -> None:
    for ahead, accepted in ((290, 1), (310, 0)):
        event = sender.ready(0) | {"time": (clock.now() + timedelta(seconds=ahead)).isoformat()}
        assert orjson.loads(sender.post([event]).content)["accepted"] == accepted
