"""Where a repository of images is, from the name by which people call it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
PATH = re.compile(rf"{PART}(?:/{PART})*")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?")
HERE = ("localhost", "127.0.0.1")
HUB, HUB_API = "docker.io", "registry-1.docker.io"


class BadRepositoryError(ValueError):
    """No name of a repository; the text says what would be one."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of a registry: `host` as people write it, and the path behind it."""

    host: str
    path: str

    @classmethod
    def read(cls, text: str) -> Self:
        """From `registry.example.org/lsst/lab`, or `lsst/lab` of Docker Hub.

        Raises BadRepositoryError.
        """
        first, slash, rest = text.partition("/")
        is_host = slash and (first == "localhost" or "." in first or ":" in first)
        host, path = (first, rest) if is_host else (HUB, text if slash else f"library/{text}")
        if not HOST.fullmatch(host) or not PATH.fullmatch(path):
            raise BadRepositoryError(
                "Write host and path in small letters, without https://, tag or digest, "
                "as registry.example.org/lsst/lab."
            )
        return cls(host, path)

    @property
    def base_url(self) -> str:
        """Where its API begins: https, and plain http on this machine only."""
        scheme = "http" if self.host.partition(":")[0] in HERE else "https"
        host = HUB_API if self.host == HUB else self.host
        return f"{scheme}://{host}/v2/{self.path}"

    def at(self, digest: str) -> str:
        """What names one image of it for ever."""
        return f"{self.host}/{self.path}@{digest}"
