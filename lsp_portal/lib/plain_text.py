"""Text from outside, made fit for places where only one plain line may stand."""

import unicodedata

SEPARATORS = ("C", "Zl", "Zp")  # Unicode's controls, formats, surrogates; line and paragraph ends


def plain_text(text: str, *, without: str = "") -> str:
    """The text on one line: no control characters, none of `without`, no spaces at the ends."""
    kept = (
        " " if unicodedata.category(letter).startswith(SEPARATORS) or letter in without else letter
        for letter in text
    )
    return " ".join("".join(kept).split())
