"""What happens to a pod, in words for the person who waits. Pure: dicts in, reasons out.

docs/driving.md lists the codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lsp_portal.lib.display import byte_size, duration
from sessions.driving.vocabulary import Reason
from sessions.kubernetes import preparing
from sessions.kubernetes import reason_rules as rules
from sessions.kubernetes.last_words import last_words
from sessions.kubernetes.moments import moment
from sessions.kubernetes.reason_rules import AGAIN, Rule

Manifest = Mapping[str, Any]

SERVER = "notebook"  # the container of the server itself
PULLED = re.compile(r"Successfully pulled image .*? in ([0-9hms.µ]+)(?:.*Image size: (\d+))?", re.S)
PIECE = re.compile(r"([0-9.]+)(h|ms|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

BAD_IMAGE = frozenset(
    ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable")
)
BAD_CONTAINER = frozenset(
    ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError")
)


@dataclass(frozen=True, slots=True)
class Usual:
    """How big an image is and how long it usually takes to fetch."""

    size_bytes: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        size = byte_size(self.size_bytes) if self.size_bytes else ""
        time = f"usually {duration(round(self.seconds))}" if self.seconds else ""
        known = ", ".join(filter(None, (size, time)))
        return f" ({known})" if known else ""


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known beside the pod itself: what it needs in words, and sizes that have room."""

    needs: str = "that much"
    fits: Sequence[str] | None = None
    usual: Usual = Usual()

    @property
    def fitting(self) -> str:
        if self.fits is None:
            return ""
        if not self.fits:
            return " No other size has room either."
        return f" What would start at once: {', '.join(self.fits)}."


def reasons(pod: Manifest, events: Iterable[Manifest], hints: Hints) -> list[Reason]:
    """The steps and troubles of a pod so far, each once, in the order in which they came."""
    told = [reason for event in events if (reason := of_event(pod, event, hints))]
    told += preparing.steps(pod)
    told += [reason for reason in (unscheduled(pod, hints), final(pod, hints)) if reason]
    once = {reason.identity: reason for reason in reversed(told)}
    return sorted(once.values(), key=lambda reason: reason.at or datetime.max.replace(tzinfo=UTC))


def of_event(pod: Manifest, event: Manifest, hints: Hints) -> Reason | None:
    """What one event of the pod means; None for what nobody needs to read."""
    name, message = str(event.get("reason") or ""), str(event.get("message") or "")
    if _is_of_preparation(event) and (name in OF_SERVER or IS_THERE in message):
        return None
    at = _event_time(event)
    if name in STEPS:
        code, text, advice = STEPS[name]
        found = Reason(code, _filled(text, pod, hints), advice, key=f"{code}:{_uid(event)}", at=at)
        return _pulled(found, message) if name == "Pulled" else found
    table = _table(name, message)
    return _by(table, message, pod, hints, at=at, as_step=True) if table else None


def _is_of_preparation(event: Manifest) -> bool:
    field = (event.get("involvedObject") or {}).get("fieldPath")
    return str(field or "").startswith("spec.initContainers{")


def refusal(message: str, hints: Hints | None = None) -> Reason:
    """What it means that the cluster refused an object of the server: always final."""
    return _by(rules.REFUSALS, message, {}, hints or Hints())


def unscheduled(pod: Manifest, hints: Hints) -> Reason | None:
    """Why no node takes the pod, by its own condition."""
    for condition in _status(pod).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            at = moment(condition.get("lastTransitionTime"))
            return _by(rules.SCHEDULING, str(condition.get("message") or ""), pod, hints, at=at)
    return None


def final(pod: Manifest, hints: Hints) -> Reason | None:
    """Why nothing will come of the pod, or why it has ended; None while there is hope."""
    return (
        _pod_end(pod, hints)
        or preparing.end(pod)
        or _container_end(pod, hints)
        or _stuck(pod, hints)
    )


def _pod_end(pod: Manifest, hints: Hints) -> Reason | None:
    status = _status(pod)
    said = f"{status.get('reason') or ''}: {status.get('message') or ''}"
    disrupted = [c for c in status.get("conditions") or () if c.get("type") == "DisruptionTarget"]
    said += "".join(f" {c.get('reason')} {c.get('message')}" for c in disrupted)
    if status.get("phase") != "Failed" or not (status.get("reason") or disrupted):
        return None
    found = _matched(rules.POD_ENDS, said)
    return found and _made(found[0], found[1], pod, hints, at=_finished(pod), facts=_exit(pod))


def _container_end(pod: Manifest, hints: Hints) -> Reason | None:
    ended = _terminated(pod)
    if ended is None:
        return None
    code = ended.get("exitCode") or 0
    end = partial(
        Reason, is_final=True, at=moment(ended.get("finishedAt")), facts={"exit_code": code}
    )
    if ended.get("reason") == "OOMKilled":
        text = "The server used more memory than its size has, and was ended."
        return end("oom", text, "Start it again with a bigger size.")
    if code == 0:
        return end("ended", "The server ended by itself.", "Start it again.")
    found = _matched(rules.CRASHES, last_words(ended))
    text, advice = (found[0].message, found[0].advice) if found else ("", AGAIN)
    text = _filled(f"The server ended with exit code {code}{text}.", pod, hints)
    return end("crashed", f"{text}{_hint(ended)}", advice)


def _stuck(pod: Manifest, hints: Hints) -> Reason | None:
    """What a waiting container says, where it is final."""
    for container in _status(pod).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        name, message = waiting.get("reason"), str(waiting.get("message") or "")
        if name == "InvalidImageName":
            text = _filled("The name of the image {image} is no name of an image.", pod, hints)
            return Reason("image_name_bad", text, "Choose another image.", is_final=True)
        if name in BAD_IMAGE:
            found = _by(rules.IMAGE, message, pod, hints)
            return found if found.is_final else None
        if name in BAD_CONTAINER:
            return _by(rules.CONTAINER, message, pod, hints)
    return None


STEPS = {
    "Scheduled": ("scheduled", "{node} has room and takes the server.", ""),
    "Pulling": ("pulling", "The image {image} is being fetched on {node}{usual}.", ""),
    "Pulled": ("pulled", "The image is on {node}.", ""),
    "FailedToRetrieveImagePullSecret": (
        "pull_secret_missing",
        "The cluster lacks credentials for the registry of the image {image}.",
        "If the image cannot be fetched without them, tell an administrator.",
    ),
    "Created": ("created", "The server's container is made.", ""),
    "Started": ("started", "The server starts; it answers soon.", ""),
    "SuccessfulAttachVolume": ("volume_attached", "Your home is attached to {node}.", ""),
    "TriggeredScaleUp": (
        "scaling_up", "The cluster adds a machine for the server.", "This takes a few minutes.",
    ),
    "NotTriggerScaleUp": (
        "not_scaling", "The cluster cannot add a machine for the server.",
        "Wait until somebody stops a server, or choose a smaller size.",
    ),
    "Unhealthy": (
        "not_answering", "The server runs but does not answer yet.", "It is asked again by itself.",
    ),
    "BackOff": ("backing_off", "The last try failed; the next one waits a little.", ""),
    "NetworkNotReady": ("no_network", "{node} has no network yet.", rules.WAITS),
    "FailedCreatePodSandBox": (
        "no_network", "The server's place on {node} could not be prepared.", rules.WAITS,
    ),
    "NodeNotReady": (
        "node_silent", "{node} does not answer.", "If it stays away, the server is given up.",
    ),
    "Preempted": ("preempted_step", "The server has to give way to more important work.", ""),
    "Evicted": ("evicted_step", "The server is ended by the cluster to free {node}.", ""),
    "Killing": ("killing", "The server is told to end.", ""),
}  # fmt: skip

OF_SERVER = frozenset(("Created", "Started"))  # said of every container
IS_THERE = "already present on machine"

EVENT_TABLES = {
    "FailedScheduling": rules.SCHEDULING,
    "FailedMount": rules.VOLUMES,
    "FailedAttachVolume": rules.VOLUMES,
    "FailedMapVolume": rules.VOLUMES,
}
PULL_FAILED = "Failed to pull image"
SAID_BEFORE = re.compile(
    r"Error: (ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName)"
)


def _table(name: str, message: str) -> Sequence[Rule] | None:
    """Where the words of an event are looked up; the kubelet says `Failed` for many things."""
    if name != "Failed":
        return EVENT_TABLES.get(name)
    if message.startswith(PULL_FAILED):
        return rules.IMAGE
    return rules.CONTAINER if not SAID_BEFORE.match(message) else None


def _by(
    table: Sequence[Rule],
    message: str,
    pod: Manifest,
    hints: Hints,
    *,
    at: datetime | None = None,
    as_step: bool = False,
) -> Reason:
    """The reason of the first rule that matches; each table ends with one that always does.

    As a step it is not final yet: the state of the pod decides that.
    """
    found = _matched(table, message)
    if found is None:
        raise LookupError(f"a table of reasons without an end: {message}")
    made = _made(found[0], found[1], pod, hints, at=at)
    return made if not as_step else Reason(made.code, made.message, made.advice, at=at)


def _matched(table: Sequence[Rule], message: str) -> tuple[Rule, re.Match[str]] | None:
    return next(((rule, m) for rule in table if (m := rule.pattern.search(message))), None)


def _made(
    rule: Rule,
    match: re.Match[str],
    pod: Manifest,
    hints: Hints,
    *,
    at: datetime | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Reason:
    text = _filled(rule.message, pod, hints, **match.groupdict())
    return Reason(rule.code, text, rule.advice, rule.is_final, at=at, facts=facts or {})


def _filled(text: str, pod: Manifest, hints: Hints, **more: str) -> str:
    known = {
        "image": _image(pod),
        "node": f"node {node_of(pod)}" if node_of(pod) else "the node",
        "needs": hints.needs,
        "fits": hints.fitting,
        "usual": hints.usual,
    }
    filled = text.format(**known, **more)
    return filled[:1].upper() + filled[1:]


def _pulled(step: Reason, message: str) -> Reason:
    """With how long it took and how big it is, where it was not there before."""
    found = PULLED.search(message)
    if not found:
        return Reason("image_present", f"{step.message[:-1]} already.", key=step.key, at=step.at)
    seconds = sum(float(number) * SECONDS[unit] for number, unit in PIECE.findall(found[1]))
    facts = {"seconds": round(seconds, 1), "bytes": int(found[2]) if found[2] else None}
    text = f"{step.message[:-1]} after {duration(round(seconds))}."
    return Reason(step.code, text, key=step.key, at=step.at, facts=facts)


def _image(pod: Manifest) -> str:
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container.get("name") == SERVER:
            return str(container.get("image") or "of the server").partition("@")[0]
    return "of the server"


def node_of(pod: Manifest) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _status(pod: Manifest) -> Mapping[str, Any]:
    return pod.get("status") or {}


def _terminated(pod: Manifest) -> Mapping[str, Any] | None:
    for container in _status(pod).get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated")
        if ended and container.get("name") == SERVER:
            return dict(ended)
    return None


def _finished(pod: Manifest) -> datetime | None:
    return moment((_terminated(pod) or {}).get("finishedAt"))


def _exit(pod: Manifest) -> dict[str, Any]:
    code = (_terminated(pod) or {}).get("exitCode")
    return {} if code is None else {"exit_code": code}


def _hint(ended: Mapping[str, Any]) -> str:
    words = last_words(ended)
    return f" Its last words: “{words}”." if words else ""


def _uid(event: Manifest) -> str:
    return str((event.get("metadata") or {}).get("uid") or "")


def _event_time(event: Manifest) -> datetime | None:
    names = ("firstTimestamp", "eventTime", "lastTimestamp")
    return next((moment(event[name]) for name in names if event.get(name)), None)
