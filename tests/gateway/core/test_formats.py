"""Every format as its viewers see it: what is shown, and what nobody is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.lot import holds_place
from engine.core.messages import (
    BidAccepted,
    BidAnswer,
    BidCanceled,
    CancelBid,
    CloseLot,
    Event,
    FinishSettlement,
    LimitLowered,
    LotEvent,
    LotUpdated,
    LotWithdrawn,
    LowerLimit,
    PlaceBid,
    PriceDropped,
    RegisterBidder,
    RemoveLot,
    SettleLot,
    State,
    UpdateLot,
)
from gateway.core import frames
from gateway.core.frames import Json
from gateway.core.view import LotView, Told
from tests.gateway.formats import (
    BIDDERS,
    OPENING_KEY,
    SALE,
    TERMS,
    Evening,
    Mischief,
    auction_of,
    sealed_bid,
)

SEEDS = range(12)
STEPS = 250
VIEWERS = (None, *BIDDERS)
# What every public event carries, by the contract.
CARRIED = {"price", "askingBid", "paddle", "bidCount", "bidderCount", "reserve", "status",
           "closesAt"}  # fmt: skip


def numbers(frame: Any) -> set[int]:
    """Every whole number in a frame."""
    if isinstance(frame, dict):
        return set().union(*map(numbers, frame.values()))
    if isinstance(frame, list):
        return set().union(*map(numbers, frame))
    return {frame} if isinstance(frame, int) else set()


def folded(snapshot: Json, event: Json) -> Json:
    """The snapshot as it is after a public event, by the contract's words alone."""
    assert event["seq"] == snapshot["seq"] + 1
    auction = {**snapshot["auction"], **{name: event[name] for name in CARRIED}}
    auction |= event.get("changed", {})
    auction |= {name: event[name] for name in ("channel", "phase") if name in event}
    if event["type"] == "extended":
        auction["extensions"] = event["extensions"]
    if event["type"] == "closed" and event["outcome"] != "canceled":
        auction["outcome"] = event["outcome"]
    if event["type"] == "reopened":
        auction["outcome"] = None
    return {**snapshot, "seq": event["seq"], "auction": auction}


def without_time(snapshot: Json) -> Json:
    return {**snapshot, "at": 0, "you": None}


class Audience:
    """Everybody who may look on, each with all that they are ever shown."""

    def __init__(self) -> None:
        self.views: dict[str, Json] = {}
        self.shown: list[tuple[str | None, str, Json]] = []  # viewer, auction, frame
        self.public_figures: set[tuple[str, int]] = set()
        self.evening = Evening(hear=lambda event: self.hears(event))

    def hears(self, event: Event) -> None:
        auction_id = getattr(event, "auction_id", None)
        if auction_id is None or not hasattr(self, "evening"):
            return
        lot = self.evening.saleroom.lots[auction_id]
        self._note(lot, event)
        if isinstance(event, BidAnswer):
            self.shown.append((event.consumer_id, auction_id, frames.result(lot, event)))
        for whose, frame in frames.personal(lot, event):
            self.shown.append((whose, auction_id, frame))
        public = frames.public(lot, event)
        if public is not None:
            self.shown.append((None, auction_id, public))
        for viewer in VIEWERS:
            fresh = frames.snapshot(lot, "lineage", viewer)
            self.shown.append((viewer, auction_id, fresh))
            self.shown.append((viewer, auction_id, frames.resumed(lot, "lineage", 0, viewer)))
        self._check_fold(lot, public)

    def _note(self, lot: LotView, event: Event) -> None:
        """What the engine has made public: a price, or what is asked."""
        if lot.is_sealed and lot.now.state is not State.SETTLED:
            return
        after = getattr(event, "after", None)
        if after is not None:
            figures = (after.price, after.asking_bid, after.paddle)
            self.public_figures |= {(lot.auction_id, f) for f in figures if f is not None}

    def _check_fold(self, lot: LotView, public: Json | None) -> None:
        """A view with the events applied equals a fresh snapshot."""
        fresh = without_time(frames.snapshot(lot, "lineage", None))
        known = self.views.get(lot.auction_id)
        if known is not None:
            known = known if public is None else folded(known, public)
            assert known == fresh, public
        self.views[lot.auction_id] = fresh


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_reads_anothers_limit_or_a_sealed_bid(seed: int) -> None:
    """In no frame of any viewer is a figure that another has bid, unless the bidding itself
    made it a price; nor a reserve, a floor, a consignor, a key, or anybody's name."""
    audience = Audience()
    mischief = Mischief(seed, audience.evening)
    for _ in range(STEPS):
        mischief.happens()
    mischief.ends()
    secrets = {
        (auction_of(name), None, figure)
        for name, terms in TERMS.items()
        for figure in (terms.reserve, terms.floor)
        if figure is not None
    } | set(mischief.bids)
    kept = [s for s in secrets if (s[0], s[2]) not in audience.public_figures]
    assert len(kept) > len(secrets) // 4, "nearly everything became public: nothing is tested"
    figures = {(auction_id, figure): whose for auction_id, whose, figure in kept}
    for viewer, auction_id, frame in audience.shown:
        for number in numbers(frame):
            whose = figures.get((auction_id, number), viewer)
            assert whose == viewer, (number, whose, viewer, frame)
        text = json.dumps(frame)
        for word in ("cons_", OPENING_KEY, "only the house", "bid-asset"):
            assert word not in text, (word, frame)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_view_knows_who_holds_a_place(seed: int) -> None:
    """While a lot is open, exactly those are WINNING for whom the engine holds a place; in
    the end exactly the winners have WON."""
    evening = Evening()
    mischief = Mischief(seed, evening)
    won = 0
    for step in range(STEPS + 1):
        if step < STEPS:
            mischief.happens()
        else:
            mischief.ends()
        for name in TERMS:
            view, lot = evening.lot(name), evening.shard.lots[auction_of(name)]
            for consumer in BIDDERS:
                status = view.status_of(consumer)
                if view.now.state in (State.OPEN, State.PAUSED):
                    assert (status == "WINNING") == holds_place(lot, consumer), (name, consumer)
                if view.now.state is State.SETTLED:
                    assert (status == "WON") == (lot.bidders[consumer].won > 0
                                                 if consumer in lot.bidders else False)  # fmt: skip
                    won += status == "WON"
    assert won > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_told_again_is_what_was_told(seed: int) -> None:
    """A resume says of every event what was said when it happened, though the view knows
    more by then."""
    said: list[tuple[Told, Json | None, list[tuple[str, Json]]]] = []
    evening: Evening | None = None

    def hear(event: Event) -> None:
        if evening is not None and isinstance(event, BidAccepted | LimitLowered | LotEvent):
            lot = evening.saleroom.lots[event.auction_id]
            said.append((event, frames.public(lot, event), frames.personal(lot, event)))

    evening = Evening(hear=hear)
    mischief = Mischief(seed, evening)
    for _ in range(STEPS):
        mischief.happens()
    mischief.ends()
    assert len(said) > 50
    for event, public, personal in said:
        lot = evening.saleroom.lots[event.auction_id]
        assert frames.public(lot, event) == public
        assert frames.personal(lot, event) == personal


# ── One format after the other ───────────────────────────────────────────────────────────


def bid(name: str, consumer: str, amount: int, **more: Any) -> PlaceBid:
    return PlaceBid(auction_of(name), consumer, f"{consumer}-{amount}", amount, "bid", **more)


def you(evening: Evening, name: str, consumer: str) -> Json:
    return frames.you(evening.lot(name), consumer)


def test_a_sealed_auction_shows_nothing_before_the_settlement() -> None:
    """No price, no count, no leader, not even when a bid came; one's own bid not even to
    oneself.  Then all is told: who has won, what they pay, and to each their own bid."""
    evening = Evening("sealed_second")
    auction_id = auction_of("sealed_second")
    before = frames.snapshot(evening.lot("sealed_second"), "lineage", None)
    amounts = {"cons_ada": 44_000, "cons_bram": 52_000, "cons_celia": 31_000}
    told: list[tuple[str, Json]] = []
    for consumer, amount in amounts.items():
        evening.wait(1_000)
        [accepted] = evening.do(sealed_bid(auction_id, consumer, amount, f"c-{consumer}"))
        lot = evening.lot("sealed_second")
        assert frames.public(lot, accepted) is None
        told += frames.personal(lot, accepted)
        assert you(evening, "sealed_second", consumer)["status"] == "ACTIVE"
    assert told == []
    after = frames.snapshot(evening.lot("sealed_second"), "lineage", None)
    assert after == before

    closed = evening.do(CloseLot(auction_id, opening_key=OPENING_KEY))[0]
    lot = evening.lot("sealed_second")
    frame = frames.public(lot, closed)
    assert frame is not None
    assert (frame["outcome"], frame["price"], frame["paddle"]) == ("sold", None, None)
    assert [you(evening, "sealed_second", c)["status"] for c in amounts] == ["ACTIVE"] * 3
    assert you(evening, "sealed_second", "cons_ada")["lastBidAmount"] is None
    assert evening.saleroom.won(lot.sale, "cons_bram") == 0

    settled = evening.do(SettleLot(auction_id))[0]
    frame = frames.public(lot, settled)
    assert frame is not None
    assert (frame["status"], frame["price"]) == ("settled", 44_000)
    assert frame["paddle"] == lot.sale.paddles["cons_bram"]
    assert evening.saleroom.won(lot.sale, "cons_bram") == 44_000
    assert {c: (f["type"], f["price"]) for c, f in frames.personal(lot, settled)} == {
        "cons_ada": ("lost", 44_000),
        "cons_bram": ("won", 44_000),
        "cons_celia": ("lost", 44_000),
    }
    for consumer, amount in amounts.items():
        own = you(evening, "sealed_second", consumer)
        assert (own["max"], own["lastBidAmount"]) == (None, amount)
    assert lot.bids is not None
    assert {b.consumer_id: (b.amount, b.price) for b in lot.bids} == {
        "cons_ada": (44_000, None),
        "cons_bram": (52_000, 44_000),
        "cons_celia": (31_000, None),
    }


def test_each_winner_is_told_what_they_pay() -> None:
    """Two places: each pays their own bid, and the third has lost."""
    evening = Evening("places")
    auction_id = auction_of("places")
    for consumer, amount in (("cons_ada", 40_000), ("cons_bram", 50_000), ("cons_celia", 45_000)):
        evening.do(bid("places", consumer, amount))
    lot = evening.lot("places")
    assert lot.leader is None
    assert [lot.status_of(c) for c in BIDDERS[:4]] == ["OUTBID", "WINNING", "WINNING", "NOT_BID"]
    evening.do(CloseLot(auction_id))
    settled = evening.do(SettleLot(auction_id))[0]
    assert {c: (f["type"], f["price"]) for c, f in frames.personal(lot, settled)} == {
        "cons_ada": ("lost", 50_000),
        "cons_bram": ("won", 50_000),
        "cons_celia": ("won", 45_000),
    }


def test_who_is_passed_and_who_moves_up() -> None:
    """Of two places the lower is taken; when a bid is taken back the next in line holds one,
    is told so, and the others only that something has changed, and what."""
    evening = Evening("one_bid")
    for consumer, amount in (("cons_ada", 40_000), ("cons_bram", 50_000), ("cons_celia", 45_000)):
        evening.do(bid("one_bid", consumer, amount))
    [canceled] = evening.do(CancelBid(auction_of("one_bid"), "cons_bram", "cons_bram-50000"))
    assert isinstance(canceled, BidCanceled)
    lot = evening.lot("one_bid")
    [(whose, frame)] = frames.personal(lot, canceled)
    assert (whose, frame["type"], frame["max"]) == ("cons_ada", "winning", 40_000)
    public = frames.public(lot, canceled)
    assert public is not None
    assert public["type"] == "updated"
    assert public["changed"] == {
        "price": 45_000,
        "paddle": lot.sale.paddles["cons_celia"],
        "bidCount": 2,
        "bidderCount": 2,
    }
    assert lot.status_of("cons_bram") == "NOT_BID"
    assert you(evening, "one_bid", "cons_bram")["lastBidAmount"] is None
    assert lot.bids is not None
    assert [b.consumer_id for b in lot.bids if b.canceled] == ["cons_bram"]
    evening.do(bid("one_bid", "cons_bram", 42_000))
    assert [lot.status_of(c) for c in BIDDERS[:3]] == ["OUTBID", "WINNING", "WINNING"]
    evening.do(CancelBid(auction_of("one_bid"), "cons_ada", "cons_ada-40000"))
    assert frames.personal(lot, canceled) == [(whose, frame)], "a resume says it as it was"
    assert lot.increment == 1_000

    evening.do(CloseLot(auction_of("one_bid")))
    settled = evening.do(SettleLot(auction_of("one_bid")))[0]
    ends = {c: f["type"] for c, f in frames.personal(lot, settled)}
    assert ends == {"cons_bram": "won", "cons_celia": "won"}, "Ada has no bid that could lose"


def test_a_falling_price() -> None:
    """Every drop is an update of what is asked; who takes a unit holds it for good."""
    evening = Evening("dutch")
    heard = len(evening.log)
    evening.wait(11_000)
    lot = evening.lot("dutch")
    [dropped] = [e for e in evening.log[heard:] if isinstance(e, PriceDropped)]
    frame = frames.public(lot, dropped)
    assert frame is not None
    assert (frame["type"], frame["changed"]) == ("updated", {"askingBid": 80_000})
    [taken] = evening.do(bid("dutch", "cons_ada", 85_000))
    assert [f["type"] for _, f in frames.personal(lot, taken)] == ["winning"]
    evening.do(bid("dutch", "cons_bram", 80_000))  # the last unit
    assert lot.now.state is State.CLOSED
    assert [win.amount for win in lot.winners] == [80_000, 80_000]
    evening.do(SettleLot(auction_of("dutch")))
    assert [lot.status_of(c) for c in BIDDERS[:3]] == ["WON", "WON", "NOT_BID"]


def test_a_lowered_limit_is_its_bidders_alone() -> None:
    """No public event; their own connections hear the new one, at the seq that stands."""
    evening = Evening("live")
    evening.do(PlaceBid(auction_of("live"), "cons_ada", "a", 80_000, "max"))
    lot = evening.lot("live")
    before = frames.snapshot(lot, "lineage", None)
    evening.wait(1_000)
    [lowered] = evening.do(LowerLimit(auction_of("live"), "cons_ada", 30_000))
    assert frames.public(lot, lowered) is None
    [(whose, frame)] = frames.personal(lot, lowered)
    assert (whose, frame["type"]) == ("cons_ada", "winning")
    assert (frame["max"], frame["price"], frame["seq"]) == (30_000, 10_000, lot.now.seq)
    assert you(evening, "live", "cons_ada")["max"] == 30_000
    assert frames.snapshot(lot, "lineage", None) == before


def test_a_draft_becomes_a_lot_and_a_lot_is_withdrawn() -> None:
    """Status, what an update has changed, and a lot that is gone from every list."""
    evening = Evening("announced", "english")
    lot = evening.lot("announced")
    assert frames.snapshot(lot, "lineage", None)["auction"]["status"] == "draft"
    terms = replace(lot.terms, opens_at=evening.at + 5_000, opening=12_000)
    printed = replace(lot.catalogue, name="Bowl")
    [updated] = evening.do(UpdateLot(lot.auction_id, 0, terms, printed))
    assert isinstance(updated, LotUpdated)
    frame = frames.public(lot, updated)
    assert frame is not None
    assert (frame["type"], frame["status"], frame["askingBid"]) == ("updated", "scheduled", 12_000)
    assert frame["changed"] == {
        "name": "Bowl",
        "opening": 12_000,
        "askingBid": 12_000,
        "status": "scheduled",
        "opensAt": evening.at + 5_000,
    }
    assert (lot.revision, lot.terms.opening) == (1, 12_000)

    [withdrawn] = evening.do(RemoveLot(lot.auction_id))
    assert isinstance(withdrawn, LotWithdrawn)
    frame = frames.public(lot, withdrawn)
    assert frame is not None
    assert (frame["type"], frame["outcome"], frame["status"]) == ("closed", "withdrawn", "canceled")
    assert evening.saleroom.lot(lot.auction_id) is None
    assert lot.sale.auction_ids == [auction_of("english")]
    assert [one.auction_id for one in evening.saleroom.catalogued()] == [auction_of("english")]


def test_a_settlement_is_put_off() -> None:
    """Before the close as it was last said, after it never earlier than the close has said."""
    evening = Evening("printed")
    lot = evening.lot("printed")
    said = lot.terms.settle_at
    assert said is not None
    later = replace(lot.terms, settle_at=said + 1_000)
    evening.do(UpdateLot(lot.auction_id, 0, later, lot.catalogue))
    assert lot.settle_at == said + 1_000
    evening.do(CloseLot(lot.auction_id))
    latest = replace(lot.terms, settle_at=said + 2_000)
    evening.do(UpdateLot(lot.auction_id, 1, latest, lot.catalogue))
    assert lot.settle_at == evening.shard.lots[lot.auction_id].settle_at == said + 2_000


def test_the_books_are_written_while_all_watch() -> None:
    """Tokens change hands: ``settling`` is an update of the status, then ``settled``; amounts
    are in the token's own decimals."""
    evening = Evening("tokens")
    auction_id = auction_of("tokens")
    evening.do(bid("tokens", "cons_ada", 40_000), CloseLot(auction_id))
    lot = evening.lot("tokens")
    assert lot.money == ("TKN", 6)
    shown = frames.snapshot(lot, "lineage", None)["auction"]
    assert (shown["currency"], shown["exponent"], shown["format"]) == ("TKN", 6, "one_bid")
    settling = evening.do(SettleLot(auction_id))[0]
    frame = frames.public(lot, settling)
    assert frame is not None
    assert (frame["type"], frame["changed"]) == ("updated", {"status": "settling"})
    assert lot.status_of("cons_ada") == "WINNING"
    settled = evening.do(FinishSettlement(auction_id))[0]
    assert [(c, f["type"]) for c, f in frames.personal(lot, settled)] == [("cons_ada", "won")]


def test_the_printed_price_while_it_stands() -> None:
    """Until the first bid where there is no reserve, and never after the close."""
    evening = Evening("printed", "english")
    assert evening.lot("english").buy_now is None
    assert evening.lot("printed").buy_now == 299_999
    evening.do(bid("printed", "cons_ada", 40_000))
    assert evening.lot("printed").buy_now is None
    other = Evening("printed")
    other.do(PlaceBid(auction_of("printed"), "cons_ada", "b", 299_999, "buy_now"))
    assert other.lot("printed").now.state is State.CLOSED
    assert other.lot("printed").buy_now is None


def test_who_may_bid_and_for_how_much() -> None:
    """A registration as it was last decided; a first bid where the sale is open is one too;
    what was won counts, what may be won does not."""
    evening = Evening("english", "live", "one_bid")
    evening.do(RegisterBidder(SALE, "cons_ada", "approved", 118, 100_000, "known", by="key_1"))
    evening.do(bid("live", "cons_bram", 40_000), bid("one_bid", "cons_ada", 30_000))
    sale = evening.saleroom.sales[SALE]
    assert sale.paddles == {"cons_ada": 118, "cons_bram": 101}
    ada, bram = sale.registrations["cons_ada"], sale.registrations["cons_bram"]
    assert (ada.paddle, ada.admission, ada.limit, ada.reason) == (118, "approved", 100_000, "known")
    assert (bram.admission, bram.limit, bram.at) == ("approved", None, evening.at)
    evening.do(PlaceBid(auction_of("english"), "cons_ada", "e", 60_000, "max"))
    assert evening.saleroom.won(sale, "cons_ada") == 0  # a leading limit is hers to know
    evening.do(CloseLot(auction_of("english")))  # at the reserve: 319.99
    assert evening.saleroom.won(sale, "cons_ada") == 31_999
    evening.do(RegisterBidder(SALE, "cons_bram", "suspended", reason="unpaid"))
    assert sale.registrations["cons_bram"].admission == "suspended"
    assert sale.paddles["cons_bram"] == 101
