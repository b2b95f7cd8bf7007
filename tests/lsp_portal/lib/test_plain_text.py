"""Text from outside becomes one harmless line."""

import pytest

from lsp_portal.lib.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Zoë O'Hara", "Zoë O'Hara"),
        ("  a \t b\r\nc ", "a b c"),
        ("a\x00b\x1b[0m", "a b [0m"),
        ("a\u2028b\u2029c\u202ed\ufeff", "a b c d"),
        ("\ud800x", "x"),
        ("\n", ""),
        ("", ""),
    ],
)
def test_no_control_character_is_left(text: str, line: str) -> None:
    assert plain_text(text) == line


def test_what_has_a_meaning_in_a_table_is_left_out() -> None:
    assert plain_text("a:b,c", without=":,") == "a b c"
