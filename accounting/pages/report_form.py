"""What may be asked of a report, by whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q

from accounting.pages.total import NOBODY, NamesForm
from accounting.reports.wish import DIMENSIONS, KINDS, Wish
from accounts.models import Group, User
from sessions.models import Hub

WORDS = {
    "group": "group", "user": "person", "hub": "hub", "image": "image", "size": "size",
    "institution": "institution",
}  # fmt: skip
WHOSE = {"all": "the whole service", "groups": "my groups", "mine": "my own"}
SEVERAL = [(name, WORDS[name]) for name in DIMENSIONS]


class ReportForm(NamesForm):
    """By what, of whom and of what; refuses what the reader may not see, with what is right."""

    by = forms.ChoiceField(choices=SEVERAL, required=False, label="By")
    then = forms.ChoiceField(choices=[("", "nothing else"), *SEVERAL], required=False, label="And")
    whose = forms.ChoiceField(required=False, label="Usage of")
    order = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)

    field_order = ("whose", "by", "then", "group", "user", "hub", "image", "size", "institution")

    def __init__(self, asked: Mapping[str, Any], *, reader: User | None, at: datetime) -> None:
        """`reader` None is a service, which sees everything."""
        self.reader, self.at = reader, at
        self.led = Group.objects.all() if reader is None else Group.objects.led_by(reader, at=at)
        self.allowed = self._allowed()
        known = {name: asked[name] for name in self.base_fields if asked.get(name)}
        known.setdefault("whose", self.allowed[0])
        known.setdefault("by", "user" if self.allowed[0] == "groups" else "group")
        super().__init__(known)
        self._field("whose").choices = [(one, WHOSE[one]) for one in self.allowed]
        for name in ("whose", "by", "then"):
            self.fields[name].error_messages["invalid_choice"] = (
                "“%(value)s” cannot be chosen. Choose one of: "
                + ", ".join(str(key) for key, _ in self._field(name).choices if key)
                + "."
            )

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def _allowed(self) -> list[str]:
        if self.reader is None:
            return ["all"]
        if self.reader.is_staff:
            return ["all", "mine"]
        return ["groups", "mine"] if self.led.exists() else ["mine"]

    @property
    def scope(self) -> str:
        """Whose usage it is about: `all`, that of the `groups` one leads, or `mine`."""
        return str(self.cleaned_data.get("whose") or self.allowed[0])

    def clean_order(self) -> str:
        order: str = self.cleaned_data["order"] or "-core_hours"
        possible = ("core_hours", *self.dimensions())
        if order.lstrip("-") not in possible:
            said = ", ".join(possible)
            raise forms.ValidationError(f"Order by {said}, with a minus for the other way round.")
        return order

    def clean_then(self) -> str:
        then: str = self.cleaned_data["then"]
        if then and then == self.cleaned_data.get("by"):
            raise forms.ValidationError("Choose two different dimensions, or only one.")
        return then

    def dimensions(self) -> tuple[str, ...]:
        names = (self.cleaned_data.get("by"), self.cleaned_data.get("then"))
        return tuple(name for name in names if name)

    def clean_hub(self) -> int | None:
        name = self.cleaned_data["hub"]
        if not name:
            return None
        hubs = dict(Hub.objects.order_by("name").values_list("name", "pk"))
        if name not in hubs:
            raise forms.ValidationError(f"There is no hub “{name}”. There are: {', '.join(hubs)}.")
        return hubs[name]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            cleaned["groups"] = self._groups(cleaned["group"])
            cleaned["person"] = self._person(cleaned["user"])
        return cleaned

    def _groups(self, name: str) -> tuple[int, ...] | None:
        if not name:
            return tuple(self.led.values_list("pk", flat=True)) if self.scope == "groups" else None
        among = {"all": Group.objects.all(), "groups": self.led}.get(self.scope)
        if among is None:  # a member may have left since
            among = Group.objects.filter(
                Q(memberships__user=self.reader) | Q(charges__user=self.reader)
            )
        found = among.filter(name=name).values_list("pk", flat=True).first()
        if found is None:
            self.add_error("group", f"There is no group “{name}” whose usage you may see.")
            return ()
        return (found,)

    def _person(self, name: str) -> int | None:
        """Who left since counts as well; of the own usage nobody else."""
        if self.scope == "mine":
            name = name or self._own.username
        if not name:
            return None
        among = User.objects.filter(username=name)
        if self.scope == "mine":
            among = among.filter(pk=self._own.pk)
        elif self.scope == "groups":
            among = among.filter(memberships__group__in=self.led)
        found = among.values_list("pk", flat=True).first()
        if found is None:
            self.add_error("user", f"There is nobody “{name}” whose usage you may see.")
        return found

    @property
    def _own(self) -> User:
        if self.reader is None:
            raise forms.ValidationError("A service has no usage of its own.")
        return self.reader

    def wish(self) -> Wish:
        cleaned = self.cleaned_data
        kinds = {name: cleaned[name] for name in KINDS if cleaned[name]}
        return Wish(
            self.dimensions(),
            groups=cleaned["groups"],
            user=cleaned["person"],
            kinds={name: "" if value == NOBODY else value for name, value in kinds.items()},
        )

    def narrowed(self) -> dict[str, str]:
        """What leads a list of sessions to the same total."""
        found = {name: str(self.data.get(name, "")) for name in DIMENSIONS}
        if self.scope == "mine":
            found["user"] = self._own.username
        if self.scope == "groups" and not found["group"]:
            found["whose"] = "groups"
        return {name: value for name, value in found.items() if value}
