"""Group memberships as URNs: AARC-G002 and its successor AARC-G069."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, unquote

MARK = ":group:"
ROLE = "role="
NID = re.compile(r"[a-z0-9][a-z0-9-]{0,30}[a-z0-9]", re.IGNORECASE)
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
PLAIN = "-._~!$&'()*+,;=@"  # stands for itself within a part, as RFC 8141 has it


class NotAGroupError(ValueError):
    """The text is no group membership in the grammar of AARC-G069."""


@dataclass(frozen=True)
class Entitlement:
    """Somebody's membership of a group in a namespace, perhaps with a role there.

    Two are equivalent when `key` is the same: the authority says who asserts it, not what.
    """

    namespace: tuple[str, ...]  # the NID, the delegated part, and sub-namespaces
    groups: tuple[str, ...]  # the group and its sub-groups
    role: str = ""
    authority: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NotAGroupError."""
        name, _, authority = text.partition("#")
        head, mark, tail = name.partition(MARK)
        scheme, _, rest = head.partition(":")
        namespace = tuple(rest.split(":"))
        if not mark or scheme.lower() != "urn" or len(namespace) < 2:
            raise NotAGroupError("It must read urn:<namespace>:<part>:group:<group>.")
        parts = tail.split(":")
        role = parts.pop()[len(ROLE) :] if parts[-1].startswith(ROLE) else ""
        _check(namespace, parts, text)
        return cls(
            (namespace[0].lower(), *map(unquote, namespace[1:])),
            tuple(map(unquote, parts)),
            unquote(role),
            unquote(authority),
        )

    def __str__(self) -> str:
        role = (f"{ROLE}{_quoted(self.role)}",) if self.role else ()
        parts = (*map(_quoted, self.namespace), "group", *map(_quoted, self.groups), *role)
        authority = f"#{_quoted(self.authority)}" if self.authority else ""
        return f"urn:{':'.join(parts)}{authority}"

    @property
    def path(self) -> str:
        """The group without its namespace: `fedcloud.egi.eu:lsst`."""
        return ":".join(map(_quoted, self.groups))

    @property
    def key(self) -> Entitlement:
        """What is the same in all equivalent entitlements."""
        return replace(self, authority="")

    @property
    def group(self) -> Entitlement:
        """The group alone, whatever the role there."""
        return replace(self, authority="", role="")


def group_path(text: str) -> str:
    """A group without its namespace as `Entitlement.path` writes it."""
    return ":".join(_quoted(unquote(part)) for part in text.strip().strip(":").split(":"))


def _check(namespace: tuple[str, ...], groups: list[str], text: str) -> None:
    if not NID.fullmatch(namespace[0]):
        raise NotAGroupError(f"“{namespace[0]}” is not the name of a URN namespace.")
    if not groups or not all((*namespace, *groups)):
        raise NotAGroupError("No part between two colons may be empty.")
    if BROKEN_PERCENT.search(text):
        raise NotAGroupError("A percent sign must be followed by two hexadecimal digits.")


def _quoted(part: str) -> str:
    return quote(part, safe=PLAIN)
