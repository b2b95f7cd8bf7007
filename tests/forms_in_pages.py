"""Forms as a browser would send them: what the page has, with what the test types into it."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.utils.html import strip_tags


class FormReader(HTMLParser):
    """The values of the fields of a page, as they stand there."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        having = dict(attrs)
        name = having.get("name") or ""
        if "disabled" in having:
            return
        if tag == "input":
            self._input(name, having)
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in having and self._select:
            self.values.setdefault(self._select, []).append(having.get("value") or "")
        elif tag == "textarea":
            self._area, self.values[name] = name, ""

    def _input(self, name: str, having: dict[str, str | None]) -> None:
        kind = having.get("type", "text")
        is_box = kind in ("checkbox", "radio")
        if name and kind != "submit" and (not is_box or "checked" in having):
            self.values[name] = having.get("value") or ("on" if is_box else "")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


def send_form(client: Client, path: str, **typed: Any) -> Any:
    """Open the page, type, and save; the answer is that to the form itself."""
    page = client.get(path)
    assert page.status_code == 200, path
    reader = FormReader()
    reader.feed(page.content.decode())
    return client.post(path, reader.values | typed | {"_save": "Save"})


def errors_of(answer: Any) -> str:
    """Everything that the form of the page complains about, in one text."""
    assert answer.status_code == 200, "the form was accepted"
    return unescape(strip_tags(str(answer.context["errors"])))
