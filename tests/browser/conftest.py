"""A real Chromium, and pages of it that fail their test on any fault.

A browser lives as long as a file of tests: Playwright's own loop runs in the thread that started
it, so one that outlived its file would be in the way of the asynchronous tests of the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.faults import Faults

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000  # a busy machine is no fault of a page
expect.set_options(timeout=WAIT_MS)


class NewPage(Protocol):
    """Opens a page in a context of its own: another person at another screen."""

    def __call__(self, **options: Any) -> Page: ...


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> Faults:
    """What went wrong in the test's pages; what a test brings about on purpose it allows."""
    return Faults()


@pytest.fixture
def new_page(browser: Browser, faults: Faults) -> Iterator[NewPage]:
    """Opens pages: at a desk, in English, in London, without motion, unless told otherwise."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        usual: dict[str, Any] = {
            "viewport": {"width": 1280, "height": 800},
            "locale": "en-GB",
            "timezone_id": "Europe/London",
            "reduced_motion": "reduce",
            # Only the tests of the worker want one: it would stand between page and test.
            "service_workers": "block",
        }
        context = browser.new_context(**{**usual, **options})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        faults.watch(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    faults.check()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """One page, for the tests that need no more."""
    return new_page()
