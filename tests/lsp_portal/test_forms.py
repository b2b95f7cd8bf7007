"""Forms in the look of the portal."""

from django import forms
from django.contrib.admin.widgets import AdminDateWidget

from lsp_portal.lib.forms import PortalForm


class Period(PortalForm):
    title = forms.CharField(help_text="What <people> read.")
    hours = forms.IntegerField(min_value=1, required=False)
    mode = forms.ChoiceField(choices=[("soft", "Soft")], widget=forms.RadioSelect, required=False)
    size = forms.ChoiceField(choices=[("tiny", "Tiny")], required=False)
    sure = forms.BooleanField(required=False)
    secret = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean(self) -> None:
        raise forms.ValidationError("Never <good> enough.")


def test_every_widget_has_the_class_of_its_kind() -> None:
    form = Period()

    assert 'class="form-control"' in str(form["title"])
    assert 'class="form-select"' in str(form["size"])
    assert 'class="form-check-input"' in str(form["sure"])
    assert 'class="choices"' in str(form["mode"])


def test_a_class_of_the_widget_itself_stays() -> None:
    class Named(PortalForm):
        name = forms.CharField(widget=forms.TextInput(attrs={"class": "mine"}))

    assert 'class="mine form-control"' in str(Named()["name"])


def test_a_field_with_an_error_says_so_to_the_eye_and_to_the_screen_reader() -> None:
    form = Period({"title": "x", "hours": "-3"})
    widget, group = str(form["hours"]), form["hours"].as_field_group()

    assert 'class="form-control is-invalid"' in widget
    assert 'aria-invalid="true"' in widget
    assert 'aria-describedby="id_hours_error"' in widget
    assert 'id="id_hours_error"' in group
    assert "greater than or equal to 1" in group


def test_a_field_is_described_by_its_help() -> None:
    group = Period()["title"].as_field_group()

    assert 'aria-describedby="id_title_helptext"' in group
    assert 'id="id_title_helptext">What &lt;people&gt; read.<' in group


def test_the_form_shows_its_own_errors_and_its_hidden_fields() -> None:
    rendered = str(Period({"title": "x"}))

    assert "Never &lt;good&gt; enough." in rendered
    assert 'type="hidden" name="secret"' in rendered


def test_only_optional_fields_are_marked() -> None:
    assert "(optional)" in Period()["hours"].as_field_group()
    assert "(optional)" not in Period()["title"].as_field_group()


def test_the_forms_of_the_admin_keep_their_own_classes() -> None:
    class Plain(forms.Form):
        day = forms.DateField(widget=AdminDateWidget)

    assert 'class="vDateField"' in str(Plain()["day"])
