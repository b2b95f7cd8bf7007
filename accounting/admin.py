"""What was exported and stated, to read only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import F, Q
from django.utils.safestring import SafeString

from accounting.apel_admin import ApelGroupAdmin, ApelRunAdmin
from accounting.models import ExportMark, ExportRun
from accounting.statement_admin import StatementAdmin
from accounting.webhook_admin import WebhookAdmin, WebhookMessageAdmin
from lsp_portal.lib.admin import (
    BigTableAdmin,
    EvidenceAdmin,
    list_link,
    object_link,
    page_link,
    pretty_json,
)
from sessions.models import Session

__all__ = [
    "ApelGroupAdmin",
    "ApelRunAdmin",
    "ExportMarkAdmin",
    "ExportRunAdmin",
    "StatementAdmin",
    "WebhookAdmin",
    "WebhookMessageAdmin",
]


@admin.register(ExportRun)
class ExportRunAdmin(EvidenceAdmin[ExportRun]):
    list_display = ("started_at", "hub", "until", "state", "jobs", "directory")
    list_filter = ("hub", "state")
    list_select_related = ("hub",)
    search_fields = ("directory",)
    ordering = ("-started_at", "-pk")
    fields = (
        "hub", "started_at", "until", "settle_seconds", "state", "directory", "first_job_id",
        "jobs", "marks", "sums",
    )  # fmt: skip

    @admin.display(description="lines")
    def marks(self, run: ExportRun) -> SafeString:
        """The run's marks; job ids are dense, and found by hub and id."""
        return list_link(ExportMark, f"{run.jobs} lines", run__id__exact=run.pk)

    @admin.display(description="summary")
    def sums(self, run: ExportRun) -> SafeString:
        return pretty_json(run.summary)


@admin.register(ExportMark)
class ExportMarkAdmin(BigTableAdmin[ExportMark]):
    list_display = (
        "job_id", "hub", "the_session", "user_name", "group_name", "started_at", "ended_at",
        "cpus", "job_state",
    )  # fmt: skip
    list_filter = ("run__hub",)
    list_select_related = ("run__hub",)
    search_help_text = "Job id, or number of a session"
    fields = (
        "the_session", "the_run", "job_id", "user_name", "uid", "group_name", "gid",
        "submitted_at", "started_at", "ended_at", "cpu_millicores", "cpus", "memory_mib", "gpus",
        "job_state", "exit_code", "size", "node", "image",
    )  # fmt: skip

    def found(self, term: str) -> Q:
        if not term.isdecimal() or len(term) > 18:
            return Q(pk__in=[])
        number = int(term)
        runs = ExportRun.objects.filter(first_job_id__range=(number - F("jobs") + 1, number))
        return Q(pk=number) | Q(run__in=list(runs), job_id=number)

    @admin.display(description="hub")
    def hub(self, mark: ExportMark) -> str:
        return mark.run.hub.name

    @admin.display(description="session")
    def the_session(self, mark: ExportMark) -> SafeString:
        return page_link(Session, mark.session_id, mark.session_id)

    @admin.display(description="run")
    def the_run(self, mark: ExportMark) -> SafeString | str:
        return object_link(mark.run)
