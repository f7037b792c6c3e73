"""What goes wrong in a page without being seen on it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage

# The browser tells a page of each breach of its policy; this makes all of them heard.
_REPORT = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy: ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample}`))
"""


class Faults:
    """Uncaught errors, lines of error in the console, and breaches of the policy."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._allowed: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        """Listen to every page of the context."""
        context.add_init_script(_REPORT)
        context.on("weberror", lambda error: self.found.append(str(error.error)))
        context.on("console", self._hear)

    def allow(self, *words: str) -> None:
        """Faults with any of these words are what the test brings about."""
        self._allowed.extend(words)

    def check(self) -> None:
        """No fault but the allowed ones."""
        left = [fault for fault in self.found if not any(w in fault for w in self._allowed)]
        assert not left, left

    def _hear(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.found.append(f"{line.text} ({line.location['url']})")
