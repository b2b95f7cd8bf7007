"""The forms with which administrators decide, and find who waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms

from accounts.models import Group, Membership, User
from lsp_portal.lib.forms import PortalForm


class DayInput(forms.DateInput):
    input_type = "date"


class FilterForm(PortalForm):
    """Which of those who wait are shown."""

    q = forms.CharField(label="Name or e-mail address", required=False, max_length=100)
    provider = forms.CharField(required=False, max_length=30)
    days = forms.IntegerField(
        label="Waiting for at least (days)", required=False, min_value=0, max_value=10_000
    )


class ApproveForm(PortalForm):
    """A yes, and the group into which the person comes at once."""

    group = forms.ModelChoiceField(
        Group.objects.all(), to_field_name="name", required=False, empty_label="none yet"
    )
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.MEMBER)
    valid_from = forms.DateField(
        label="Member from", required=False, widget=DayInput, help_text="Empty: from now on."
    )
    valid_to = forms.DateField(
        label="Member until",
        required=False,
        widget=DayInput,
        help_text="The first day on which the person is no member any more. Empty: no end.",
    )
    sponsor = forms.CharField(
        required=False, max_length=30, help_text="The user name of who vouches for the person."
    )
    reason = forms.CharField(
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept, and told to the person.",
    )

    def clean_sponsor(self) -> User | None:
        name = self.cleaned_data["sponsor"]
        found = User.objects.filter(username=name).first() if name else None
        if name and found is None:
            raise forms.ValidationError("There is no person with this user name.")
        return found

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        begins, ends = found.get("valid_from"), found.get("valid_to")
        if begins and ends and ends <= begins:
            self.add_error("valid_to", "The end must be after the beginning.")
        return found

    def membership(self, *, at: datetime) -> Membership | None:
        """The membership that comes with the approval, not yet anybody's."""
        found = self.cleaned_data
        if found["group"] is None:
            return None
        return Membership(
            group=found["group"],
            role=found["role"],
            valid_from=midnight(found["valid_from"]) or at,
            valid_to=midnight(found["valid_to"]),
        )


class RejectForm(PortalForm):
    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept, and told to the person, who can ask again once.",
    )


class AskAgainForm(PortalForm):
    note = forms.CharField(
        label="What should the people who decide know?",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def midnight(day: date | None) -> datetime | None:
    """The first moment of the day, UTC."""
    return datetime.combine(day, time(), UTC) if day else None
