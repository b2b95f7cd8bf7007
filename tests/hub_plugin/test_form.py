"""The options form: whole documents, everything escaped."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from lsp_hub.form import closed_form, options_form
from lsp_hub.options import LaunchOptions, Wish, parse_launch_options
from tests.hub_plugin.stub_portal import OPTIONS

Compare = Callable[[str, str], None]
OUTLOOK = {
    "outlook": "The group has 12.50 core-hours left.",
    "images": [
        {"name": "stable", "allowed": True, "why_not": None},
        {"name": "weekly", "allowed": False, "why_not": "Not open to Transients."},
    ],
    "sizes": [
        {"name": "tiny", "why_not": None, "outlook": "0.5 core-hours per hour."},
        {"name": "small", "why_not": "Small needs 13.", "outlook": "1 core-hours per hour."},
    ],
}
LOOKS_AHEAD = [OPTIONS["groups"][0] | OUTLOOK, OPTIONS["groups"][1]]
EVIL = '<script>alert("x")</script>\'&'


class Page(HTMLParser):
    """The tags and the inputs of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.inputs: list[dict[str, str | None]] = []
        self.labelled: set[str | None] = set()
        self.ids: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        if tag == "input":
            self.inputs.append(found)
        if tag == "label":
            self.labelled.add(found["for"])
        if "id" in found:
            self.ids.append(found["id"])

    def checked(self, field: str) -> list[str | None]:
        return [i["value"] for i in self.inputs if i["name"] == field and "checked" in i]


def options(**changes: Any) -> LaunchOptions:
    return parse_launch_options({**OPTIONS, **changes})


def test_the_form_of_a_person_with_choices(equals_file: Compare) -> None:
    form = options_form(
        options(), last=Wish(), idle_rule="Servers that are idle for an hour are stopped."
    )
    equals_file(form, "form.html")


def test_the_form_while_the_portal_is_away_says_so(equals_file: Compare) -> None:
    form = options_form(options(), last=Wish(size="tiny"), notice="The portal cannot be reached.")
    equals_file(form, "form-away.html")


def test_the_form_of_a_person_whose_groups_are_all_closed_says_why(equals_file: Compare) -> None:
    closed = [{**OPTIONS["groups"][1], "default": True}]
    equals_file(options_form(options(groups=closed), last=Wish()), "form-closed.html")


def test_the_form_says_what_a_start_costs(equals_file: Compare) -> None:
    equals_file(options_form(options(groups=LOOKS_AHEAD), last=Wish()), "form-costs.html")


def test_a_person_in_no_group_reads_what_to_do() -> None:
    form = options_form(options(groups=[]), last=Wish())
    assert "You are in no group" in form
    assert Page(form).inputs == []


RESCUE = {"image": "stable", "size": "tiny", "minutes": 60, "detail": "Your home is full. A rescue"}


def test_whose_home_is_full_can_start_a_rescue_session_instead() -> None:
    form = options_form(options(rescue=RESCUE), last=Wish())
    page = Page(form)
    [choice] = [i for i in page.inputs if i["name"] == "rescue"]
    assert (choice["type"], choice["value"], "checked" in choice) == ("checkbox", "1", False)
    assert choice["id"] in page.labelled
    assert "Your home is full." in form
    assert "rescue" not in options_form(options(rescue=None), last=Wish())


@pytest.mark.parametrize("groups", [[], [{**OPTIONS["groups"][1], "default": True}]])
def test_where_nothing_else_is_open_start_begins_the_rescue_session(groups: list[Any]) -> None:
    form = options_form(options(groups=groups, rescue=RESCUE, asks_sub_name=True), last=Wish())
    assert [(i["name"], i.get("value")) for i in Page(form).inputs] == [
        ("rescue", "1"),
        ("sub_name", None),
    ]
    assert "Start begins one." in form
    assert "display: none" not in form, "the page's own button is needed"


def test_who_shares_an_account_is_asked_who_it_is() -> None:
    page = Page(options_form(options(asks_sub_name=True), last=Wish(sub_name="Zoe")))
    [field] = [i for i in page.inputs if i["name"] == "sub_name"]
    assert field["id"] in page.labelled
    assert (field["maxlength"], "required" in field, "value" in field) == ("64", True, False)
    assert "sub_name" not in options_form(options(), last=Wish())


def test_everything_that_comes_from_outside_is_escaped() -> None:
    evil = {"name": EVIL, "title": EVIL, "why_not": EVIL}
    groups = [OPTIONS["groups"][0] | {"title": EVIL}, OPTIONS["groups"][1] | evil]
    form = options_form(
        options(
            groups=groups,
            images=[{**evil, "why_not": None}],
            sizes=[OPTIONS["sizes"][0] | evil],
            idle_rule=EVIL,
        ),
        last=Wish(),
        notice=EVIL,
    )
    verdicts = [{"name": EVIL, "why_not": EVIL}, {"name": "tiny", "outlook": EVIL}]
    evil_group = groups[0] | {"outlook": EVIL, "sizes": verdicts, "images": verdicts}
    costs = options_form(options(groups=[evil_group]), last=Wish())
    assert costs.count("<script") == 1  # the form's own
    assert EVIL not in costs
    for html in (form, closed_form(EVIL)):
        assert "script" not in Page(html).tags
        assert EVIL not in html


def test_each_choice_has_a_label_and_an_id_of_its_own() -> None:
    page = Page(options_form(options(), last=Wish()))
    assert {i["id"] for i in page.inputs} == page.labelled
    assert len(page.ids) == len(set(page.ids))


def test_the_last_choice_comes_back_where_it_is_still_open() -> None:
    page = Page(options_form(options(), last=Wish(size="tiny", group="galaxies", image="gone")))
    assert page.checked("size") == ["tiny"]
    assert page.checked("group") == ["transients"]
    assert page.checked("image") == ["stable"]


def test_what_was_chosen_on_another_server_comes_back_where_this_one_has_no_choice() -> None:
    newest = {"group": "transients", "image": None, "size": "tiny"}
    anywhere = options(last_choice=newest)
    assert Page(options_form(anywhere, last=Wish())).checked("size") == ["tiny"]
    assert Page(options_form(anywhere, last=Wish(size="small"))).checked("size") == ["small"]


def test_a_size_for_which_too_little_is_left_is_closed() -> None:
    groups = [OPTIONS["groups"][0] | {"fits": ["tiny"]}]
    page = Page(options_form(options(groups=groups), last=Wish(size="small")))
    assert page.checked("size") == ["tiny"]
    assert [i["value"] for i in page.inputs if "disabled" in i] == ["weekly", "small"]


@pytest.mark.parametrize(
    ("remaining", "text"),
    [
        (None, "no limit"),
        ("1234.560000", "1,234.6 core-hours left"),
        ("0.000000", "0 core-hours left"),
        ("-2.500000", "-2.5 core-hours left"),
        ("many", "many core-hours left"),
    ],
)
def test_what_is_left_is_shown_in_core_hours(remaining: str | None, text: str) -> None:
    groups = [OPTIONS["groups"][0] | {"remaining_core_hours": remaining}]
    assert text in options_form(options(groups=groups), last=Wish())


def test_images_stand_under_headings_and_the_recommended_ones_first() -> None:
    images = [
        {"name": "week", "title": "Week 47", "heading": "Weekly builds"},
        {"name": "old", "title": "Week 46", "heading": "Weekly builds", "retires_at":
         "2026-11-27T12:00:00Z"},
        {"name": "release", "title": "Release <27>", "heading": "Releases"},
        {"name": "best", "title": "The one", "heading": "Recommended", "recommended": True},
    ]  # fmt: skip
    form = options_form(options(images=images), last=Wish())
    places = [
        form.index(text)
        for text in ("Recommended<", "The one", "Weekly builds<", "Week 47", "Week 46",
                     "until 2026-11-27", "Releases<", "Release &lt;27&gt;")
    ]  # fmt: skip
    assert places == sorted(places)
    assert form.count("Weekly builds") == 1
    assert Page(form).checked("image") == ["best"]


def test_a_size_says_how_many_would_find_a_place() -> None:
    sizes = [size | {"room": "no room now; Tiny would start at once"} for size in OPTIONS["sizes"]]
    form = options_form(options(sizes=sizes, room="As seen 9 s ago."), last=Wish())
    assert form.count("no room now; Tiny would start at once") == len(sizes)
    assert '<p class="form-text">As seen 9 s ago.</p>' in form
    assert "would start" not in options_form(options(), last=Wish())
