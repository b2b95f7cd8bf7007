"""The number on file servers, which may be chosen when a person or a group is added."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from accounts.posix import ensure_free_number, ensure_numbers_left


class NumberedForm(forms.ModelForm[Any]):
    """Asks for the number of what is added; afterwards it is permanent."""

    number_field: ClassVar[str]  # of the model
    kind: ClassVar[str]  # of the registry

    number = forms.IntegerField(
        label="number on file servers",
        required=False,
        help_text="UID or GID. Empty: the next free one.",
    )

    def clean_number(self) -> int | None:
        number: int | None = self.cleaned_data["number"]
        if self.instance.pk is None:
            if number is None:
                ensure_numbers_left(self.kind)
            else:
                ensure_free_number(number)
                setattr(self.instance, self.number_field, number)
        return number
