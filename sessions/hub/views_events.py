"""The events endpoint of the hub API: verify, read, take in, answer."""

from __future__ import annotations

import orjson
from django.http import HttpRequest, HttpResponse

from lsp_portal.lib import clock
from lsp_portal.lib.problems import endpoint
from sessions.hub.ingest import Outcome, take_in
from sessions.hub.parse import read_batch
from sessions.hub.signing import verified_hub


@endpoint("POST")
def events(request: HttpRequest, hub: str) -> HttpResponse:
    sender = verified_hub(request, hub)
    at = clock.now()
    outcome = take_in(sender, read_batch(request.body, at=at), at=at)
    return HttpResponse(orjson.dumps(_answer(outcome)), content_type="application/json")


def _answer(outcome: Outcome) -> dict[str, object]:
    return {
        "accepted": outcome.accepted,
        "duplicates": outcome.duplicates,
        "rejected": [rejected.answer() for rejected in outcome.rejected],
    }
