"""The page that lists what was repaired, for administrators and for those who lead groups."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import group_visible_or_404, person, registered
from accounts.models import Group, User
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm
from lsp_portal.lib.paging import BoundedPaginator
from sessions.models import Hub, Repair

PER_PAGE = 50
FIELDS = {
    "q": "user_name",
    "group": "session__group__name",
    "hub": "hub",
    "kind": "kind",
    "confidence": "confidence",
    "first": "found_at__date__gte",
    "last": "found_at__date__lte",
}


class RepairFilter(PortalForm):
    """What of the repairs is shown; an empty field asks for nothing."""

    marks_optional = False

    q = forms.CharField(label="Name at the hub", required=False, max_length=100)
    group = forms.CharField(required=False, max_length=30)
    hub = forms.ModelChoiceField(
        Hub.objects.all(), to_field_name="name", required=False, empty_label="any"
    )
    kind = forms.ChoiceField(choices=[("", "any"), *Repair.Kind.choices], required=False)
    confidence = forms.ChoiceField(
        choices=[("", "any"), *Repair.Confidence.choices], required=False
    )
    first = forms.DateField(
        label="Found from", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    last = forms.DateField(
        label="Found to", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def found(self, among: QuerySet[Repair]) -> QuerySet[Repair]:
        """The repairs that match; all of them where the wish makes no sense."""
        wanted = self.cleaned_data if self.is_valid() else {}
        chosen = {FIELDS[name]: value for name, value in wanted.items() if value}
        return among.filter(**chosen).select_related("hub", "session__group")


@never_cache
@require_safe
@registered
def repairs(request: HttpRequest) -> HttpResponseBase:
    """Ends that were found and servers without a session, the newest first."""
    user, at = person(request), clock.now()
    form = RepairFilter(request.GET)
    rows = form.found(_seen_by(user, request.GET.get("group", ""), at=at))
    page = BoundedPaginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "sessions/repairs.html", {"form": form, "page": page})


def _seen_by(user: User, group: str, *, at: datetime) -> QuerySet[Repair]:
    """All of them for administrators; for others those of the groups that they lead."""
    if user.is_staff:
        return Repair.objects.all()
    if group:
        group_visible_or_404(user, group, at=at)
    led = Group.objects.led_by(user, at=at)
    if not led.exists():
        raise PermissionDenied
    return Repair.objects.of_groups(led)
