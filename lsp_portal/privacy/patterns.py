"""Regular expressions of PostgreSQL for the words by which somebody is known, in texts and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

BEFORE, AFTER = r"(?<![\w.@-])", r"(?![\w@-])"
NO_KEY = '(?!":)'
BARE = re.compile("[0-9]+|true|false|null", re.IGNORECASE)


def is_bare(word: str) -> bool:
    """Whether JSON has such a word without quotes, and texts by chance: a number, mostly."""
    return bool(BARE.fullmatch(word))


def in_text(words: Iterable[str]) -> str:
    """Any of the words, but not within another word or address."""
    return f"{BEFORE}({_any(words)}){AFTER}"


def in_json(words: Iterable[str]) -> str:
    """The same within strings of JSON, keys left alone; of what JSON has bare, whole strings."""
    quoted = {json.dumps(word, ensure_ascii=False)[1:-1] for word in words if word}
    bare = {word for word in quoted if is_bare(word)}
    found = [in_text(quoted - bare)] if quoted - bare else []
    found += [f'(?<=")({_any(bare)})(?=")'] if bare else []
    return f"({'|'.join(found)}){NO_KEY}"


def _any(words: Iterable[str]) -> str:
    longest_first = sorted(filter(None, words), key=lambda word: (-len(word), word))
    return "|".join(re.escape(word) for word in longest_first)
