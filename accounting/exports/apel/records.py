"""The texts that APEL reads: cloud records (v0.4) and accelerator records (v0.1), pure.

Observed with the record classes of apel 2.5: an unknown key, a line break or `%%` inside a value
rejects the whole message, and a value of `none` or `null` is taken for no value at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounting.exports.apel.months import Part

CLOUD = "APEL-cloud-message: v0.4"
NO_VALUES = frozenset({"none", "null"})
BYTES_PER_MIB = 2**20
BYTES_PER_MB = 10**6


@dataclass(frozen=True, slots=True)
class Site:
    """Who publishes: names as the accounting repository and the grid's registry know them."""

    name: str
    service: str
    cloud_type: str = "JupyterHub"
    gpu_model: str = ""


@dataclass(frozen=True, slots=True)
class Booked:
    """A session as it is charged, with the names that its records carry."""

    key: UUID
    number: int
    user: str
    identity: str
    group: str
    fqan: str
    cpu_millicores: int
    memory_mib: int
    gpus: int
    image: str
    pod: str


def refusal(booked: Booked) -> str | None:
    """Why a session cannot be told to APEL; None where it can."""
    if booked.user.lower() in NO_VALUES or booked.identity.lower() in NO_VALUES:
        return "bad_user_name"
    if booked.group.lower() in NO_VALUES:
        return "bad_group_name"
    return None


def cloud_record(site: Site, booked: Booked, part: Part) -> str:
    """One record as `Key: value` lines. Times in seconds since 1970, memory in MB."""
    ended = part.status == "completed"
    values: dict[str, object] = {
        "VMUUID": booked.key,
        "SiteName": site.name,
        "CloudComputeService": site.service,
        "MachineName": booked.pod or f"session-{booked.number}",
        "LocalUserId": booked.user,
        "LocalGroupId": booked.group,
        "GlobalUserName": booked.identity,
        "FQAN": booked.fqan,
        "Status": part.status,
        "StartTime": _epoch(part.start),
        "EndTime": _epoch(part.start) + part.suspended + part.wall if ended else "",
        "SuspendDuration": part.suspended,
        "WallDuration": part.wall,
        "CpuCount": cpu_count(booked.cpu_millicores),
        "Memory": round(booked.memory_mib * BYTES_PER_MIB / BYTES_PER_MB),
        "ImageId": booked.image,
        "CloudType": site.cloud_type,
    }
    lines = (f"{key}: {_value(value)}" for key, value in values.items())
    return "\n".join(line for line in lines if not line.endswith(": "))


def cloud_message(records: Sequence[str], *, made_at: datetime) -> str:
    """Records as one message, all made at the same moment."""
    made = f"RecordCreateTime: {_epoch(made_at)}"
    return "\n".join([CLOUD, *(f"{made}\n{record}\n%%" for record in records)]) + "\n"


def accelerator_record(site: Site, booked: Booked, part: Part, *, within: int) -> dict[str, Any]:
    """The GPUs of a session in a month, `within` seconds of which were its own."""
    known = {
        "SiteName": site.name,
        "CloudType": site.cloud_type,
        "CloudComputeService": site.service,
        "AssociatedRecord": str(booked.key),
        "AssociatedRecordType": "cloud",
        "FQAN": booked.fqan,
        "GlobalUserName": booked.identity,
        "Count": booked.gpus,
        "AvailableDuration": within,
        "MeasurementMonth": part.month.month,
        "MeasurementYear": part.month.year,
        "Type": "GPU",
        "Model": site.gpu_model,
    }
    return {key: value for key, value in known.items() if value != ""}


def accelerator_message(records: Sequence[dict[str, Any]]) -> str:
    """Records as one message."""
    message = {
        "Type": "APEL-accelerator-message",
        "Version": "0.1",
        "UsageRecords": list(records),
    }
    return json.dumps(message, indent=1) + "\n"


def cpu_count(millicores: int) -> str:
    """CPUs with exactly three decimal places."""
    return str(Decimal(millicores).scaleb(-3).quantize(Decimal("0.001")))


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _value(value: object) -> str:
    """One line without the mark between records, and none that would be taken for nothing."""
    text = re.sub(r"%%+", "%", " ".join(str(value).split()))
    shown = "".join(character for character in text if character.isprintable())
    return "" if shown.lower() in NO_VALUES else shown
