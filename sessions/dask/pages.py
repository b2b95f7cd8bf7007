"""What people do about the Dask clusters of their sessions, on the pages of sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import person, registered
from lsp_portal.lib import clock
from sessions.dask import asking, showing
from sessions.dask.refusals import DaskRefused
from sessions.dask.sizes import NAMES, BadSizeError, DaskSize
from sessions.models import Session
from sessions.refusals import LaunchRefused

MOST = 100_000


class SizeForm(forms.Form):
    """A number of workers, or a range."""

    workers = forms.IntegerField(min_value=0, max_value=MOST, required=False)
    minimum = forms.IntegerField(min_value=0, max_value=MOST, required=False)
    maximum = forms.IntegerField(min_value=1, max_value=MOST, required=False)

    def size(self) -> DaskSize | None:
        """Raises BadSizeError."""
        if not self.is_valid():
            name, errors = next(iter(self.errors.items()))
            raise BadSizeError(f"{name}: {errors[0]}")
        return DaskSize.read({name: self.cleaned_data[name] for name in NAMES})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@registered
def dask(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """How the cluster of one's own session is, as a part of its page; a POST sets its size."""
    session = _own(request, key)
    if request.method != "POST":
        shown = showing.panel(session, user=person(request), at=clock.now())
        return render(request, "sessions/dask_state.html", {"panel": shown})
    try:
        size = SizeForm(request.POST).size()
        _, is_new = asking.want(session, size, at=clock.now())
    except (BadSizeError, DaskRefused, LaunchRefused) as refusal:
        messages.error(request, str(refusal))
    else:
        text = "The Dask cluster is starting." if is_new else "The Dask cluster changes its size."
        messages.success(request, text)
    return _back(session)


@require_POST
@registered
def delete_dask(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """End the cluster of one's own session."""
    session = _own(request, key)
    try:
        asking.end(session, at=clock.now())
    except DaskRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The Dask cluster is being deleted.")
    return _back(session)


def _own(request: HttpRequest, key: UUID) -> Session:
    mine: Any = Session.objects.filter(user=person(request))
    session: Session = get_object_or_404(mine.select_related("hub", "user", "group"), key=key)
    return session


def _back(session: Session) -> HttpResponseBase:
    return redirect(f"{reverse('session', args=[session.pk])}#dask")
