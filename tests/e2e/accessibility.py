"""axe-core on the page that a browser shows."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).with_name("axe") / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """What breaks WCAG 2.2 AA or good practice on the page, one line for each rule and place.

    The page needs a context with `bypass_csp`: its own policy would refuse the checker.
    """
    page.evaluate(AXE.read_text())
    options = {"runOnly": STANDARDS}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [f"{rule['id']}: {_place(node)}" for rule in found for node in rule["nodes"]]


def _place(node: dict[str, Any]) -> str:
    return f"{' '.join(map(str, node['target']))}: {node['failureSummary']}"
