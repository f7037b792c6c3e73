"""A mix of bids as a saleroom sees them, made in advance so that only deciding is timed.

Sales of lots with a soft close and a proxy for every bidder.  Of a hundred bids about 78
compete (a limit some steps over the asking bid), 10 come too low and are refused, 8 are a
leader's own raise, and 4 are a retry of a bid that was answered already.  The last tenth of
the competing bids comes so late that each extends its lot.  The same seed makes the same
bids; ``shape`` says what became of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.core import lot as lots
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    AnswerRepeated,
    BidAccepted,
    BidRefused,
    Catalogue,
    Command,
    CreateSale,
    LotExtended,
    OpenLot,
    PlaceBid,
    RegisterBidder,
    Terms,
)
from engine.core.sale import Shard, execute

BIDDERS = 12  # of each lot; the recorded sales have 3 to 15
BIDS_A_SECOND = 1_000  # of the mix's own time, which moves the soft close
START_AT = 1_700_000_000_000


@dataclass(slots=True)
class Mix:
    """Commands with their instants: the sale's making, then the bids."""

    setting: list[Command]
    bids: list[tuple[PlaceBid, int]] = field(default_factory=list)
    shape: dict[str, int] = field(default_factory=dict)

    def opened(self) -> Shard:
        """A shard in which the sale is open and nobody has bid."""
        shard = Shard()
        for command in self.setting:
            execute(shard, command, START_AT)
        return shard


def make_mix(
    sales: Sequence[str], lots_a_sale: int, bids: int, *, timed: bool = True, seed: int = 1
) -> Mix:
    """*bids* bids on the lots of *sales* (the middle parts of their ids).

    Not *timed*: the lots have no end, and the bids may be decided at any other instant too.
    """
    rolls = random.Random(seed)
    auctions = [f"auction_{sale}_{n}" for sale in sales for n in range(1, lots_a_sale + 1)]
    lasts_ms = bids * 1000 // BIDS_A_SECOND
    terms = Terms(
        opening=10_000,
        increments=table([(0, 500), (50_000, 2_500), (1_000_000, 10_000)]),
        closes_at=START_AT + lasts_ms if timed else None,
        extension_window_ms=lasts_ms // 10,
        extension_ms=lasts_ms // 10,
    )
    mix = Mix([command for sale in sales for command in _setting(sale, lots_a_sale, terms)])
    shard = mix.opened()
    for number in range(bids):
        at = START_AT + number * 1000 // BIDS_A_SECOND
        bid = _bid(rolls, mix, shard.lots[rolls.choice(auctions)], number)
        mix.bids.append((bid, at))
        for event in execute(shard, bid, at):
            _count(mix, event)
    return mix


def _setting(sale: str, lots_a_sale: int, terms: Terms) -> list[Command]:
    sale_id = f"seq_{sale}"
    auctions = [f"auction_{sale}_{n}" for n in range(1, lots_a_sale + 1)]
    return [
        CreateSale(sale_id, "A storm", "EUR", 2),
        *(RegisterBidder(sale_id, f"cons_{n}") for n in range(BIDDERS)),
        *(AddLot(a, sale_id, terms, Catalogue(a, "A lot")) for a in auctions),
        *(OpenLot(a) for a in auctions),
    ]


def _bid(rolls: random.Random, mix: Mix, lot: lots.Lot, number: int) -> PlaceBid:
    roll = rolls.random()
    asking = lots.asking_bid(lot) or lot.terms.opening
    consumer_id = f"cons_{rolls.randrange(BIDDERS)}"
    if roll < 0.04 and mix.bids:
        return rolls.choice(mix.bids[-100:])[0]
    if roll < 0.12 and lot.leader is not None:
        limit = -lot.book[0][0] + rolls.randrange(1, 5_000)
        return PlaceBid(lot.auction_id, lot.leader, f"c{number}", limit, "max", lot.seq)
    if roll < 0.22:
        low = max(1, asking - rolls.randrange(1, 500))
        return PlaceBid(lot.auction_id, consumer_id, f"c{number}", low, "max", lot.seq)
    limit = asking + rolls.randrange(0, 4) * 500
    if consumer_id == lot.leader:
        limit = max(limit, -lot.book[0][0] + 1)
    return PlaceBid(lot.auction_id, consumer_id, f"c{number}", limit, "max", lot.seq)


def _count(mix: Mix, event: object) -> None:
    if isinstance(event, BidAccepted):
        name = "leading" if event.answer.status == "WINNING" else "outbid at once"
    elif isinstance(event, BidRefused):
        name = "refused"
    elif isinstance(event, AnswerRepeated):
        name = "repeated"
    elif isinstance(event, LotExtended):
        name = "extensions"
    else:
        raise AssertionError(f"the mix made {event}")
    mix.shape[name] = mix.shape.get(name, 0) + 1
