"""Every decision of a shard made again, from its events alone, and compared with the log.

Each event says what was wished for, or names the wish; with the log's instant that makes the
command again.  It is decided by the engine's own rules on a shard that starts empty, and what
comes of it must be, event by event and field by field, what the log holds: bids and refusals,
prices, extensions, closes and winners, sealed bids opened with the published key.

What the events do not hold cannot be made again: a refused command of the house whose terms,
paddle or amount the log never took; a record that nobody could read; and, of a bid, which
state of the sale its bidder had seen.  These are counted, and folded as they stand.  A log
that was decided by older rules is compared with today's, and the first difference is named.

A complaint names fields, never figures: a limit is nobody's business, not even an auditor's.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from engine.core import lot as lots
from engine.core.messages import (
    Act,
    ActDecided,
    AddLot,
    AnswerRepeated,
    AskingSet,
    AutoAcceptSet,
    BidAccepted,
    BidAnswer,
    BidCalled,
    BidCanceled,
    BidderRegistered,
    BiddingEnded,
    BidRefused,
    BidsLapsed,
    BidsUndone,
    CallMade,
    CancelBid,
    CancelLot,
    CloseLot,
    Command,
    CommandRefused,
    CommandTaken,
    ConsoleTaken,
    EnterSale,
    Event,
    FinishSettlement,
    Hammer,
    KeepTime,
    LeaveConsole,
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
    Open,
    OpenLot,
    Pass,
    Pause,
    PauseLot,
    PlaceBid,
    PriceDropped,
    RegisterBidder,
    RemoveLot,
    RemoveSale,
    Reopen,
    ReserveLowered,
    ResumeTrading,
    RingMoved,
    SaleCreated,
    SaleRemoved,
    SaleUpdated,
    SellSubject,
    SettleLot,
    Skip,
    State,
    TradingResumed,
    Unpause,
    UnpauseLot,
    UpdateLot,
    UpdateSale,
    Withdraw,
)
from engine.core.sale import EVENTS_PER_COMMAND, Shard, evolve, execute
from engine.core.sealed import SEALED_BYTES

# A refused sealed bid's ciphertext is not kept; the rules look at nothing but its length.
_ANY_CIPHERTEXT: Final = b64encode(bytes(SEALED_BYTES)).decode()
# Commands of which the log holds everything, also where they were refused.
_TOLD: Final[dict[str, Any]] = {
    command.__name__: command
    for command in (
        OpenLot,
        PauseLot,
        UnpauseLot,
        CloseLot,
        CancelLot,
        SettleLot,
        FinishSettlement,
        RemoveLot,
        RemoveSale,
    )
}
# What time and the rostrum's rules may bring about right after a command, before its
# CommandTaken.
_FOLLOW: Final = (
    BidCalled,
    BidsLapsed,
    RingMoved,
    LotOpened,
    LotExtended,
    PriceDropped,
    BiddingEnded,
    LotClosed,
    LotSettling,
    LotSettled,
)


# What an act may come to, before its ActDecided.
_OF_ACTS: Final = (
    AskingSet,
    AutoAcceptSet,
    BidAccepted,
    BidCalled,
    BidRefused,
    BidderRegistered,
    BidsLapsed,
    BidsUndone,
    CallMade,
    ConsoleTaken,
    LotClosed,
    LotExtended,
    LotOpened,
    LotPaused,
    LotReopened,
    LotUnpaused,
    MessageSaid,
    ReserveLowered,
    RingMoved,
)


# What others bring about too: which acts begin with it.
_BEGUN_BY: Final[dict[type, tuple[type, ...]]] = {
    BidderRegistered: (Hammer,),
    LotClosed: (Hammer, SellSubject, Pass, Withdraw),
    LotOpened: (Open,),
    LotPaused: (Pause, Skip, Reopen),
    LotUnpaused: (Open, Unpause),
}


class Disagreement(Exception):
    """The first thing that is not as it must be; one line, without a bidder's figures."""


class Recount:
    """One shard, decided again."""

    def __init__(self) -> None:
        self.shard = Shard()
        self.made_again = 0  # commands
        self.untold = 0  # events that the log alone cannot explain
        self._waiting: deque[tuple[int, Event]] = deque()
        self._at = 0

    def read(self, events: Iterable[tuple[int, Event]], *, last: bool) -> None:
        """Go on with these events, (place in the log, event); *last*: there are no more.

        Raises ``Disagreement``.  The last few are kept back until it is clear what followed.
        """
        self._waiting.extend(events)
        while len(self._waiting) > (0 if last else 2 * EVENTS_PER_COMMAND):
            self._step()

    def _step(self) -> None:
        seq, event = self._waiting[0]
        at = self._instant(event)
        try:
            command = self._command(event, at)
            if command is None:
                evolve(self.shard, event)
                self._waiting.popleft()
                return
            made = execute(self.shard, command, at)
        except Disagreement as complaint:
            raise Disagreement(f"event {seq}, {_name(event)}: {complaint}") from complaint
        except Exception as error:  # a damaged event may break any assumption there is
            raise Disagreement(f"event {seq}, {_name(event)}: cannot stand there") from error
        self._at = max(self._at, at)
        self._compare(made)
        self.made_again += 1

    def _instant(self, event: Event) -> int:
        if isinstance(event, AnswerRepeated) and event.answer.code != "idempotency_mismatch":
            return self._at  # it says when it was answered first
        if isinstance(event, ActDecided) and self._is_repeated(event):
            return self._at
        return event.answer.at if isinstance(event, BidAnswer) else event.at

    def _compare(self, made: list[Event]) -> None:
        """Take what was made off the front of what the log says."""
        if not made:
            seq, event = self._waiting[0]
            raise Disagreement(f"event {seq}, {_name(event)}: the rules bring nothing about")
        for expected in made:
            if not self._waiting:
                raise Disagreement(f"the log ends before the {_name(expected)} that must follow")
            seq, event = self._waiting.popleft()
            if event != expected:
                where = difference(event, expected)
                same = type(event) is type(expected)
                say = f"the rules say another {where}" if same else f"the rules say {where}"
                raise Disagreement(f"event {seq}, {_name(event)}: {say}")

    # ── The command behind an event ──────────────────────────────────────────────────────

    def _command(self, event: Event, at: int) -> Command | None:
        """What made this event and perhaps some after it; None where the log does not say."""
        if isinstance(event, AnswerRepeated):
            return self._bid(event)
        if isinstance(event, CommandTaken | CommandRefused | ActDecided) and self._is_repeated(
            event
        ):
            self.made_again += 1
            return None
        if isinstance(event, CommandTaken):
            raise Disagreement("nothing was done that it could be the answer to")
        if at < self._at:
            raise Disagreement("it is of an earlier instant than the event before it")
        if self._is_due(event, at):
            return KeepTime(_auction_of(event))  # whatever the command was, this came first
        if isinstance(event, CommandRefused):
            return self._refused(event)
        decided = self._act(event, at)
        if decided is not None:
            return _act_of(decided)
        if isinstance(event, BidAnswer):
            return self._bid(event)
        return self._taken(event)

    def _act(self, event: Event, at: int) -> ActDecided | None:
        """The answer to the act that began with this event; None: no act did."""
        if isinstance(event, BidAccepted) and not event.by:
            return None
        if isinstance(event, BidRefused) and event.answer.code != "refused":
            return None
        for place in range(min(len(self._waiting), EVENTS_PER_COMMAND)):
            found = self._waiting[place][1]
            if isinstance(found, ActDecided):
                return found if found.at == at and _may_begin(event, found) else None
            if not isinstance(found, _OF_ACTS):
                return None
        return None

    def _is_repeated(self, event: CommandTaken | CommandRefused | ActDecided) -> bool:
        """Is it an answer that was given before?"""
        if isinstance(event, ActDecided):
            known = self.shard.answers.get(f"{event.auction_id}\0{event.by}\0{event.cmd_id}\0act")
            return known == event
        key = f"{event.subject}\0{event.by}\0{event.cmd_id}"
        return bool(event.cmd_id) and self.shard.answers.get(key) == event

    def _is_due(self, event: Event, at: int) -> bool:
        """Has time brought something about on the event's lot, before anything else?"""
        lot = self.shard.lots.get(_auction_of(event))
        if lot is None or (isinstance(event, CommandRefused) and event.command == "PlaceBid"):
            return False  # a bid that makes no sense never gets as far as the lot
        return lots.due(lot, at, self.shard.resumed_at) is not None

    def _bid(self, event: BidAnswer) -> PlaceBid:
        answer = event.answer
        ciphertext = event.ciphertext if isinstance(event, BidAccepted) else ""
        if answer.kind == "sealed" and not ciphertext:
            ciphertext = _ANY_CIPHERTEXT
        return PlaceBid(
            event.auction_id,
            event.consumer_id,
            event.cmd_id,
            answer.amount,
            answer.kind,
            0 if answer.moved else None,
            answer.at - 1 if answer.code == "expired" else None,
            answer.commitment,
            ciphertext,
        )

    def _refused(self, event: CommandRefused) -> Command | None:
        """The command of a refusal, where the log holds the whole of it."""
        if event.command == "LeaveSale":
            return LeaveSale(event.subject, event.by, event.cmd_id)
        told = _TOLD.get(event.command)
        if told is not None:
            command: Command = told(event.subject, event.cmd_id, event.by)
            return command
        lot = self.shard.lots.get(event.subject)
        if event.command == "PlaceBid" and (lot is None) != (event.objection == "not_found"):
            raise Disagreement("the lot is there, or is not, against what it says")
        if event.state is not None and (lot is None or lot.state is not event.state):
            raise Disagreement("the lot was in another state")
        self.untold += 1
        return None

    def _taken(self, event: Event) -> Command:
        """The command of the house, or of the clock, that was carried out with this event."""
        match event:
            case TradingResumed():
                return ResumeTrading()
            case ConsoleTaken(session=""):
                console = self.shard.sales[event.sale_id].console
                return LeaveConsole(event.sale_id, "" if console is None else console.session)
            case SaleCreated():
                return event.sale
            case SaleUpdated():
                return UpdateSale(event.sale, *self._signed("UpdateSale"))
            case SaleRemoved():
                return RemoveSale(event.sale_id, *self._signed("RemoveSale"))
            case BidderRegistered():
                return self._registration(event)
            case LotAdded():
                lot, sale, signed = event.auction_id, event.sale_id, self._signed("AddLot")
                return AddLot(lot, sale, event.terms, event.catalogue, *signed)
            case LotUpdated():
                lot, before, signed = (
                    event.auction_id,
                    event.revision - 1,
                    self._signed("UpdateLot"),
                )
                return UpdateLot(lot, before, event.terms, event.catalogue, *signed)
            case BidCanceled():
                signed = self._signed("CancelBid")
                return CancelBid(event.auction_id, event.consumer_id, event.bid_cmd_id, *signed)
            case LimitLowered():
                cmd_id, _ = self._signed("LowerLimit")
                return LowerLimit(event.auction_id, event.consumer_id, event.limit, cmd_id)
            case _:
                return self._move(event)

    def _move(self, event: Event) -> Command:
        match event:
            case LotOpened():
                return OpenLot(event.auction_id, *self._signed("OpenLot"))
            case LotPaused():
                return PauseLot(event.auction_id, *self._signed("PauseLot"))
            case LotUnpaused():
                return UnpauseLot(event.auction_id, *self._signed("UnpauseLot"))
            case LotClosed():
                signed = self._signed("CloseLot")
                return CloseLot(event.auction_id, *signed, opening_key=event.opening_key)
            case LotCanceled():
                return CancelLot(event.auction_id, *self._signed("CancelLot"))
            case LotWithdrawn():
                return RemoveLot(event.auction_id, *self._signed("RemoveLot"))
            case LotSettling() | LotSettled():
                return self._settling(event)
            case _:
                raise Disagreement("time has not brought it about, and nothing else could")

    def _settling(self, event: LotSettling | LotSettled) -> Command:
        if self.shard.lots[event.auction_id].state is State.SETTLING:
            return FinishSettlement(event.auction_id, *self._signed("FinishSettlement"))
        return SettleLot(event.auction_id, *self._signed("SettleLot"))

    def _registration(self, event: BidderRegistered) -> Command:
        cmd_id, _ = self._signed("EnterSale")
        if cmd_id or event.conditions_version is not None:
            what = (event.sale_id, event.consumer_id, event.conditions_version)
            return EnterSale(*what, cmd_id)
        cmd_id, _ = self._signed("LeaveSale")
        if cmd_id:
            return LeaveSale(event.sale_id, event.consumer_id, cmd_id)
        cmd_id, _ = self._signed("RegisterBidder")
        # Whether the house asked for this very paddle is not told; that it was free is seen.
        return RegisterBidder(
            event.sale_id,
            event.consumer_id,
            event.admission,
            event.paddle,
            event.limit,
            event.reason,
            cmd_id,
            event.by,
        )

    def _signed(self, name: str) -> tuple[str, str]:
        """``cmd_id`` and ``by`` of the command of that name which the first event came of."""
        first = self._waiting[0][1]
        for place in range(1, min(len(self._waiting), EVENTS_PER_COMMAND)):
            event = self._waiting[place][1]
            if isinstance(event, CommandTaken):
                same = event.command == name and event.at == self._instant(first)
                return (event.cmd_id, event.by) if same else ("", "")
            if not isinstance(event, _FOLLOW):
                break
        return "", ""


def _may_begin(event: Event, decided: ActDecided) -> bool:
    """Can the act have begun with this event?  A command without an id has no answer of its own,
    and an act of the same millisecond may follow it."""
    deeds = _BEGUN_BY.get(type(event))
    if deeds is not None and not isinstance(decided.deed, deeds):
        return False
    # A lot that is reopened sends another one back.
    return _auction_of(event) in ("", decided.auction_id) or isinstance(decided.deed, Reopen)


def _act_of(decided: ActDecided) -> Act:
    """The act of this answer, which holds the whole of it."""
    return Act(
        decided.auction_id,
        decided.deed,
        decided.cmd_id,
        decided.by,
        decided.session,
        decided.seen,
        decided.reason,
    )


def difference(said: Any, expected: Any) -> str:
    """Where two events differ: ``after.price``; or what was expected instead."""
    if type(said) is not type(expected):
        return _name(expected)
    for name in said.__struct_fields__:
        one, other = getattr(said, name), getattr(expected, name)
        if one != other:
            deeper = isinstance(one, Struct) and type(one) is type(other)
            return f"{name}.{difference(one, other)}" if deeper else name
    return "the same"


def _name(event: object) -> str:
    subject = _auction_of(event)
    return f"{type(event).__name__} of {subject}" if subject else type(event).__name__


def _auction_of(event: object) -> str:
    found = getattr(event, "auction_id", None) or getattr(event, "subject", "")
    return str(found)
