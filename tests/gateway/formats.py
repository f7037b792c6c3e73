"""A sale with a lot of every format, and a crowd that does everything to it.

``Evening`` has the engine's core decide and a view fold, on one thread; the clock is in the
test's hand.  ``Mischief`` thinks up, from a seed, what the house and its bidders might wish.
Every amount that somebody bids is another, so that it is known again wherever it appears.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from engine.core import sealed
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    Event,
    FinishSettlement,
    KeepTime,
    Kind,
    LowerLimit,
    OpenLot,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    RemoveLot,
    Sealing,
    SettleLot,
    State,
    Terms,
    Tokens,
    UnpauseLot,
    UpdateLot,
)
from engine.core.sale import Shard, execute
from gateway.core.view import LotView, Saleroom
from tests.gateway.decisions import AT

SALE = "seq_k3f9"
OPENING = 10_000
DAY_MS = 24 * 3_600_000
BIDDERS = ("cons_ada", "cons_bram", "cons_celia", "cons_dora", "cons_emil")

_PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
_PUBLIC = _PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
SEALING = Sealing(b64encode(_PUBLIC).decode(), "what only the house can open")
OPENING_KEY = b64encode(bytes(range(32))).decode()
TOKENS = Tokens("bid-asset", "erc1155", "sold-asset", 7)

PLAIN = Terms(OPENING, table([(0, 1_000)]), opens_at=AT, settle_at=AT + DAY_MS)
FALLING = replace(PLAIN, opening=90_000, format="dutch", floor=41_999, drop=5_000,
                  drop_interval_ms=5_000, winner_count=2)  # fmt: skip
TERMS: dict[str, Terms] = {
    "english": replace(PLAIN, reserve=31_999, extension_window_ms=60_000, extension_ms=90_000,
                       closes_at=AT + 300_000),
    "printed": replace(PLAIN, buy_now=299_999, consignor="cons_emil"),
    "announced": replace(PLAIN, opens_at=None, reserve=31_998),
    "live": replace(PLAIN, format="live"),
    "places": replace(PLAIN, winner_count=2, reserve=31_997),
    "one_bid": replace(PLAIN, format="one_bid", winner_count=2),
    "tokens": replace(PLAIN, format="one_bid", winner_count=2, tokens=TOKENS, currency="TKN",
                      exponent=6, settle_by_command=True),
    "sealed_first": replace(PLAIN, format="sealed_first", sealing=SEALING, reserve=31_996),
    "sealed_second": replace(PLAIN, format="sealed_second", sealing=SEALING,
                             closes_at=AT + 100_000),
    "uniform": replace(PLAIN, format="uniform", sealing=SEALING, winner_count=2),
    "dutch": FALLING,
}  # fmt: skip


def auction_of(name: str) -> str:
    """The auction id of one of ``TERMS``."""
    return f"auction_k3f9_{name}"


def sealed_bid(auction_id: str, consumer: str, amount: int, cmd_id: str) -> PlaceBid:
    """A bid that nobody can read before the close."""
    salt = sha256(cmd_id.encode()).digest()
    return PlaceBid(
        auction_id,
        consumer,
        cmd_id,
        0,
        "sealed",
        commitment=sealed.commitment(auction_id, consumer, amount, salt),
        ciphertext=sealed.seal(SEALING.public_key, auction_id, consumer, amount, salt),
    )


class Evening:
    """The sale: its log, and the view of a gateway that has read all of it."""

    def __init__(self, *names: str, hear: Callable[[Event], None] = lambda _: None) -> None:
        self.shard = Shard()
        self.saleroom = Saleroom()
        self.log: list[Event] = []
        self.at = AT
        self._hear = hear
        self.do(CreateSale(SALE, "Studio ceramics", "EUR", 2))
        for number, name in enumerate(names or TERMS, 1):
            printed = Catalogue(str(number), f"Jar, {name}")
            self.do(AddLot(auction_of(name), SALE, TERMS[name], printed))
        self.wait(1)

    def do(self, *commands: Command) -> list[Event]:
        """Decide the commands now, and read what comes of them."""
        events = [event for one in commands for event in execute(self.shard, one, self.at)]
        for event in events:
            self.log.append(event)
            self.saleroom.fold(0, len(self.log), event)
            self._hear(event)
        return events

    def wait(self, pause_ms: int) -> None:
        """Let time pass, and bring about what it brings."""
        self.at += pause_ms
        self.do(*(KeepTime(auction_id) for auction_id in list(self.shard.lots)))

    def lot(self, name: str) -> LotView:
        return self.saleroom.lots[auction_of(name)]


class Mischief:
    """Wishes of a house and its bidders, thought up from a seed."""

    def __init__(self, seed: int, evening: Evening) -> None:
        self._random = random.Random(seed)
        self._evening = evening
        self._count = 0
        self.bids: list[tuple[str, str, int]] = []  # auction, consumer, amount: their secret

    def happens(self) -> None:
        """One more wish, and what comes of it."""
        self._count += 1
        dice, name = self._random.random(), self._random.choice(list(TERMS))
        consumer = self._random.choice(BIDDERS)
        if dice < 0.70:
            self._evening.do(self._bid(name, consumer))
        elif dice < 0.78:
            self._evening.wait(self._random.choice((1, 700, 6_000, 40_000)))
        elif dice < 0.86:
            self._evening.do(self._of_bidder(name, consumer))
        else:
            self._evening.do(self._of_house(name, consumer))

    def ends(self) -> None:
        """Everything that is open is closed, and all is settled."""
        for name in TERMS:
            auction_id = auction_of(name)
            self._evening.do(
                UnpauseLot(auction_id),
                CloseLot(auction_id, opening_key=OPENING_KEY),
                SettleLot(auction_id),
                FinishSettlement(auction_id),
            )

    def _amount(self, name: str) -> int:
        lot = self._evening.lot(name)
        asking = lot.now.asking_bid or OPENING
        return self._own(asking + 1_000 * self._random.choice((-1, 0, 0, 1, 2, 5, 20)))

    def _own(self, amount: int) -> int:
        """An amount near this one that nobody else bids, nor is told as one more or less than
        theirs: its last digits come from the number of the wish."""
        assert self._count < 300
        return max(1, amount // 1_000) * 1_000 + 100 + 3 * self._count

    def _bid(self, name: str, consumer: str) -> PlaceBid:
        auction_id, cmd_id = auction_of(name), f"b{self._count}"
        lot, amount = self._evening.lot(name), self._amount(name)
        kind: Kind = "max" if lot.takes_limits and self._random.random() < 0.6 else "bid"
        if name == "printed" and self._random.random() < 0.05:
            kind, amount = "buy_now", lot.terms.buy_now or 1
        else:
            self.bids.append((auction_id, consumer, amount))
        if lot.is_sealed:
            return sealed_bid(auction_id, consumer, amount, cmd_id)
        return PlaceBid(auction_id, consumer, cmd_id, amount, kind)

    def _of_bidder(self, name: str, consumer: str) -> Command:
        lot, cmd_id = self._evening.lot(name), f"w{self._count}"
        if lot.takes_limits and lot.leader is not None:
            lower = self._own((lot.now.price or 0) + 1_000)
            self.bids.append((lot.auction_id, lot.leader, lower))
            return LowerLimit(lot.auction_id, lot.leader, lower, cmd_id)
        own = [bid for bid in lot.bids or () if bid.consumer_id == consumer and not bid.canceled]
        bid_cmd_id = own[-1].cmd_id if own else "none"
        return CancelBid(lot.auction_id, consumer, bid_cmd_id, cmd_id, consumer)

    def _of_house(self, name: str, consumer: str) -> Command:
        auction_id, dice = auction_of(name), self._random.random()
        lot = self._evening.lot(name)
        if dice < 0.30:
            return PauseLot(auction_id)
        if dice < 0.60:
            return UnpauseLot(auction_id)
        if dice < 0.75:
            return self._update(lot)
        if dice < 0.80:
            limit = self._random.choice((None, 60_000, 500_000))
            return RegisterBidder(SALE, consumer, "approved", limit=limit)
        if dice < 0.85:
            return OpenLot(auction_id)
        if dice < 0.90:
            return CloseLot(auction_id, opening_key=OPENING_KEY)
        if dice < 0.95:
            return SettleLot(auction_id)
        return self._random.choice((CancelLot, RemoveLot, FinishSettlement))(auction_id)

    def _update(self, lot: LotView) -> UpdateLot:
        terms, printed = lot.terms, replace(lot.catalogue, name=f"Jar {self._count}")
        if terms.reserve is not None and self._random.random() < 0.5:
            terms = replace(terms, reserve=terms.reserve - 1)
        if lot.now.state is State.SCHEDULED:
            terms = replace(terms, opening=terms.opening + 1_000)
        return UpdateLot(lot.auction_id, lot.revision, terms, printed)
