"""The forms of links and monthly mails, and what their pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms

from accounting.models import ReportLink, ReportMail, ReportRecipient, ReportSchedule
from accounting.sharing import recipients
from accounting.sharing.links import DEFAULT_DAYS, MOST_DAYS
from accounts.models import MailState
from lsp_portal.lib.display import Tone
from lsp_portal.lib.forms import PortalForm

LAST_MAILS = 24
OUTCOMES: dict[str, tuple[str, Tone]] = {
    MailState.WAITING: ("waiting to be sent", "info"),
    MailState.SENT: ("sent", "ok"),
    MailState.MUTED: ("not sent: no longer wanted", "none"),
    MailState.OFF: ("not sent: may not see the usage any more", "warn"),
    MailState.NO_ADDRESS: ("not sent: no address", "warn"),
    MailState.FAILED: ("failed", "bad"),
}


class LinkForm(PortalForm):
    """A link to what the page shows."""

    marks_optional = False

    note = forms.CharField(label="For whom", max_length=100, help_text="“Report to the council”.")
    days = forms.IntegerField(
        label="Works for (days)", initial=DEFAULT_DAYS, min_value=1, max_value=MOST_DAYS,
        help_text=f"At most {MOST_DAYS}.",
    )  # fmt: skip
    with_names = forms.BooleanField(label="Show people by name", required=False)


class ScheduleForm(PortalForm):
    """What goes out, and when."""

    marks_optional = False

    covers = forms.ChoiceField(
        label="About", choices=ReportSchedule.Covers.choices, initial=ReportSchedule.Covers.PERIOD
    )
    file = forms.ChoiceField(choices=ReportSchedule.File.choices)
    day = forms.IntegerField(
        label="Day of the month", initial=3, min_value=1, max_value=28,
        help_text="From 1 to 28; the mails go out at six in the morning.",
    )  # fmt: skip
    with_names = forms.BooleanField(label="Show people by name", required=False)


class RecipientForm(PortalForm):
    """Somebody who leads the group, or an address that is asked first."""

    marks_optional = False

    leader = forms.ChoiceField(label="Somebody who leads the group", required=False)
    email = forms.EmailField(
        label="Or another address", required=False, max_length=254,
        help_text="Gets one mail with a question, and nothing else before it is answered.",
    )  # fmt: skip

    def __init__(self, *args: Any, schedule: ReportSchedule, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = schedule.recipients.current().values_list("user", flat=True)
        self.people = {
            str(user.pk): user
            for user in recipients.leaders(schedule.group, at=at)
            if user.pk not in set(known)
        }
        leader: Any = self.fields["leader"]
        leader.choices = [("", "—"), *((key, user.title) for key, user in self.people.items())]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and bool(cleaned["leader"]) == bool(cleaned["email"]):
            raise forms.ValidationError("Choose somebody, or give an address; not both.")
        return cleaned


@dataclass(frozen=True, slots=True)
class Badge:
    word: str
    tone: Tone


def state_of(link: ReportLink, *, at: datetime) -> Badge:
    if link.revoked_at is not None:
        return Badge("revoked", "none")
    return Badge("works", "ok") if link.is_open(at=at) else Badge("expired", "warn")


def standing(recipient: ReportRecipient) -> Badge:
    """Whether mails reach them."""
    if recipient.confirmed_at is None:
        return Badge("asked", "warn")
    return Badge("gets the mails", "ok")


def last_mails(schedule: ReportSchedule) -> list[tuple[ReportMail, Badge]]:
    """The newest first, with what became of each."""
    rows = ReportMail.objects.filter(recipient__schedule=schedule).select_related("recipient__user")
    found = rows.order_by("-created_at", "-pk")[:LAST_MAILS]
    return [(row, Badge(*OUTCOMES[row.state])) for row in found]
