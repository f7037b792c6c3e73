"""Notes, checkpoints and vkeys: published vectors, every bit changed, and the rules of C2SP."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verifier.vectors import flips, needs_shared, own, shared
from verifier.core import notes
from verifier.core.merkle import EMPTY_ROOT
from verifier.core.notes import (
    ED25519,
    ED25519_COSIGNATURE,
    HAS_MLDSA,
    MAX_SIGNATURES,
    MAX_SIZE,
    MLDSA44_COSIGNATURE,
    BadNote,
    Checkpoint,
    Ed25519Signer,
    MlDsa44Signer,
    NoteSigner,
    Vkey,
    checkpoint,
    read_checkpoint,
    read_note,
    read_vkey,
    sign_note,
    verify_note,
)

OURS = own("notes.json")
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(OURS["seed"]))
NAME = "house.example/log"
TEXT = read_note(OURS["note"]).text
SIGNER = Ed25519Signer(NAME, KEY)
OTHER = Ed25519Signer("other.example", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
VKEYS = [read_vkey(vkey) for vkey in OURS["vkeys"]]
needs_mldsa = pytest.mark.skipif(not HAS_MLDSA, reason="this cryptography has no ML-DSA")


def refused(note: str, vkeys: list[Vkey]) -> str:
    """Why the note is not believed; fails where it is."""
    with pytest.raises(BadNote) as found:
        verify_note(note, vkeys)
    return str(found.value)


def mldsa_signer(seconds: int = OURS["seconds"]) -> MlDsa44Signer:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    key = MLDSA44PrivateKey.from_seed_bytes(bytes.fromhex(OURS["mldsa_seed"]))
    return MlDsa44Signer(NAME, key, seconds * 1000 + 999)


def line(vkey: Vkey, body: bytes) -> str:
    return f"— {vkey.name} {base64.b64encode(vkey.key_id + body).decode()}\n"


def check_every_bit_of_signatures(note: str, vkeys: list[Vkey]) -> None:
    """No bit of a known key's signature can be changed, and none of its id without losing it."""
    whole = verify_note(note, vkeys)
    text, signatures = read_note(note)
    for place, signature in enumerate(signatures):
        signer = next((v for v in vkeys if v.key_id == signature.key_id), None)
        if signer is None:
            continue
        lines = [f"— {s.name} {base64.b64encode(s.key_id + s.body).decode()}\n" for s in signatures]
        for changed in flips(signature.body):
            lines[place] = line(signer, changed)
            assert "bad" in refused(text + "\n" + "".join(lines), vkeys)
        for changed in flips(signature.key_id):
            raw = base64.b64encode(changed + signature.body).decode()
            lines[place] = f"— {signer.name} {raw}\n"
            unknown = text + "\n" + "".join(lines)
            if len(whole) == 1:
                assert "no known key" in refused(unknown, vkeys)
            else:
                assert verify_note(unknown, vkeys) == [v for v in whole if v != signer]
    # No bit of the note itself: at most a line becomes somebody else's.
    for changed in flips(note.encode()):
        try:
            found = verify_note(changed.decode(), vkeys)
        except (BadNote, UnicodeDecodeError):
            continue
        assert read_note(changed.decode()).text == text
        assert len(found) < len(whole) or len(signatures) > len(whole)


# ── Published vectors ────────────────────────────────────────────────────────────────────


@needs_shared
def test_the_published_notes() -> None:
    """C2SP's and Go's notes are judged as published, and no bit of the good ones gives."""
    vectors = shared("signed_notes.json")
    assert vectors.keys() == {
        "provenance",
        "cases",
        "bad_vkeys",
        "checkpoint_format",
        "cosignature_example",
    }
    for case in vectors["cases"]:
        vkeys = [read_vkey(vkey) for vkey in case["vkeys"]]
        assert [vkey.write() for vkey in vkeys] == case["vkeys"]
        if case["verified"] is None:
            refused(case["note"], vkeys)
            continue
        assert [vkey.name for vkey in verify_note(case["note"], vkeys)] == case["verified"]
        check_every_bit_of_signatures(case["note"], vkeys)
        if "skey" in case:
            check_secret_key(case)
    assert len(vectors["cases"]) == 10


def check_secret_key(case: dict[str, Any]) -> None:
    """Go's secret key writes the very note."""
    _private, _key, name, _id, data = case["skey"].split("+", 4)
    seed = base64.b64decode(data)[1:]
    signer = Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(seed))
    assert signer.vkey.write() == case["vkeys"][0]
    assert sign_note(read_note(case["note"]).text, [signer]) == case["note"]


@needs_shared
def test_the_published_bad_vkeys() -> None:
    """A wrong length, an unknown kind and a wrong id are refused."""
    vectors = shared("signed_notes.json")
    assert len(vectors["bad_vkeys"]) == 3
    for vkey in vectors["bad_vkeys"]:
        with pytest.raises(BadNote):
            read_vkey(vkey)


@needs_shared
def test_the_published_checkpoints() -> None:
    """Good texts are read and written back, bad ones refused."""
    vectors = shared("signed_notes.json")["checkpoint_format"]
    assert vectors.keys() == {"good", "bad"}
    for text in vectors["good"]:
        assert checkpoint(*read_checkpoint(text)) == text
    for text in vectors["bad"]:
        with pytest.raises(BadNote):
            read_checkpoint(text)


@needs_shared
def test_the_published_cosignature_s_layout() -> None:
    """C2SP's example holds its time before 64 bytes of signature; its key is not published."""
    vectors = shared("signed_notes.json")
    example = vectors["cosignature_example"]
    note = vectors["checkpoint_format"]["good"][0] + "\n" + example["line"] + "\n"
    (signature,) = read_note(note).signatures
    assert signature.name == "witness.example.com/w1"
    assert struct.unpack(">Q", signature.body[:8]) == (example["timestamp"],)
    assert len(signature.body) == 8 + 64
    assert "no known key" in refused(note, VKEYS)


# ── Our own ──────────────────────────────────────────────────────────────────────────────


def test_our_own_note() -> None:
    """The note that was once signed with both keys is good, and no bit of the first line gives."""
    assert [vkey.write() for vkey in VKEYS] == OURS["vkeys"]
    assert [vkey.kind for vkey in VKEYS] == [ED25519, MLDSA44_COSIGNATURE]
    assert verify_note(OURS["note"], VKEYS) == (VKEYS if HAS_MLDSA else VKEYS[:1])
    assert verify_note(OURS["note"], VKEYS[:1]) == VKEYS[:1]
    assert read_checkpoint(TEXT).origin == NAME
    ed25519_line = sign_note(TEXT, [SIGNER])
    assert OURS["note"].startswith(ed25519_line)  # Ed25519 signs the same way each time
    check_every_bit_of_signatures(ed25519_line, VKEYS)


@needs_mldsa
def test_what_mldsa_signs() -> None:
    """The message is C2SP's struct as put together by hand, with an empty context."""
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    for note in (OURS["note"], sign_note(TEXT, [SIGNER, mldsa_signer()])):
        body = read_note(note).signatures[1].body
        assert struct.unpack(">Q", body[:8]) == (OURS["seconds"],)
        assert len(body) == 8 + 2420
        public = MLDSA44PublicKey.from_public_bytes(VKEYS[1].public)
        message = bytes.fromhex(OURS["mldsa_message"])
        public.verify(body[8:], message)
        with pytest.raises(InvalidSignature):
            public.verify(body[8:], message, b"context")
        assert verify_note(note, VKEYS[1:]) == VKEYS[1:]


@needs_mldsa
def test_every_bit_of_a_cosignature() -> None:
    """No bit of the time or of ML-DSA's 2420 bytes can be changed, and none of what it covers."""
    body = read_note(OURS["note"]).signatures[1].body
    for changed in flips(body):
        assert "bad" in refused(f"{TEXT}\n{line(VKEYS[1], changed)}", VKEYS)
    for short in (b"", body[:7], body[:8], body[:-1], body + b"\x00"):
        refused(f"{TEXT}\n{line(VKEYS[1], short)}", VKEYS)
    origin, size, root = read_checkpoint(TEXT)
    good = line(VKEYS[1], body)
    for text in (
        checkpoint(origin + "s", size, root),
        checkpoint(origin, size + 1, root),
        *(checkpoint(origin, size, changed) for changed in flips(root)),
        f"{TEXT}extension\n",
        "no checkpoint\n",
    ):
        refused(f"{text}\n{good}", VKEYS[1:])
    renamed = Vkey("house.example/logs", MLDSA44_COSIGNATURE, VKEYS[1].public)
    assert "bad" in refused(f"{TEXT}\n{line(renamed, body)}", [renamed])


@needs_mldsa
def test_mldsa_signs_checkpoints_only() -> None:
    """A text that is no checkpoint is refused, and so is a name that does not fit."""
    with pytest.raises(BadNote, match="three lines"):
        sign_note("hello\n", [mldsa_signer()])
    long = checkpoint("o" * 256, 1, bytes(32))
    with pytest.raises(BadNote, match="255"):
        sign_note(long, [mldsa_signer()])


def test_without_mldsa_its_keys_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ML-DSA cannot be checked the note rests on the other keys, and says so."""
    monkeypatch.setattr(notes, "HAS_MLDSA", False)
    assert verify_note(OURS["note"], VKEYS) == VKEYS[:1]
    assert "no known key" in refused(OURS["note"], VKEYS[1:])


def test_a_witness() -> None:
    """An Ed25519 cosignature covers its time and the text, behind a line that keeps it apart."""
    vkey = Vkey("w.example", ED25519_COSIGNATURE, KEY.public_key().public_bytes_raw())
    assert read_vkey(vkey.write()) == vkey
    message = f"cosignature/v1\ntime 1679315147\n{TEXT}"
    body = struct.pack(">Q", 1679315147) + KEY.sign(message.encode())
    good = line(vkey, body)
    note = sign_note(TEXT, [SIGNER]) + good
    assert verify_note(note, [VKEYS[0], vkey]) == [VKEYS[0], vkey]
    check_every_bit_of_signatures(f"{TEXT}\n{good}", [vkey])
    # A log's own signature is no cosignature, nor the other way round.
    assert "bad" in refused(f"{TEXT}\n{line(vkey, KEY.sign(TEXT.encode()))}", [vkey])
    assert "bad" in refused(f"{TEXT}\n{line(VKEYS[0], body)}", VKEYS)
    for short in (b"1", body[:7], body[:8]):
        assert "bad" in refused(f"{TEXT}\n{line(vkey, short)}", [vkey])
    late = struct.pack(">Q", 2**63)
    late += KEY.sign(f"cosignature/v1\ntime {2**63}\n{TEXT}".encode())
    assert "bad" in refused(f"{TEXT}\n{line(vkey, late)}", [vkey])


# ── The rules ────────────────────────────────────────────────────────────────────────────


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    """Another key's good signature does not make up for it, in either order."""
    good, bad = line(OTHER.vkey, OTHER.sign(TEXT)), line(SIGNER.vkey, SIGNER.sign(TEXT + "x"))
    vkeys = [SIGNER.vkey, OTHER.vkey]
    assert verify_note(f"{TEXT}\n{good}", vkeys) == [OTHER.vkey]
    for lines in (good + bad, bad + good):
        assert "bad" in refused(f"{TEXT}\n{lines}", vkeys)
        assert verify_note(f"{TEXT}\n{lines}", [OTHER.vkey]) == [OTHER.vkey]  # then unknown


def test_unknown_signatures_are_ignored() -> None:
    """Other names, other ids of our name, and other kinds are passed over, but do not suffice."""
    strangers = (
        f"— {NAME} {base64.b64encode(b'abcd' + bytes(64)).decode()}\n"
        f"— x.example {base64.b64encode(SIGNER.vkey.key_id + bytes(64)).decode()}\n"
        f"— y.example {base64.b64encode(b'abcd?').decode()}\n"
    )
    good = line(SIGNER.vkey, SIGNER.sign(TEXT))
    assert verify_note(f"{TEXT}\n{strangers}{good}", VKEYS) == VKEYS[:1]
    assert "no known key" in refused(f"{TEXT}\n{strangers}", VKEYS)
    assert "no known key" in refused(f"{TEXT}\n{good}", [])


def test_a_key_counts_once() -> None:
    """Two lines of one key are one signer; the second is looked at all the same."""
    good, bad = line(SIGNER.vkey, SIGNER.sign(TEXT)), line(SIGNER.vkey, bytes(64))
    assert verify_note(f"{TEXT}\n{good}{good}", VKEYS) == VKEYS[:1]
    assert verify_note(f"{TEXT}\n{good}", [VKEYS[0], VKEYS[0]]) == VKEYS[:1]
    assert "bad" in refused(f"{TEXT}\n{good}{bad}", VKEYS)


def test_two_keys_with_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known keys that could be taken for each other are refused before anything is checked."""
    monkeypatch.setattr(Vkey, "key_id", b"same")
    namesake = Vkey(NAME, ED25519, OTHER.vkey.public)
    assert "share the id" in refused(sign_note(TEXT, [SIGNER]), [SIGNER.vkey, namesake])


def test_a_text_may_have_empty_lines() -> None:
    """The last empty line ends the text."""
    for text in ("a\n\nb\n", "\n", "a\n\n", "\n\n\n", "— x\n", f"{TEXT}\n{TEXT}"):
        note = sign_note(text, [SIGNER])
        assert read_note(note).text == text
        assert verify_note(note, VKEYS) == VKEYS[:1]


@pytest.mark.parametrize("text", ["", "no newline", "a\r\n", "tab\t\n", "\x00\n", "\ud800\n"])
def test_a_text_that_no_note_may_have(text: str) -> None:
    """It is refused before it goes out."""
    with pytest.raises(BadNote):
        sign_note(text, [SIGNER])


def test_a_note_without_signers_is_none() -> None:
    """At least one line of signature is needed."""
    with pytest.raises(BadNote):
        sign_note(TEXT, [])


def test_malformed_notes() -> None:
    """One wrong byte in the form, and the note is refused whoever signed it."""
    good = sign_note(TEXT, [SIGNER])
    head, last = good.split("\n\n")
    raw = last.split(" ")[2].rstrip("\n")
    data = base64.b64decode(raw)
    for note in (
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        last,
        good[:-1],
        good + "\n",
        good + "x\n",
        good + "\n" + TEXT,
        good.replace("\n\n", "\n"),
        good.replace("— ", "- "),
        good.replace("— ", "—"),
        good.replace("— ", "—  "),
        good.replace("— ", " — "),
        good.replace("\n", "\r\n"),
        good[:5] + "\x01" + good[5:],
        good[:5] + "\ud800" + good[5:],
        f"{head}\n\n— {NAME}{raw}\n",
        f"{head}\n\n— {NAME} \n",
        f"{head}\n\n— {NAME}\n",
        f"{head}\n\n—  {raw}\n",
        f"{head}\n\n— house.example+log {raw}\n",
        f"{head}\n\n— house.example\u00a0log {raw}\n",
        f"{head}\n\n— {NAME} {raw} \n",
        f"{head}\n\n— {NAME} {raw} x\n",
        f"{head}\n\n— {NAME} {raw}=\n",
        f"{head}\n\n— {NAME} {raw[:-1]}\n",
        f"{head}\n\n— {NAME} {base64.b64encode(data[:4]).decode()}\n",
        f"{head}\n\n— {NAME} {base64.urlsafe_b64encode(data + b'?>?').decode()}\n",
        good + "— é é\n",
    ):
        refused(note, VKEYS)


def test_base64_has_one_spelling() -> None:
    """Spare bits of the last letter are zero, in a signature as in a root and a vkey."""
    note = sign_note(TEXT, [SIGNER])
    raw = note.rsplit(" ", 1)[1].rstrip("\n")
    assert raw.endswith("=")
    assert not raw.endswith("==")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spare = letters[letters.index(raw[-2]) ^ 1]
    twisted = f"{raw[:-2]}{spare}="
    assert base64.b64decode(twisted) == base64.b64decode(raw)
    assert "spelling" in refused(note.replace(raw, twisted), VKEYS)


def test_signatures_have_an_end() -> None:
    """Sixteen must be read, and ``MAX_SIGNATURES`` are; one more is refused."""
    signers: list[NoteSigner] = [SIGNER] * MAX_SIGNATURES
    assert MAX_SIGNATURES >= 16
    verify_note(sign_note(TEXT, signers), VKEYS)
    with pytest.raises(BadNote, match="at most"):
        sign_note(TEXT, [*signers, SIGNER])


# ── Checkpoints and vkeys ────────────────────────────────────────────────────────────────


def test_a_checkpoint_and_back() -> None:
    """Origin, size and root, the empty log's too, are written and read."""
    for size in (0, 1, 9, 10, 20852163, MAX_SIZE):
        text = checkpoint(NAME, size, EMPTY_ROOT)
        assert text.split("\n")[1] == str(size)
        assert read_checkpoint(text) == Checkpoint(NAME, size, EMPTY_ROOT)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda origin, size, root: f"\n{size}\n{root}\n",
        lambda origin, size, root: f"{origin}\n{size}\n{root}",
        lambda origin, size, root: f"{origin}\n{size}\n{root}\n\n",
        lambda origin, size, root: f"{origin}\n{size}\n{root}\nextension\n",
        lambda origin, size, root: f"{origin}\n{size}\n",
        lambda origin, size, root: f"\n{origin}\n{size}\n{root}\n",
        lambda origin, size, root: f"{origin}+\n{size}\n{root}\n",
        lambda origin, size, root: f"{origin} \n{size}\n{root}\n",
        lambda origin, size, root: f"{origin}\x00\n{size}\n{root}\n",
        lambda origin, size, root: f"{origin}\ud800\n{size}\n{root}\n",
        lambda origin, size, root: f"{origin}\n0{size}\n{root}\n",
        lambda origin, size, root: f"{origin}\n00\n{root}\n",
        lambda origin, size, root: f"{origin}\n\n{root}\n",
        lambda origin, size, root: f"{origin}\n-1\n{root}\n",
        lambda origin, size, root: f"{origin}\n+1\n{root}\n",
        lambda origin, size, root: f"{origin}\n1_0\n{root}\n",
        lambda origin, size, root: f"{origin}\n{size}.0\n{root}\n",
        lambda origin, size, root: f"{origin}\n {size}\n{root}\n",
        lambda origin, size, root: f"{origin}\n١\n{root}\n",
        lambda origin, size, root: f"{origin}\n{2**63}\n{root}\n",
        lambda origin, size, root: f"{origin}\n{'9' * 5000}\n{root}\n",
        lambda origin, size, root: f"{origin}\n{size}\n{root[:-1]}\n",
        lambda origin, size, root: f"{origin}\n{size}\n{root} \n",
        lambda origin, size, root: f"{origin}\n{size}\n{root[:-2]}V=\n",  # a spare bit
        lambda origin, size, root: f"{origin}\n{size}\n{root[4:]}\n",
        lambda origin, size, root: f"{origin}\n{size}\nAAAA{root}\n",
        lambda origin, size, root: f"{origin}\n{size}\n\n",
        lambda origin, size, root: f"{origin}\r\n{size}\r\n{root}\r\n",
    ],
)
def test_no_checkpoint(spoil: Any) -> None:
    """A text with one thing wrong claims nothing."""
    root = base64.b64encode(EMPTY_ROOT).decode()
    assert root.endswith("U=")
    with pytest.raises(BadNote):
        read_checkpoint(spoil(NAME, 12, root))


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, EMPTY_ROOT), ("a b", 1, EMPTY_ROOT), (NAME, -1, EMPTY_ROOT), (NAME, 1, b"short")],
)
def test_a_checkpoint_that_is_not_written(origin: str, size: int, root: bytes) -> None:
    """What could not be read is not written either."""
    with pytest.raises(BadNote):
        checkpoint(origin, size, root)


def test_no_bit_of_a_vkey_can_be_changed() -> None:
    """The id ties name, kind and key together."""
    for changed in flips(VKEYS[0].write().encode()):
        with pytest.raises((BadNote, UnicodeDecodeError)):
            read_vkey(changed.decode())


def test_no_vkey() -> None:
    """Another spelling, kind, length or name, and a key that proves nothing, are refused."""
    good = VKEYS[0].write()
    name, key_id, data = good.split("+", 2)
    raw = VKEYS[0].public
    texts = [
        "",
        "+",
        "++",
        name,
        f"{name}+{key_id}",
        f"{name}+{key_id}+",
        f"+{key_id}+{data}",
        OTHER.vkey.write().replace(OTHER.vkey.key_id.hex(), OTHER.vkey.key_id.hex().upper()),
        f"{name}+0{key_id}+{data}",
        f"{name}+{key_id}+{data}=",
        f" {good}",
        f"{good}\n",
        Vkey("a b", ED25519, raw).write(),
        Vkey(NAME, 0x02, raw).write(),
        Vkey(NAME, 0x00, raw).write(),
        Vkey(NAME, 0xFF, raw).write(),
        Vkey(NAME, ED25519, raw[:31]).write(),
        Vkey(NAME, ED25519, raw + b"\x00").write(),
        Vkey(NAME, MLDSA44_COSIGNATURE, raw).write(),
        Vkey(NAME, ED25519, VKEYS[1].public).write(),
        Vkey(NAME, ED25519, (1).to_bytes(32, "little")).write(),
        Vkey(NAME, ED25519_COSIGNATURE, bytes(32)).write(),
    ]
    assert OTHER.vkey.key_id.hex() != OTHER.vkey.key_id.hex().upper()
    for text in texts:
        with pytest.raises(BadNote):
            read_vkey(text)


def test_a_weak_key_that_was_not_read_signs_nothing() -> None:
    """Also where a vkey was made by hand, one signature does not fit every note."""
    weak = Vkey(NAME, ED25519, (1).to_bytes(32, "little"))
    forged = (1).to_bytes(32, "little") + bytes(32)
    assert "bad" in refused(f"{TEXT}\n{line(weak, forged)}", [weak])


def test_a_signer_needs_a_name() -> None:
    """A name with a space or plus could not be read back."""
    for name in ("", "a b", "a+b", "a\n"):
        with pytest.raises(BadNote):
            Ed25519Signer(name, KEY)
