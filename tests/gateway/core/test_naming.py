"""Names in public: the same for everybody who derives them, and leading back to nobody."""

from __future__ import annotations

import hmac
from hashlib import sha256
from itertools import product

from gateway.core.naming import anonymous_bidder, bid_id

AUCTION = "auction_k3f9_1"


def test_a_bid_has_one_id() -> None:
    """It is the first 24 digits of a keyed hash, so an archive agrees with all gateways."""
    digits = hmac.digest(b"salt", b"bid|auction_k3f9_1|cons_ana|cmd-1", "sha256").hex()
    assert bid_id(AUCTION, "cons_ana", "cmd-1", b"salt") == "bid_" + digits[:24]


def test_different_bids_have_different_ids() -> None:
    """Each of the three parts counts, also where a device puts the separator into its own."""
    parts = product(("auction_a", "auction_b"), ("cons_a", "cons_b"), ("1", "2", "cons_b|1"))
    assert len({bid_id(*part, b"salt") for part in parts}) == 12


def test_two_houses_give_one_bid_different_ids() -> None:
    """Whoever knows auction, consumer and command, but not the salt, cannot tell the id."""
    known = (AUCTION, "cons_ana", "1")
    ids = [bid_id(*known, salt) for salt in (b"one house", b"another house", b"")]
    assert len(set(ids)) == 3
    unkeyed = {sha256(start + "|".join(known).encode()).hexdigest() for start in (b"", b"bid|")}
    assert not {digits[:24] for digits in unkeyed} & {name.removeprefix("bid_") for name in ids}


def test_a_bids_id_is_no_bidders_name() -> None:
    """One salt makes both: a consumer id written like a bid does not lead from one to the other."""
    name = anonymous_bidder(AUCTION, "cons_ana|1", b"salt").removeprefix("bidder_")
    assert not bid_id(AUCTION, "cons_ana", "1", b"salt").removeprefix("bid_").startswith(name)


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
    for start in (b"", b"bidder|"):
        assert name[7:] not in sha256(start + b"auction_k3f9_1|cons_ana").hexdigest()


def test_the_house_is_one_of_the_room() -> None:
    """Whoever bids without a paddle has one name: which of them was the house, nobody sees."""
    room = anonymous_bidder(AUCTION, "floor_room", b"salt")
    assert anonymous_bidder(AUCTION, "floor_house", b"salt") == room
    assert anonymous_bidder(AUCTION, "floor_phone", b"salt") != room
