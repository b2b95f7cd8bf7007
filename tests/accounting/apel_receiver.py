"""What APEL makes of messages, written once more and strictly: its rules, its table, its sums."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from dirq.QueueSimple import QueueSimple

KEYS = {
    "RecordCreateTime", "VMUUID", "SiteName", "CloudComputeService", "MachineName", "LocalUserId",
    "LocalGroupId", "GlobalUserName", "FQAN", "Status", "StartTime", "EndTime", "SuspendDuration",
    "WallDuration", "CpuDuration", "CpuCount", "NetworkType", "NetworkInbound", "NetworkOutbound",
    "PublicIPCount", "Memory", "Disk", "BenchmarkType", "Benchmark", "StorageRecordId", "ImageId",
    "CloudType",
}  # fmt: skip
MANDATORY = {"VMUUID", "SiteName"}
INTEGERS = {"RecordCreateTime", "StartTime", "EndTime", "SuspendDuration", "WallDuration", "Memory"}
ACCELERATOR_MANDATORY = {
    "MeasurementMonth", "MeasurementYear", "AssociatedRecordType", "AssociatedRecord", "FQAN",
    "SiteName", "Count", "AvailableDuration", "Type",
}  # fmt: skip

Record = dict[str, str]


@dataclass
class Receiver:
    """The newest record of each machine and month."""

    records: dict[tuple[str, date], Record] = field(default_factory=dict)
    accelerators: dict[tuple[str, date], dict[str, Any]] = field(default_factory=dict)

    def take_all(self, directory: Path) -> int:
        """Read the queues as SSM does, and take the messages from them; how many there were."""
        clouds, gpus = messages(directory / "cloud"), messages(directory / "accelerator")
        for text in clouds:
            self.take(read_message(text))
        for text in gpus:
            self.take_accelerators(json.loads(text))
        return len(clouds) + len(gpus)

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            self.records[record["VMUUID"], measured(record)] = record

    def take_accelerators(self, message: dict[str, Any]) -> None:
        assert message["Type"] == "APEL-accelerator-message"
        assert message["Version"] == "0.1"
        for record in message["UsageRecords"]:
            assert record.keys() >= ACCELERATOR_MANDATORY
            assert "none" not in {str(value).lower() for value in record.values()}
            month = date(record["MeasurementYear"], record["MeasurementMonth"], 1)
            self.accelerators[record["AssociatedRecord"], month] = record

    def core_seconds(self) -> dict[tuple[str, date], float]:
        """Core-seconds by group and month: each record less the one before of its machine."""
        sums: dict[tuple[str, date], float] = {}
        before: dict[str, int] = {}
        for (machine, month), record in sorted(self.records.items()):
            wall = int(record["WallDuration"])
            counted = wall - before.get(machine, 0)
            before[machine] = wall
            key = record["LocalGroupId"], month
            sums[key] = sums.get(key, 0) + counted * float(record["CpuCount"])
        return {key: amount for key, amount in sums.items() if amount}


def messages(queue: Path) -> list[str]:
    """The messages of a queue in their order, which are then gone."""
    found = []
    if queue.exists():
        reader = QueueSimple(str(queue))
        for name in reader:
            assert reader.lock(name)
            content = reader.get(name)
            found.append(content.decode() if isinstance(content, bytes) else content)
            reader.remove(name)
    return found


def read_message(text: str) -> list[Record]:
    """Every record of a message; AssertionError names the rule that is broken."""
    header, *lines = text.splitlines()
    assert header == "APEL-cloud-message: v0.4"
    assert text.endswith("\n%%\n")
    assert "\r" not in text
    records: list[Record] = [{}]
    for line in lines:
        if line == "%%":
            records.append({})
            continue
        key, separator, value = line.partition(": ")
        assert separator, line
        assert key in KEYS, line
        assert key not in records[-1], line
        assert value.strip().lower() not in {"", "none", "null"}, line
        records[-1][key] = value
    assert records.pop() == {}
    for record in records:
        check(record)
    return records


def check(record: Record) -> None:
    assert record.keys() >= MANDATORY
    for name in INTEGERS & record.keys():
        assert int(record[name]) >= 0, (name, record)
    assert record["Status"] in {"started", "completed"}
    assert float(record["CpuCount"]) > 0
    if record["Status"] == "completed":
        whole = int(record["WallDuration"]) + int(record["SuspendDuration"])
        assert int(record["EndTime"]) == int(record["StartTime"]) + whole


def measured(record: Record) -> date:
    """The month of a record: that of its start with all durations."""
    start = datetime.fromtimestamp(int(record["StartTime"]), UTC)
    durations = int(record["SuspendDuration"]) + int(record["WallDuration"])
    return (start + timedelta(seconds=durations)).date().replace(day=1)
