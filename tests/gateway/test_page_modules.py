"""The page's pure modules, tested in their own language.

They have no page and no server here; what they do together is seen through a browser.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

TESTS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))


def test_the_modules_pass_their_own_tests() -> None:
    """Each module keeps its promises under ``node --test``."""
    assert TESTS
    done = subprocess.run(
        ["node", "--test", *map(str, TESTS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
