"""Hubs, sessions and what they follow from, in the administration."""

from sessions.admin.accounts import (
    ComputeQuotaOfUseAdmin,
    GroupWithSessionsAdmin,
    PersonWithSessionsAdmin,
)
from sessions.admin.adjustments import AdjustmentAdmin
from sessions.admin.catalogue import ImageAdmin, SizeAdmin
from sessions.admin.driving import (
    ClusterNodeAdmin,
    ClusterWatchAdmin,
    NodeDrainAdmin,
    ServerAdmin,
    ServerStepAdmin,
    SizeRoomAdmin,
)
from sessions.admin.evidence import (
    AlertAdmin,
    HubEventAdmin,
    QuarantinedEventAdmin,
    SnapshotAdmin,
    StorageSampleAdmin,
)
from sessions.admin.homes import HomeAdmin
from sessions.admin.hubs import HubAdmin, HubUserNameAdmin
from sessions.admin.ladders import LadderStepAdmin, QuotaLadderAdmin
from sessions.admin.prepulls import NodeImageAdmin
from sessions.admin.reattributions import ReattributionAdmin
from sessions.admin.records import ChargeAdmin, SessionAdmin
from sessions.admin.repairs import HubReadingAdmin, RepairAdmin
from sessions.admin.sources import ImageSourceAdmin

__all__ = [
    "AdjustmentAdmin",
    "AlertAdmin",
    "ChargeAdmin",
    "ClusterNodeAdmin",
    "ClusterWatchAdmin",
    "ComputeQuotaOfUseAdmin",
    "GroupWithSessionsAdmin",
    "HomeAdmin",
    "HubAdmin",
    "HubEventAdmin",
    "HubReadingAdmin",
    "HubUserNameAdmin",
    "ImageAdmin",
    "ImageSourceAdmin",
    "LadderStepAdmin",
    "NodeDrainAdmin",
    "NodeImageAdmin",
    "PersonWithSessionsAdmin",
    "QuarantinedEventAdmin",
    "QuotaLadderAdmin",
    "ReattributionAdmin",
    "RepairAdmin",
    "ServerAdmin",
    "ServerStepAdmin",
    "SessionAdmin",
    "SizeAdmin",
    "SizeRoomAdmin",
    "SnapshotAdmin",
    "StorageSampleAdmin",
]
