"""Waking the workers for Dask clusters. Messages may be lost or doubled: rows say what is due."""

from __future__ import annotations

from celery import current_app

from lsp_portal.lib.queue import after_commit


def tend_soon(number: int) -> None:
    # By name: the tasks stand above everything that sends them.
    after_commit(current_app.signature("sessions.tasks.tend_dask"), number)
