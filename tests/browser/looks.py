"""What can be seen of a page without an eye: rules of access, edges, boxes, targets.

Each looks at the page as it stands, and says what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

WIDTHS = (320, 360, 390, 768, 1024, 1280, 1440)
SMALLEST_TARGET = 24  # CSS pixels (WCAG 2.2, 2.5.8); the house aims at 44
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"

_OVER_THE_EDGE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const over = [...document.body.querySelectorAll('*')]
    .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 0.5)
    .map((e) => `${e.tagName}#${e.id}.${e.getAttribute('class')}`);
  return [`${root.scrollWidth} > ${root.clientWidth}`, ...over.slice(-5)];
}"""

# A link within a sentence is exempt (2.5.8, inline), as is what only speaks to a screen reader.
_SMALL_TARGETS = """(floor) => {
  const controls = 'a[href],button,input:not([type=hidden]),select,textarea,summary,' +
    '[role=button],[role=tab],[role=switch],[role=radio],[role=link]';
  const inSentence = (e) => e.matches('a') && getComputedStyle(e).display === 'inline' &&
    [...e.parentNode.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== '');
  return [...document.querySelectorAll(controls)]
    .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.sr,.skip'))
    .filter((e) => !inSentence(e))
    .map((e) => [e, (e.labels?.[0] ?? e).getBoundingClientRect(), e.getBoundingClientRect()])
    .filter(([, label, own]) => Math.max(label.width, own.width) < floor ||
      Math.max(label.height, own.height) < floor)
    .map(([e, , own]) => `${e.outerHTML.slice(0, 80)}: ${own.width}×${own.height}`);
}"""


@cache
def _axe() -> str:
    assert _AXE.is_file(), "axe-core is not installed: npm ci --prefix tests/browser"
    return _AXE.read_text(encoding="utf-8")


def keeps_the_rules(page: Page) -> None:
    """No rule of WCAG 2.2 A and AA, and none of axe's best practices, is broken."""
    # Evaluated, not added: the page's own policy stays in force, and would refuse a script.
    page.evaluate(_axe())
    found: dict[str, Any] = page.evaluate(
        "(rules) => axe.run(document, { runOnly: rules, resultTypes: ['violations'] })", _RULES
    )
    assert not found["violations"], [
        (rule["id"], [(node["target"], node["failureSummary"]) for node in rule["nodes"]])
        for rule in found["violations"]
    ]


def stays_within_its_edges(page: Page, widths: Iterable[int] = WIDTHS) -> None:
    """At every width the page scrolls down only.  Puts the size back."""
    size = page.viewport_size
    assert size is not None
    for width in widths:
        page.set_viewport_size({"width": width, "height": size["height"]})
        over = page.evaluate(_OVER_THE_EDGE)
        assert not over, (width, over)
    page.set_viewport_size(size)


def stays_within_its_edges_in_double_text(
    page: Page, widths: Iterable[int] = (1280, 1024, 768)
) -> None:
    """The same with all text at 200 % (1.4.4).  Puts the text back."""
    page.evaluate("() => document.documentElement.style.setProperty('font-size', '200%')")
    stays_within_its_edges(page, widths)
    page.evaluate("() => document.documentElement.style.removeProperty('font-size')")


def has_targets_for_fingers(page: Page, floor: int = SMALLEST_TARGET) -> None:
    """Whatever can be pressed is at least this large, both ways."""
    small = page.evaluate(_SMALL_TARGETS, floor)
    assert not small, small


def box(thing: Locator) -> tuple[float, float, float, float]:
    """Where a thing is: left, top, width, height.  Equal boxes: it has not moved."""
    found = thing.bounding_box()
    assert found is not None, f"{thing} cannot be seen"
    return found["x"], found["y"], found["width"], found["height"]


def is_well_built(page: Page) -> None:
    """All of the above, for a page as it stands."""
    keeps_the_rules(page)
    stays_within_its_edges(page)
    stays_within_its_edges_in_double_text(page)
    has_targets_for_fingers(page)
