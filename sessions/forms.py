"""The form that starts a server from the portal's own pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from accounts.models import User
from lsp_portal.lib import display
from lsp_portal.lib.forms import PortalForm
from quotas.vocabulary import millicore_seconds
from sessions import refusals, sub_names
from sessions.hub.names import name_at
from sessions.models import Hub, Session
from sessions.options import launch_options
from sessions.refusals import LaunchRefused

Label = Callable[[Mapping[str, Any]], str]


class ClosableSelect(forms.Select):
    """A select in which some options are shown, but cannot be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: frozenset[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        if value in self.closed:
            option["attrs"]["disabled"] = True
        return option


class StartForm(PortalForm):
    """Who pays, what runs and how large it is; what is closed is listed, but not to be chosen."""

    group = forms.ChoiceField(widget=ClosableSelect)
    image = forms.ChoiceField(widget=ClosableSelect)
    size = forms.ChoiceField(widget=ClosableSelect)
    sub_name = forms.CharField(
        label="Who you are",
        max_length=sub_names.LENGTH,
        help_text="Several people use this account; your name is kept with the session.",
    )

    def __init__(self, hub: Hub, options: Mapping[str, Any]) -> None:
        """The last choice is chosen again where it is still open."""
        super().__init__(auto_id=f"id_{hub.name}_%s")
        preferred = options["last_choice"] or {}
        self._offer("group", options["groups"], _group_label, preferred.get("group"))
        self._offer("image", options["images"], _image_label, preferred.get("image"))
        self._offer("size", options["sizes"], _size_label, preferred.get("size"))
        if not options["asks_sub_name"]:
            del self.fields["sub_name"]

    def _offer(
        self, name: str, entries: list[dict[str, Any]], label: Label, preferred: str | None
    ) -> None:
        field = self.fields[name]
        if not isinstance(field, forms.ChoiceField) or not isinstance(field.widget, ClosableSelect):
            raise TypeError(name)
        is_open = {entry["name"]: _is_open(entry) for entry in entries}
        field.choices = _grouped(entries, label)
        field.widget.closed = frozenset(name for name in is_open if not is_open[name])
        defaults = [entry["name"] for entry in entries if entry["default"]]
        candidates = [preferred, *defaults, *is_open]
        field.initial = next((name for name in candidates if name and is_open.get(name)), None)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a group has to say on an image or a size; closed ones say why."""

    name: str
    title: str
    words: str
    is_closed: bool


@dataclass(frozen=True, slots=True)
class GroupCosts:
    """What a start costs one group, and what it cannot have."""

    name: str
    title: str
    words: str
    sizes: list[Cost]
    images: list[Cost]


class RescueForm(PortalForm):
    """A rescue session has nothing to choose; `words` say what it is for."""

    rescue = forms.CharField(widget=forms.HiddenInput, initial="1")
    sub_name = StartForm.base_fields["sub_name"]

    def __init__(self, hub: Hub, options: Mapping[str, Any]) -> None:
        super().__init__(auto_id=f"id_{hub.name}_rescue_%s")
        self.words = str(options["rescue"]["detail"])
        if not options["asks_sub_name"]:
            del self.fields["sub_name"]


@dataclass(frozen=True, slots=True)
class Start:
    """The start form of a hub, or the reason why there is none; notes stand beside the form.

    `is_taken`: the person's server at the hub is there already, which is no refusal. `room`: how
    old the numbers of free places beside the sizes are.
    """

    hub: Hub
    form: StartForm | None
    notes: list[str]
    refusal: str = ""
    is_taken: bool = False
    costs: tuple[GroupCosts, ...] = ()
    room: str = ""
    rescue: RescueForm | None = None


def start_forms(user: User, *, at: datetime) -> list[Start]:
    """One for each hub."""
    return [_start(hub, user, at) for hub in Hub.objects.all()]


def _start(hub: Hub, user: User, at: datetime) -> Start:
    # Without an order, the index of open sessions finds it; by number, all sessions would be read.
    there = next(
        iter(Session.objects.filter(user=user, hub=hub, server="").holding(at=at)[:1]), None
    )
    if there is not None:
        return Start(hub, None, [], _there_words(there.state(at=at)), is_taken=True)
    name = name_at(hub, user)
    try:
        if name is None:
            raise refusals.unknown_user(user.username)
        options = launch_options(hub, user_name=name, at=at)
    except LaunchRefused as refusal:
        return Start(hub, None, [], refusal.detail)
    return _offered(hub, options)


def _offered(hub: Hub, options: Mapping[str, Any]) -> Start:
    groups = options["groups"]
    rescue = RescueForm(hub, options) if options["rescue"] else None
    if not groups:
        reason = "You are in no group that could pay for it. Ask the PI of your group to add you."
        return Start(hub, None, [], reason, rescue=rescue)
    closed = [str(group["why_not"]) for group in groups if not group["allowed"]]
    if len(closed) == len(groups):
        return Start(hub, None, [], " ".join(dict.fromkeys(closed)), rescue=rescue)
    notes = [*closed, *([hub.idle_rule] if hub.idle_rule else [])]
    return Start(
        hub,
        StartForm(hub, options),
        notes,
        costs=_costs(options),
        room=options["room"] or "",
        rescue=rescue,
    )


def _costs(options: Mapping[str, Any]) -> tuple[GroupCosts, ...]:
    """Of the groups that may start something."""
    titles = {
        kind: {entry["name"]: entry["title"] for entry in options[kind]}
        for kind in ("images", "sizes")
    }

    rooms = {
        kind: {entry["name"]: entry.get("room") or "" for entry in options[kind]} for kind in titles
    }

    def costs(group: Mapping[str, Any], kind: str) -> list[Cost]:
        return [
            _cost(entry, titles[kind][entry["name"]], rooms[kind].get(entry["name"], ""))
            for entry in group[kind]
        ]

    return tuple(
        GroupCosts(
            name=group["name"],
            title=group["title"],
            words=group["outlook"],
            sizes=costs(group, "sizes"),
            images=[cost for cost in costs(group, "images") if cost.is_closed],
        )
        for group in options["groups"]
        if group["allowed"]
    )


def _cost(entry: Mapping[str, Any], title: str, room: str) -> Cost:
    is_closed = not entry["allowed"]
    there = f"{room[0].upper()}{room[1:]}. " if room else ""
    words = entry["why_not"] if is_closed else f"{there}{entry.get('outlook', '')}"
    return Cost(entry["name"], title, words, is_closed)


def _there_words(state: Session.State) -> str:
    if state == Session.State.STOPPING:
        return "Your server is stopping. You can start the next one once it has ended."
    if state == Session.State.PENDING:
        return "Your server is starting; it is listed below."
    return "Your server is running. Open or stop it below."


def _is_open(entry: Mapping[str, Any]) -> bool:
    """A group that may start something; an image or size open to one of the person's groups."""
    if "allowed" in entry:
        return bool(entry["allowed"])
    return entry["allowed_groups"] is None or bool(entry["allowed_groups"])


def _grouped(entries: list[dict[str, Any]], label: Label) -> list[Any]:
    """The choices, under headings where they have several; what is recommended comes first."""
    under: dict[str, list[tuple[str, str]]] = {}
    for entry in sorted(entries, key=lambda entry: not entry.get("recommended")):
        choice = (entry["name"], _label(entry, label))
        under.setdefault(entry.get("heading", ""), []).append(choice)
    return list(under.items()) if len(under) > 1 else [one for of in under.values() for one in of]


def _label(entry: Mapping[str, Any], label: Label) -> str:
    groups = entry.get("allowed_groups")
    only = "" if groups is None else f" (only for {', '.join(groups) or 'other groups'})"
    return f"{label(entry)}{only}"


def _group_label(group: Mapping[str, Any]) -> str:
    if group["code"] == "group_closed":
        return f"{group['title']}: closed"
    left = group["remaining_core_hours"]
    if left is None:
        return f"{group['title']}: no limit"
    hours = display.core_hours(millicore_seconds(Decimal(left)))
    return f"{group['title']}: {hours} core-hours left"


def _image_label(image: Mapping[str, Any]) -> str:
    end = image["retires_at"]
    return f"{image['title']} (until {display.long_day(end)})" if end else str(image["title"])


def _size_label(size: Mapping[str, Any]) -> str:
    """The size with its price and its room: a server uses its CPUs whether they work or not."""
    gpus = f", {size['gpus']} GPU" if size["gpus"] else ""
    cores, memory = display.cores(size["cpu_millicores"]), display.mebibytes(size["memory_mib"])
    room = f"; {size['room']}" if size["room"] else ""
    return f"{size['title']}: {cores} CPU, {memory}{gpus} ({cores} core-hours/h){room}"
