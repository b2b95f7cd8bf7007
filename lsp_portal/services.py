"""Status lights: are the services of the platform there?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from lsp_portal.lib import clock
from lsp_portal.models import Service

TIMEOUT = (3.05, 5)
"""Seconds to connect and to wait for an answer."""

AT_ONCE = 8


def check_all() -> dict[str, Service.Status]:
    """Asks every service that has a status address, several at once; the answers by title."""
    services = list(Service.objects.exclude(status_url="").filter(is_shown=True))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(_ask, [service.status_url for service in services]))
    now = clock.now()
    for service, status in zip(services, found, strict=True):
        Service.objects.filter(pk=service.pk).update(status=status, checked_at=now)
    return {service.title: status for service, status in zip(services, found, strict=True)}


def _ask(url: str) -> Service.Status:
    try:
        with requests.get(url, timeout=TIMEOUT, stream=True) as answer:
            return Service.Status.UP if answer.ok else Service.Status.DOWN
    except requests.RequestException:
        return Service.Status.DOWN
