"""Watch the cluster's pods until told to end."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lsp_portal.lib import clock
from sessions.kubernetes.configuration import NotConfigured
from sessions.kubernetes.watching.leading import watch_cluster


class Command(BaseCommand):
    help = "Watch the cluster's pods until SIGTERM. Several may run: one watches."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        try:
            watch_cluster(stopping, now=clock.now)
        except NotConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Ended")
