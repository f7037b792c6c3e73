"""Proof bundles: what is changed in one is found, what is genuine is told whose it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.books.store import reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW, opened
from tests.verifier.registry.populated import HOUR, populate
from verifier import bundle_command
from verifier.bundle_command import check_against
from verifier.core import bundle, merkle, notes, signing
from verifier.core.bundle import Contents, Logged
from verifier.core.canonical import canonical
from verifier.core.notes import Vkey
from verifier.registry import bundles, keys, log, rotation
from verifier.registry.objects import Object
from verifier.store import Store

Json = dict[str, Any]
SOMEBODY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def history(store: Store) -> Object:
    """An object of six events and a certificate, over two rotations of the issuer's key."""
    found = desk.register(store, NOW, "collectible")
    rotation.rotate(store, "issuer", NOW)
    found = desk.photograph(store, found, "front", NOW)
    rotation.rotate(store, "issuer", NOW)
    found = desk.photograph(store, found, "back", NOW)
    found = desk.post(store, found, "cataloged", NOW, catalogNumber="214")
    desk.sale_of(store, found, "listed", NOW, lot_number="12A")
    return desk.again(store, found)


def pins(store: Store) -> list[Vkey]:
    """The keys of the log, as somebody has written them down."""
    name = log.origin(store.public_url)
    with reading(store.engine) as connection:
        known = keys.known(connection).values()
    kinds = {"log": notes.ED25519, "log-mldsa": notes.MLDSA44_COSIGNATURE}
    return [Vkey(name, kinds[key.purpose], key.public) for key in known if key.purpose in kinds]


class Made:
    """A bundle, the keys to check it with, and another object's of the same log."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.found = history(store)
        self.older = bundles.make(store, self.found.row)
        other = desk.ready(store, NOW + HOUR)
        self.data = bundles.make(store, self.found.row)
        self.other = bundles.make(store, other.row)
        self.pins = pins(store)

    @property
    def json(self) -> Json:
        """To be edited."""
        found: Json = json.loads(self.data)
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One for all tests: none of them changes it."""
    folder = tmp_path_factory.mktemp("bundles")
    store = opened(f"sqlite:///{folder}/verifier.db", folder)
    yield Made(store)
    store.engine.dispose()


def refused(made: Made, document: Json | bytes) -> str:
    """Why it is refused: with pinned keys and without any, for the same reason."""
    data = document if isinstance(document, bytes) else canonical(document)
    reports = [bundle.check(data, made.pins), bundle.check(data, ())]
    assert [report.verdict for report in reports] == ["refused", "refused"]
    assert reports[0].words == reports[1].words
    return reports[0].words


def test_a_genuine_bundle_is_authentic_with_any_of_the_logs_keys(made: Made) -> None:
    """Ed25519, ML-DSA-44, or both; what it says is told in words."""
    for pinned in (made.pins, made.pins[:1], made.pins[1:]):
        report = bundle.check(made.data, pinned)
        assert (report.verdict, report.serial) == ("authentic", made.found.row.serial)
    assert (report.events, report.state, report.title) == (6, "listed", "A chronograph")
    assert report.day == "2026-02-18"
    assert f"{made.found.row.serial} (6 events, listed) is whole, signed and logged" in report.words


def test_without_a_pinned_key_it_is_consistent_at_best(made: Made) -> None:
    """The keys inside are hints: anybody could have made them."""
    report = bundle.check(made.data, ())
    assert report.verdict == "consistent"
    assert report.words.startswith("Consistent, signer not checked")


def test_a_bundle_of_somebody_else_is_refused_by_the_pinned_key(made: Made, tmp_path: Path) -> None:
    """The same house by name, with other keys: consistent in itself, and not ours."""
    forger = opened(f"sqlite:///{tmp_path}/verifier.db", tmp_path)
    forged = bundles.make(forger, history(forger).row)
    assert bundle.check(forged, ()).verdict == "consistent"
    assert "no pinned key signed it" in bundle.check(forged, made.pins).words
    forger.engine.dispose()


def test_everything_that_can_happen_can_be_proven(store: Store) -> None:
    """Sold, passed on, erased, alerted, under keys of four purposes that were replaced."""
    for found in populate(store):
        data = bundles.make(store, found.row)
        pinned = pins(store)
        assert bundle.check(data, pinned).verdict == "authentic"
        assert bundle.check(data, pinned[:1]).verdict == "refused"  # that key was replaced
        for private in (b"Lindqvist", b"ada@", b"cons_ada", b"own_", b"obj_", b"with box"):
            assert private not in data


def test_custody_is_told_to_the_day(store: Store) -> None:
    """No instant in the bundle is finer where custody moves, the log's own included."""
    found = populate(store).rich
    document = json.loads(bundles.make(store, found.row))
    assert document["statement"]["validFrom"].endswith("T00:00:00Z")
    for logged in document["events"]:
        subject = logged["document"]["credentialSubject"]
        if subject["eventType"] in ("sold", "transferred", "consigned"):
            instants = logged["document"]["validFrom"], logged["document"]["proof"]["created"]
            assert all(one.endswith("T00:00:00Z") for one in instants)
    for line in notes.read_note(document["checkpoint"]).signatures[1:]:
        assert int.from_bytes(line.body[:8]) % 86_400 == 0


def quick(value: Any) -> bytes:
    """RFC 8785 where there are whole numbers and plain keys only: a tenth of the time."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return written.encode()


def test_every_byte_counts(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of each byte, another one from byte to byte, is changed: never accepted."""
    pinned = made.pins
    assert quick(made.json) == made.data
    monkeypatch.setattr("verifier.core.canonical.rfc8785.dumps", quick)
    for place in range(len(made.data)):
        changed = bytearray(made.data)
        changed[place] ^= 1 << place % 8
        report = bundle.check(bytes(changed), pinned)
        assert report.verdict == "refused", (
            f"byte {place}: {bytes(changed[place - 9 : place + 9])!r}"
        )


def test_every_bit_of_a_sample_counts(made: Made) -> None:
    """All eight bits of every hundredth byte."""
    for place in range(0, len(made.data), 100):
        for bit in range(8):
            changed = bytearray(made.data)
            changed[place] ^= 1 << bit
            assert bundle.check(bytes(changed), made.pins).verdict == "refused", (place, bit)


def test_a_text_that_means_the_same_is_refused(made: Made) -> None:
    """One form only: no spaces, no other order, nothing behind it, no key twice."""
    loose = json.dumps(made.json).encode()
    twice = made.data[:-1] + b',"serial":"' + made.found.row.serial.encode() + b'"}'
    for data in (loose, made.data + b"\n", b" " + made.data, twice, b"\xef\xbb\xbf" + made.data):
        assert "not in canonical form" in refused(made, data)


# ── Edits ────────────────────────────────────────────────────────────────────────────────


def _swap(found: Json) -> None:
    events = found["events"]
    events[1], events[2] = events[2], events[1]


def _swap_documents(found: Json) -> None:
    one, other = found["events"][1], found["events"][2]
    one["document"], other["document"] = other["document"], one["document"]


def _put(*path: str | int, to: Any) -> Callable[[Json], None]:
    def edit(found: Json) -> None:
        *way, last = path
        at: Any = found
        for step in way:
            at = at[step]
        at[last] = to

    return edit


def _drop(*path: str | int) -> Callable[[Json], None]:
    def edit(found: Json) -> None:
        *way, last = path
        at: Any = found
        for step in way:
            at = at[step]
        del at[last]

    return edit


def _double(name: str, number: int) -> Callable[[Json], None]:
    return lambda found: found[name].insert(number, copy.deepcopy(found[name][number]))


EDITS: Final[dict[str, tuple[Callable[[Json], None], str]]] = {
    "two events change places": (_swap, "event 2: it was logged before"),
    "two documents change places": (_swap_documents, "event 1: it is not in the signed tree"),
    "the order is turned round": (lambda f: f["events"].reverse(), "it was logged before"),
    "the last event is dropped": (_drop("events", -1), "the history had 6 events"),
    "an event in the middle is dropped": (_drop("events", 3), "the history had 6 events"),
    "the first event is dropped": (_drop("events", 0), "the history had 6 events"),
    "every event is dropped": (_put("events", to=[]), "there is no event"),
    "an event is doubled": (_double("events", 2), "event 3: it was logged before"),
    "a proof is dropped": (_put("events", 2, "proof", to=[]), "event 2: it is not in the signed"),
    "a hash of a proof is dropped": (_drop("events", 2, "proof", 0), "event 2: it is not in"),
    "the field of a proof is dropped": (_drop("events", 2, "proof"), "event 2: a document, its"),
    "an index is another": (_put("events", 0, "index", to=5), "event 0: it is not in the signed"),
    "the certificate is dropped": (_put("certificate", to=None), "names one, and there is none"),
    "a word about keys is dropped": (_drop("keyEvents", 4), "there were 6 entries about keys"),
    "a word about keys is doubled": (_double("keyEvents", 1), "key event 2: it was logged before"),
    "a field too many": (_put("comment", to="genuine"), "other fields"),
    "a field too many in an entry": (_put("events", 0, "note", to=""), "event 0: a document, its"),
    "a field too many in a document": (
        _put("events", 0, "document", "note", to=""),
        "event 0: the document has other fields",
    ),
    "another serial": (_put("serial", to="AUC260218FKC5SKSEZ"), "its id is another's"),
    "another format": (_put("format", to="fairwarning-proof/v2"), "another format"),
    "a key that signed nothing": (
        lambda f: f["keys"].append(
            Vkey("id.example/log", notes.ED25519, SOMEBODY.public_key().public_bytes_raw()).write()
        ),
        "other keys than are named",
    ),
    "a key is dropped": (_drop("keys", 1), "other keys than are named"),
    "a title is another": (
        _put("events", 0, "document", "credentialSubject", "details", "title", to="A better one"),
        "event 0: it is not in the signed tree",
    ),
    "an index is a truth": (_put("events", 0, "index", to=True), "event 0: its index"),
    "a hash in capitals": (
        lambda f: f["events"][0]["proof"].__setitem__(0, f["events"][0]["proof"][0].upper()),
        "is no hash",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_are_found_and_named(made: Made, edit: str) -> None:
    """Each in canonical form again, so that only the edit itself can be what is found."""
    change, named = EDITS[edit]
    document = made.json
    change(document)
    assert named in refused(made, document)


@pytest.mark.parametrize("part", ["events", "certificate", "statement", "keyEvents"])
def test_parts_of_another_object_are_found(made: Made, part: str) -> None:
    """Genuine parts, of the same log and the same tree, but another object's."""
    document, other = made.json, json.loads(made.other)
    document[part] = other[part]
    if part == "keyEvents":  # the same for every object: nothing has changed
        assert bundle.check(canonical(document), made.pins).verdict == "authentic"
    else:
        assert refused(made, document)


@pytest.mark.parametrize("parts", [["checkpoint"], ["checkpoint", "statement"]])
def test_an_older_checkpoint_of_the_same_log_is_found(made: Made, parts: list[str]) -> None:
    """Alone the statement is about another tree; with its statement the proofs lead elsewhere."""
    document, older = made.json, json.loads(made.older)
    for part in parts:
        document[part] = older[part]
    named = "the statement: its id" if len(parts) == 1 else "it is not in the signed tree"
    assert named in refused(made, document)


def test_an_older_bundle_is_genuine_and_says_of_when_it_is(made: Made) -> None:
    """It is not wrong, but old."""
    report = bundle.check(made.older, made.pins)
    assert (report.verdict, report.size) == ("authentic", 13)


def test_a_statement_by_another_key_is_found(made: Made) -> None:
    """Whoever drops the last event would have to sign anew how long the history was."""
    document = made.json
    document["events"].pop()
    statement = document["statement"]
    del statement["proof"]
    statement["credentialSubject"]["events"] = 5
    document["statement"] = signing.sign(statement, SOMEBODY, statement["validFrom"])
    assert "the statement: the proof names another key" in refused(made, document)


def test_what_was_signed_after_a_compromise_is_refused(store: Store) -> None:
    """The events stay in the log; the declaration takes them back."""
    found = history(store)
    with reading(store.engine) as connection:
        issuer = keys.current(connection, store.vault, "issuer").kid
    rotation.declare_compromised(store, issuer, log_size(store) - 1, NOW)
    report = bundle.check(bundles.make(store, found.row), pins(store))
    assert "event 5: it was signed after its key was compromised" in report.words


def test_a_signature_of_the_checkpoint_cannot_be_left_out(made: Made) -> None:
    """Neither kind, with its key: on the day on which one of them falls the other must hold."""
    for place, name in ((0, "one Ed25519 key"), (1, "ML-DSA-44 key of that time")):
        edited = made.json
        text, _, lines = edited["checkpoint"].rpartition("\n\n")
        kept = [line for number, line in enumerate(lines.splitlines()) if number != place]
        edited["checkpoint"] = text + "\n\n" + "\n".join(kept) + "\n"
        del edited["keys"][place]
        assert name in refused(made, edited)


def test_a_compromise_is_not_taken_back(store: Store) -> None:
    """Declared again without a size, or with a larger one, it reaches as far as before; and
    every declaration is in the proof."""
    found = history(store)
    with reading(store.engine) as connection:
        issuer = keys.current(connection, store.vault, "issuer").kid
    rotation.declare_compromised(store, issuer, log_size(store) - 1, NOW)
    for since in (None, log_size(store)):
        rotation.declare_compromised(store, issuer, since, NOW + HOUR)
    assert not desk.check(store, found).intact
    report = bundle.check(bundles.make(store, found.row), pins(store))
    assert "event 5: it was signed after its key was compromised" in report.words


def test_an_event_by_a_replaced_key_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody kept the old issuer's key, and got an event into the log with it."""
    found = history(store)
    with reading(store.engine) as connection:
        old = keys.current(connection, store.vault, "issuer")
    rotation.rotate(store, "issuer", NOW)
    real = keys.current
    monkeypatch.setattr(
        keys, "current", lambda c, v, purpose: old if purpose == "issuer" else real(c, v, purpose)
    )
    desk.post(store, found, "condition_reported", NOW)
    report = bundle.check(bundles.make(store, found.row), pins(store))
    assert "event 6: its key was not in use then" in report.words


@pytest.mark.parametrize("way", ["replaced", "compromised"])
def test_a_tree_that_an_old_key_signed_is_refused(store: Store, way: str) -> None:
    """Though it is the genuine tree, and the old key is pinned: whoever has kept the key could
    sign any tree, and this one says itself that the key is no good."""
    found = history(store)
    with reading(store.engine) as connection:
        old = keys.current(connection, store.vault, "log")
    if way == "replaced":
        rotation.rotate(store, "log", NOW)
    else:
        rotation.declare_compromised(store, old.kid, 3, NOW)
    genuine = json.loads(bundles.make(store, found.row))
    note = notes.read_note(genuine["checkpoint"])
    signer = notes.Ed25519Signer(log.origin(store.public_url), old.ed25519)

    def logged(entry: Json) -> Logged:
        proof = [bytes.fromhex(one) for one in entry["proof"]]
        return Logged(entry["document"], entry["index"], proof)

    contents = Contents(
        serial=found.row.serial,
        mode=found.row.mode,
        issuer=store.public_url,
        checkpoint=notes.sign_note(note.text, [signer]),
        vkeys=[signer.vkey],
        key_events=[logged(one) for one in genuine["keyEvents"]],
        certificate=logged(genuine["certificate"]),
        events=[logged(one) for one in genuine["events"]],
    )
    report = bundle.check(bundle.make(contents, old.ed25519, NOW), [signer.vkey])
    assert "the key that signed it was not in use then" in report.words


def log_size(store: Store) -> int:
    """How many entries there are."""
    with reading(store.engine) as connection:
        return log.size(connection)


# ── Forks, and the command ───────────────────────────────────────────────────────────────


def forked(store: Store, folder: Path) -> Store:
    """A copy of the books, with the same keys, that goes its own way from here on."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("VACUUM INTO ?", (str(folder / "fork.db"),))
        connection.exec_driver_sql("BEGIN")
    return opened(f"sqlite:///{folder}/fork.db", store.photos.parent)


def test_a_fork_of_the_log_is_found(store: Store, tmp_path: Path) -> None:
    """Both trees are signed by the same keys: only their comparison tells them apart, by the
    root at one size, and by a proof of consistency that there is none of."""
    found = history(store)
    folder = tmp_path / "fork"
    folder.mkdir()
    other = forked(store, folder)
    desk.post(other, found, "condition_reported", NOW + HOUR)
    data = bundles.make(other, found.row)
    for _ in range(3):
        desk.post(store, found, "condition_reported", NOW + HOUR)
    origin, pinned = log.origin(store.public_url), pins(store)
    assert bundle.check(data, pinned).verdict == "authentic"
    assert "of a fork of this log" in check_against(data, store.engine, origin).words
    assert check_against(data, other.engine, origin).verdict == "authentic"
    ours = bundle.check(bundles.make(store, found.row), pinned)
    theirs = bundle.check(data, pinned)
    with reading(store.engine) as connection:
        proof = log.consistency(connection, theirs.size, ours.size)
    with pytest.raises(merkle.BadProof):
        merkle.verify_consistency(theirs.size, ours.size, proof, theirs.root, ours.root)
    longer = bundles.make(store, found.row)
    assert "the log has fewer" in check_against(longer, other.engine, origin).words
    other.engine.dispose()


def run(argv: list[str], environ: dict[str, str]) -> int:
    return bundle_command.main(argv, environ)


def test_the_command_says_what_it_found(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 authentic, 1 refused, 3 with no key to check by, 2 for a mistake; one line each."""
    nowhere = {"DATA_DIR": str(tmp_path / "nowhere")}
    file = tmp_path / "proof.json"
    file.write_bytes(made.data)
    vkey = made.pins[0].write()
    assert run([str(file), "--vkey", vkey], nowhere) == 0
    assert capsys.readouterr().out.startswith("Authentic: ")
    assert run([str(file)], nowhere) == 3
    assert capsys.readouterr().out.startswith("Consistent, signer not checked: ")
    file.write_bytes(made.data.replace(b"12A", b"12B"))
    assert run([str(file), "--vkey", vkey], nowhere) == 1
    assert capsys.readouterr().out.startswith("Refused: the statement: ")
    assert not (tmp_path / "nowhere").exists()
    for argv in ([], [str(file), "--vkey", "x"], [str(tmp_path / "none")], [str(file), "more"]):
        assert run(argv, nowhere) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_in_an_installation_its_own_keys_are_pinned(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that were replaced as well; another house's bundle is refused."""
    environ = {
        "DATA_DIR": str(made.store.photos.parent),
        "PUBLIC_URL": made.store.public_url,
        "DATABASE_URL": f"sqlite:///{made.store.photos.parent}/fairwarning.db",
    }
    file = tmp_path / "proof.json"
    for data in (made.data, made.older):
        file.write_bytes(data)
        assert run([str(file)], environ) == 0
    forger = opened(f"sqlite:///{tmp_path}/verifier.db", tmp_path)
    file.write_bytes(bundles.make(forger, history(forger).row))
    forger.engine.dispose()
    assert run([str(file)], environ) == 1
    assert "no pinned key signed it" in capsys.readouterr().out
