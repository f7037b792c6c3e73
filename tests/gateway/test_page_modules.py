"""The page's pure modules, tested in their own language.

The same behaviour is seen through a browser in ``test_lot_page.py``, so a machine without node
loses detail here, not cover.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed; the browser tests cover the same")
def test_the_modules_pass_their_own_tests() -> None:
    """Clock, money, view, words and line keep their promises under ``node --test``."""
    assert NODE is not None
    assert TESTS
    done = subprocess.run(
        [NODE, "--test", *map(str, TESTS)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
