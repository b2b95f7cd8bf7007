"""What a person may start, as the portal says it, and what a person asks for."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")

SLUG = re.compile(r"[a-z][a-z0-9-]{0,29}")
FIELDS = ("group", "image", "size")
RESERVED = {*FIELDS, "session", "sub_name", "rescue", "_xsrf"}
SUB_NAME_LENGTH = 64


class BadOptionsError(ValueError):
    """Options that no form of ours sends; the message is for the person."""


@dataclass(frozen=True)
class Verdict:
    """What the portal says of an image or a size if one group pays; `why_not` closes it."""

    name: str
    outlook: str
    why_not: str


@dataclass(frozen=True)
class Group:
    """A group that could pay.

    `remaining` is core-hours as decimal text, None without a limit; `fits` are the sizes for
    which enough is left, None for all. `outlook` says how long that lasts.
    """

    name: str
    title: str
    default: bool
    remaining: str | None
    allowed: bool
    why_not: str
    fits: frozenset[str] | None
    outlook: str = ""
    images: tuple[Verdict, ...] = ()
    sizes: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Image:
    """An image; `groups` are those that may use it, None for all.

    `heading` is what it stands under; `note` says until when it is offered.
    """

    name: str
    title: str
    default: bool
    groups: frozenset[str] | None
    why_not: str
    reference: str | None
    heading: str = ""
    recommended: bool = False
    note: str = ""


@dataclass(frozen=True)
class Size:
    """A size; `groups` are those that may use it, None for all.

    `room` says how many would find a place now, where the portal knows it.
    """

    name: str
    title: str
    cpu_millicores: int
    memory_mib: int
    gpus: int
    default: bool
    groups: frozenset[str] | None
    why_not: str
    room: str = ""


@dataclass(frozen=True)
class Wish:
    """What was asked for; None where the person left the choice to the portal.

    `sub_name` says which of those who share an account it is. A rescue session, to make room in a
    full home, is chosen by the portal alone.
    """

    group: str | None = None
    image: str | None = None
    size: str | None = None
    session: str | None = None
    sub_name: str | None = None
    rescue: bool = False

    def chosen(self) -> dict[str, str]:
        """The choices that were made, as they are kept for the next start."""
        named = ((name, getattr(self, name)) for name in FIELDS)
        return {name: value for name, value in named if value is not None}

    def asked(self) -> dict[str, str | bool]:
        """What the portal is asked for: the choices, and who it is this time."""
        asked: dict[str, str | bool] = {"rescue": True} if self.rescue else {**self.chosen()}
        return asked | ({"sub_name": self.sub_name} if self.sub_name else {})


@dataclass(frozen=True)
class LaunchOptions:
    """The choices of one person; `asks_sub_name`: of an account that several people share.

    `last` is the person's newest choice at the hub, on whichever server; `room` says how old
    the rooms of the sizes are. `rescue` says what a rescue session is, where the home is full and
    one can be started.
    """

    groups: tuple[Group, ...]
    images: tuple[Image, ...]
    sizes: tuple[Size, ...]
    idle_rule: str
    asks_sub_name: bool = False
    last: Wish = Wish()
    room: str = ""
    rescue: str = ""

    def open_groups(self) -> frozenset[str]:
        return frozenset(group.name for group in self.groups if group.allowed)


def parse_launch_options(content: Mapping[str, Any]) -> LaunchOptions:
    """The portal's answer. Raises ValueError when it is not what the contract says."""
    try:
        return LaunchOptions(
            groups=_each(content["groups"], _group),
            images=_each(content["images"], _image),
            sizes=_each(content["sizes"], _size),
            idle_rule=_text(content.get("idle_rule")),
            asks_sub_name=bool(content.get("asks_sub_name")),
            last=_last(content.get("last_choice")),
            room=_text(content.get("room")),
            rescue=_text((content.get("rescue") or {}).get("detail")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"launch options without {error}") from error


def wish_of(user_options: object) -> Wish:
    """The wish in user options of any origin: the form, the API with any JSON, an earlier start.

    Raises BadOptionsError.
    """
    if not isinstance(user_options, Mapping):
        raise BadOptionsError("The options have to be an object.")
    chosen = {name: _slug(name, user_options.get(name)) for name in FIELDS}
    return Wish(
        **chosen,
        session=_session(user_options.get("session")),
        sub_name=_sub_name(user_options.get("sub_name")),
        rescue=_rescue(user_options.get("rescue")),
    )


def wish_of_form(form: Mapping[str, Any]) -> Wish:
    """The wish in a posted form, whose values are lists. Raises BadOptionsError."""
    flat = {name: _single(name, form.get(name)) for name in (*FIELDS, "sub_name", "rescue")}
    return wish_of(flat)


def known_or_default(wish: Wish, options: LaunchOptions) -> Wish:
    """The wish with what was left open filled in, for a start that the portal did not check."""
    groups = [group for group in options.groups if group.allowed]
    return replace(
        wish,
        group=wish.group or default_of(groups),
        image=wish.image or default_of(options.images),
        size=wish.size or default_of(options.sizes),
    )


def default_of(choices: Sequence[Group | Image | Size]) -> str | None:
    """The default among the choices, else the first."""
    defaults = [choice.name for choice in choices if choice.default]
    return next(iter(defaults or [choice.name for choice in choices]), None)


def _single(name: str, values: object) -> object:
    if not isinstance(values, list | tuple):
        return values
    if len(values) > 1:
        raise BadOptionsError(f"Choose one {name}, not {len(values)}.")
    return values[0] if values else None


def _slug(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and SLUG.fullmatch(value):
        return value
    raise BadOptionsError(f"The {name} is not one that can be chosen.")


def _sub_name(value: object) -> str | None:
    if value is None:
        return None
    name = value.strip() if isinstance(value, str) else "\0"
    if len(name) > SUB_NAME_LENGTH or not name.isprintable():
        raise BadOptionsError(
            f"Who you are has to be told in at most {SUB_NAME_LENGTH} printable characters."
        )
    return name or None


def _rescue(value: object) -> bool:
    if value in (None, "", False):
        return False
    if value in (True, "1"):
        return True
    raise BadOptionsError("A rescue session is asked for with rescue set to true.")


def _session(value: object) -> str | None:
    if value is None:
        return None
    try:
        return str(uuid.UUID(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise BadOptionsError("The session is not a session id.") from error


def _each(items: Any, read: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    return tuple(read(item) for item in items)


def _group(item: Mapping[str, Any]) -> Group:
    remaining = item.get("remaining_core_hours")
    return Group(
        name=str(item["name"]),
        title=_text(item.get("title")) or str(item["name"]),
        default=bool(item.get("default")),
        remaining=None if remaining is None else str(remaining),
        allowed=bool(item.get("allowed", True)),
        why_not=_text(item.get("why_not")),
        fits=_names(item.get("fits")),
        outlook=_text(item.get("outlook")),
        images=_each(item.get("images") or (), _verdict),
        sizes=_each(item.get("sizes") or (), _verdict),
    )


def _verdict(item: Mapping[str, Any]) -> Verdict:
    return Verdict(str(item["name"]), _text(item.get("outlook")), _text(item.get("why_not")))


def _last(choice: Mapping[str, Any] | None) -> Wish:
    group, image, size = (_text((choice or {}).get(name)) or None for name in FIELDS)
    return Wish(group=group, image=image, size=size)


def _image(item: Mapping[str, Any]) -> Image:
    return Image(
        name=str(item["name"]),
        title=_text(item.get("title")) or str(item["name"]),
        default=bool(item.get("default")),
        groups=_names(item.get("allowed_groups")),
        why_not=_text(item.get("why_not")),
        reference=_text(item.get("reference")) or None,
        heading=_text(item.get("heading")),
        recommended=bool(item.get("recommended")),
        note=_until(item.get("retires_at")),
    )


def _size(item: Mapping[str, Any]) -> Size:
    return Size(
        name=str(item["name"]),
        title=_text(item.get("title")) or str(item["name"]),
        cpu_millicores=int(item["cpu_millicores"]),
        memory_mib=int(item["memory_mib"]),
        gpus=int(item.get("gpus") or 0),
        default=bool(item.get("default")),
        groups=_names(item.get("allowed_groups")),
        why_not=_text(item.get("why_not")),
        room=_text(item.get("room")),
    )


def _names(value: Any) -> frozenset[str] | None:
    return None if value is None else frozenset(str(name) for name in value)


def _until(moment: object) -> str:
    """The day of a time of the portal."""
    return f"until {_text(moment)[:10]}" if moment else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
