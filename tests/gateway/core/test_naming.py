"""Names in public: the same for everybody who derives them, and leading back to nobody."""

from __future__ import annotations

from hashlib import sha256
from itertools import product

from gateway.core.naming import anonymous_bidder, bid_id

AUCTION = "auction_k3f9_1"


def test_a_bid_has_one_id() -> None:
    """The id is the first 24 digits of a published hash, so an old archive keeps its ids."""
    digits = sha256(b"auction_k3f9_1|cons_ana|cmd-1").hexdigest()
    assert bid_id(AUCTION, "cons_ana", "cmd-1") == "bid_" + digits[:24]


def test_different_bids_have_different_ids() -> None:
    """Each of the three parts counts, also where a device puts the separator into its own."""
    parts = product(("auction_a", "auction_b"), ("cons_a", "cons_b"), ("1", "2", "cons_b|1"))
    assert len({bid_id(*part) for part in parts}) == 12


def test_a_bidder_has_one_public_name_within_an_auction() -> None:
    """Readers can tell who bid again, and only in this auction."""
    name = anonymous_bidder(AUCTION, "cons_ana", b"salt")
    assert name == anonymous_bidder(AUCTION, "cons_ana", b"salt")
    assert name != anonymous_bidder("auction_k3f9_2", "cons_ana", b"salt")
    assert name != anonymous_bidder(AUCTION, "cons_bo", b"salt")


def test_a_public_name_is_eight_digits() -> None:
    """``bidder_`` and eight hexadecimal digits, as the interface says."""
    word, _, digits = anonymous_bidder(AUCTION, "cons_ana", b"salt").partition("_")
    assert word == "bidder"
    assert len(digits) == 8
    assert int(digits, 16) >= 0


def test_without_the_salt_a_name_cannot_be_guessed_back() -> None:
    """Whoever knows every consumer id but not the house's salt finds none of them."""
    name = anonymous_bidder(AUCTION, "cons_ana", b"salt")
    guesses = (b"", b"Salt", b"salt ")
    assert name not in {anonymous_bidder(AUCTION, "cons_ana", guess) for guess in guesses}
    assert name[7:] not in sha256(b"auction_k3f9_1|cons_ana").hexdigest()
