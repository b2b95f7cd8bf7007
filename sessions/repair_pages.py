"""The page that lists what was repaired, for administrators."""

from __future__ import annotations

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import staff
from lsp_portal.lib.paging import BoundedPaginator
from sessions.models import Hub, Repair

PER_PAGE = 50


class RepairFilter(forms.Form):
    """What of the repairs is shown; an empty field asks for nothing."""

    q = forms.CharField(label="Name at the hub", required=False, max_length=100)
    hub = forms.ModelChoiceField(
        Hub.objects.all(), to_field_name="name", required=False, empty_label="any"
    )
    kind = forms.ChoiceField(choices=[("", "any"), *Repair.Kind.choices], required=False)
    confidence = forms.ChoiceField(
        choices=[("", "any"), *Repair.Confidence.choices], required=False
    )

    def found(self) -> QuerySet[Repair]:
        """The repairs that match; all of them where the wish makes no sense."""
        wanted = self.cleaned_data if self.is_valid() else {}
        fields = {"q": "user_name", "hub": "hub", "kind": "kind", "confidence": "confidence"}
        chosen = {fields[name]: value for name, value in wanted.items() if value}
        return Repair.objects.filter(**chosen).select_related("hub", "session__group")


@never_cache
@require_safe
@staff
def repairs(request: HttpRequest) -> HttpResponseBase:
    """Ends that were found and servers without a session, the newest first."""
    form = RepairFilter(request.GET)
    page = BoundedPaginator(form.found(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "sessions/repairs.html", {"form": form, "page": page})
