"""What the trail of changes watches in this app."""

from accounts.audit import watch
from sessions.models import Hub, Image, ImageSource, NodeDrain, Reattribution, Size


def watch_catalogue() -> None:
    watch(
        Hub, "name", "title", "public_url", "api_url", "mode", "maintenance", "lease_seconds",
        "max_sessions_per_user", "idle_rule", "default_image", "default_size",
        about=lambda hub: f"the hub {hub.name}",
        many=("images", "sizes"),
    )  # fmt: skip
    watch(
        Image, "name", "title", "position", "reference", "description", "kind", "recommended",
        "retires_at",
        about=lambda image: f"the image {image.name}",
        many=("allowed_groups",),
    )  # fmt: skip
    watch(
        ImageSource, "name", "title", "repository", "credentials", "is_active", "refresh_minutes",
        "aliases", "releases", "candidates", "weeklies", "dailies", "experimentals", "others",
        "grace_days", "position", "owner",
        about=lambda source: f"the source of images {source.name}",
        many=("hubs", "allowed_groups"),
    )  # fmt: skip
    watch(
        Size, "name", "title", "position", "cpu_millicores", "memory_mib", "gpus",
        "node_selector", "tolerations", "priority_class", "placeholders",
        about=lambda size: f"the size {size.name}",
        many=("allowed_groups",),
    )  # fmt: skip


def watch_nodes() -> None:
    """What administrators do; cordons of the cluster come and go without anybody here."""
    watch(
        NodeDrain, "node", "asked_by", "reason", "stops_at", "finished_at",
        about=lambda row: f"the emptying of the node {row.node}",
    )  # fmt: skip


def watch_requests() -> None:
    watch(
        Reattribution, "session", "from_group", "to_group", "state", "reason", "asked_by",
        "decided_by", "answer",
        about=lambda row: f"the request to move session {row.session_id} to {row.to_group.name}",
        group=lambda row: row.to_group,
    )  # fmt: skip
