"""One's own data: the page, and the same for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from accounts.access import signed_in
from accounts.api.views import PROBLEM, REFUSALS
from accounts.models import User
from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from lsp_portal.privacy.own_data import AGAIN_AFTER, PARTS, archive, claim


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def own_data(request: HttpRequest) -> HttpResponseBase:
    """GET says what is kept about the person, POST sends it."""
    if request.method != "POST":
        return render(request, "accounts/data.html", {"parts": PARTS})
    user, now = cast(User, request.user), clock.now()
    if claim(user, at=now):
        return _download(user, now)
    messages.error(request, "Your data were sent a moment ago. Ask again in ten minutes.")
    return redirect("own_data")


class OwnDataView(APIView):
    """Everything that is kept about the caller."""

    @extend_schema(
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (429, "application/problem+json"): PROBLEM,
            **REFUSALS,
        }
    )
    def get(self, request: Any) -> HttpResponseBase:
        """A zip with JSON and CSV files, once in ten minutes."""
        now = clock.now()
        if not isinstance(request.user, User):
            raise Problem(
                403, "forbidden", "Not for services", "A service is nobody whose data are kept."
            )
        if not claim(request.user, at=now):
            raise Problem(
                429,
                "too_many_requests",
                "Your data were sent a moment ago",
                "Ask again in ten minutes.",
                headers={"Retry-After": str(int(AGAIN_AFTER.total_seconds()))},
            )
        return _download(request.user, now)


def _download(user: User, at: datetime) -> StreamingHttpResponse:
    name = f"{user.username}-{at:%Y-%m-%d}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(
        archive(user, at=at), content_type="application/zip", headers=headers
    )
