from sessions.models.adjustments import Adjustment
from sessions.models.capacity import ClusterNode, SizeRoom
from sessions.models.charges import Amounts, Charge, GroupMonth, StaleDay
from sessions.models.dask import DaskCluster, DaskWorker
from sessions.models.draining import NodeDrain
from sessions.models.driving import ClusterLook, Server, ServerStep
from sessions.models.events import Alert, HubEvent, QuarantinedEvent, Snapshot, SnapshotPart
from sessions.models.homes import Home
from sessions.models.hubs import Hub, HubSecret, HubUserName, Image, Size
from sessions.models.ladders import LadderStep, QuotaLadder
from sessions.models.prepulls import NodeImage
from sessions.models.reattributions import Reattribution
from sessions.models.records import Session
from sessions.models.repairs import HubReading, Repair
from sessions.models.sources import ImageSource
from sessions.models.storage import StorageSample
from sessions.models.watching import ClusterWatch

__all__ = [
    "Adjustment",
    "Alert",
    "Amounts",
    "Charge",
    "ClusterLook",
    "ClusterNode",
    "ClusterWatch",
    "DaskCluster",
    "DaskWorker",
    "GroupMonth",
    "Home",
    "Hub",
    "HubEvent",
    "HubReading",
    "HubSecret",
    "HubUserName",
    "Image",
    "ImageSource",
    "LadderStep",
    "NodeDrain",
    "NodeImage",
    "QuarantinedEvent",
    "QuotaLadder",
    "Reattribution",
    "Repair",
    "Server",
    "ServerStep",
    "Session",
    "Size",
    "SizeRoom",
    "Snapshot",
    "SnapshotPart",
    "StaleDay",
    "StorageSample",
]
