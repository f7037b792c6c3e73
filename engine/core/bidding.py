"""What becomes of a bid: it stands, or it is refused with the number that would pass.

One ladder of objections for every method of sale (bidding-rules 2.1), and one function a
method for what a standing bid brings about: limits that the engine bids up to (2.1), several
places, one bid each, bids that nobody can read, a falling price (2.9).

``decide_bid`` only looks.  What it says becomes the lot's history by ``lot.evolve_accepted``.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from engine.core import places, sealed
from engine.core.absentee import Book, enter, price_of
from engine.core.increments import rung_from
from engine.core.lot import (
    REFUSED_IN,
    Bidder,
    Lot,
    asking_at,
    asking_bid,
    holds_place,
    public_state,
    reserve_shown,
)
from engine.core.messages import (
    MAX_AMOUNT,
    Answer,
    AnswerRepeated,
    BidAccepted,
    BidCanceled,
    BidRefused,
    CancelBid,
    Kind,
    LimitLowered,
    LowerLimit,
    Objection,
    PlaceBid,
    PublicState,
    Refusal,
    Standing,
    State,
    Terms,
    Why,
)
from engine.core.terms import Method

# Which kinds of open bid a method can understand at all: limits only where the engine bids up
# to them.  A printed price is refused by its name where there is none.
_KINDS: dict[Method, tuple[Kind, ...]] = {
    "proxy": ("bid", "max", "buy_now"),
    "places": ("bid", "buy_now"),
    "once": ("bid", "buy_now"),
    "sealed": (),
    "dutch": ("bid", "buy_now"),
}

_NEWCOMER = Bidder()  # whoever has done nothing on this lot yet; never changed


def makes_sense(lot: Lot, bid: PlaceBid) -> bool:
    """Is it a bid that this lot could take or refuse?  No gateway sends another."""
    if bid.kind == "sealed":
        fits = lot.method == "sealed" and bid.amount == 0
        return fits and sealed.is_sealed(bid.commitment, bid.ciphertext)
    return 0 < bid.amount <= MAX_AMOUNT and bid.kind in _KINDS[lot.method]


def decide_bid(
    lot: Lot,
    bid: PlaceBid,
    at: int,
    admission: Refusal | None,
    paddle: int,
    allowance: int | None = None,
) -> BidAccepted | BidRefused | AnswerRepeated:
    """Does this bid stand?

    *admission* is the sale's objection to the bidder, *paddle* the number they hold or would
    be given, *allowance* the most that they may bid here (None: no limit).  A refusal is a
    value, with the number that would pass.  A bid asked about twice is answered twice alike,
    whatever has happened in between.
    """
    bidder = lot.bidders.get(bid.consumer_id)
    if bidder is not None and (known := bidder.answers.get(bid.cmd_id)) is not None:
        return repeated(lot, bid, bidder, known, at, admission, allowance)

    own = None
    if lot.method != "proxy" or lot.leader == bid.consumer_id:
        own = own_bid(lot, bid.consumer_id, bidder)
    code = refusal(lot, bid, at, admission, own, allowance)
    if code is not None:
        answer = refused(lot, bid, bidder, at, code, admission, own, allowance)
        return BidRefused(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)

    # From here on the bid stands.
    if bidder is None:
        bidder = _NEWCOMER
    return _TAKE[lot.method](lot, bid, at, bidder, paddle, allowance)


# ── Objections ───────────────────────────────────────────────────────────────────────────


def own_bid(lot: Lot, consumer_id: str, bidder: Bidder | None) -> int | None:
    """The bidder's own bid, where they need not beat anyone else's: they hold a place with it,
    or it is the one that they have."""
    if bidder is None or bidder.limit is None:
        return None
    if lot.method == "proxy":
        return -bidder.limit[0] if lot.leader == consumer_id else None
    if lot.method == "places" and not places.holds(lot.book, bidder.limit, lot.terms.winner_count):
        return None
    return -bidder.limit[0]


def refusal(
    lot: Lot,
    bid: PlaceBid,
    at: int,
    admission: Refusal | None,
    own: int | None,
    allowance: int | None,
) -> Refusal | None:
    """The first objection, in the order of bidding-rules 2.1."""
    if bid.expires_at is not None and at > bid.expires_at:
        return "expired"
    if lot.state is not State.OPEN or lot.bidding_ended:
        return "closed" if lot.bidding_ended else REFUSED_IN[lot.state]
    if admission is not None:
        return admission
    code = amount_refusal(lot, bid, own)
    if code is None and allowance is not None and _commits_to(lot, bid) > allowance:
        return "over_limit"
    return code


def amount_refusal(lot: Lot, bid: PlaceBid, own: int | None) -> Refusal | None:
    """What is wrong with the amount, or with bidding a second time."""
    if bid.kind == "buy_now":
        stands = buy_now_stands(lot) and bid.amount == lot.terms.buy_now
        return None if stands else "buy_now_unavailable"
    if bid.kind == "sealed":
        return None
    if own is not None:
        if lot.method in _ONE_BID_EACH:
            return "already_bid"
        if bid.amount <= own:
            return "not_a_raise"
    elif lot.asking is None or bid.amount < lot.asking:
        return "below_asking_bid"
    if lot.terms.ladder_only and _is_off_ladder(lot, bid.amount):
        return "off_ladder"
    return None


_ONE_BID_EACH: tuple[Method, ...] = ("once", "dutch")
_ON_LADDERS: tuple[Method, ...] = ("proxy", "places")  # elsewhere nothing climbs


def _is_off_ladder(lot: Lot, amount: int) -> bool:
    terms = lot.terms
    if amount == lot.asking:  # the rostrum may have asked for anything
        return False
    return lot.method in _ON_LADDERS and amount != rung_from(
        terms.increments, terms.opening, amount
    )


def _commits_to(lot: Lot, bid: PlaceBid) -> int:
    """What the bidder would stand for.  A falling price is taken at what is asked, and of a
    sealed bid nothing is known before the close."""
    if lot.method == "dutch":
        return lot.asking or 0
    return bid.amount


def buy_now_stands(lot: Lot) -> bool:
    """Is the printed price still on offer?  Until the bidding has met the reserve, or begun
    where there is none: the same can be read from the public state."""
    if lot.terms.buy_now is None:
        return False
    if lot.terms.reserve is None:
        return not lot.book
    return lot.price is None or lot.price < lot.terms.reserve


def _would_pass(lot: Lot, own: int | None, allowance: int | None) -> int | None:
    """The lowest amount that this bidder could bid now."""
    if lot.state is not State.OPEN or lot.bidding_ended:
        return None
    if own is None:
        lowest = lot.asking
    elif lot.method in _ONE_BID_EACH:
        lowest = None
    else:
        lowest = next_raise(lot.terms, own)
    return within(lowest, allowance)


def next_raise(terms: Terms, limit: int) -> int | None:
    """The lowest limit above *limit*: what the leader may send."""
    raised = limit + 1
    if terms.ladder_only:
        raised = rung_from(terms.increments, terms.opening, raised)
    return raised if raised <= MAX_AMOUNT else None


def within(lowest: int | None, allowance: int | None) -> int | None:
    if lowest is None or allowance is None or lowest <= allowance:
        return lowest
    return None


def refused(
    lot: Lot,
    bid: PlaceBid,
    bidder: Bidder | None,
    at: int,
    code: Refusal,
    admission: Refusal | None,
    own: int | None,
    allowance: int | None,
) -> Answer:
    """A refusal, with the number that would pass where this bidder may bid at all."""
    return Answer(
        bid.amount,
        bid.kind,
        at,
        lot.seq,
        standing(bidder, holds_place(lot, bid.consumer_id)),
        lot.price,
        asking_bid(lot),
        _would_pass(lot, own, allowance) if admission is None else None,
        code,
        code == "below_asking_bid" and bid.seen is not None and bid.seen < lot.seq,
        bidder.bid_count if bidder is not None else 0,
        bid.commitment,
    )


def repeated(
    lot: Lot,
    bid: PlaceBid,
    bidder: Bidder,
    known: Answer,
    at: int,
    admission: Refusal | None,
    allowance: int | None,
) -> AnswerRepeated:
    """The first answer again; or, for other content under the same id, an objection to it."""
    same = (
        known.amount == bid.amount and known.kind == bid.kind and known.commitment == bid.commitment
    )
    answer = known
    if not same:
        own = own_bid(lot, bid.consumer_id, bidder)
        code: Refusal = "idempotency_mismatch"
        answer = refused(lot, bid, bidder, at, code, admission, own, allowance)
    return AnswerRepeated(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)


def standing(bidder: Bidder | None, holds: bool) -> Standing:
    if holds:
        return "WINNING"
    if bidder is None or (bidder.limit is None and bidder.sealed is None):
        return "NOT_BID"
    return "OUTBID" if bidder.has_led else "ACTIVE"


# ── One place, and limits ────────────────────────────────────────────────────────────────


def _compete(lot: Lot, bid: PlaceBid) -> tuple[int, Why]:
    """The price that a bid against the book makes, and what made it."""
    best = -lot.book[0][0] if lot.book else None
    if best is not None and bid.amount <= best:
        return price_of(lot.terms, best, bid.amount), "proxy"
    price = price_of(lot.terms, bid.amount, best)
    if bid.kind != "max":
        price = max(price, bid.amount)
    # The reserve alone made this price when nobody named it.
    by_reserve = price == lot.terms.reserve and bid.amount != price
    return price, "reserve" if by_reserve else "bid"


def raised(lot: Lot, bid: PlaceBid) -> tuple[int, Why | None]:
    """The price after the leader's own raise, which competes with nobody (line 11)."""
    terms, limit = lot.terms, bid.amount
    assert lot.price is not None
    if bid.kind == "buy_now":
        return limit, "bid"
    price = lot.price
    meets_reserve = terms.reserve is not None and price < terms.reserve <= limit
    if terms.leader_raise == "recompute":
        second = -lot.book[1][0] if len(lot.book) > 1 else None
        # At the rostrum a limit may be below the opening.
        price = max(price, min(limit, price_of(terms, limit, second)))
    elif meets_reserve:
        assert terms.reserve is not None
        price = terms.reserve
    if price == lot.price:
        return price, None
    return price, "reserve" if price == terms.reserve else "bid"


def _take_limit(
    lot: Lot, bid: PlaceBid, at: int, bidder: Bidder, paddle: int, allowance: int | None
) -> BidAccepted:
    """The event of a limit that stands, with everything as it is after it."""
    price, why = raised(lot, bid) if lot.leader == bid.consumer_id else _compete(lot, bid)
    if bidder.paddle:
        paddle = bidder.paddle
    best = -lot.book[0][0] if lot.book else 0
    leads = bid.amount > best  # also the leader's own raise
    after = _after_limit(lot, price, why is not None, leads, paddle, bidder.bid_count == 0)
    status: Standing = "WINNING"
    would_pass = after.asking_bid
    if bid.kind == "buy_now":
        would_pass = None  # the hammer falls in the same breath
    elif leads:
        would_pass = next_raise(lot.terms, bid.amount)
    else:
        status = "OUTBID" if bidder.has_led else "ACTIVE"
    answer = Answer(
        bid.amount,
        bid.kind,
        at,
        after.seq,
        status,
        price,
        after.asking_bid,
        would_pass if allowance is None else within(would_pass, allowance),
        None,
        False,
        bidder.bid_count + 1,
    )
    beaten = lot.leader if leads and lot.leader != bid.consumer_id else None
    tied = bid.amount == best
    return BidAccepted(
        bid.auction_id, bid.consumer_id, bid.cmd_id, answer, paddle, beaten, tied, why, after
    )


def _after_limit(
    lot: Lot, price: int, moved: bool, leads: bool, paddle: int, is_new: bool
) -> PublicState:
    """The public state after a bid by *paddle*; *is_new*: their first on this lot."""
    if not leads and lot.leader is not None:
        paddle = lot.bidders[lot.leader].paddle
    return PublicState(
        lot.seq + moved,
        State.OPEN,
        price,
        asking_at(lot.terms, price) if moved else lot.asking,
        paddle,
        lot.bid_count + moved,
        lot.bidder_count + is_new,
        reserve_shown(lot.terms, price),
        lot.closes_at,
        lot.extensions,
    )


def lower_limit(lot: Lot, wish: LowerLimit, at: int) -> LimitLowered | Objection:
    """The leader's limit, down to where it is already used: the price, and more than the
    second limit, so that the lead cannot change (bidding-rules 2.1, line 14)."""
    if lot.state is not State.OPEN and lot.state is not State.PAUSED:
        return "invalid_transition"
    if lot.method != "proxy" or lot.leader != wish.consumer_id:
        return "invalid"
    second = -lot.book[1][0] if len(lot.book) > 1 else 0
    limit = -lot.book[0][0]
    fits = max(lot.price or 0, second + 1) <= wish.amount < limit
    if not fits or (lot.terms.ladder_only and _is_off_ladder(lot, wish.amount)):
        return "invalid"
    return LimitLowered(at, lot.auction_id, wish.consumer_id, wish.amount)


# ── Several places, and one bid each ─────────────────────────────────────────────────────


def _take_place(
    lot: Lot, bid: PlaceBid, at: int, bidder: Bidder, paddle: int, allowance: int | None
) -> BidAccepted:
    """A bid that stands at its full amount, beside those of the others."""
    paddle, count = bidder.paddle or paddle, lot.terms.winner_count
    book = lot.book.copy()
    entry = enter(book, bid.consumer_id, bid.amount, lot.order + 1, bidder.limit)
    holds = places.holds(book, entry, count)
    gained = holds and not places.holds(lot.book, bidder.limit, count)
    after = PublicState(
        lot.seq + 1,
        State.OPEN,
        -book[0][0],
        _asking_beside(lot, book),
        paddle if book[0] is entry else lot.bidders[book[0][2]].paddle,
        len(book) if lot.method == "once" else lot.bid_count + 1,
        len(book),
        reserve_shown(lot.terms, -book[0][0]),
        lot.closes_at,
        lot.extensions,
    )
    return BidAccepted(
        bid.auction_id,
        bid.consumer_id,
        bid.cmd_id,
        _taken(lot, bid, at, bidder, after, "WINNING" if holds else "ACTIVE", allowance),
        paddle,
        book[count][2] if gained and len(book) > count else None,
        not holds and book[count - 1][0] == entry[0],
        "bid",
        after,
    )


def _asking_beside(lot: Lot, book: Book) -> int | None:
    """What a newcomer must bid: the opening bid where a place is free or nobody is to be
    beaten, else a step over the last winning bid."""
    last = places.last_place(book, lot.terms.winner_count)
    if lot.method == "once" or last is None:
        return lot.terms.opening
    return asking_at(lot.terms, last)


def _taken(
    lot: Lot,
    bid: PlaceBid,
    at: int,
    bidder: Bidder,
    after: PublicState,
    status: Standing,
    allowance: int | None,
) -> Answer:
    """The answer to a bid that stands."""
    again = None if lot.method in _ONE_BID_EACH else next_raise(lot.terms, bid.amount)
    return Answer(
        bid.amount,
        bid.kind,
        at,
        after.seq,
        status,
        after.price,
        after.asking_bid,
        within(again, allowance),
        None,
        False,
        bidder.bid_count + 1,
    )


def take_back(lot: Lot, wish: CancelBid, at: int) -> BidCanceled | Objection:
    """Take a one-bid auction's bid back; whoever stood behind the places moves up."""
    bidder = lot.bidders.get(wish.consumer_id)
    known = bidder.answers.get(wish.bid_cmd_id) if bidder is not None else None
    if bidder is None or known is None or known.code is not None:
        return "not_found"
    live = lot.state is State.OPEN or lot.state is State.PAUSED
    if lot.method != "once" or not live or bidder.cmd_id != wish.bid_cmd_id:
        return "not_cancelable"
    assert bidder.limit is not None
    promoted = places.moved_up(lot.book, lot.terms.winner_count, bidder.limit)
    book = lot.book.copy()
    places.take_out(book, bidder.limit)
    price = -book[0][0] if book else None
    after = replace(
        public_state(lot),
        seq=lot.seq + 1,
        price=price,
        paddle=lot.bidders[book[0][2]].paddle if book else None,
        bid_count=len(book),
        bidder_count=len(book),
        reserve=reserve_shown(lot.terms, price),
    )
    return BidCanceled(at, lot.auction_id, wish.consumer_id, wish.bid_cmd_id, promoted, after)


# ── Bids that nobody can read ────────────────────────────────────────────────────────────


def _take_sealed(
    lot: Lot, bid: PlaceBid, at: int, bidder: Bidder, paddle: int, allowance: int | None
) -> BidAccepted:
    """A sealed bid stands instead of the bidder's earlier one, and nobody sees anything."""
    after = public_state(lot)
    answer = Answer(
        0,
        "sealed",
        at,
        lot.seq,
        "ACTIVE",
        None,
        lot.asking,
        within(lot.asking, allowance),
        None,
        False,
        bidder.bid_count + 1,
        bid.commitment,
    )
    return BidAccepted(
        bid.auction_id,
        bid.consumer_id,
        bid.cmd_id,
        answer,
        bidder.paddle or paddle,
        None,
        False,
        None,
        after,
        bid.ciphertext,
    )


# ── A falling price ──────────────────────────────────────────────────────────────────────


def _take_unit(
    lot: Lot, bid: PlaceBid, at: int, bidder: Bidder, paddle: int, allowance: int | None
) -> BidAccepted:
    """One unit at what is asked, however much more was offered."""
    paddle = bidder.paddle or paddle
    after = replace(
        public_state(lot),
        seq=lot.seq + 1,
        price=lot.asking,
        paddle=paddle,
        bid_count=lot.bid_count + 1,
        bidder_count=lot.bidder_count + 1,
    )
    answer = _taken(lot, bid, at, bidder, after, "WINNING", allowance)
    return BidAccepted(
        bid.auction_id, bid.consumer_id, bid.cmd_id, answer, paddle, None, False, "bid", after
    )


_TAKE: dict[Method, Callable[[Lot, PlaceBid, int, Bidder, int, int | None], BidAccepted]] = {
    "proxy": _take_limit,
    "places": _take_place,
    "once": _take_place,
    "sealed": _take_sealed,
    "dutch": _take_unit,
}


# ── After a bid ──────────────────────────────────────────────────────────────────────────


def completes(lot: Lot, taken: BidAccepted) -> bool:
    """Is the lot sold by this bid, at once: at the printed price, or with its last unit?"""
    if lot.method == "dutch":
        return len(lot.book) >= lot.terms.winner_count
    return taken.answer.kind == "buy_now"


def competes(lot: Lot, taken: BidAccepted) -> bool:
    """Do the others need time to reply to a bid of one who held no place before?

    On a lot of one place always, also where the leader answered it.  A bid that nobody can
    see or beat needs no reply, nor one that won nothing.
    """
    return lot.method == "proxy" or (
        taken.answer.status == "WINNING" and lot.method != "dutch" and lot.method != "sealed"
    )
