"""Scripts that a saleroom clerk could read: a command, and after the arrow what was said.

    10 anna bids 100          -> winning at 100, asking 110
    20 bert bids up to 150    -> winning at 110, asking 120
    30 anna bids 115          -> below_asking_bid, 120 would pass
    60 clock                  -> sold to bert for 110; settled

Where several buy, each is named: ``sold to bert for 120, anna for 110``.  ``anna seals 130``
sends a sealed bid, and ``unseal`` closes the lot with its key.

The number in front is the instant of the log.  A bid may carry the id that its device gave
it (``as x``) and the last public seq that the bidder had seen (``seen 3``); ``look`` reads
what everybody may see.  In brackets: ``(silent)`` a raise that moved no price, ``(reserve)``
a price that the reserve made, ``(tie)`` a bid that an equal earlier one passed.

Around every single command the saleroom also checks what must hold whatever the script says:

- a refusal, a repeated answer or an objection moved nothing but the memory of itself;
- before the close nothing that is stored names a sealed amount;
- the number that would pass does pass, and one less does not;
- the events, encoded and decoded, lead an empty shard to the same state hash;
- the leader is who stands first in the book, of equal limits the earlier;
- public events are numbered without a gap, and folding them gives the public state.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any, Literal, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct
from msgspec.structs import asdict, replace

from engine.core.codec import decode_event, encode_event
from engine.core.increments import table
from engine.core.lot import Bidder, Lot, public_state
from engine.core.messages import (
    MAX_AMOUNT,
    ActDecided,
    AddLot,
    Admission,
    Answer,
    AnswerRepeated,
    AskingSet,
    BidAccepted,
    BidCalled,
    BidCanceled,
    BidderRegistered,
    BiddingEnded,
    BidRefused,
    BidsUndone,
    BidWaiting,
    CallMade,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CommandRefused,
    CommandTaken,
    CreateSale,
    EnterSale,
    Event,
    FinishSettlement,
    KeepTime,
    Kind,
    LeaveSale,
    LimitLowered,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotExtended,
    LotOpened,
    LotPaused,
    LotReopened,
    LotSettled,
    LotSettling,
    LotUnpaused,
    LotUpdated,
    LotWithdrawn,
    LowerLimit,
    MessageSaid,
    OpenLot,
    PauseLot,
    PlaceBid,
    PriceDropped,
    PublicState,
    RegisterBidder,
    RemoveLot,
    ReserveLowered,
    ResumeTrading,
    SaleCreated,
    SaleRemoved,
    SaleTerms,
    SaleUpdated,
    Sealing,
    SettleLot,
    State,
    Terms,
    TradingResumed,
    UnpauseLot,
    UpdateLot,
)
from engine.core.sale import Shard, evolve, execute
from engine.core.sealed import commitment, seal
from engine.core.snapshot import restore, state_hash, take

SALE = "seq_k3f9"
LOT = "auction_k3f9_7x2q"

Registration = Literal["open", "approval"]

TENS = table([(0, 10)])

# One auction's key pair, the same in every test.
PRIVATE_KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
OPENING_KEY = b64encode(PRIVATE_KEY.private_bytes_raw()).decode()
SEALING = Sealing(b64encode(PRIVATE_KEY.public_key().public_bytes_raw()).decode(), "")

HOUSE_COMMANDS: dict[str, Command] = {
    "open": OpenLot(LOT),
    "pause": PauseLot(LOT),
    "unpause": UnpauseLot(LOT),
    "close": CloseLot(LOT),
    "cancel": CancelLot(LOT),
    "settle": SettleLot(LOT),
    "finish": FinishSettlement(LOT),
    "remove": RemoveLot(LOT),
    "unseal": CloseLot(LOT, opening_key=OPENING_KEY),
    "clock": KeepTime(LOT),
    "resume": ResumeTrading(),
}


# ── Reading scripts ──────────────────────────────────────────────────────────────────────


def bidding(script: str, registration: Registration = "open", **terms: Any) -> Saleroom:
    """Play *script* on a lot that was opened at 0.  Opening bid 100, increment 10, no
    reserve and no scheduled end, unless *terms* say otherwise."""
    room = Saleroom(registration, **terms)
    room.do(OpenLot(LOT), 0)
    return play(room, script)


def life(script: str, registration: Registration = "open", **terms: Any) -> Saleroom:
    """Play *script* on a lot that has only been announced; the terms as in ``bidding``."""
    return play(Saleroom(registration, **terms), script)


def play(room: Saleroom, script: str) -> Saleroom:
    """Play *script* in *room*, comparing each answer with what stands after its arrow."""
    for number, line in enumerate(filter(None, map(str.strip, script.splitlines()))):
        wish, expected = (part.strip() for part in line.split("->"))
        match wish.split():
            case ["look"]:
                said = room.look()
            case [instant, *words]:
                said = room.hear(words, int(instant), number)
        assert said == expected, f"{line!r}: {said!r}"
    return room


def say(event: Event) -> str:
    """An event as the clerk would say it."""
    match event:
        case BidAccepted(answer=answer) if answer.kind == "sealed":
            return f"sealed, {answer.status.lower()} at {answer.price}, asking {answer.asking_bid}"
        case BidAccepted(answer=answer, why=why, tied=tied):
            remark = " (silent)" if why is None else " (reserve)" if why == "reserve" else ""
            return say_answer(answer) + remark + (" (tie)" if tied else "")
        case BidRefused(answer=answer):
            return say_answer(answer)
        case AnswerRepeated(answer=answer):
            return f"again: {say_answer(answer)}"
        case LotOpened(after=after) | LotUnpaused(after=after):
            return "open" if after.closes_at is None else f"open until {after.closes_at}"
        case LotExtended(after=after):
            return f"extended to {after.closes_at}"
        case LotClosed(winners=winners, opened=opened):
            sold = ", ".join(f"{win.consumer_id} for {win.amount}" for win in winners)
            void = [f"{bid.consumer_id} is void: {bid.void}" for bid in opened if bid.void]
            return "; ".join([f"sold to {sold}" if sold else "passed", *void])
        case PriceDropped(after=after):
            return f"asking {after.asking_bid}"
        case BidCanceled(promoted=promoted):
            return "taken back" + (f", {promoted} moves up" if promoted else "")
        case LotUpdated(after=after):
            return f"updated, {after.price}, asking {after.asking_bid}, {after.reserve}"
        case LimitLowered(limit=limit):
            return f"limit {limit}"
        case BidderRegistered(paddle=paddle, admission=admission, limit=limit):
            return f"paddle {paddle} {admission}" + (f" up to {limit}" if limit is not None else "")
        case CommandRefused(objection=objection):
            return objection
        case _:
            return SAID[type(event)]


SAID: dict[type, str] = {
    LotPaused: "paused",
    LotCanceled: "canceled",
    LotSettling: "settling",
    LotSettled: "settled",
    LotWithdrawn: "withdrawn",
    BiddingEnded: "bidding ended",
    CommandTaken: "taken",
    SaleUpdated: "sale updated",
    SaleRemoved: "sale removed",
    TradingResumed: "resumed",
    SaleCreated: "sale created",
    LotAdded: "lot added",
}


def say_answer(answer: Answer) -> str:
    """What a bidder is told."""
    if answer.code is None and answer.kind == "sealed":
        return f"sealed, {answer.status.lower()} at {answer.price}, asking {answer.asking_bid}"
    if answer.code is None:
        asking = "nothing" if answer.asking_bid is None else answer.asking_bid
        return f"{answer.status.lower()} at {answer.price}, asking {asking}"
    would_pass = "" if answer.would_pass is None else f", {answer.would_pass} would pass"
    return answer.code + would_pass + (", moved" if answer.moved else "")


# ── The saleroom ─────────────────────────────────────────────────────────────────────────


class Saleroom:
    """One sale with one lot, and everything that must hold around every command."""

    def __init__(
        self,
        registration: Registration = "open",
        printed: SaleTerms = SaleTerms(),  # noqa: B008  # frozen
        **terms: Any,
    ) -> None:
        self.shard, self.recovered, self.view = Shard(), Shard(), View()
        defaults: dict[str, Any] = {"opening": 100, "increments": TENS}
        if str(terms.get("format", "")).startswith(("sealed", "uniform")):
            defaults["sealing"] = SEALING
        self.terms = Terms(**(defaults | terms))
        self.sealed_amounts: list[int] = []
        sale = CreateSale(SALE, "Ceramics", "EUR", 2, registration=registration, terms=printed)
        self.do(sale, 0)
        self.do(AddLot(LOT, SALE, self.terms, Catalogue("214", "Moon jar")), 0)
        assert LOT in self.shard.lots, f"nothing can be sold by {self.terms}"

    def hear(self, words: list[str], at: int, number: int) -> str:
        """Carry out one line of a script; what was said, or ``nothing``."""
        events = self.do(self.read(words, f"line {number}"), at)
        return "; ".join(map(say, events)) or "nothing"

    def read(self, words: list[str], cmd_id: str) -> Command:
        """The command that a line's words stand for."""
        match words:
            case [who, "seals", amount, *details]:
                self.sealed_amounts.append(int(amount))
                return sealed_bid(who, int(amount), _said(details).get("as", cmd_id))
            case [who, "buys", "now", "for", amount, *details]:
                return _bid(who, int(amount), "buy_now", cmd_id, details)
            case [who, "takes", "back", bid]:
                return CancelBid(LOT, who, bid)
            case [who, "lowers", "to", limit]:
                return LowerLimit(LOT, who, int(limit))
            case [who, "enters"]:
                return EnterSale(SALE, who)
            case [who, "enters", "under", version]:
                return EnterSale(SALE, who, version)
            case [who, "leaves"]:
                return LeaveSale(SALE, who)
            case [who, "is", admission, "up", "to", limit]:
                return RegisterBidder(SALE, who, cast(Admission, admission), limit=int(limit))
            case [who, "bids", "up", "to", limit, *details]:
                return _bid(who, int(limit), "max", cmd_id, details)
            case [who, "bids", amount, *details]:
                return _bid(who, int(amount), "bid", cmd_id, details)
            case [who, "is", admission]:
                return RegisterBidder(SALE, who, cast(Admission, admission))
            case [who, "is", admission, "with", paddle]:
                return RegisterBidder(SALE, who, cast(Admission, admission), int(paddle))
            case [command]:
                return HOUSE_COMMANDS[command]
        raise AssertionError(f"cannot read {words}")

    def update(self, at: int, **changes: Any) -> str:
        """The house changes the lot's terms; what was said."""
        lot = self.shard.lots[LOT]
        terms = replace(lot.terms, **changes)
        command = UpdateLot(LOT, lot.revision, terms, Catalogue("214", "Moon jar"))
        return "; ".join(map(say, self.do(command, at)))

    def look(self) -> str:
        """What everybody may see."""
        now = self.view.lots[LOT]
        return (
            f"{now.state.value} seq {now.seq}, {now.price} by paddle {now.paddle}, "
            f"{now.bid_count} bids of {now.bidder_count}, reserve {now.reserve}, "
            f"{now.extensions} extensions"
        )

    def do(self, command: Command, at: int) -> list[Event]:
        """Execute one command at log time *at*, and check what must hold around it."""
        before = copy_of(self.shard)
        events = execute(self.shard, command, at)
        for event in events:
            told = decode_event(encode_event(event))
            assert told == event, "an event is not what its record says"
            evolve(self.recovered, told)
            self.view.see(told)
        assert state_hash(self.recovered) == state_hash(self.shard), "events do not recover"
        if LOT in self.shard.lots:
            assert self.view.lots[LOT] == public_state(self.shard.lots[LOT])
            self._check_reserve(self.shard.lots[LOT])
            self._check_the_book(self.shard.lots[LOT])
            self._check_that_what_is_sealed_is_sealed(events)
        if events:
            check_that_nothing_moved(before, self.shard, events)
            self._check_the_number_that_would_pass(events, at)
        return events

    def _check_reserve(self, lot: Lot) -> None:
        now, reserve = self.view.lots[LOT], lot.terms.reserve
        if reserve is None:
            assert now.reserve == "none"
        else:
            met = now.price is not None and now.price >= reserve
            assert now.reserve == ("met" if met else "not_met")

    def _check_the_book(self, lot: Lot) -> None:
        assert lot.book == sorted(lot.book), "the book is out of order"
        if lot.method == "dutch":
            assert lot.leader == (lot.book[-1][2] if lot.book else None), "not the last to take"
        elif lot.rostrum is not None:
            first = lot.book[0][2] if lot.book else None
            assert lot.leader is None or lot.leader == first, "not its first"
        elif lot.method != "sealed":
            assert lot.leader == (lot.book[0][2] if lot.book else None), "not its first"

    def _check_that_what_is_sealed_is_sealed(self, events: list[Event]) -> None:
        lot = self.shard.lots[LOT]
        if lot.method != "sealed" or lot.state not in LIVE:
            return
        stored = [*map(encode_event, events), take(self.shard)]
        for amount in self.sealed_amounts:
            assert not any(str(amount).encode() in record for record in stored), amount

    def _check_the_number_that_would_pass(self, events: list[Event], at: int) -> None:
        for event in events:
            if isinstance(event, BidAccepted | BidRefused) and event.answer.kind != "sealed":
                would_pass = event.answer.would_pass
                if would_pass is None:
                    assert not self._would_take(event, MAX_AMOUNT, at), event
                else:
                    assert self._would_take(event, would_pass, at), event
                    assert not self._would_take(event, would_pass - 1, at), event

    def _would_take(self, bid: BidAccepted | BidRefused, amount: int, at: int) -> bool:
        lot = self.shard.lots[bid.auction_id]
        kind: Kind = "max" if lot.method == "proxy" else "bid"
        if lot.rostrum is not None:  # there a limit may come when an exact bid may not
            kind = bid.answer.kind
        again = PlaceBid(bid.auction_id, bid.consumer_id, "trial", amount, kind)
        events = execute(copy_of(self.shard), again, at)
        return any(isinstance(e, BidAccepted | BidWaiting) for e in events)


def _bid(who: str, amount: int, kind: Kind, cmd_id: str, details: list[str]) -> PlaceBid:
    said = _said(details)
    seen = int(said["seen"]) if "seen" in said else None
    until = int(said["until"]) if "until" in said else None
    return PlaceBid(LOT, who, said.get("as", cmd_id), amount, kind, seen, until)


def _said(details: list[str]) -> dict[str, str]:
    return dict(zip(details[::2], details[1::2], strict=True))


def sealed_bid(who: str, amount: int, cmd_id: str, lot: str = LOT) -> PlaceBid:
    """A sealed bid as a gateway makes it: the same commitment for the same ``cmd_id``."""
    salt = sha256(f"{who} {cmd_id}".encode()).digest()
    named = (lot, who, amount, salt)
    ciphertext = seal(SEALING.public_key, *named)
    return PlaceBid(
        lot, who, cmd_id, 0, "sealed", commitment=commitment(*named), ciphertext=ciphertext
    )


LIVE = (State.OPEN, State.PAUSED)


# ── What must hold around every command ──────────────────────────────────────────────────


class View:
    """The public's own book-keeping, from nothing but the events as they are published.

    It is as naive as a client may be: every event states the common fields, and only an
    extension says how many there were.
    """

    def __init__(self) -> None:
        self.lots: dict[str, PublicState] = {}

    def see(self, event: Event) -> None:
        """Take in one event; a private one, or a raise that moved nothing, changes nothing."""
        if isinstance(event, LotAdded):
            assert event.after.seq == 0
            self.lots[event.auction_id] = event.after
        elif isinstance(event, BidAccepted) and event.why is None:
            assert event.after == self.lots[event.auction_id], "a silent bid was not silent"
        elif isinstance(event, _PUBLIC):
            known = self.lots[event.auction_id]
            assert event.after.seq == known.seq + 1, "the public seq has a gap"
            fields = asdict(event.after)
            if not isinstance(event, LotExtended):
                del fields["extensions"]
            self.lots[event.auction_id] = replace(known, **fields)


_PUBLIC = (
    BidAccepted
    | BidCanceled
    | PriceDropped
    | LotUpdated
    | LotWithdrawn
    | LotSettling
    | LotOpened
    | LotPaused
    | LotUnpaused
    | LotExtended
    | LotClosed
    | LotCanceled
    | LotSettled
    | BidCalled
    | AskingSet
    | CallMade
    | MessageSaid
    | ReserveLowered
    | BidsUndone
    | LotReopened
)


def copy_of(shard: Shard) -> Shard:
    """An independent shard in the same state."""
    return restore(take(shard))


def check_that_nothing_moved(before: Shard, now: Shard, events: list[Event]) -> None:
    """After a refusal, a repeated answer or an objection: the rest is as it was.

    *before* is the state that the command found, and is moved on by what time brought about.
    """
    *due, last = events
    objected = isinstance(last, ActDecided) and last.code is not None
    if not isinstance(last, BidRefused | AnswerRepeated | CommandRefused) and not objected:
        return
    for event in due:
        evolve(before, event)
    if not isinstance(last, AnswerRepeated):
        assert state_hash(forgetting(before)) == state_hash(forgetting(now)), last
    else:
        assert state_hash(before) == state_hash(now), last


def forgetting(shard: Shard) -> Shard:
    """The shard without its memory of refusals, and without those only refused so far."""
    forgetful = copy_of(shard)
    forgetful.answers = {
        key: said
        for key, said in forgetful.answers.items()
        if isinstance(said, CommandTaken) or (isinstance(said, ActDecided) and said.code is None)
    }
    for lot in forgetful.lots.values():
        for bidder in lot.bidders.values():
            for cmd_id in bidder.refused:
                del bidder.answers[cmd_id]
            bidder.refused.clear()
        if lot.rostrum is not None:
            lot.rostrum.held = 0  # a hammer that was held is held no second time
        lot.bidders = {who: bidder for who, bidder in lot.bidders.items() if bidder != Bidder()}
    return forgetful


def kinds(events: list[Event]) -> list[type[Struct]]:
    """The types of *events*, in order."""
    return [type(event) for event in events]
