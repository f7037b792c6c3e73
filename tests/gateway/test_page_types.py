"""The pages' scripts, checked by the types of the frames that they hear and send.

``tsc`` reads their JSDoc; nothing is compiled, and nothing of it is served.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

CHECKS = Path(__file__).parents[1] / "browser"
SETTINGS = CHECKS / "tsconfig.json"
WIRE = Path(__file__).parents[2] / "gateway/static/wire.d.ts"
TSC = CHECKS / "node_modules/.bin/tsc"


def _checked(settings: Path) -> str:
    """What the checker complains of; empty where all is well."""
    assert TSC.exists(), "typescript is not installed: npm ci --prefix tests/browser"
    done = subprocess.run(
        [str(TSC), "--project", str(settings), "--pretty", "false"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def test_the_scripts_keep_their_types() -> None:
    """Strictly, all of them that the settings name; the rostrum's own may leave a parameter to
    be whatever it is."""
    assert _checked(SETTINGS) == ""
    assert _checked(CHECKS / "tsconfig.console.json") == ""


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("frame.askingBid", ""),
        ("frame.askingbid", "TS2551"),
        ("frame.askingBid + 1", "TS18047"),  # it may be null
        ("frame.merged.toFixed()", "TS18048"),  # it may be absent
        ("frame.why === 'whim'", "TS2367"),
    ],
)
def test_a_wrong_field_is_caught(tmp_path: Path, said: str, complaint: str) -> None:
    """The checker itself: of a price, what is there is found, and what is not is said."""
    script = tmp_path / "one.js"
    script.write_text(
        f'/** @param {{import("{WIRE}").Price}} frame */\nexport const x = (frame) => {said};\n'
    )
    settings = {"extends": str(SETTINGS), "files": [str(script)], "include": [], "exclude": []}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    complaints = _checked(tmp_path / "tsconfig.json")
    assert complaint in complaints
    assert bool(complaints) == bool(complaint)
