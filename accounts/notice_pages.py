"""The pages about what the portal tells people: their notices, how they are told, and its end."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import signed_in, staff
from accounts.models import Notice, Topic, User, Way
from accounts.notices.hours import Quiet
from accounts.notices.preferences import CHOOSABLE, Preferences, choose, mute, preferences_of
from accounts.notices.previewing import expected, pending
from accounts.notices.unsubscribing import wish
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm
from lsp_portal.lib.paging import BoundedPaginator

PER_PAGE = 25
HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]


class ClockInput(forms.TimeInput):
    input_type = "time"


class PreferencesForm(PortalForm):
    """How to be told about each topic, when it is quiet, and when the daily mail comes."""

    digest_hour = forms.TypedChoiceField(
        label="When the daily mail comes", choices=HOURS, coerce=int
    )
    quiet_from = forms.TimeField(
        label="No mails from", required=False, widget=ClockInput(format="%H:%M")
    )
    quiet_until = forms.TimeField(
        label="until",
        required=False,
        widget=ClockInput(format="%H:%M"),
        help_text="They come afterwards. Leave both empty to get mails at any time.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for topic in reversed(CHOOSABLE):
            choice = forms.ChoiceField(label=_heading(topic), choices=Way.choices)
            self.fields = {topic.value: choice, **self.fields}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        begins, ends = values.get("quiet_from"), values.get("quiet_until")
        if (begins is None) != (ends is None):
            raise forms.ValidationError("Say both when the quiet hours begin and when they end.")
        if begins is not None and begins == ends:
            raise forms.ValidationError("The quiet hours must end at another time than they begin.")
        return values

    @property
    def ways(self) -> dict[Topic, Way]:
        return {topic: Way(self.cleaned_data[topic.value]) for topic in CHOOSABLE}

    @property
    def quiet(self) -> Quiet | None:
        begins = self.cleaned_data["quiet_from"]
        return None if begins is None else Quiet(begins, self.cleaned_data["quiet_until"])


@never_cache
@require_safe
@signed_in
def notices(request: HttpRequest) -> HttpResponseBase:
    """What the person was told, newest first."""
    rows = Notice.objects.filter(recipient=_self(request))
    page = BoundedPaginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/notices.html", {"page": page})


@require_POST
@signed_in
def read(request: HttpRequest) -> HttpResponseBase:
    """Marks one of the person's notices as read, or all of them."""
    rows = Notice.objects.filter(recipient=_self(request)).unread()
    number = request.POST.get("number", "")
    if number:
        rows = rows.filter(pk=int(number)) if number.isdecimal() else rows.none()
    rows.update(read_at=clock.now())
    return redirect("notices")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def preferences(request: HttpRequest) -> HttpResponseBase:
    """How the person wants to be told."""
    user = _self(request)
    if request.method != "POST":
        form = PreferencesForm(initial=_initial(preferences_of([user])[user.pk]))
        return render(request, "accounts/notice_settings.html", _shown(form))
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return render(request, "accounts/notice_settings.html", _shown(form), status=400)
    hour = form.cleaned_data["digest_hour"]
    choose(user, ways=form.ways, quiet=form.quiet, digest_hour=hour, at=clock.now())
    messages.success(request, "Saved. Mails that wait to be sent follow it, too.")
    return redirect("notice_settings")


@never_cache
@require_safe
@staff
def preview(request: HttpRequest) -> HttpResponseBase:
    """For administrators: what is going to be sent, when and to whom."""
    page = BoundedPaginator(pending(), PER_PAGE).get_page(request.GET.get("page"))
    rows = expected(list(page), at=clock.now())
    return render(request, "accounts/notices_preview.html", {"page": page, "rows": rows})


@csrf_exempt  # the mail program of somebody who is not signed in posts here (RFC 8058)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponseBase:
    """Asks whether mails shall end, and ends them: the link itself is the authority."""
    found = wish(token)
    if found is None:
        raise Http404("No such link.")
    if request.method == "POST":
        mute(found.user, found.topics, at=clock.now())
    labels = [topic.label for topic in found.topics]
    shown = {"labels": labels, "is_done": request.method == "POST"}
    return render(request, "accounts/unsubscribe.html", shown)


def _initial(found: Preferences) -> dict[str, Any]:
    return {
        **{topic.value: found.way(topic).value for topic in CHOOSABLE},
        "quiet_from": found.quiet.begins if found.quiet else None,
        "quiet_until": found.quiet.ends if found.quiet else None,
        "digest_hour": settings.DIGEST_HOUR if found.digest_hour is None else found.digest_hour,
    }


def _shown(form: PreferencesForm) -> dict[str, Any]:
    return {"form": form, "zone": settings.SITE_TIME_ZONE}


def _heading(topic: Topic) -> str:
    return topic.label[0].upper() + topic.label[1:]


def _self(request: HttpRequest) -> User:
    return cast(User, request.user)
