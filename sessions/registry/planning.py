"""What a reading of a registry changes in the catalogue. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sessions.registry.reading import Found, Reading

SHARE = 0.5  # of the images there were: a registry that leaves fewer is not believed at once


@dataclass(frozen=True, slots=True)
class Known:
    """An image of the source as the catalogue has it."""

    digest: str
    retires_at: datetime | None

    def is_over(self, at: datetime) -> bool:
        return self.retires_at is not None and self.retires_at <= at


@dataclass(frozen=True, slots=True)
class Plan:
    """Tags that are new, point elsewhere, are back, go after the grace, or are gone at once.

    `doubt` says why it should not be carried out without somebody's word.
    """

    found: tuple[Found, ...] = ()
    new: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    retiring: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def changes(self) -> list[str]:
        """What would change, a line for each tag."""
        words = {
            "is new": self.new,
            "has a new build": self.moved,
            "is offered again": self.back,
            "will be offered no longer": self.retiring,
            "is gone from the registry": self.lost,
        }
        return [f"{tag} {what}" for what, tags in words.items() for tag in tags]

    def summary(self) -> str:
        return (
            f"{len(self.new)} new, {len(self.moved)} moved, {len(self.back)} back, "
            f"{len(self.retiring)} retiring, {len(self.lost)} gone"
        )


def plan(known: Mapping[str, Known], reading: Reading, *, at: datetime) -> Plan:
    """What the reading changes for these images, by tag."""
    found = {one.tag.text: one for one in reading.found}
    active = {tag for tag, one in known.items() if one.retires_at is None}
    offered = {tag for tag, one in known.items() if not one.is_over(at)}
    going = [tag for tag in known if tag in offered and tag not in found]
    lost = [tag for tag in going if known[tag].digest in reading.lost]
    moved = (tag for tag in found if tag in known and known[tag].digest != found[tag].digest)
    vanished = [tag for tag in active if tag not in reading.listed]
    return Plan(
        found=reading.found,
        new=tuple(tag for tag in found if tag not in known),
        moved=tuple(moved),
        back=tuple(tag for tag in found if tag in known and tag not in active),
        retiring=tuple(tag for tag in going if tag in active and tag not in lost),
        lost=tuple(lost),
        doubt=_doubt(len(active), len(found), len(vanished)),
    )


def _doubt(active: int, found: int, vanished: int) -> str:
    """Why an answer that takes most images away may be a wrong one."""
    if not vanished or found >= active * SHARE:
        return ""
    return (
        f"The registry no longer lists {vanished} of {active} images, and only {found} would be "
        "left. Nothing was changed. If this is right, look now and confirm it."
    )
