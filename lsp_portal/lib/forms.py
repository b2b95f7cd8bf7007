"""Forms in the look of the portal: Bootstrap's classes, errors that assistive technology finds."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting

CLASSES: dict[type[forms.Widget], str] = {
    forms.CheckboxInput: "form-check-input",
    forms.RadioSelect: "choices",
    forms.CheckboxSelectMultiple: "choices",
    forms.Select: "form-select",
}


def widget_class(widget: forms.Widget) -> str:
    """Bootstrap's class for a widget; several choices in a list have one of our own."""
    for kind in type(widget).__mro__:
        if kind in CLASSES:
            return CLASSES[kind]
    return "form-control"


class PortalBoundField(BoundField):
    """Its widget carries Bootstrap's class, and `is-invalid` where it has errors."""

    def build_widget_attrs(
        self, attrs: dict[str, Any], widget: forms.Widget | None = None
    ) -> dict[str, Any]:
        widget = widget or self.field.widget
        built = super().build_widget_attrs(attrs, widget)
        invalid = "is-invalid" if self.errors else ""
        names = (widget.attrs.get("class"), built.get("class"), widget_class(widget), invalid)
        built["class"] = " ".join(str(name) for name in names if name)
        return built

    @property
    def is_check(self) -> bool:
        """Whether the label belongs after the input, as for one checkbox."""
        return isinstance(self.field.widget, forms.CheckboxInput)


class PortalRenderer(TemplatesSetting):
    """Renders with `templates/forms/`; of `PortalForm` alone, the admin keeps its own."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
    bound_field_class = PortalBoundField


class PortalForm(forms.Form):
    """Base class of the portal's forms; `{{ form }}` renders it.

    `marks_optional`: whether labels say which fields may stay empty.
    """

    marks_optional = True
    default_renderer = PortalRenderer
    required_css_class = "required"
