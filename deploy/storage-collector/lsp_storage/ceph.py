"""CephFS counts every folder by itself and tells in extended attributes."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from lsp_storage.folders import folders
from lsp_storage.readings import Reading

GetAttribute = Callable[[bytes, str], bytes]

USED, FILES, LIMIT = "ceph.dir.rbytes", "ceph.dir.rfiles", "ceph.quota.max_bytes"


def ceph(
    root: Path,
    *,
    kind: str,
    mount: str,
    taken_at: datetime,
    get_attribute: GetAttribute = os.getxattr,
) -> Iterator[Reading]:
    """A reading for each folder below the root. Raises OSError where this is no CephFS.

    The sums of a folder lag behind by seconds to minutes, as Ceph propagates them.
    """
    for folder in folders(root):
        yield Reading(
            kind=kind,
            mount=mount,
            taken_at=taken_at,
            name=folder.name,
            used_bytes=int(get_attribute(folder.path, USED)),
            files=int(get_attribute(folder.path, FILES)),
            hard_bytes=_limit(folder.path, get_attribute),
            source="ceph",
        )


def _limit(path: bytes, get_attribute: GetAttribute) -> int:
    """The quota of the folder; 0 where it has none, as Ceph says by having no attribute."""
    try:
        return int(get_attribute(path, LIMIT))
    except OSError:
        return 0
