"""The hub contract as a strict reader sees it: what is wrong with an event, in words."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

SLUG = re.compile(r"[a-z][a-z0-9-]{0,29}")
HEX = re.compile(r"[0-9a-f]{32}")
REASONS = {"user", "admin", "culled", "quota", "crashed", "oom", "evicted", "hub", "unknown"}
OF_A_SESSION = {"session.requested", "session.ready", "session.stopped", "session.failed"}
ALLOWED_DATA = {
    "user.login": {"remote_ip", "groups"},
    "session.requested": {"group", "image", "size", "resources", "actor", "checked", "sub_name"},
    "session.ready": {"pod", "node", "pod_uid", "note"},
    "session.stopped": {"reason", "exit_code", "actor", "note"},
    "session.failed": {"reason", "exit_code", "actor", "note", "message"},
    "hub.started": {"version", "plugin_version"},
    "hub.snapshot": {"snapshot", "part", "parts", "sessions"},
}
NEEDED_DATA = {
    "session.requested": ALLOWED_DATA["session.requested"] - {"sub_name"},
    "session.stopped": {"reason"},
    "session.failed": {"reason"},
    "hub.started": ALLOWED_DATA["hub.started"],
    "hub.snapshot": ALLOWED_DATA["hub.snapshot"],
}


def faults_of(event: Mapping[str, Any]) -> list[str]:
    """Everything about an event that the contract does not say so."""
    kind, data = event.get("type"), event.get("data")
    if kind not in ALLOWED_DATA or not isinstance(data, dict):
        return [f"unknown type or no data: {event}"]
    checks = {
        "id": bool(re.fullmatch(r"evt_[0-9a-f]{32}", event["id"])),
        "epoch": bool(HEX.fullmatch(event["epoch"])),
        "seq": isinstance(event["seq"], int) and event["seq"] >= 1,
        "time": is_time(event["time"]),
        "subject": set(event) == {"id", "epoch", "seq", "type", "time", "data"} | _subject(kind),
        "session": "session" not in event or is_uuid(event["session"]),
        "data": NEEDED_DATA.get(kind, set()) <= set(data) <= ALLOWED_DATA[kind],
        "reason": data.get("reason", "user") in REASONS,
        "exit_code": isinstance(data.get("exit_code", 0), int) and data.get("exit_code", 0) >= 0,
        "request": kind != "session.requested" or _is_request(data),
        "snapshot": kind != "hub.snapshot" or _is_snapshot(data),
        "text": all(len(text) <= 1024 and "\0" not in text for text in _texts(event)),
    }
    return [f"{name}: {event}" for name, good in checks.items() if not good]


def is_time(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def is_uuid(text: str) -> bool:
    return str(uuid.UUID(text)) == text


def _subject(kind: str) -> set[str]:
    if kind in OF_A_SESSION:
        return {"user", "server", "session"}
    return {"user"} if kind == "user.login" else set()


def _is_request(data: Mapping[str, Any]) -> bool:
    resources = data["resources"]
    numbers = [resources[name] for name in ("cpu_millicores", "memory_mib", "gpus")]
    names = [data[name] for name in ("group", "image", "size")]
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and numbers[0] >= 1
        and all(SLUG.fullmatch(name) for name in names)
        and isinstance(data["checked"], bool)
        and isinstance(data["actor"], str)
    )


def _is_snapshot(data: Mapping[str, Any]) -> bool:
    return 1 <= data["part"] <= data["parts"] and all(
        set(line) == {"user", "server", "session", "phase", "since"}
        and (line["session"] is None or is_uuid(line["session"]))
        and line["phase"] in {"pending", "ready", "stopping"}
        and is_time(line["since"])
        for line in data["sessions"]
    )


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []
