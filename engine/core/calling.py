"""What becomes of a bid on a live lot: from the room, the phone, the letter or the net.

The book and the prices are those of every lot of one place (absentee.py, bidding-rules 2.1).
What differs is what an auctioneer may do: take an amount between the steps, hear several
unnamed bidders one after the other, let online bids wait, call a left bid, and go back.  And
where a left bid's limit and the floor reach the same amount, the sale's terms say who has it
(bidding-rules 2.5).

After an undo nobody leads.  Limits made before it stand as instructions, and reply to the
next bid; none of them leads again by itself (bidding-rules 2.6).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine.core import bidding
from engine.core import lot as lots
from engine.core.absentee import Limit, enter, price_of
from engine.core.increments import table
from engine.core.lot import REFUSED_IN, Bidder, Lot, asking_bid, asking_over, reserve_shown
from engine.core.messages import (
    Answer,
    AnswerRepeated,
    AskingSet,
    BidAccepted,
    BidCalled,
    BidRefused,
    BidsLapsed,
    BidsUndone,
    BidWaiting,
    Channel,
    LimitLowered,
    LotClosed,
    LotEvent,
    LotOpened,
    LotReopened,
    PlaceBid,
    PublicState,
    Refusal,
    ReserveLowered,
    Standing,
    State,
    Terms,
    Why,
    WrongFoot,
)
from engine.core.rostrum import FLOOR, Mark, Rostrum, Waiting, key

_NEWCOMER = Bidder()  # whoever has done nothing on this lot yet; never changed


class Offered(NamedTuple):
    """A bid, and where it comes from."""

    bid: PlaceBid
    paddle: int  # the number that they hold or would be given; 0: none is shown
    channel: Channel = "online"
    allowance: int | None = None  # the most that they may bid here; None: no limit
    house: bool = False
    by: str = ""  # who makes it at the rostrum


def memory(lot: Lot) -> Rostrum:
    """The rostrum's memory of a live lot."""
    assert lot.rostrum is not None
    return lot.rostrum


# ── Online bids ──────────────────────────────────────────────────────────────────────────


def decide_bid(
    lot: Lot,
    bid: PlaceBid,
    at: int,
    admission: Refusal | None,
    paddle: int,
    allowance: int | None,
    wrong_foot: WrongFoot,
    by_hand: bool,
) -> BidAccepted | BidRefused | BidWaiting | AnswerRepeated:
    """Does this online bid stand, or wait?  As ``bidding.decide_bid``.

    An exact bid waits where the rostrum takes them *by hand*.  A limit is a left bid: it enters
    the book at once, also before the opening.
    """
    bidder = lot.bidders.get(bid.consumer_id)
    if bidder is not None and (known := bidder.answers.get(bid.cmd_id)) is not None:
        return bidding.repeated(lot, bid, bidder, known, at, admission, allowance)
    own = _own(lot, bid.consumer_id)
    waits = by_hand and bid.kind == "bid" and lot.leader != bid.consumer_id
    code = _refusal(lot, bid, at, admission, own, allowance)
    if code is None and waits and bid.consumer_id in memory(lot).waiting:
        code = "already_bid"
    if code is not None:
        answer = bidding.refused(lot, bid, bidder, at, code, admission, own, allowance)
        if code == "already_bid":
            answer = replace(answer, would_pass=None)
        elif _is_left_before(lot, bid) and admission is None:
            lowest = lot.asking if own is None else bidding.next_raise(lot.terms, own)
            answer = replace(answer, would_pass=bidding.within(lowest, allowance))
        return BidRefused(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)

    # From here on the bid stands, or could.
    if waits:
        return _waiting(lot, bid, at, bidder or _NEWCOMER, paddle)
    channel: Channel = "left" if bid.kind == "max" else "online"
    return accept(lot, Offered(bid, paddle, channel, allowance), at, wrong_foot)


def _own(lot: Lot, consumer_id: str) -> int | None:
    """The limit that the bidder's next one must pass: the leader's; before the opening
    everybody's own."""
    bidder = lot.bidders.get(consumer_id)
    if bidder is None or bidder.limit is None:
        return None
    leads = lot.leader == consumer_id or lot.state is State.SCHEDULED
    return -bidder.limit[0] if leads else None


def _is_left_before(lot: Lot, bid: PlaceBid) -> bool:
    return lot.state is State.SCHEDULED and bid.kind == "max"


def _refusal(
    lot: Lot,
    bid: PlaceBid,
    at: int,
    admission: Refusal | None,
    own: int | None,
    allowance: int | None,
) -> Refusal | None:
    """The first objection; a left bid may come before the opening."""
    if not _is_left_before(lot, bid):
        return bidding.refusal(lot, bid, at, admission, own, allowance)
    if bid.expires_at is not None and at > bid.expires_at:
        return "expired"
    return admission or left_refusal(lot, bid, allowance)


def left_refusal(lot: Lot, bid: PlaceBid, allowance: int | None) -> Refusal | None:
    """What is wrong with the amount of a left bid."""
    code = bidding.amount_refusal(lot, bid, _own(lot, bid.consumer_id))
    if code is None and allowance is not None and bid.amount > allowance:
        return "over_limit"
    return code


def _waiting(lot: Lot, bid: PlaceBid, at: int, bidder: Bidder, paddle: int) -> BidWaiting:
    answer = Answer(
        bid.amount,
        bid.kind,
        at,
        lot.seq,
        "ACTIVE",
        lot.price,
        lot.asking,
        None,
        None,
        False,
        bidder.bid_count,
        "",
        True,
    )
    paddle = bidder.paddle or paddle
    return BidWaiting(bid.auction_id, bid.consumer_id, bid.cmd_id, answer, paddle)


def refuse(lot: Lot, consumer_id: str, at: int) -> BidRefused:
    """The rostrum does not take a waiting bid."""
    waiting, bidder = memory(lot).waiting[consumer_id], lot.bidders[consumer_id]
    bid = PlaceBid(lot.auction_id, consumer_id, waiting.cmd_id, waiting.amount, "bid")
    own = _own(lot, consumer_id)
    answer = bidding.refused(lot, bid, bidder, at, "refused", None, own, None)
    return BidRefused(lot.auction_id, consumer_id, waiting.cmd_id, answer)


def lapsed(lot: Lot, at: int) -> BidsLapsed | None:
    """The waiting bids that cannot be taken any more."""
    waiting = memory(lot).waiting
    code: Refusal = "below_asking_bid"
    gone = [(who, bid.cmd_id) for who, bid in waiting.items() if bid.amount < lowest_bid(lot)]
    if lot.state is not State.OPEN and lot.state is not State.PAUSED:
        code = REFUSED_IN[lot.state]
        gone = [(who, bid.cmd_id) for who, bid in waiting.items()]
    return BidsLapsed(at, lot.auction_id, code, tuple(gone)) if gone else None


def lowest_bid(lot: Lot) -> int:
    """The least that the rostrum could take now: more than the price, or the price itself
    where nobody leads at it."""
    if lot.price is None:
        return 1
    return lot.price if lot.leader is None else lot.price + 1


# ── A bid that stands ────────────────────────────────────────────────────────────────────


class _Contest(NamedTuple):
    """How a bid against the book ends."""

    price: int
    why: Why | None
    leads: bool
    tied: bool = False


def accept(
    lot: Lot, offered: Offered, at: int, wrong_foot: WrongFoot, why: Why | None = None
) -> BidAccepted:
    """The event of a bid that stands, with everything as it is after it; *why*, where the
    rostrum says that it leads whatever stands in the book."""
    bid = offered.bid
    bidder = lot.bidders.get(bid.consumer_id, _NEWCOMER)
    if lot.state is State.SCHEDULED:
        return _left_before(lot, offered, bidder, at)
    raises = lot.leader == bid.consumer_id and (bid.kind != "bid" or not offered.by)
    if why is not None:
        own = bidder.limit
        ended = _Contest(_kept_in_front(lot, bid.amount, own), why, leads=True)
    elif raises:
        ended = _Contest(*bidding.raised(lot, bid), leads=True)
    else:
        ended = _contest(lot, offered, wrong_foot)
    after = _after_bid(lot, offered, bidder, ended, raises)
    return BidAccepted(
        lot.auction_id,
        bid.consumer_id,
        bid.cmd_id,
        _answer(lot, offered, bidder, ended, after, at),
        bidder.paddle or offered.paddle,
        lot.leader if ended.leads and lot.leader != bid.consumer_id else None,
        ended.tied,
        ended.why,
        after,
        "",
        offered.channel,
        offered.house,
        offered.by,
    )


def _left_before(lot: Lot, offered: Offered, bidder: Bidder, at: int) -> BidAccepted:
    """A left bid that waits for the opening: nothing public has changed."""
    bid, after = offered.bid, lots.public_state(lot)
    again = bidding.next_raise(lot.terms, bid.amount)
    answer = Answer(
        bid.amount,
        bid.kind,
        at,
        lot.seq,
        "ACTIVE",
        None,
        after.asking_bid,
        bidding.within(again, offered.allowance),
        None,
        False,
        bidder.bid_count + 1,
    )
    return BidAccepted(
        lot.auction_id,
        bid.consumer_id,
        bid.cmd_id,
        answer,
        bidder.paddle or offered.paddle,
        None,
        False,
        None,
        after,
        "",
        "left",
        False,
        offered.by,
    )


def _contest(lot: Lot, offered: Offered, wrong_foot: WrongFoot) -> _Contest:
    """A bid against the best of the others (bidding-rules 2.1, and 2.5 for ties)."""
    bid, terms = offered.bid, _pricing(lot)
    limit = max(bid.amount, _standing_limit(lot, bid.consumer_id))
    others = [-entry[0] for entry in lot.book[:3] if entry[2] != bid.consumer_id]
    best = others[0] if others else None
    on_floor = offered.channel in FLOOR
    first = limit == best and on_floor and wrong_foot == "floor_first"
    if best is None or limit > best or first:
        price = max(min(limit, price_of(terms, limit, best)), lot.price or 0)
        if bid.kind != "max":
            price = max(price, bid.amount)
        else:
            price = _covered(lot, price, limit, wrong_foot)
        by_reserve = price == terms.reserve and bid.amount != price
        return _Contest(price, "reserve" if by_reserve else "bid", leads=True)
    if limit == best and on_floor and wrong_foot == "plus_one":
        over = asking_over(lot.terms, best, memory(lot).step)
        return _Contest(best if over is None else over, "proxy", leads=False, tied=True)
    price = price_of(terms, best, max([limit, *others[1:2]]))
    price = _covered(lot, price, best, wrong_foot)
    return _Contest(price, "proxy", leads=False, tied=limit == best)


def _standing_limit(lot: Lot, consumer_id: str) -> int:
    bidder = lot.bidders.get(consumer_id)
    return -bidder.limit[0] if bidder is not None and bidder.limit is not None else 0


def _pricing(lot: Lot) -> Terms:
    """The terms that a price is made by now: with the rostrum's step, and begun at what it
    asks for."""
    terms, step = lot.terms, memory(lot).step
    if step is not None:
        terms = replace(terms, increments=table([(0, step)]))
    if lot.price is None and lot.asking is not None and lot.asking != terms.opening:
        terms = replace(terms, opening=lot.asking)
    return terms


def _covered(lot: Lot, price: int, limit: int, wrong_foot: WrongFoot) -> int:
    """A left bid that the next step of the floor would meet at its limit bids it at once,
    where the sale's terms say so."""
    meets = wrong_foot == "cover" and asking_over(lot.terms, price, memory(lot).step) == limit
    return limit if meets else price


def _answer(
    lot: Lot, offered: Offered, bidder: Bidder, ended: _Contest, after: PublicState, at: int
) -> Answer:
    bid = offered.bid
    status: Standing = "WINNING"
    would_pass = bidding.next_raise(lot.terms, bid.amount)
    if not ended.leads:
        status = "OUTBID" if bidder.has_led else "ACTIVE"
        would_pass = after.asking_bid
    if bid.kind == "buy_now":
        would_pass = None
    return Answer(
        bid.amount,
        bid.kind,
        at,
        after.seq,
        status,
        ended.price,
        after.asking_bid,
        bidding.within(would_pass, offered.allowance),
        None,
        False,
        bidder.bid_count + 1,
    )


def _after_bid(
    lot: Lot, offered: Offered, bidder: Bidder, ended: _Contest, raises: bool
) -> PublicState:
    who = offered.bid.consumer_id
    if ended.why is None:
        return lots.public_state(lot)
    channel: Channel = offered.channel
    paddle: int | None = bidder.paddle or offered.paddle
    if not ended.leads:
        channel = "left"
        paddle = lot.bidders[_first_but(lot, who)].paddle
    elif raises:
        channel = memory(lot).channel
    return _after_price(lot, ended.price, paddle, channel, who)


def _first_but(lot: Lot, consumer_id: str) -> str:
    return next(entry[2] for entry in lot.book[:2] if entry[2] != consumer_id)


def _after_price(
    lot: Lot, price: int, paddle: int | None, channel: Channel, who: str
) -> PublicState:
    """What everybody sees after a price that a bid of *who* has made."""
    known = memory(lot).known
    return PublicState(
        lot.seq + 1,
        State.OPEN,
        price,
        asking_over(lot.terms, price, memory(lot).step),
        paddle or None,
        lot.bid_count + 1,
        len(known) + (who not in known),
        reserve_shown(lot.terms, price),
        lot.closes_at,
        lot.extensions,
        channel,
    )


# ── Bids that were in already ────────────────────────────────────────────────────────────


def carried_out(lot: Lot, at: int, wrong_foot: WrongFoot) -> BidCalled | None:
    """The left bids at the opening: none competing, at the opening bid; else one step over
    the second (bidding-rules 2.5)."""
    start = lot.asking or lot.terms.opening
    if not lot.book or -lot.book[0][0] < start:
        return None
    return _call(lot, at, start, "bid", wrong_foot)


def is_new(lot: Lot) -> bool:
    """Does its bidding begin only now?"""
    return memory(lot).opened == lot.seq


def called(lot: Lot, at: int, amount: int, wrong_foot: WrongFoot) -> BidCalled | None:
    """The best standing left bid, called at *amount*; None where there is none so high.

    A standing limit above the price exists only where nobody leads: else it had replied.
    """
    if lot.leader is not None or not lot.book or -lot.book[0][0] < amount:
        return None
    return _call(lot, at, amount, "bid", wrong_foot)


def reply(lot: Lot, at: int, wrong_foot: WrongFoot) -> BidCalled | None:
    """The left bid that answers a bid which was made to lead by hand."""
    if lot.leader is None or lot.book[0][2] == lot.leader:
        return None
    assert lot.price is not None
    return _call(lot, at, lot.price, "proxy", wrong_foot)


def _call(lot: Lot, at: int, least: int, why: Why, wrong_foot: WrongFoot) -> BidCalled:
    limit, _, consumer_id = lot.book[0]
    second = -lot.book[1][0] if len(lot.book) > 1 else None
    price = max(least, min(-limit, price_of(_pricing(lot), -limit, second)))
    price = _covered(lot, price, -limit, wrong_foot)
    if price == lot.terms.reserve and price != least and why == "bid":
        why = "reserve"
    return _led(lot, at, consumer_id, lot.bidders[consumer_id].cmd_id, price, "left", why)


def _led(
    lot: Lot, at: int, consumer_id: str, cmd_id: str, price: int, channel: Channel, why: Why
) -> BidCalled:
    paddle = lot.bidders[consumer_id].paddle
    after = _after_price(lot, price, paddle, channel, consumer_id)
    return BidCalled(
        at, lot.auction_id, consumer_id, cmd_id, paddle, lot.leader, channel, why, after
    )


def reinstated(lot: Lot, at: int, mark: Mark) -> BidCalled | None:
    """A bid that stood once leads again at the amount that was bid out loud with it, or the
    least that a limit must bid now; None where that is too little."""
    price, lowest = mark.called, lowest_bid(lot)
    if mark.stands and (price < lowest or not mark.led):
        has_to_beat = lot.leader is not None or lot.price is None
        price = min(mark.amount, lot.asking or lowest if has_to_beat else lowest)
    if price < lowest or mark.consumer_id == lot.leader:
        return None
    price = _kept_in_front(lot, price, _back_in_the_book(lot, mark))
    return _led(lot, at, mark.consumer_id, mark.cmd_id, price, mark.channel, "reinstated")


def _back_in_the_book(lot: Lot, mark: Mark) -> Limit | None:
    """The limit that a reinstated bid has from now on, where it may go on bidding."""
    own = lot.bidders[mark.consumer_id].limit
    if not mark.stands or (own is not None and -own[0] > mark.amount):
        return own
    return (-mark.amount, mark.order, mark.consumer_id)


def _kept_in_front(lot: Lot, price: int, limit: Limit | None) -> int:
    """What a bid that is made to lead at *price* bids at once, where it has a *limit* above
    that: as much as keeps it before the limits that stand.  One that it cannot pass replies."""
    if limit is None or -limit[0] <= price:
        return price
    rival = next((entry for entry in lot.book[:2] if entry[2] != limit[2]), None)
    if rival is not None and rival < limit:
        return price
    second = None if rival is None else -rival[0]
    terms = replace(_pricing(lot), opening=price)
    return max(price, price_of(terms, -limit[0], second))


def find(lot: Lot, consumer_id: str, cmd_id: str) -> Mark | None:
    """The last that is known of a bid."""
    rostrum = memory(lot)
    if (mark := rostrum.aside.get(key(consumer_id, cmd_id))) is not None:
        return mark
    for mark in reversed(rostrum.marks):
        if (mark.consumer_id, mark.cmd_id) == (consumer_id, cmd_id):
            return mark
    return None


def undone(lot: Lot, at: int, to_seq: int, reason: str) -> BidsUndone | None:
    """Go back to what stood at *to_seq*, with nobody leading; None where nothing was bid
    since."""
    rostrum = memory(lot)
    back = max(to_seq, rostrum.opened)
    void = [mark for mark in rostrum.marks if mark.seq > back and _is_bid(mark)]
    if not any(mark.moved for mark in void):
        return None
    then = [mark for mark in rostrum.marks if mark.seq <= back][-1]
    after = replace(
        lots.after(lot),
        price=then.price,
        asking_bid=then.asking,
        paddle=None,
        bid_count=then.bid_count,
        bidder_count=then.bidder_count,
        reserve=reserve_shown(lot.terms, then.price),
        channel="online",
        phase=None,
    )
    bids = dict.fromkeys((mark.consumer_id, mark.cmd_id) for mark in void)
    left = {(mark.consumer_id, mark.cmd_id) for mark in rostrum.marks if mark.seq <= back}
    kept = tuple(bid for bid in bids if bid in left)
    return BidsUndone(at, lot.auction_id, to_seq, tuple(bids), reason, after, kept)


def _is_bid(mark: Mark) -> bool:
    """Was it a bid, and neither the rostrum's doing nor a step over a limit?"""
    return mark.consumer_id != "" and (mark.moved or not mark.led)


# ── Making it so ─────────────────────────────────────────────────────────────────────────


def evolve_accepted(lot: Lot, event: BidAccepted) -> None:
    """Make an accepted bid part of a live lot's history."""
    after, answer, rostrum = event.after, event.answer, memory(lot)
    moved, leads = event.why is not None, answer.status == "WINNING"
    assert lot.state is State.OPEN or (lot.state is State.SCHEDULED and not moved)
    assert after.seq == lot.seq + moved
    assert not moved or (after.price or 0) >= lowest_bid(lot), "the price fell"
    bidder = lot.bidders.setdefault(event.consumer_id, Bidder())
    lot.order += 1
    stands = answer.kind == "max" or after.price is None or answer.amount > after.price
    limit = answer.amount
    if (own := _standing_limit(lot, event.consumer_id)) > limit:
        limit, stands = own, True
    keeps = lot.leader == event.consumer_id and bidder.limit is not None
    order = bidder.limit[1] if keeps and bidder.limit is not None else lot.order
    _enter(lot, event.consumer_id, limit, order, leads and limit == after.price)
    bidder.paddle, bidder.cmd_id = event.paddle, event.cmd_id
    bidder.bid_count += 1
    bidder.answers[event.cmd_id] = answer
    if event.cmd_id in bidder.refused:
        bidder.refused.remove(event.cmd_id)
    if moved:
        _lead(lot, event.consumer_id if leads else lot.book[0][2], after)
    lot.price, lot.asking, lot.seq = after.price, after.asking_bid, after.seq
    lot.bid_count, lot.bidder_count = after.bid_count, after.bidder_count
    rostrum.channel, rostrum.phase = after.channel, after.phase
    _stop_waiting(rostrum, event.consumer_id, event.cmd_id)
    _remember(lot, event.consumer_id, event.cmd_id, limit, stands, moved, leads, event.channel)


def _enter(lot: Lot, consumer_id: str, limit: int, order: int, at_the_price: bool) -> None:
    """Put a limit in its place; one that leads *at the price*, though an equal one was earlier,
    goes before it."""
    bidder = lot.bidders[consumer_id]
    others = (entry for entry in lot.book[:2] if entry[2] != consumer_id)
    first = next(others, None)
    if at_the_price and first is not None and -first[0] == limit and first[1] < order:
        order = -lot.order
    bidder.limit = enter(lot.book, consumer_id, limit, order, bidder.limit)


def _lead(lot: Lot, consumer_id: str, after: PublicState) -> None:
    """Whose bid made the price.  Where it went a step over their limit, that is their limit
    now (bidding-rules 2.5, ``plus_one``)."""
    bidder = lot.bidders[consumer_id]
    bidder.has_led = True
    lot.leader = consumer_id
    assert bidder.limit is not None
    assert after.price is not None
    if -bidder.limit[0] < after.price:
        order = bidder.limit[1]
        bidder.limit = enter(lot.book, consumer_id, after.price, order, bidder.limit)
    assert lot.book[0][2] == consumer_id or after.price < -lot.book[0][0], "the lead flipped"


def _remember(
    lot: Lot,
    consumer_id: str,
    cmd_id: str,
    limit: int,
    stands: bool,
    moved: bool,
    led: bool,
    channel: Channel,
) -> None:
    """Set a mark after a bid."""
    rostrum, entry = memory(lot), lot.bidders[consumer_id].limit
    order = lot.order if entry is None else entry[1]
    now = _mark(lot, consumer_id, cmd_id, limit, order, stands, moved, led and moved, channel)
    rostrum.marks.append(now)
    if lot.leader is not None and moved and not led:
        _remember_the_step_over(lot)
    rostrum.known[consumer_id] = rostrum.known.get(consumer_id, 0) + 1
    rostrum.aside.pop(key(consumer_id, cmd_id), None)


def _remember_the_step_over(lot: Lot) -> None:
    """Where the leader went over their limit, an undo to here finds the new one."""
    assert lot.leader is not None
    leader = lot.bidders[lot.leader]
    assert leader.limit is not None
    limit, order, who = leader.limit
    mark = find(lot, who, leader.cmd_id)
    if mark is not None and mark.amount < -limit:
        over = _mark(lot, who, leader.cmd_id, -limit, order, True, False, True, "left")
        memory(lot).marks.append(over)


def _mark(lot: Lot, *bid: Any) -> Mark:
    return Mark(lot.seq, lot.price, lot.asking, lot.bid_count, lot.bidder_count, *bid)


def hold(lot: Lot) -> None:
    """The hammer was held for what waits now; it is held once."""
    rostrum = memory(lot)
    rostrum.held = rostrum.came


def _stop_waiting(rostrum: Rostrum, consumer_id: str, cmd_id: str) -> Waiting | None:
    waiting = rostrum.waiting.get(consumer_id)
    if waiting is None or waiting.cmd_id != cmd_id:
        return None
    return rostrum.waiting.pop(consumer_id)


def evolve_waiting(lot: Lot, event: BidWaiting) -> None:
    """A bid waits for the rostrum."""
    rostrum = memory(lot)
    bidder = lot.bidders.setdefault(event.consumer_id, Bidder())
    bidder.paddle = event.paddle
    bidder.answers[event.cmd_id] = event.answer
    rostrum.came += 1
    rostrum.waiting[event.consumer_id] = Waiting(event.cmd_id, event.answer.amount, rostrum.came)


def evolve_refused(lot: Lot, event: BidRefused) -> None:
    """Where it was the rostrum that refused a waiting bid, it may think better of it."""
    lots.evolve_refused(lot, event)
    rostrum = memory(lot)
    waiting = _stop_waiting(rostrum, event.consumer_id, event.cmd_id)
    if waiting is not None:
        bid = event.consumer_id, event.cmd_id
        rostrum.aside[key(*bid)] = _mark(lot, *bid, waiting.amount)


def evolve_lapsed(lot: Lot, event: BidsLapsed) -> None:
    """What waited is refused now, and so its retry is told."""
    for consumer_id, cmd_id in event.bids:
        bidder = lot.bidders[consumer_id]
        assert _stop_waiting(memory(lot), consumer_id, cmd_id) is not None
        answer = replace(
            bidder.answers[cmd_id],
            at=event.at,
            seq=lot.seq,
            status=bidding.standing(bidder, lot.leader == consumer_id),
            price=lot.price,
            asking_bid=asking_bid(lot),
            would_pass=lot.asking if lot.state is State.OPEN else None,
            code=event.code,
            waiting=False,
        )
        lots.evolve_refused(lot, BidRefused(lot.auction_id, consumer_id, cmd_id, answer))


def evolve_lowered(lot: Lot, event: LimitLowered) -> None:
    """A lower limit is what stands from now on, also after an undo."""
    lots.evolve_lowered(lot, event)
    rostrum = memory(lot)
    order, most = lot.order, event.limit

    def lower(mark: Mark) -> Mark:
        if mark.consumer_id != event.consumer_id or not mark.stands or mark.amount <= most:
            return mark
        return replace(mark, amount=most, order=order)

    rostrum.marks = [lower(mark) for mark in rostrum.marks]
    rostrum.aside = {name: lower(mark) for name, mark in rostrum.aside.items()}


def evolve(lot: Lot, event: LotEvent) -> None:
    """Make a step of a live lot's life part of its history, as ``lot.evolve``."""
    if isinstance(event, LotClosed):
        _name_the_buyer(lot, event)
    lots.evolve(lot, event)
    rostrum = lot.rostrum
    if rostrum is None:
        return  # another format, before it opened
    if (evolve_more := _MORE.get(type(event))) is not None:
        evolve_more(lot, event)
    rostrum.channel, rostrum.phase = event.after.channel, event.after.phase
    last = rostrum.marks[-1] if rostrum.marks else None
    if last is not None and (last.price, last.asking) != (lot.price, lot.asking):
        rostrum.marks.append(_mark(lot))


def _name_the_buyer(lot: Lot, event: LotClosed) -> None:
    """Whoever bought as an unnamed floor bidder has shown a paddle: the bid is theirs now."""
    if event.winner is None or event.winner == lot.leader:
        return
    assert lot.leader is not None
    unnamed = lot.bidders[lot.leader]
    assert unnamed.limit is not None
    buyer = lot.bidders.setdefault(event.winner, Bidder())
    (win,) = event.winners
    buyer.paddle, buyer.has_led, buyer.cmd_id = win.paddle, True, win.cmd_id
    limit, order, _ = unnamed.limit
    lot.book.remove(unnamed.limit)
    unnamed.limit = None
    buyer.limit = enter(lot.book, event.winner, -limit, order, buyer.limit)
    lot.leader = event.winner


def _evolve_opened(lot: Lot, event: LotOpened | LotReopened) -> None:
    rostrum = memory(lot)
    if not rostrum.opened:
        rostrum.opened = lot.seq
        rostrum.marks.append(_mark(lot))


def _evolve_reopened(lot: Lot, event: LotReopened) -> None:
    """As it was before the hammer; whose bid it is has been said meanwhile, and stays."""
    for bidder in lot.bidders.values():
        bidder.won = 0
    lot.outcome = lot.winner = lot.hammer_price = lot.settle_at = None
    _evolve_opened(lot, event)


def _evolve_asking(lot: Lot, event: AskingSet) -> None:
    memory(lot).step = event.step


def _evolve_reserve(lot: Lot, event: ReserveLowered) -> None:
    lot.terms, lot.revision = replace(lot.terms, reserve=event.reserve), event.revision


def _evolve_called(lot: Lot, event: BidCalled) -> None:
    bidder = lot.bidders[event.consumer_id]
    assert event.after.price is not None
    lot.order += 1
    limit, stands = _standing_limit(lot, event.consumer_id), True
    if event.why == "reinstated":
        mark = find(lot, event.consumer_id, event.cmd_id)
        assert mark is not None, "a bid was reinstated that was never made"
        limit, order, stands = event.after.price, lot.order, False
        if (back := _back_in_the_book(lot, mark)) is not None and -back[0] >= limit:
            limit, order, stands = -back[0], back[1], True
        _enter(lot, event.consumer_id, limit, order, limit == event.after.price)
        bidder.cmd_id = event.cmd_id
    _lead(lot, event.consumer_id, event.after)
    lot.bid_count, lot.bidder_count = event.after.bid_count, event.after.bidder_count
    bid = event.consumer_id, event.cmd_id
    _remember(lot, *bid, limit, stands, True, True, event.channel)


def _evolve_undone(lot: Lot, event: BidsUndone) -> None:
    rostrum = memory(lot)
    back = max(event.to_seq, rostrum.opened)
    for mark in rostrum.marks:
        if mark.seq > back and _is_bid(mark):
            rostrum.aside[key(mark.consumer_id, mark.cmd_id)] = mark
    rostrum.marks = [mark for mark in rostrum.marks if mark.seq <= back]
    lot.leader = None
    lot.bid_count, lot.bidder_count = event.after.bid_count, event.after.bidder_count
    _open_the_book_again(lot)


def _open_the_book_again(lot: Lot) -> None:
    """Of the bids that are left only the limits stand: each bidder's last."""
    rostrum = memory(lot)
    lot.book.clear()
    for bidder in lot.bidders.values():
        bidder.limit = None
    rostrum.known = {}
    last: dict[str, Mark] = {}
    for mark in rostrum.marks:
        if mark.consumer_id:
            last[mark.consumer_id] = mark
            rostrum.known[mark.consumer_id] = rostrum.known.get(mark.consumer_id, 0) + 1
    for consumer_id, mark in last.items():
        if mark.stands:
            bidder = lot.bidders[consumer_id]
            bidder.limit = enter(lot.book, consumer_id, mark.amount, mark.order, None)
            bidder.cmd_id = mark.cmd_id


# What an event does to a live lot beside what it does to every lot.
_MORE: dict[type, Callable[[Lot, Any], None]] = {
    LotOpened: _evolve_opened,
    LotReopened: _evolve_reopened,
    AskingSet: _evolve_asking,
    ReserveLowered: _evolve_reserve,
    BidCalled: _evolve_called,
    BidsUndone: _evolve_undone,
}
