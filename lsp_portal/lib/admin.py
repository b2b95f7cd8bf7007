"""What the administration of all apps shares: evidence, big tables, links and raw documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.widgets import AutocompleteMixin, RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import BaseConstraint, Field, ForeignKey, Model, Q, QuerySet
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lsp_portal.lib.display import NOTHING
from lsp_portal.lib.paging import BoundedPaginator

Row = TypeVar("Row", bound=Model)
Parent = TypeVar("Parent", bound=Model)


class PortalAdmin(admin.ModelAdmin[Row]):
    """Rows that administrators edit; a change writes only the fields that were changed."""

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        if not change:
            return super().save_model(request, obj, form, change)
        columns = {field.name for field in obj._meta.concrete_fields}
        return obj.save(update_fields=[name for name in form.changed_data if name in columns])

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; what somebody else made impossible meanwhile is told as a message."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError as error:
            self.message_user(request, f"Nothing was saved. {conflict(error)}", messages.ERROR)
            return redirect(request.get_full_path())


class KeptAdmin(PortalAdmin[Row]):
    """Rows that history hangs on: they can be changed, and never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False


class EvidenceAdmin(admin.ModelAdmin[Row]):
    """Records that nobody edits."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False


class BigTableAdmin(EvidenceAdmin[Row]):
    """Records without number: newest first, never counted to the end, found through indexes."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()
    ordering = ("-pk",)
    search_fields: ClassVar[tuple[str, ...]] = ("pk",)  # shows the box; `found` does the search

    def found(self, term: str) -> Q:
        """The condition that finds the rows with that term through indexes."""
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        term = search_term.replace("\0", "").strip() if self.search_fields else ""
        return (queryset.filter(self.found(term)) if term else queryset), False


class EvidenceInline(admin.TabularInline[Row, Parent]):
    """Records shown with what they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ChoicesReadOnce(InlineModelAdmin[Row, Parent]):
    """Rows with a choice among few: all of them share one reading of what there is."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and not isinstance(field.widget, AutocompleteMixin):
            field.choices = list(cast("Iterable[tuple[Any, Any]]", field.choices))
        return field

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """The field, without the four buttons that would stand beside it in every row."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            for name in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{name}_related", False)
        return field


class CheckedRows(BaseInlineFormSet[Row, Parent, ModelForm[Row]]):
    """Rows whose constraints are checked with the row that they belong to.

    Django's own check leaves out every constraint that names it.
    """

    def clean(self) -> None:
        super().clean()
        if self.instance.pk is None:  # nothing stored can contradict what is new
            return
        for form in self.forms:
            if form.has_changed() and form.is_valid():
                self._check(form)

    def _check(self, form: ModelForm[Row]) -> None:
        try:
            form.instance.validate_constraints()
        except ValidationError as error:
            form.add_error(None, error)


def second_question(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, *, action: str, title: str,
    rows: Iterable[tuple[Model, str]],
) -> HttpResponse | None:  # fmt: skip
    """A page that asks whether the action is meant, with what it does to each row.

    None once the question was answered with yes.
    """
    if "apply" in request.POST:
        return None
    shown = {
        **model_admin.admin_site.each_context(request),
        "title": title, "opts": model_admin.opts, "action": action, "rows": list(rows),
    }  # fmt: skip
    return render(request, "admin/second_question.html", shown)


def note_changes(request: HttpRequest, rows: Iterable[Model], message: str) -> None:
    """Remember in the rows' history what an action did to them."""
    by: Any = request.user.pk
    LogEntry.objects.log_actions(by, rows, CHANGE, message, single_object=False)


def conflict(error: IntegrityError) -> str:
    """What the database had against it, in the words of the constraint or trigger that has some."""
    diagnosis: Any = getattr(error.__cause__, "diag", None)
    name = getattr(diagnosis, "constraint_name", None)
    raised = getattr(diagnosis, "message_primary", None)
    if raised and not diagnosis.table_name:  # PostgreSQL names the table of its own constraints
        return f"{raised[0].upper()}{raised[1:]}."
    words = (str(c.get_violation_error_message()) for c in _constraints() if c.name == name)
    return next(words, f"It contradicts what is stored already ({name or 'unnamed rule'}).")


def pretty_json(value: object) -> SafeString:
    """A value for people to read."""
    # JSON can name half characters; no page can hold them.
    text = json.dumps(value, indent=2, ensure_ascii=False).encode(errors="backslashreplace")
    return format_html("<pre>{}</pre>", text.decode())


def pretty_document(raw: bytes | memoryview) -> SafeString:
    """Bytes as they came: as JSON where they are, and else as the text that they nearly are."""
    text = bytes(raw).decode(errors="backslashreplace")
    try:
        return pretty_json(json.loads(text))
    except (ValueError, RecursionError):
        return format_html("<pre>{}</pre>", text)


def list_link(model: type[Model], text: object, **filters: object) -> SafeString:
    """A link to the list of a model's rows, filtered."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', path, urlencode(filters), text)


def page_link(model: type[Model], key: object, text: object) -> SafeString:
    """A link to the page of a row, which is not read for it."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=(key,)), text)


def object_link(row: Model | None, text: str = "") -> SafeString | str:
    """A link to the page of a row; a dash for none."""
    return page_link(type(row), row.pk, text or row) if row is not None else NOTHING


def _constraints() -> Iterator[BaseConstraint]:
    return (found for model in apps.get_models() for found in model._meta.constraints)
