"""What the trail of changes watches in this app."""

from accounting.models import ApelGroup, ReportLink, ReportRecipient, ReportSchedule, Webhook
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
    watch(
        ReportLink, "group", "starts_on", "ends_on", "with_names", "note", "expires_at",
        "revoked_at",
        about=lambda link: f"the link to the statement for {link.note}",
    )  # fmt: skip
    watch(
        ReportSchedule, "group", "covers", "file", "day", "with_names", "paused_at", "ended_at",
        about=lambda schedule: f"the monthly statement by mail ({schedule.get_file_display()})",
    )  # fmt: skip
    watch(
        ReportRecipient, "user", "email", "confirmed_at", "ended_at",
        about=lambda recipient: f"who gets the monthly statement: {recipient}",
        group=lambda recipient: recipient.schedule.group,
    )  # fmt: skip
