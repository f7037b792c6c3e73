"""Which key could sign when: what follows from the log's entries, and what does not."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.core import signing
from verifier.core.events import CONTEXT
from verifier.core.key_history import BadKeyEvent, KeyHistory, named_kid

Json = dict[str, Any]
WHEN = "2026-02-18T12:00:00Z"
LATER = "2026-02-19T12:00:00Z"


def key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


FIRST, SECOND, LOG, NEXT_LOG, LINK = (key(seed) for seed in range(1, 6))
MLDSA, NEXT_MLDSA = bytes(1312), bytes(1311) + b"\1"


def named(public: Ed25519PrivateKey | bytes, purpose: str = "log") -> Json:
    """A key as an entry names it."""
    raw = public if isinstance(public, bytes) else public.public_key().public_bytes_raw()
    purpose = "log-mldsa" if isinstance(public, bytes) else purpose
    shown = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kid": named_kid(purpose, raw), "public": shown}


def signed(said: Json, by: Ed25519PrivateKey, when: str = WHEN, **more: Any) -> Json:
    """An entry about keys."""
    unsigned = {
        "@context": CONTEXT,
        "id": "urn:fairwarning:key-event:x",
        "type": ["VerifiableCredential", "KeyEvent"],
        "issuer": "https://id.example",
        "validFrom": when,
        "credentialSubject": said,
        **more,
    }
    return signing.sign(unsigned, by, when)


def created(purpose: str, public: Ed25519PrivateKey | bytes) -> Json:
    return {"event": "created", "purpose": purpose, "key": named(public)}


def rotated(purpose: str, old: Any, new: Any) -> Json:
    return {"event": "rotated", "purpose": purpose, "from": named(old), "key": named(new)}


def begun() -> KeyHistory:
    """A log with a key for each purpose."""
    history = KeyHistory()
    told = [created("issuer", FIRST), created("log", LOG), created("log-mldsa", MLDSA)]
    for place, said in enumerate([*told, created("link", LINK)]):
        history.play(place, signed(said, FIRST))
    return history


def life(history: KeyHistory, public: Ed25519PrivateKey) -> tuple[int, int | None, int | None]:
    found = history.keys[signing.thumbprint(public.public_key())]
    return found.from_size, found.retired_size, found.compromised_size


def test_keys_that_come_at_once_are_in_use_from_the_first_of_their_entries_on() -> None:
    """All four of a new log, from its beginning."""
    history = begun()
    assert life(history, FIRST) == life(history, LINK) == (0, None, None)
    current = history.current("log")
    assert current is not None
    assert current.public == LOG.public_key().public_bytes_raw()


def test_a_replacement_ends_one_key_and_begins_another() -> None:
    """Ordered by the old key, signed by the new one, which is the issuer's from then on."""
    history = begun()
    order = signed(rotated("issuer", FIRST, SECOND), FIRST, LATER)
    history.play(9, signed(order, SECOND, LATER))
    assert life(history, FIRST) == (0, 9, None)
    assert life(history, SECOND) == (9, None, None)
    old = history.keys[signing.thumbprint(FIRST.public_key())]
    assert (old.in_use_at(8), old.in_use_at(9)) == (True, False)


def test_what_a_compromised_key_signed_before_stays_good() -> None:
    """From the size on that the declaration names it is taken back."""
    history = begun()
    said = {
        "event": "compromised",
        "purpose": "issuer",
        "key": named(FIRST),
        "since": 6,
        "replacement": named(SECOND),
    }
    history.play(9, signed(said, SECOND, LATER))
    old = history.keys[signing.thumbprint(FIRST.public_key())]
    assert (old.taken_back_at(5), old.taken_back_at(6)) == (False, True)
    assert life(history, SECOND) == (9, None, None)


def order(said: Json, by: Ed25519PrivateKey) -> Json:
    return signed(said, by, LATER)


TOLD = {"event": "compromised", "purpose": "log", "key": named(LOG), "since": 6}
REFUSED: dict[str, tuple[Json, Ed25519PrivateKey, str]] = {
    "nobody ordered it": (rotated("log", LOG, NEXT_LOG), FIRST, "not ordered by the key"),
    "another key ordered it": (
        order(rotated("log", LOG, NEXT_LOG), SECOND),
        FIRST,
        "not ordered by the key",
    ),
    "an order for ML-DSA": (
        order(rotated("log-mldsa", MLDSA, NEXT_MLDSA), LOG),
        FIRST,
        "not ordered by the key",
    ),
    "it replaces another key": (
        order(rotated("log", SECOND, NEXT_LOG), SECOND),
        FIRST,
        "a key that was not in use",
    ),
    "it begins what was there": (created("log", LOG), FIRST, "told of before"),
    "a second key of a purpose": (created("log", NEXT_LOG), FIRST, "a key for log already"),
    "a creation with an order": (order(created("log", NEXT_LOG), LOG), FIRST, "already"),
    "signed by another": (order(rotated("log", LOG, NEXT_LOG), LOG), SECOND, "issuer's key of"),
    "signed by the log's key": (order(rotated("log", LOG, NEXT_LOG), LOG), LOG, "issuer's key of"),
    "signed by the key it ends": (
        order(rotated("issuer", FIRST, SECOND), FIRST),
        FIRST,
        "issuer's key of that time",
    ),
    "a compromise without a replacement": (TOLD, FIRST, "replaced with its declaration"),
    "a compromise of a later size": (
        {**TOLD, "since": 10, "replacement": named(NEXT_LOG)},
        FIRST,
        "a size that the log did not have",
    ),
    "a compromise of truth": (
        {**TOLD, "since": True, "replacement": named(NEXT_LOG)},
        FIRST,
        "a size that the log did not have",
    ),
    "a compromise of nobody's key": (
        {**TOLD, "key": named(NEXT_LOG), "replacement": named(SECOND)},
        FIRST,
        "nobody has told of",
    ),
    "a field too many": ({**created("log", NEXT_LOG), "why": "new"}, FIRST, "its members are not"),
    "another purpose": (created("love", NEXT_LOG), FIRST, "nothing that is known"),
    "another event": ({**created("log", NEXT_LOG), "event": "lent"}, FIRST, "says nothing that"),
    "another id": (
        {**created("log", NEXT_LOG), "key": {**named(NEXT_LOG), "kid": named(LOG)["kid"]}},
        FIRST,
        "id is not its own",
    ),
    "a weak key": (
        {**created("log", NEXT_LOG), "key": {"kid": "x", "public": "A" * 43}},
        FIRST,
        "it names no key",
    ),
    "a key in another spelling": (
        {**created("log", NEXT_LOG), "key": {**named(NEXT_LOG), "public": "A" * 42 + "B"}},
        FIRST,
        "another spelling",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_follow_is_refused(what: str) -> None:
    """Each of them by its reason, and the keys are what they were."""
    said, by, reason = REFUSED[what]
    with pytest.raises(BadKeyEvent, match=reason):
        begun().play(9, signed(said, by, LATER))


def test_a_replaced_issuer_signs_nothing_any_more() -> None:
    """Not even that other keys change."""
    history = begun()
    history.play(9, signed(order(rotated("issuer", FIRST, SECOND), FIRST), SECOND, LATER))
    entry = order(rotated("log", LOG, NEXT_LOG), LOG)
    with pytest.raises(BadKeyEvent, match="issuer's key of that time"):
        history.play(10, signed(entry, FIRST, LATER))
    # Which of the two it was is for the caller to say: a history that refused is not used on.


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"type": ["VerifiableCredential"]}, "no entry about keys"),
        ({"id": "urn:fairwarning:event:x"}, "id is no entry's"),
        ({"note": "x"}, "too many"),
    ],
)
def test_another_document_is_no_entry(more: Json, reason: str) -> None:
    """However well it is signed."""
    with pytest.raises(BadKeyEvent, match=reason):
        begun().play(9, signed(rotated("log", LOG, NEXT_LOG), FIRST, LATER, **more))


def test_an_order_of_another_day_is_none() -> None:
    """What was ordered and what was signed are one act."""
    inner = signed(rotated("log", LOG, NEXT_LOG), LOG, WHEN)
    with pytest.raises(BadKeyEvent, match="what was ordered"):
        begun().play(9, signed(inner, FIRST, LATER))
