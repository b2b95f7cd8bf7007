"""The pages on the cluster, for administrators: nodes, what is free, who is where; emptying."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import person, staff
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm
from sessions import draining
from sessions.cluster_view import cluster_view
from sessions.draining import DrainRefused
from sessions.models import ClusterNode, NodeDrain

DRAIN = "hub_sessions.add_nodedrain"
HOURS = (
    ("", "never: people finish when they want"),
    ("1", "in an hour"),
    ("4", "in 4 hours"),
    ("24", "in a day"),
    ("72", "in 3 days"),
    ("168", "in a week"),
)


class DrainForm(PortalForm):
    """What people are told, and how long they have."""

    reason = forms.CharField(
        required=False,
        max_length=200,
        help_text="A sentence that the people on the node read, such as: Its memory is replaced.",
    )
    hours = forms.ChoiceField(
        label="Stop servers that are left", choices=HOURS, required=False,
        help_text="They are told at once, and stopped as every server is: files in homes stay.",
    )  # fmt: skip

    def stops_at(self, at: datetime) -> datetime | None:
        hours = self.cleaned_data["hours"]
        return at.replace(microsecond=0) + timedelta(hours=int(hours)) if hours else None


@never_cache
@require_safe
@staff
def cluster(request: HttpRequest) -> HttpResponseBase:
    """Nodes, room by size, who is where."""
    shown = {"view": cluster_view(at=clock.now()), "may_drain": person(request).has_perm(DRAIN)}
    return render(request, "sessions/cluster.html", shown)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff
def drain_node(request: HttpRequest, node: str) -> HttpResponseBase:
    """Begin to empty a node: asked on GET, begun on POST."""
    by, found, at = _entitled(request), _node(node), clock.now()
    form = DrainForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        values = {"reason": form.cleaned_data["reason"], "stops_at": form.stops_at(at)}
        try:
            draining.drain(found, by=by, at=at, **values)
        except DrainRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(
                request, f"{node} is being emptied. Its people are told by the worker."
            )
        return redirect("cluster")
    concerned = draining.people_on([node], at=at).select_related("user", "hub", "group")
    shown = {"node": found, "form": form, "sessions": concerned.order_by("ready_at", "number")}
    return render(request, "sessions/drain.html", shown)


@require_POST
@staff
def resume_node(request: HttpRequest, node: str) -> HttpResponseBase:
    """Let servers be placed on the node again."""
    _entitled(request)
    row = get_object_or_404(NodeDrain.objects.open().of_portal(), node=_node(node).name)
    draining.resume(row, at=clock.now())
    messages.success(request, f"{node} takes servers again.")
    return redirect("cluster")


def _entitled(request: HttpRequest) -> User:
    by = person(request)
    if not by.has_perm(DRAIN):
        raise PermissionDenied
    return by


def _node(name: str) -> ClusterNode:
    """The node as it was seen last. Http404 for a name that is none's."""
    return get_object_or_404(ClusterNode, name=name.replace("\0", ""))
