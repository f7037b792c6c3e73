"""Pictures of a running house's pages, for the documentation.

    python tools/screenshots.py http://127.0.0.1:8000 docs / /lot/auction_…=lot-page

Each path makes ``<name>-<width>.png`` in the folder; the name is what follows ``=``, or the path.
Sizes, motion and language are fixed, so that two pictures of one page differ only where it does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZES = ((1280, 800), (390, 844))


def main(house: str, folder: str, *pages: str) -> None:
    """Take every page at every size."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, height in SIZES:
            page = browser.new_context(
                viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce"
            ).new_page()
            for said in pages:
                path, _, name = said.partition("=")
                page.goto(house + path, wait_until="networkidle")
                page.evaluate("() => document.fonts.ready")
                name = name or path.strip("/").replace("/", "-") or "front"
                page.screenshot(path=Path(folder) / f"{name}-{width}.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
