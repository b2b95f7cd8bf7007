"""What the trail of changes watches in this app."""

from accounting.models import ApelGroup, Webhook
from accounts.audit import watch


def watch_exports() -> None:
    watch(
        ApelGroup, "group", "fqan",
        about=lambda known: f"the name of {known.group} at APEL",
    )  # fmt: skip
    watch(
        Webhook, "title", "url", "kinds", "group", "is_active",
        about=lambda webhook: f"the webhook {webhook.title}",
    )  # fmt: skip
