"""Options come from anywhere; only names that could be choices get through."""

from typing import Any

import pytest

from lsp_hub.launch import Grant, grant_of, unchecked_grant
from lsp_hub.options import (
    BadOptionsError,
    LaunchOptions,
    Size,
    Wish,
    parse_launch_options,
    wish_of,
    wish_of_form,
)
from tests.hub_plugin.stub_portal import OPTIONS

SESSION = "0a4cd8f1-41a7-4bd5-9bd7-d5fbdd58e4b1"
OWN = Size("unknown", "unknown", 1500, 3072, 0, False, None, "")


def test_a_form_gives_its_three_choices_and_nothing_else() -> None:
    form = {"image": ["stable"], "size": ["tiny"], "group": ["transients"], "_xsrf": ["2|x"]}
    assert wish_of_form(form) == Wish("transients", "stable", "tiny")


def test_a_rescue_session_is_asked_for_without_any_choice() -> None:
    form = {"rescue": ["1"], "size": ["tiny"], "group": ["transients"], "sub_name": ["Zoe"]}
    wish = wish_of_form(form)
    assert wish.asked() == {"rescue": True, "sub_name": "Zoe"}
    assert wish_of({"session": SESSION, "rescue": "1"}).asked() == {"rescue": True}
    assert not wish_of({"rescue": False}).rescue
    with pytest.raises(BadOptionsError, match="rescue set to true"):
        wish_of({"rescue": "maybe"})


def test_a_form_cannot_bring_a_session() -> None:
    assert wish_of_form({"session": [SESSION]}) == Wish()


@pytest.mark.parametrize(
    "form",
    [
        {"size": ["tiny", "large"]},
        {"size": ["Tiny"]},
        {"size": ["tiny "]},
        {"size": ["tiny\n"]},
        {"group": ["../../etc"]},
        {"image": ["<script>"]},
        {"image": ["a" * 31]},
        {"image": ["1"]},
    ],
)
def test_a_form_with_anything_but_a_name_is_refused(form: dict[str, list[str]]) -> None:
    with pytest.raises(BadOptionsError, match=r"Choose one|can be chosen"):
        wish_of_form(form)


@pytest.mark.parametrize(
    "options",
    [
        {"size": {"cpu": 64}},
        {"size": 4},
        {"size": True},
        {"size": ["tiny"]},
        {"group": "x'; DROP TABLE"},
        {"session": "not one"},
        {"session": 7},
        {"session": {}},
        ["tiny"],
        "tiny",
        7,
    ],
)
def test_json_of_any_shape_is_refused_in_words(options: Any) -> None:
    with pytest.raises(BadOptionsError) as caught:
        wish_of(options)
    assert str(caught.value).endswith(".")


def test_what_was_left_out_stays_open() -> None:
    assert wish_of({"size": "", "image": None}) == Wish()
    assert wish_of({}).chosen() == {}


def test_a_session_of_the_portal_is_kept_in_its_plain_form() -> None:
    assert wish_of({"session": SESSION.upper()}).session == SESSION


def options() -> LaunchOptions:
    return parse_launch_options(OPTIONS)


def test_an_unchecked_start_takes_the_size_as_it_was_last_known() -> None:
    grant = unchecked_grant(SESSION, Wish(size="tiny"), options(), OWN)
    assert grant == Grant(
        SESSION, "transients", "stable", "tiny", 500, 1024, 0, {}, None, checked=False
    )


def test_an_unchecked_start_without_any_knowledge_has_the_spawners_own_limits() -> None:
    grant = unchecked_grant(SESSION, Wish(group="transients"), None, OWN)
    assert (grant.group, grant.size, grant.image) == ("transients", "unknown", "unknown")
    assert (grant.cpu_millicores, grant.memory_mib) == (1500, 3072)


@pytest.mark.parametrize(
    "content", [{}, {"groups": []}, {"groups": [7], "images": [], "sizes": []}, {"groups": None}]
)
def test_options_that_are_none_count_as_no_answer(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="launch options"):
        parse_launch_options(content)


@pytest.mark.parametrize("content", [{"session": SESSION}, {"resources": 7}, {"resources": {}}])
def test_a_grant_that_is_none_counts_as_no_answer(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a grant"):
        grant_of(content)


def test_who_shares_an_account_says_who_it_is_each_time_anew() -> None:
    wish = wish_of_form({"sub_name": [" Zoë, desk 7 "], "size": ["tiny"]})
    assert wish.asked() == {"sub_name": "Zoë, desk 7", "size": "tiny"}
    assert wish.chosen() == {"size": "tiny"}
    assert wish_of(wish.asked()) == wish


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "a\x00b", "a\u202eb", 7, ["a"], {}])
def test_a_name_that_cannot_be_shown_is_refused(name: Any) -> None:
    with pytest.raises(BadOptionsError, match="Who you are"):
        wish_of({"sub_name": name})


@pytest.mark.parametrize("name", [None, "", "  "])
def test_without_a_name_nobody_is_named(name: Any) -> None:
    assert wish_of({"sub_name": name}).asked() == {}
