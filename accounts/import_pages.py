"""Files of people, groups and memberships for administrators: in and out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import person, staff
from accounts.csv_files.exporting import export_lines
from accounts.csv_files.importing import KINDS, MOST_PROBLEMS, import_file
from accounts.csv_files.plans import Plan
from accounts.csv_files.table import MOST_BYTES, BadFileError
from lsp_portal.lib import clock
from lsp_portal.lib.forms import PortalForm

MODELS = ("user", "group", "membership")
COLUMNS = {name: ", ".join(kind.COLUMNS) for name, kind in KINDS.items()}


class ImportForm(PortalForm):
    """A file, which is checked first."""

    file = forms.FileField(label="CSV file", allow_empty_file=False)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(f"At most {MOST_BYTES // 1024**2} MiB. Split the file.")
        return file


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff
def import_people(request: HttpRequest) -> HttpResponseBase:
    """The form, and what the file did or would do."""
    _require(request, "add", "change")
    sent = request.method == "POST"
    form = ImportForm(request.POST, request.FILES) if sent else ImportForm()
    plan = _import(request, form) if sent and form.is_valid() else None
    failed = bool(form.errors) or bool(plan and plan.problems)
    shown = {"form": form, "plan": plan, "columns": COLUMNS, "most": MOST_PROBLEMS}
    return render(request, "accounts/import.html", shown, status=400 if failed else 200)


@never_cache
@require_safe
@staff
def export_people(request: HttpRequest, kind: str) -> HttpResponseBase:
    """All users, groups or memberships as a file."""
    _require(request, "view")
    if kind not in KINDS:
        raise Http404("No such file.")
    headers = {"Content-Disposition": f'attachment; filename="{kind}.csv"'}
    return StreamingHttpResponse(
        export_lines(kind), content_type="text/csv; charset=utf-8", headers=headers
    )


def _import(request: HttpRequest, form: ImportForm) -> Plan | None:
    try:
        return import_file(
            form.cleaned_data["file"].read(),
            dry_run="import" not in request.POST,
            above_staff=person(request).is_superuser,
            at=clock.now(),
        )
    except BadFileError as error:
        form.add_error("file", str(error))
        return None


def _require(request: HttpRequest, *actions: str) -> None:
    needed = [f"accounts.{action}_{model}" for action in actions for model in MODELS]
    if not person(request).has_perms(needed):
        raise PermissionDenied
