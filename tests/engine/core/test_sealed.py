"""Sealed bids: nobody reads them before the close, and nobody has to be believed after it.

Opening bid 100 where nothing else is said.  The amounts are five digits and more, so that
finding one in a record is no accident: the saleroom looks for each in all that is stored.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from msgspec.structs import replace

from engine.core import sealed
from engine.core.messages import (
    MAX_AMOUNT,
    BidAccepted,
    CloseLot,
    Format,
    LotClosed,
    LotSettled,
    OpenedBid,
    Terms,
)
from tests.engine.core.saleroom import (
    LOT,
    OPENING_KEY,
    PRIVATE_KEY,
    SEALING,
    TENS,
    Saleroom,
    bidding,
    life,
    play,
    sealed_bid,
)

SALT = bytes(range(32))

# ── The three prices ─────────────────────────────────────────────────────────────────────


def test_the_highest_sealed_bid_buys_at_its_own_amount() -> None:
    """Of equal ones the earlier; and only the settlement says for how much."""
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 bert seals 70120        -> sealed, active at None, asking 100
        3 carl seals 70120        -> sealed, active at None, asking 100
        look                      -> open seq 1, None by paddle None, 0 bids of 0, reserve none, 0 extensions
        4 close                   -> invalid
        5 unseal                  -> sold to bert for 70120; settled
        look                      -> settled seq 3, 70120 by paddle 102, 0 bids of 0, reserve none, 0 extensions
    """,
        format="sealed_first",
    )


def test_the_second_price_is_the_highest_losing_bid() -> None:
    """Or the reserve, where that is higher; or the opening bid, where nobody else bid."""
    script = """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 bert seals 70120        -> sealed, active at None, asking 100
        3 carl seals 70105        -> sealed, active at None, asking 100
        5 unseal                  -> sold to bert for {}; settled
    """
    bidding(script.format(70110), format="sealed_second")
    bidding(script.format(70110), format="sealed_second", reserve=70109)
    bidding(script.format(70115), format="sealed_second", reserve=70115)
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        5 unseal                  -> sold to anna for 100; settled
    """,
        format="sealed_second",
    )


def test_a_losing_bid_below_the_reserve_makes_no_winner_and_no_price() -> None:
    """The reserve is above it; and below the reserve nobody buys."""
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 bert seals 70090        -> sealed, active at None, asking 100
        5 unseal                  -> passed; settled
        look                      -> settled seq 3, None by paddle None, 0 bids of 0, reserve not_met, 0 extensions
    """,
        format="sealed_first",
        reserve=70111,
    )


@pytest.mark.parametrize(
    ("uniform_price", "pays"), [("highest_losing", 70110), ("lowest_winning", 70120)]
)
def test_one_price_for_all_units(uniform_price: str, pays: int) -> None:
    """Which of the two is printed in the terms."""
    bidding(
        f"""
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 bert seals 70120        -> sealed, active at None, asking 100
        3 carl seals 70150        -> sealed, active at None, asking 100
        5 unseal                  -> sold to carl for {pays}, bert for {pays}; settled
        look                      -> settled seq 3, {pays} by paddle 103, 0 bids of 0, reserve none, 0 extensions
    """,
        format="uniform",
        winner_count=2,
        uniform_price=uniform_price,
    )


def test_units_that_nobody_bids_for_at_the_reserve_are_left() -> None:
    """The losing bid below the reserve makes no price: the reserve does."""
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 bert seals 70099        -> sealed, active at None, asking 100
        3 carl seals 70150        -> sealed, active at None, asking 100
        5 unseal                  -> sold to carl for 70100, anna for 70100; settled
        look                      -> settled seq 3, 70100 by paddle 103, 0 bids of 0, reserve met, 0 extensions
    """,
        format="uniform",
        winner_count=3,
        reserve=70100,
    )


def test_each_winner_of_a_first_price_sale_pays_their_own() -> None:
    """Best first, and the dearest is the hammer price that is shown."""
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 bert seals 70120        -> sealed, active at None, asking 100
        3 carl seals 70115        -> sealed, active at None, asking 100
        5 unseal                  -> sold to bert for 70120, carl for 70115; settled
        look                      -> settled seq 3, 70120 by paddle 102, 0 bids of 0, reserve none, 0 extensions
    """,
        format="sealed_first",
        winner_count=2,
    )


# ── While they are sealed ────────────────────────────────────────────────────────────────


def test_a_later_sealed_bid_takes_the_place_of_the_earlier() -> None:
    """Also a lower one; and its place in time is that of the last."""
    room = bidding(
        """
        1 anna seals 70150        -> sealed, active at None, asking 100
        2 bert seals 70120        -> sealed, active at None, asking 100
        3 anna seals 70120        -> sealed, active at None, asking 100
    """,
        format="sealed_first",
    )
    closed = room.do(CloseLot(LOT, opening_key=OPENING_KEY), 9)[0]

    assert isinstance(closed, LotClosed)
    assert [(bid.consumer_id, bid.amount, bid.at) for bid in closed.opened] == [
        ("bert", 70120, 2),
        ("anna", 70120, 3),
    ]
    assert closed.winner == "bert"
    assert closed.opening_key == OPENING_KEY


def test_a_sealed_bid_sent_again_is_answered_again() -> None:
    """The same id with another amount has another commitment, and is an objection."""
    bidding(
        """
        1 anna seals 70110 as x   -> sealed, active at None, asking 100
        2 anna seals 70110 as x   -> again: sealed, active at None, asking 100
        3 anna seals 70111 as x   -> again: idempotency_mismatch, 100 would pass
    """,
        format="sealed_first",
    )


def test_only_sealed_bids_are_taken_where_bids_are_sealed_and_nowhere_else() -> None:
    """An amount in the open would be in the log before the close."""
    room = bidding("1 anna bids 70110 -> invalid\n2 anna bids up to 70110 -> invalid\n"
                   "3 anna buys now for 70110 -> invalid", format="uniform")  # fmt: skip
    whole = sealed_bid("anna", 70110, "x")
    for broken in (
        replace(whole, amount=70110),
        replace(whole, commitment=""),
        replace(whole, commitment="g" * 64),
        replace(whole, commitment=whole.commitment.upper()),
        replace(whole, ciphertext=""),
        replace(whole, ciphertext=whole.ciphertext[:-4]),
        replace(whole, ciphertext=whole.ciphertext + "AAAA"),
        replace(whole, ciphertext="é" * 160),
    ):
        assert [type(event).__name__ for event in room.do(broken, 4)] == ["CommandRefused"]
    assert isinstance(room.do(whole, 5)[0], BidAccepted)
    bidding("1 anna seals 70110 -> invalid")


def test_the_record_of_a_sealed_bid_says_nothing_of_its_amount() -> None:
    """Two amounts, the same lengths, and nothing public has moved."""
    room = bidding("", format="sealed_first")
    small, large = (
        room.do(sealed_bid(who, amount, "x"), 1)[0]
        for who, amount in (("anna", 100), ("bert", 2**53 - 1))
    )
    assert isinstance(small, BidAccepted)
    assert isinstance(large, BidAccepted)

    assert small.after == large.after
    assert (small.answer.amount, large.answer.amount) == (0, 0)
    assert len(small.ciphertext) == len(large.ciphertext) == sealed.CIPHERTEXT_CHARS


# ── The end ──────────────────────────────────────────────────────────────────────────────


def test_the_time_is_over_and_the_key_is_waited_for() -> None:
    """Nobody sees a difference yet; no more bids are taken, and nothing else happens."""
    room = life(
        """
        0  clock                  -> open until 60
        10 anna seals 70110       -> sealed, active at None, asking 100
        59 bert seals 70120       -> sealed, active at None, asking 100
        60 clock                  -> bidding ended
        61 carl seals 70150       -> closed
        62 clock                  -> nothing
        look                      -> open seq 1, None by paddle None, 0 bids of 0, reserve none, 0 extensions
        63 pause                  -> invalid_transition
        70 unseal                 -> sold to bert for 70120; settled
        look                      -> settled seq 3, 70120 by paddle 102, 0 bids of 0, reserve none, 0 extensions
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        format="sealed_first",
    )
    assert room.view.lots[LOT].closes_at == 60


def test_a_bid_at_the_end_finds_the_bidding_ended() -> None:
    """What is due comes first, here as everywhere."""
    life(
        """
        60 anna seals 70110       -> open until 60; bidding ended; closed
        61 cancel                 -> canceled
        62 unseal                 -> invalid_transition
        63 clock                  -> nothing
    """,
        opens_at=0,
        closes_at=60,
        format="sealed_first",
    )


def test_an_end_in_a_stop_is_made_good_for_sealed_bids_too() -> None:
    """Nobody could bid: the minute of grace comes first."""
    life(
        """
        0  clock                  -> open until 60
        90 resume                 -> resumed
        91 anna seals 70110       -> extended to 60090; sealed, active at None, asking 100
        60090 clock               -> bidding ended
    """,
        opens_at=0,
        closes_at=60,
        format="sealed_first",
    )


def test_a_pause_moves_the_end_of_sealed_bidding() -> None:
    """By its length, unless the end stands: then it comes during the pause."""
    life(
        """
        0  clock                  -> open until 60
        40 pause                  -> paused
        50 anna seals 70110       -> paused
        70 clock                  -> nothing
        80 unpause                -> open until 100
        100 clock                 -> bidding ended
        101 unseal                -> passed; settled
    """,
        opens_at=0,
        closes_at=60,
        format="sealed_first",
    )
    life(
        """
        0  clock                  -> open until 60
        40 pause                  -> paused
        60 clock                  -> bidding ended
        61 unpause                -> invalid_transition
        62 anna seals 70110       -> closed
        63 unseal                 -> passed; settled
    """,
        opens_at=0,
        closes_at=60,
        fixed_end=True,
        format="sealed_first",
    )


def test_what_was_sold_is_told_at_the_settlement() -> None:
    """Between the close and it the price, the paddle and the reserve stay as they were."""
    room = bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        5 unseal                  -> sold to anna for 70110
        look                      -> closed seq 2, None by paddle None, 0 bids of 0, reserve not_met, 0 extensions
        6 settle                  -> settled
        look                      -> settled seq 3, 70110 by paddle 101, 0 bids of 0, reserve met, 0 extensions
    """,
        format="sealed_first",
        reserve=200,
        settle_at=1000,
    )
    assert room.shard.lots[LOT].hammer_price == 70110


def test_a_key_that_is_not_the_lots_opens_nothing() -> None:
    """Another key, half a key, no base64: the lot stays as it is."""
    room = bidding("1 anna seals 70110 -> sealed, active at None, asking 100", format="uniform")
    for key in ("", "?", "AAAA", b64encode(bytes(32)).decode(), SEALING.public_key, "é"):
        (refused,) = room.do(CloseLot(LOT, opening_key=key), 2)
        assert getattr(refused, "objection", None) == "invalid", key
    assert isinstance(room.do(CloseLot(LOT, opening_key=OPENING_KEY), 3)[0], LotClosed)


def test_a_paused_sealed_lot_may_be_closed_with_its_key() -> None:
    """As every paused lot may."""
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 pause                   -> paused
        3 close                   -> invalid
        4 unseal                  -> sold to anna for 70110; settled
        5 unseal                  -> invalid_transition
    """,
        format="sealed_first",
    )


# ── What is opened is checked ────────────────────────────────────────────────────────────


def test_bids_that_cannot_be_believed_are_void() -> None:
    """Each by its own name; none buys, and none makes a price."""
    room = bidding("", format="sealed_second", ladder_only=True)
    good = sealed_bid("anna", 70110, "a")
    strange = sealed_bid("else", 99990, "b")
    for bid in (
        good,
        replace(strange, consumer_id="bert"),
        replace(sealed_bid("carl", 99990, "c"), commitment="0" * 64),
        sealed_bid("dora", 90, "d"),
        sealed_bid("emil", 70115, "e"),
        sealed_bid("fred", 99990, "f"),
        sealed_bid("gina", 99990, "g"),
        sealed_bid("hans", 70100, "h"),
        sealed_bid("inge", 2**53, "i"),
    ):
        assert isinstance(room.do(bid, 1)[0], BidAccepted), bid
    play(
        room,
        """
        2 fred is suspended       -> paddle 106 suspended
        3 gina is approved up to 99989 -> paddle 107 approved up to 99989
        4 hans is approved up to 70100 -> paddle 108 approved up to 70100
        5 unseal                  -> sold to anna for 70100; bert is void: unreadable; carl is void: mismatch; dora is void: below_opening; emil is void: off_ladder; fred is void: not_admitted; gina is void: over_limit; inge is void: unreadable; settled
    """,
    )


def test_the_amount_of_a_void_bid_is_not_in_the_record() -> None:
    """It is 0: what was void was no bid."""
    room = bidding("", format="sealed_first")
    room.do(sealed_bid("anna", 90, "a"), 1)
    closed = room.do(CloseLot(LOT, opening_key=OPENING_KEY), 2)[0]

    assert isinstance(closed, LotClosed)
    assert closed.opened == (OpenedBid("anna", "a", 1, 0, "below_opening"),)


def test_the_commitment_is_over_what_its_definition_says() -> None:
    """Anybody can check a bid with a hash function and the five parts."""
    spelled = b"fairwarning-sealed/v1" + b"auction_k3f9_1" + b"cons_anna"
    spelled += (70110).to_bytes(8, "big") + SALT

    made = sealed.commitment("auction_k3f9_1", "cons_anna", 70110, SALT)

    assert made == sha256(spelled).hexdigest()
    assert made == "0a39f65760306324fdc561e51e0adc89c6e002f41fbd62cd54ed9784672f423b"


def test_a_letter_sealed_by_another_program_is_read() -> None:
    """From nothing but the definition: RFC 9180, base mode, info, and the bytes of the letter."""
    key = X25519PublicKey.from_public_bytes(PRIVATE_KEY.public_key().public_bytes_raw())
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    letter = (70110).to_bytes(8, "big") + SALT + sha256(b"cons_anna").digest()
    info = b"fairwarning-sealed/v1\0auction_k3f9_1\0cons_anna"
    ciphertext = b64encode(suite.encrypt(letter, key, info=info)).decode()
    commitment = sealed.commitment("auction_k3f9_1", "cons_anna", 70110, SALT)

    def read(auction_id: str, consumer_id: str) -> int | str:
        return sealed.open_bid(PRIVATE_KEY, auction_id, consumer_id, commitment, ciphertext)

    assert read("auction_k3f9_1", "cons_anna") == 70110
    assert read("auction_k3f9_1", "cons_bert") == "unreadable"
    assert read("auction_k3f9_2", "cons_anna") == "unreadable"


def test_a_letter_of_another_shape_is_unreadable() -> None:
    """Too short, too long, for somebody else, or an amount that is none."""
    key = PRIVATE_KEY.public_key()
    info = sealed.binding("a", "anna")
    for letter in (
        b"",
        sealed.letter("anna", 5, SALT)[:-1],
        sealed.letter("anna", 5, SALT) + b"\0",
        sealed.letter("bert", 5, SALT),
        sealed.letter("anna", 0, SALT),
        sealed.letter("anna", MAX_AMOUNT + 1, SALT),
        sealed.letter("anna", 2**64 - 1, SALT),
    ):
        ciphertext = b64encode(sealed.SUITE.encrypt(letter, key, info=info)).decode()
        assert sealed.open_bid(PRIVATE_KEY, "a", "anna", "0" * 64, ciphertext) == "unreadable"
    assert sealed.open_bid(PRIVATE_KEY, "a", "anna", "0" * 64, "?") == "unreadable"


def test_sealing_the_same_bid_twice_gives_two_ciphertexts() -> None:
    """Otherwise equal bids could be told by their bytes."""
    first, second = (sealed.seal(SEALING.public_key, "a", "anna", 70110, SALT) for _ in range(2))

    assert first != second
    with pytest.raises(ValueError, match="32 bytes"):
        sealed.seal("AAAA", "a", "anna", 70110, SALT)


@pytest.mark.parametrize("format_", ["sealed_first", "sealed_second", "uniform"])
def test_a_sealed_sale_needs_a_key_to_seal_for(format_: Format) -> None:
    """Without one nobody could bid."""
    good = Terms(100, TENS, format=format_, sealing=SEALING)
    for sealing in (None, replace(SEALING, public_key="AAAA"), replace(SEALING, public_key="?")):
        with pytest.raises(AssertionError, match="nothing can be sold by"):
            Saleroom(**as_said(replace(good, sealing=sealing)))
    Saleroom(**as_said(good))


def as_said(terms: Terms) -> dict[str, Any]:
    """Terms as the saleroom takes them."""
    return {"format": terms.format, "sealing": terms.sealing}


def test_nobody_wins_in_an_empty_envelope() -> None:
    """No bid at all: passed, and the key was given all the same."""
    room = bidding("1 unseal -> passed; settled", format="uniform", winner_count=5)
    assert room.shard.lots[LOT].winner is None


def test_a_settled_sealed_lot_was_told_whole() -> None:
    """The settlement is the first record with the price in it, beside the close itself."""
    room = bidding("1 anna seals 70110 -> sealed, active at None, asking 100", format="uniform")
    closed, settled = room.do(CloseLot(LOT, opening_key=OPENING_KEY), 2)

    assert isinstance(closed, LotClosed)
    assert isinstance(settled, LotSettled)
    assert (closed.after.price, closed.after.paddle) == (None, None)
    assert (settled.after.price, settled.after.paddle) == (100, 101)


def test_another_private_key_is_another_lots() -> None:
    """A whole and healthy key, but not the one that the terms name."""
    other = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    assert (
        sealed.opening_key(SEALING.public_key, b64encode(other.private_bytes_raw()).decode())
        is None
    )
    assert sealed.opening_key(SEALING.public_key, OPENING_KEY) is not None
