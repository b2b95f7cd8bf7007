"""The address that Prometheus scrapes."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from lsp_portal.lib import clock
from lsp_portal.lib.problems import Problem
from lsp_portal.metrics.collector import exposition


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers for whoever has the token of the settings; nothing is here without one."""
    if not settings.METRICS_TOKEN:
        raise Http404
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(errors="replace"), wanted.encode()):
        return Problem(
            401,
            "not_authenticated",
            "The token is wrong",
            "Send the header “Authorization: Bearer” with METRICS_TOKEN.",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        ).answer()
    return HttpResponse(exposition(at=clock.now()), content_type=CONTENT_TYPE_PLAIN_0_0_4)
