"""Signed documents, keys and links: published vectors, every bit changed, every rule broken."""

from __future__ import annotations

import base64
import hashlib
import string
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.vectors import flips, needs_shared, own, shared
from verifier.core.canonical import NotCanonical, canonical, digest, read_canonical
from verifier.core.signing import (
    BadKey,
    BadSignature,
    base58,
    did_key,
    jwk,
    multikey,
    read_base58,
    read_jwk,
    read_multikey,
    read_public,
    sign,
    sign_link,
    signed_with,
    thumbprint,
    verification_method,
    verifies,
    verify,
    verify_link,
)

SIGNED = own("signed.json")
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SIGNED["seed"]))
PUBLIC = KEY.public_key()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CREATED = "2026-11-27T10:00:00Z"
LINK = SIGNED["link"]


def refused(document: dict[str, Any], key: Ed25519PublicKey = PUBLIC) -> str:
    """Why the document is not believed; fails where it is."""
    with pytest.raises(BadSignature) as found:
        verify(document, key)
    return str(found.value)


def fresh() -> dict[str, Any]:
    """A good signed document, to be spoilt."""
    document: dict[str, Any] = deepcopy(SIGNED["signed"])
    return document


# ── Ed25519 itself ───────────────────────────────────────────────────────────────────────


def check_ed25519(seed: bytes, public: bytes, message: bytes, signature: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert key.public_key().public_bytes_raw() == public
    assert key.sign(message) == signature
    check_every_bit(read_public(public), message, signature)


def check_every_bit(key: Ed25519PublicKey, message: bytes, signature: bytes) -> None:
    assert verifies(key, signature, message)
    for changed in flips(signature):
        assert not verifies(key, changed, message)
    if len(message) <= 16:  # a longer one is hashed like a short one
        for changed in flips(message):
            assert not verifies(key, signature, changed)
    for changed in (message + b"\x00", message[:-1] if message else b"x"):
        assert not verifies(key, signature, changed)


@pytest.mark.parametrize("case", own("ed25519.json")["signatures"], ids=lambda c: c["message"])
def test_the_signatures_of_rfc_8032(case: dict[str, str]) -> None:
    """The RFC's keys sign its messages as it says; no bit of key, message or signature gives."""
    public = bytes.fromhex(case["public"])
    message, signature = bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])
    check_ed25519(bytes.fromhex(case["seed"]), public, message, signature)
    for changed in flips(public):
        assert not verifies(Ed25519PublicKey.from_public_bytes(changed), signature, message)


@needs_shared
def test_the_shared_signatures_and_jwk() -> None:
    """RFC 8032's signatures, and RFC 8037's key, thumbprint and JWS."""
    vectors = shared("ed25519_jwk.json")
    assert vectors.keys() == {"provenance", "rfc8032", "rfc8037"}
    for case in vectors["rfc8032"]:
        check_ed25519(*(bytes.fromhex(case[name]) for name in ("seed", "pub", "msg", "sig")))
    jose = vectors["rfc8037"]
    private = jose["jwk"]
    seed = base64.urlsafe_b64decode(private["d"] + "=")
    public = {name: value for name, value in private.items() if name != "d"}
    key = read_jwk(public)
    assert jwk(key) == public == jwk(Ed25519PrivateKey.from_private_bytes(seed).public_key())
    assert thumbprint(key) == jose["thumbprint"]
    head, payload, signature = jose["jws"].split(".")
    assert head == jose["protected"]
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert text.decode() == jose["payload_utf8"]
    raw = base64.urlsafe_b64decode(signature + "==")
    check_every_bit(key, f"{head}.{payload}".encode(), raw)


@needs_shared
def test_wycheproof() -> None:
    """All 151 of Wycheproof's cases, the keys in their three forms, and every bit of the good."""
    vectors = shared("wycheproof/ed25519_test.json")
    judged = 0
    for group in vectors["testGroups"]:
        key = read_public(bytes.fromhex(group["publicKey"]["pk"]))
        assert read_jwk(group["publicKeyJwk"]) == key
        assert bytes.fromhex(group["publicKeyDer"])[-32:] == key.public_bytes_raw()
        assert (
            "".join(group["publicKeyPem"].split("\n")[1:-2])
            == base64.b64encode(bytes.fromhex(group["publicKeyDer"])).decode()
        )
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            assert case["result"] in ("valid", "invalid")
            if case["result"] == "valid":
                check_every_bit(key, message, signature)
            else:
                assert not verifies(key, signature, message), case["comment"]
            judged += 1
    assert judged == vectors["numberOfTests"] == 151


# ── Weak keys ────────────────────────────────────────────────────────────────────────────

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """The sum of two points of edwards25519, by its definition (RFC 8032, 5.1.4)."""
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P


def small_order() -> set[tuple[int, int]]:
    """The points P with 8·P = 0: L·Q for every Q, as Q runs over enough points."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[tuple[int, int]] = set()
    y = 2
    while len(found) < 8:
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
        if x * x % P == square:
            point, total, left = (x, y), (0, 1), order
            while left:
                total = add(total, point) if left & 1 else total
                point, left = add(point, point), left >> 1
            found.add(total)
        y += 1
    return found


def encodings() -> Iterator[bytes]:
    """Every spelling of every point of small order, those past P and of a minus zero too."""
    for y in {y for _, y in small_order()}:
        for number in (y, y + P):
            if number < 2**255:
                for sign_bit in (0, 1 << 255):
                    yield (number | sign_bit).to_bytes(32, "little")


def test_a_key_of_small_order_is_no_key() -> None:
    """Under the weakest key one signature fits every message: no door lets such keys in."""
    assert len(small_order()) == 8
    identity = (1).to_bytes(32, "little")
    anything = Ed25519PublicKey.from_public_bytes(identity)
    anything.verify(identity + bytes(32), b"whatever it says")  # OpenSSL has no objection
    assert not verifies(anything, identity + bytes(32), b"whatever it says")
    spellings = list(encodings())
    assert len(spellings) >= 14
    for raw in spellings:
        assert not verifies(Ed25519PublicKey.from_public_bytes(raw), identity + bytes(32), b"")
        with pytest.raises(BadKey, match="small order"):
            read_public(raw)
        with pytest.raises(BadKey):
            read_multikey("z" + base58(b"\xed\x01" + raw))
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        with pytest.raises(BadKey):
            read_jwk({"kty": "OKP", "crv": "Ed25519", "x": x})


def test_a_key_has_one_encoding() -> None:
    """A y that is not below P is another spelling of a smaller one, and is refused."""
    for y in range(P, 2**255):
        for sign_bit in (0, 1 << 255):
            with pytest.raises(BadKey):
                read_public((y | sign_bit).to_bytes(32, "little"))


# ── Documents ────────────────────────────────────────────────────────────────────────────


@needs_shared
def test_every_step_of_the_w3c_vector() -> None:
    """Keys, canonical forms, hashes, signature and document are those of the Recommendation."""
    vectors = shared("vc_eddsa_jcs_2022.json")
    key = read_multikey(vectors["keyPair"]["publicKeyMultibase"])
    assert multikey(key) == vectors["keyPair"]["publicKeyMultibase"]
    secret = read_base58(vectors["keyPair"]["privateKeyMultibase"][1:], 34)
    assert secret[:2] == b"\x80\x26"  # the multicodec of a private one
    private = Ed25519PrivateKey.from_private_bytes(secret[2:])
    assert private.public_key() == key

    assert canonical(vectors["unsigned"]).decode() == vectors["canonDoc"]
    assert digest(vectors["unsigned"]) == vectors["docHash"]
    assert canonical(vectors["proofConfig"]).decode() == vectors["proofCanon"]
    assert digest(vectors["proofConfig"]) == vectors["proofHash"]
    assert vectors["proofHash"] + vectors["docHash"] == vectors["combinedHash"]
    assert private.sign(bytes.fromhex(vectors["combinedHash"])).hex() == vectors["sigHex"]
    assert "z" + base58(bytes.fromhex(vectors["sigHex"])) == vectors["proofValue"]

    proof = vectors["proofConfig"]
    assert verification_method(key) == proof["verificationMethod"]
    signed = sign(vectors["unsigned"], private, proof["created"], proof["proofPurpose"])
    assert signed == vectors["signed"]
    verify(vectors["signed"], key)
    assert signed_with(vectors["signed"]) == key
    check_every_bit(key, bytes.fromhex(vectors["combinedHash"]), bytes.fromhex(vectors["sigHex"]))
    check_every_bit_of_document(vectors["signed"], key)


def check_every_bit_of_document(signed: dict[str, Any], key: Ed25519PublicKey) -> None:
    """No bit of the bytes can be changed, no bit of the signature, and no bit of the key."""
    verify(signed, key)
    parsed = 0
    for changed in flips(canonical(signed)):
        try:
            document: Any = read_canonical(changed)
        except NotCanonical:
            continue
        parsed += 1
        assert isinstance(document, dict)
        refused(document, key)
    assert parsed > 1000  # most bits leave good JSON: it is the signature that refuses them
    proof = signed["proof"]
    for changed in flips(read_base58(proof["proofValue"][1:], 64)):
        forged = {**signed, "proof": {**proof, "proofValue": "z" + base58(changed)}}
        assert refused(forged, key) == "the signature does not fit the document"
    for changed in flips(key.public_bytes_raw()):
        refused(signed, Ed25519PublicKey.from_public_bytes(changed))


def test_our_own_document() -> None:
    """A document of ours is signed as it was once written down, and no bit of it gives."""
    assert sign(SIGNED["document"], KEY, CREATED) == SIGNED["signed"]
    check_every_bit_of_document(SIGNED["signed"], PUBLIC)


def test_signing_leaves_the_document_alone() -> None:
    """What was handed in has no proof afterwards, and shares nothing with what came out."""
    document = deepcopy(SIGNED["document"])
    signed = sign(document, KEY, CREATED)
    assert document == SIGNED["document"]
    assert signed["proof"]["@context"] is not document["@context"]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every member and element."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, found in inner:
        yield (*way, key)
        if isinstance(found, dict | list):
            yield from places(found, (*way, key))


def test_no_field_can_be_altered_dropped_or_added() -> None:
    """Every member and element, at every depth, is covered by the signature or by a rule."""
    ways = list(places(fresh()))
    assert len(ways) > 25
    for *way, last in ways:
        for alter in (lambda x: [x], lambda x: "another", lambda x: None if x is not None else 0):
            document = fresh()
            inner: Any = document
            for step in way:
                inner = inner[step]
            inner[last] = alter(inner[last])
            refused(document)
        document = fresh()
        inner = document
        for step in way:
            inner = inner[step]
        del inner[last]
        refused(document)
        if isinstance(inner, dict):
            document = fresh()
            inner = document
            for step in way:
                inner = inner[step]
            inner["more"] = None
            refused(document)


def test_another_key_is_refused() -> None:
    """A good signature by somebody else is not ours, whatever name he signs under."""
    theirs = sign(SIGNED["document"], OTHER, CREATED)
    verify(theirs, OTHER.public_key())
    assert refused(theirs) == "the proof names another key"
    assert refused(fresh(), OTHER.public_key()) == "the proof names another key"
    theirs["proof"]["verificationMethod"] = verification_method(PUBLIC)
    assert refused(theirs) == "the signature does not fit the document"


def forge(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """A document whose proof was altered before it was signed: the signature itself is good."""
    document = deepcopy(SIGNED["document"])
    options = {name: value for name, value in fresh()["proof"].items() if name != "proofValue"}
    change(options)
    hashes = (hashlib.sha256(canonical(part)).digest() for part in (options, document))
    value = "z" + base58(KEY.sign(b"".join(hashes)))
    return {**document, "proof": {**options, "proofValue": value}}


def test_the_forger_of_these_tests_can_sign() -> None:
    """Without an alteration the forged document is the good one: what fails below is the rule."""
    assert forge(lambda options: None) == SIGNED["signed"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda o: o.update(type="Ed25519Signature2020"), "no eddsa-jcs-2022"),
        (lambda o: o.update(cryptosuite="eddsa-rdfc-2022"), "no eddsa-jcs-2022"),
        (lambda o: o.update(proofPurpose="authentication"), "not made for"),
        (lambda o: o.update(verificationMethod=did_key(PUBLIC)), "another key"),
        (lambda o: o.update(verificationMethod=verification_method(OTHER.public_key())), "another"),
        (lambda o: o.update(verificationMethod="https://house.example/#key-1"), "another key"),
        (lambda o: o.update(verificationMethod=None), "another key"),
        (lambda o: o.update(created="2026-11-27T10:00:00+00:00"), "date"),
        (lambda o: o.update(created="2026-11-27T10:00:00.000Z"), "date"),
        (lambda o: o.update(created="2026-11-27"), "date"),
        (lambda o: o.update(created="2026-02-30T10:00:00Z"), "date"),
        (lambda o: o.update(created="2026-11-27T24:00:01Z"), "date"),
        (lambda o: o.update(created="2026-11-27T10:00:0٠Z"), "date"),
        (lambda o: o.update(created=1795773600), "date"),
        (lambda o: o.pop("created"), "members"),
        (lambda o: o.pop("@context"), "members"),
        (lambda o: o.update(expires=CREATED), "members"),
        (lambda o: o.update(previousProof="urn:uuid:1"), "members"),
        (lambda o: o.update(id="urn:uuid:1"), "members"),
        (lambda o: o.update({"@context": []}), "@context"),
        (lambda o: o.update({"@context": o["@context"] + ["https://e.example"]}), "@context"),
        (lambda o: o.update({"@context": o["@context"][0]}), "@context"),
    ],
)
def test_a_proof_of_another_form_is_refused_though_well_signed(
    change: Callable[[dict[str, Any]], None], match: str
) -> None:
    """Even the right key cannot make a second form of a signed document."""
    assert match in refused(forge(change))


def test_a_context_cannot_be_added_afterwards() -> None:
    """The Recommendation signs only the proof's contexts and lets the document's go on."""
    document = fresh()
    document["@context"].append("https://attacker.example/v1")
    assert refused(document) == "the proof's @context is not the document's"


def test_a_document_without_contexts() -> None:
    """Such a document has a proof without them, and neither can be given one later."""
    plain = {name: value for name, value in SIGNED["document"].items() if name != "@context"}
    signed = sign(plain, KEY, CREATED)
    verify(signed, PUBLIC)
    assert "@context" not in signed["proof"]
    assert "members" in refused({**signed, "@context": []})
    assert "members" in refused({**signed, "proof": {**signed["proof"], "@context": []}})


def test_one_proof_and_no_more() -> None:
    """No proof, a list of proofs, even of the one good one, and other things are refused."""
    document = fresh()
    others: list[Any] = [[document["proof"]], [document["proof"]] * 2, [], None, "z", {}]
    for proof in others:
        assert refused({**document, "proof": proof})
    assert "one proof" in refused(SIGNED["document"])


def test_a_signature_has_one_spelling() -> None:
    """Another base, another length and another text for the same bytes are refused."""
    document = fresh()
    value = document["proof"]["proofValue"]
    raw = read_base58(value[1:], 64)
    for other in (
        value[1:],
        "Z" + value[1:],
        "z1" + value[1:],
        value + "1",
        value + " ",
        "z",
        "",
        "u" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
        "f" + raw.hex(),
        "z" + base58(raw + b"\x00"),
        "z" + base58(b"\x00" + raw),
        "z" + base58(raw[:63]),
        "z" + "2" * 100_000,
        value.replace(value[5], "0", 1),
        raw.hex(),
        None,
        7,
        [value],
    ):
        refused({**document, "proof": {**document["proof"], "proofValue": other}})


def test_a_document_without_canonical_form_is_refused() -> None:
    """What cannot be written cannot have been signed."""
    for bad in (float("nan"), 2**53, "\ud800", {1: 2}, b"bytes"):
        assert "canonical" in refused({**fresh(), "id": bad})
        with pytest.raises(NotCanonical):
            sign({"id": bad}, KEY, CREATED)


def test_another_purpose() -> None:
    """A proof is good for its purpose, and for no other."""
    signed = sign(SIGNED["document"], KEY, CREATED, "authentication")
    verify(signed, PUBLIC, "authentication")
    assert "assertionMethod" in refused(signed)


def test_what_is_not_signed() -> None:
    """A date of another form, and a document that has a proof, are the caller's mistake."""
    for created in ("", "now", "2026-11-27", "2026-13-01T00:00:00Z", CREATED + "\n"):
        with pytest.raises(ValueError, match="no instant"):
            sign(SIGNED["document"], KEY, created)
    with pytest.raises(ValueError, match="already"):
        sign(SIGNED["signed"], KEY, CREATED)


def test_the_key_that_a_proof_names() -> None:
    """It is read where it is one, and nothing else is taken for a key."""
    assert signed_with(fresh()) == PUBLIC
    name = multikey(PUBLIC)
    weak = "z" + base58(b"\xed\x01" + (1).to_bytes(32, "little"))
    for method in (
        name,
        f"#{name}",
        f"did:key:{name}",
        f"did:key:{name}#",
        f"did:key:{multikey(OTHER.public_key())}#{name}",
        f"did:web:house.example#{name}",
        f"did:key:{weak}#{weak}",
        None,
        7,
    ):
        document = fresh()
        document["proof"]["verificationMethod"] = method
        with pytest.raises(BadSignature):
            signed_with(document)
    with pytest.raises(BadSignature):
        signed_with(SIGNED["document"])


# ── Links ────────────────────────────────────────────────────────────────────────────────


def test_a_link_is_signed() -> None:
    """A link's signature is what was once written down, and is for this link and key only."""
    sig = sign_link(KEY, LINK)
    assert sig == SIGNED["link_signature"]
    assert len(sig) == 86
    assert verify_link(PUBLIC, LINK, sig)
    raw = base64.urlsafe_b64decode(sig + "==")
    check_every_bit(PUBLIC, b"auction-qr/v1\n" + LINK.encode(), raw)
    assert not verify_link(OTHER.public_key(), LINK, sig)
    assert not verifies(PUBLIC, raw, LINK.encode())  # the prefix is signed with it
    for changed in flips(LINK.encode()):
        assert not verify_link(PUBLIC, changed.decode("latin-1"), sig)


def test_a_link_s_signature_has_one_spelling() -> None:
    """Of all texts one letter away from a signature none passes: spare bits are looked at."""
    sig = sign_link(KEY, LINK)
    letters = string.ascii_letters + string.digits + "-_+/=. \n\x00é"
    for place in range(len(sig)):
        for letter in letters:
            if letter != sig[place]:
                assert not verify_link(PUBLIC, LINK, sig[:place] + letter + sig[place + 1 :])
    for other in ("", sig + "=", sig + "==", sig + "A", sig[:-1], " " + sig, sig + "\n", sig * 2):
        assert not verify_link(PUBLIC, LINK, other)
    standard = sig.replace("-", "+").replace("_", "/")
    assert standard != sig
    assert not verify_link(PUBLIC, LINK, standard)
    assert not verify_link(PUBLIC, LINK, sig[:40] + "\n" + sig[40:])


def test_a_link_that_is_no_text() -> None:
    """Half of a surrogate pair is no link, and no crash."""
    assert not verify_link(PUBLIC, "https://house.example/\ud800", sign_link(KEY, LINK))


# ── Keys ─────────────────────────────────────────────────────────────────────────────────


def test_a_key_in_all_its_forms() -> None:
    """Multikey, DID, JWK and thumbprint of RFC 8037's key, and back."""
    vectors = own("ed25519.json")
    key = read_jwk(vectors["jwk"])
    assert key == PUBLIC == read_multikey(multikey(key))
    assert jwk(key) == vectors["jwk"]
    assert thumbprint(key) == vectors["thumbprint"]
    assert did_key(key) == "did:key:" + multikey(key)
    assert verification_method(key) == f"{did_key(key)}#{multikey(key)}"
    assert multikey(key).startswith("z6Mk")
    # What a JWK says besides is its own business.
    assert read_jwk({**vectors["jwk"], "kid": "x", "use": "sig", "alg": "EdDSA"}) == key


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"crv": "X25519"},
        {"crv": "Ed448"},
        {"x": None},
        {"x": ""},
        {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
        {"x": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"},  # a spare bit
        {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"},
        {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
    ],
)
def test_no_public_jwk(changes: dict[str, Any]) -> None:
    """Another kind of key, another spelling, and a private key are refused."""
    with pytest.raises(BadKey):
        read_jwk({**own("ed25519.json")["jwk"], **changes})


def test_no_multikey() -> None:
    """Another base, codec, length or letter is refused."""
    raw, good = PUBLIC.public_bytes_raw(), multikey(PUBLIC)
    for text in (
        "",
        "z",
        good[1:],
        "Z" + good[1:],
        good + "1",
        "z1" + good[1:],
        good[:-1],
        good[:-1] + "0",
        good[:-1] + "é",
        "z" + base58(raw),
        "z" + base58(b"\x80\x26" + raw),
        "z" + base58(b"\xec\x01" + raw),
        "z" + base58(b"\xed\x01" + raw + b"\x00"),
        "z" + "2" * 100_000,
    ):
        with pytest.raises(BadKey):
            read_multikey(text)
    for length in (0, 31, 33):
        with pytest.raises(BadKey, match="32 bytes"):
            read_public(bytes(length))


@given(st.binary(max_size=80))
def test_base58_and_back(data: bytes) -> None:
    """Any bytes, zeros in front too, come back, and only as so many."""
    text = base58(data)
    assert read_base58(text, len(data)) == data
    with pytest.raises(ValueError, match="bytes"):
        read_base58(text, len(data) + 1)
    with pytest.raises(ValueError, match="bytes"):
        read_base58("1" + text, len(data))


def test_base58_as_others_write_it() -> None:
    """The three examples of the IETF draft on base58."""
    for data, text in (
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (
            b"The quick brown fox jumps over the lazy dog.",
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
        ),
        (b"\x00\x00\x28\x7f\xb4\xcd", "11233QC4"),
    ):
        assert base58(data) == text
        assert read_base58(text, len(data)) == data
