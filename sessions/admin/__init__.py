"""Hubs, sessions and what they follow from, in the administration."""

from sessions.admin.accounts import (
    ComputeQuotaOfUseAdmin,
    GroupWithSessionsAdmin,
    PersonWithSessionsAdmin,
)
from sessions.admin.adjustments import AdjustmentAdmin
from sessions.admin.catalogue import ImageAdmin, SizeAdmin
from sessions.admin.evidence import (
    AlertAdmin,
    HubEventAdmin,
    QuarantinedEventAdmin,
    SnapshotAdmin,
    StorageSampleAdmin,
)
from sessions.admin.hubs import HubAdmin, HubUserNameAdmin
from sessions.admin.records import ChargeAdmin, SessionAdmin

__all__ = [
    "AdjustmentAdmin",
    "AlertAdmin",
    "ChargeAdmin",
    "ComputeQuotaOfUseAdmin",
    "GroupWithSessionsAdmin",
    "HubAdmin",
    "HubEventAdmin",
    "HubUserNameAdmin",
    "ImageAdmin",
    "PersonWithSessionsAdmin",
    "QuarantinedEventAdmin",
    "SessionAdmin",
    "SizeAdmin",
    "SnapshotAdmin",
    "StorageSampleAdmin",
]
