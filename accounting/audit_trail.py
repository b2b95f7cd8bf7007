"""What the trail of changes watches in this app."""

from accounting.models import ApelGroup
from accounts.audit import watch


def watch_exports() -> None:
    watch(
        ApelGroup, "group", "fqan",
        about=lambda known: f"the name of {known.group} at APEL",
    )  # fmt: skip
