"""The page that checks a proof: it decides as the house's own checker does, word for word.

What is decided is tested in its own language under ``node --test``, and against the Python
checker on the same files; that the page shows it is seen through a browser, from a disk and
without a network.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from playwright.sync_api import sync_playwright

from tests.verifier.registry.conftest import opened
from tests.verifier.registry.populated import populate
from tests.verifier.registry.test_bundles import EDITS, pins
from tests.verifier.vectors import OWN
from verifier.core import bundle, notes
from verifier.core.canonical import canonical
from verifier.pages import STATIC
from verifier.registry import bundles

Json = dict[str, Any]
Case = tuple[str, bytes, list[str]]  # what it is, the file, the pinned keys

NODE: Final = shutil.which("node")
CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
PROOF: Final = (OWN / "proof.json").read_bytes()
KEYS: Final[list[str]] = json.loads(PROOF)["keys"]
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")

# Reads a list of cases, and writes what the page's script finds of each.
_SCRIPT: Final = """
import { readFileSync } from "node:fs";
await import("STATIC/mldsa.js");
await import("STATIC/bundle.js");
const found = [];
for (const [file, pinned] of JSON.parse(readFileSync("CASES"))) {
  const { verdict, words } = await ProofBundle.check(new Uint8Array(readFileSync(file)), pinned);
  found.push([verdict, words]);
}
console.log(JSON.stringify(found));
"""


def run_node(*arguments: str) -> str:
    assert NODE is not None
    done = subprocess.run(
        [NODE, *arguments], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def by_the_page(cases: list[Case], folder: Path) -> list[tuple[str, str]]:
    """What the page's script says of each."""
    listed = []
    for number, (_, data, pinned) in enumerate(cases):
        file = folder / f"{number}.json"
        file.write_bytes(data)
        listed.append([str(file), pinned])
    (folder / "cases").write_text(json.dumps(listed))
    script = folder / "check.mjs"
    script.write_text(
        _SCRIPT.replace("STATIC", str(STATIC)).replace("CASES", str(folder / "cases"))
    )
    return [(verdict, words) for verdict, words in json.loads(run_node(str(script)))]


def by_us(case: Case) -> tuple[str, str]:
    """What the house's own checker says."""
    report = bundle.check(case[1], [notes.read_vkey(text) for text in case[2]])
    return report.verdict, report.words


@needs_node
def test_the_script_passes_its_own_tests() -> None:
    """Verdicts, bits and spellings, under ``node --test``."""
    tests = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))
    assert tests
    run_node("--test", *map(str, tests))


def test_a_proof_that_was_kept_stays_authentic() -> None:
    """Made once, and put away: its format is understood for ever."""
    assert by_us(("kept", PROOF, KEYS[:1]))[0] == "authentic"
    assert by_us(("kept", PROOF, []))[0] == "consistent"


def edited() -> Iterator[Case]:
    """The kept proof with each of the edits that the checker must find."""
    for name, (change, _) in EDITS.items():
        if "a key that signed nothing" in name:
            continue  # its vkey is of the other tests' log
        document = copy.deepcopy(json.loads(PROOF))
        change(document)
        yield name, canonical(document), KEYS


@needs_node
def test_page_and_house_say_the_same_of_every_edit(tmp_path: Path) -> None:
    """The same verdict in the same words, whatever was changed."""
    cases = list(edited())
    assert [by_us(case)[0] for case in cases] == ["refused"] * len(cases)
    for case, found in zip(cases, by_the_page(cases, tmp_path), strict=True):
        assert found == by_us(case), case[0]


@needs_node
def test_page_and_house_say_the_same_of_changed_bits(tmp_path: Path) -> None:
    """The same verdict of a sample of bytes; the words may name another of two faults."""
    cases: list[Case] = []
    for place in range(0, len(PROOF), 101):
        changed = bytearray(PROOF)
        changed[place] ^= 1 << place % 8
        cases.append((f"byte {place}", bytes(changed), KEYS))
    for case, found in zip(cases, by_the_page(cases, tmp_path), strict=True):
        assert found[0] == by_us(case)[0] == "refused", case[0]


@needs_node
def test_page_and_house_say_the_same_of_every_history(tmp_path: Path) -> None:
    """Of everything that can happen, with the right keys, one of them, a replaced one, none."""
    store = opened(f"sqlite:///{tmp_path}/verifier.db", tmp_path)
    cases: list[Case] = []
    for found in populate(store):
        data = bundles.make(store, found.row)
        keys = [vkey.write() for vkey in pins(store)]
        named = json.loads(data)["keys"]
        cases.extend((found.row.serial, data, pinned) for pinned in (keys, named[1:], keys[:1], []))
    store.engine.dispose()
    verdicts = [found[0] for found in map(by_us, cases)]
    assert verdicts == ["authentic", "authentic", "refused", "consistent"] * 3
    for case, said in zip(cases, by_the_page(cases, tmp_path), strict=True):
        assert said == by_us(case), case[0]


@needs_node
def test_the_pages_mldsa_agrees_with_openssl(tmp_path: Path) -> None:
    """Genuine signatures of fresh keys, and the same with one bit of any part changed."""
    cases = []
    for seed in range(4):
        key = MLDSA44PrivateKey.from_seed_bytes(bytes([seed]) * 32)
        public, message = key.public_key().public_bytes_raw(), bytes(seed * 97)
        signature = key.sign(message)
        cases.append((public, signature, message, True))
        for place in (0, 40, 1000, 2336, 2419):
            changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
            cases.append((public, changed, message, False))
        cases.append((public, signature, message + b"\0", False))
        cases.append(
            (public[:40] + bytes([public[40] ^ 1]) + public[41:], signature, message, False)
        )
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([[one.hex() for one in case[:3]] for case in cases]))
    script = tmp_path / "mldsa.mjs"
    script.write_text(
        f'import {{ readFileSync }} from "node:fs"; await import("{STATIC}/mldsa.js");'
        'const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));'
        f'const cases = JSON.parse(readFileSync("{file}"));'
        "console.log(JSON.stringify(cases.map((one) => MlDsa44.verifies(...one.map(bytes)))));"
    )
    assert json.loads(run_node(str(script))) == [case[3] for case in cases]


# ── Through a browser ────────────────────────────────────────────────────────────────────


def test_the_page_works_from_a_disk(tmp_path: Path) -> None:
    """Saved with its scripts and opened as a file: all three outcomes, and nothing is fetched."""
    saved = tmp_path / "saved"
    shutil.copytree(STATIC, saved)
    good, bad = tmp_path / "proof.json", tmp_path / "bad.json"
    good.write_bytes(PROOF)
    bad.write_bytes(PROOF.replace(b"A chronograph", b"A chronometer"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto((saved / "check.html").as_uri())
        for file, key, heading in (
            (good, "", "Consistent, signer not checked"),
            (good, KEYS[0], "Authentic"),
            (bad, KEYS[0], "Refused"),
            (good, "x", "Could not be checked"),
        ):
            page.fill("#vkey", key)
            page.set_input_files("#file", file)
            page.wait_for_function(
                "text => document.getElementById('heading').textContent === text", arg=heading
            )
            assert page.locator("#record").is_visible() == (heading in ("Authentic",) or not key)
        browser.close()
    assert complaints == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
