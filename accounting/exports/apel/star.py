"""Storage for APEL: EMI StAR records, one for each owner, mount and day.

The receiver keys a record by its id, and the newest counts; ours follow from owner, mount and day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from accounting.exports.apel import spool
from accounting.exports.apel.records import NO_VALUES
from accounting.exports.storage_days import Stored, Written, due_days, mark, stored_on

RECEIVER = "apel"
NAMESPACE = "http://eu-emi.eu/namespaces/2011/02/storagerecord"
RECORDS_PER_MESSAGE = 1000


def export_storage(site: str, system: str, *, directory: Path, at: datetime) -> Written:
    """Put every day that is over and was not told before into the queue. Raises OSError."""
    written = Written()
    receiver = f"{RECEIVER}:{system}"
    with due_days(receiver, at=at) as days:
        for day in days:
            taken = [one for one in stored_on(day) if not _refused(one, written)]
            for place in range(0, len(taken), RECORDS_PER_MESSAGE):
                chunk = taken[place : place + RECORDS_PER_MESSAGE]
                text = message(site, system, chunk, made_at=at)
                spool.put(directory, day.toordinal(), place // RECORDS_PER_MESSAGE, text)
            mark(receiver, day, records=len(taken), at=at)
            written.days += 1
            written.records += len(taken)
    return written


def _refused(stored: Stored, written: Written) -> bool:
    names = {name.lower() for name in (stored.user, stored.group) if name}
    reason = "no_group" if stored.group is None else "bad_name" if names & NO_VALUES else None
    if reason:
        written.refused[reason] += 1
    return reason is not None


def message(site: str, system: str, stored: Sequence[Stored], *, made_at: datetime) -> str:
    """The records as one document."""
    ET.register_namespace("sr", NAMESPACE)
    root = ET.Element(_tag("StorageUsageRecords"))
    for one in stored:
        root.append(record(site, system, one, made_at=made_at))
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def record(site: str, system: str, stored: Stored, *, made_at: datetime) -> ET.Element:
    """One record; it speaks for its UTC day."""
    element = ET.Element(_tag("StorageUsageRecord"))
    identity = ET.SubElement(element, _tag("RecordIdentity"))
    identity.set(_tag("createTime"), _moment(made_at))
    identity.set(_tag("recordId"), _id(system, stored))
    _add(element, "StorageSystem", system)
    _add(element, "Site", site)
    _add(element, "StorageShare", _clean(stored.mount))
    subject = ET.SubElement(element, _tag("SubjectIdentity"))
    if stored.is_home and stored.user:
        _add(subject, "LocalUser", stored.user)
    _add(subject, "LocalGroup", stored.group or "")
    day = stored.taken_at.astimezone(UTC).date()
    _add(element, "StartTime", f"{day}T00:00:00Z")
    _add(element, "EndTime", f"{day + timedelta(days=1)}T00:00:00Z")
    if stored.files is not None:
        _add(element, "FileCount", str(stored.files))
    _add(element, "ResourceCapacityUsed", str(stored.used_bytes))
    if stored.hard_bytes:
        _add(element, "ResourceCapacityAllocated", str(stored.hard_bytes))
    return element


def _id(system: str, stored: Stored) -> str:
    day: date = stored.taken_at.astimezone(UTC).date()
    owner = stored.user if stored.is_home else stored.group
    parts = (system, stored.mount, "user" if stored.is_home else "group", owner or "", str(day))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, _tag(name)).text = text


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _clean(text: str) -> str:
    """Text that XML can carry."""
    return "".join(character for character in text if character.isprintable())


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
