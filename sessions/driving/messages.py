"""Waking the workers. A message may be lost or come twice: rows say what is due."""

from __future__ import annotations

from celery import current_app

from lsp_portal.lib.queue import after_commit


def start_soon(number: int) -> None:
    _send("start_server", number)


def stop_soon(number: int) -> None:
    _send("stop_server", number)


def _send(task: str, *arguments: object) -> None:
    # By name: the tasks stand above everything that sends them.
    after_commit(current_app.signature(f"sessions.tasks.{task}"), *arguments)
