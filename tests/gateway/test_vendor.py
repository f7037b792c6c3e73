"""What the pages use of others: exactly what is written down, with its licence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gateway import pages

VENDOR = pages.STATIC / "vendor"
ROOT = Path(__file__).parents[2]
LOCK: dict[str, Any] = json.loads((VENDOR / "vendor.lock").read_text(encoding="utf-8"))


def test_nothing_lies_in_the_folder_that_is_not_written_down() -> None:
    """Scripts, their licences and types, and the lock itself."""
    known = {"vendor.lock"}
    for name, entry in LOCK.items():
        known |= {name, entry["license-file"], name.removesuffix(".js") + ".d.ts"}
    assert {file.name for file in VENDOR.iterdir()} == known


def test_every_script_is_the_one_that_was_built() -> None:
    """One changed byte is seen."""
    for name, entry in LOCK.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], name
        changed = bytes([content[0] ^ 1]) + content[1:]
        assert hashlib.sha256(changed).hexdigest() != entry["sha256"]


def test_it_was_built_from_the_locked_packages() -> None:
    """Each package is the one that the checks install: version, licence and tarball's hash."""
    locked = json.loads((ROOT / "tests/browser/package-lock.json").read_text(encoding="utf-8"))
    for entry in LOCK.values():
        assert entry["packages"]
        for package in entry["packages"]:
            found = locked["packages"][f"node_modules/{package['name']}"]
            assert {name: found[name] for name in ("version", "license", "integrity")} == {
                name: package[name] for name in ("version", "license", "integrity")
            }


def test_the_licence_lies_beside_it_and_in_the_notice() -> None:
    """Whoever gets the script gets its terms."""
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for name, entry in LOCK.items():
        license_ = (VENDOR / entry["license-file"]).read_text(encoding="utf-8")
        copyright_ = next(line for line in license_.splitlines() if line.startswith("Copyright"))
        assert copyright_ in notice, name


def test_no_lock_names_where_its_packages_were_got() -> None:
    """A registry is the installer's business."""
    assert "://" not in (VENDOR / "vendor.lock").read_text(encoding="utf-8")
    text = (ROOT / "tests/browser/package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
