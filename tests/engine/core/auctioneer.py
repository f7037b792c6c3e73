"""Scripts of a live sale: the saleroom's own (saleroom.py), and what the rostrum does in it.

    1 open                            -> open; ring 1; done
    2 room bids 150                   -> winning at 150, asking 160; done
    3 phone bids 200 for 55           -> winning at 200, asking 210; done
    4 undo to 2 because misheard      -> undone to 2: floor_55, asking 160; done
    5 hammer 55 150                   -> moved

An act may carry an id (``as x``), the console it comes from (``from two``), the last public
seq that the console has seen (``seen 3``), its reason (``because misheard``), and the second
lot (``lot 2``).  After every act its answer is said last: ``done``, or why it was not.
"""

from __future__ import annotations

from typing import Any, get_args

from engine.core.messages import (
    Act,
    ActDecided,
    AddLot,
    Ask,
    AskingSet,
    AutoAccept,
    AutoAcceptSet,
    BidAccepted,
    BidCalled,
    BidsLapsed,
    BidsUndone,
    BidWaiting,
    CallMade,
    Catalogue,
    Channel,
    Command,
    ConsoleTaken,
    Deed,
    Event,
    FairWarning,
    FinalCall,
    FloorBid,
    Hammer,
    LeaveConsole,
    LotClosed,
    LotReopened,
    LowerReserve,
    MessageSaid,
    Open,
    Pass,
    Pause,
    Refuse,
    Reinstate,
    Reopen,
    ReserveLowered,
    RingMoved,
    SaleTerms,
    Say,
    SellSubject,
    Skip,
    Step,
    Take,
    TakeOver,
    Undo,
    Unpause,
    Withdraw,
)
from tests.engine.core import saleroom
from tests.engine.core.saleroom import LOT, SALE, Registration, Saleroom

SECOND = "auction_k3f9_8y3r"
DETAILS = ("as", "from", "seen", "because", "lot")
SIMPLE: dict[str, Deed] = {
    "open": Open(),
    "warning": FairWarning(),
    "final": FinalCall(),
    "pause": Pause(),
    "unpause": Unpause(),
    "subject": SellSubject(),
    "pass": Pass(),
    "withdraw": Withdraw(),
    "skip": Skip(),
    "reopen": Reopen(),
}


def selling(script: str, **terms: Any) -> Auctioneer:
    """Play *script* on a live lot that was opened at 0 by console ``one``."""
    room = announced("", **terms)
    room.act(Open(), 0)
    return room.play(script)


def announced(script: str, **terms: Any) -> Auctioneer:
    """Play *script* on a live lot that has only been announced.  Opening bid 100, increment
    10; what is printed of the sale may be among the terms, too."""
    printed = {name: terms.pop(name) for name in ("wrong_foot", "house_bids") if name in terms}
    registration = terms.pop("registration", "open")
    return Auctioneer(registration, SaleTerms(**printed), **terms).play(script)


class Auctioneer(Saleroom):
    """A saleroom with a rostrum, and a second lot."""

    def __init__(self, registration: Registration, printed: SaleTerms, **terms: Any) -> None:
        self.told: list[Event] = []
        super().__init__(registration, printed, **({"format": "live"} | terms))
        self.do(AddLot(SECOND, SALE, self.terms, Catalogue("215", "Ewer")), 0)
        self.acts = 0

    def do(self, command: Command, at: int) -> list[Event]:
        """As in every saleroom; and what was said is kept."""
        events = super().do(command, at)
        self.told += events
        return events

    def play(self, script: str) -> Auctioneer:
        """Play *script*, comparing each answer with what stands after its arrow."""
        saleroom.play(self, script)
        return self

    def act(self, deed: Deed, at: int, **details: Any) -> list[Event]:
        """One act; of console ``one``, unless *details* say otherwise."""
        self.acts += 1
        given: dict[str, Any] = {"cmd_id": f"act {self.acts}", "by": "key_1", "session": "one"}
        return self.do(Act(details.pop("lot", LOT), deed, **(given | details)), at)

    def hear(self, words: list[str], at: int, number: int) -> str:
        """Carry out one line of a script; what was said, or ``nothing``."""
        events = self.do(self.read(words, f"line {number}"), at)
        return "; ".join(map(say, events)) or "nothing"

    def read(self, words: list[str], cmd_id: str) -> Command:
        """The command that a line's words stand for."""
        if words[0] == "console" and words[2] == "leaves":
            return LeaveConsole(SALE, words[1])
        said: dict[str, str] = {}
        plain = list(words)
        while len(plain) > 2 and plain[-2] in DETAILS:
            said[plain[-2]] = plain[-1]
            del plain[-2:]
        deed = self.deed(plain)
        if deed is None:
            return super().read(words, cmd_id)
        return Act(
            SECOND if "lot" in said else LOT,
            deed,
            said.get("as", cmd_id),
            "key_1",
            said.get("from", "one"),
            int(said["seen"]) if "seen" in said else None,
            said.get("because", ""),
        )

    def deed(self, words: list[str]) -> Deed | None:
        """What is done, where it is the rostrum that does it."""
        match words:
            case [word] if word in SIMPLE:
                return SIMPLE[word]
            case ["open", "at", amount]:
                return Open(int(amount))
            case ["ask", amount]:
                return Ask(int(amount))
            case ["step", "table"]:
                return Step(None)
            case ["step", amount]:
                return Step(int(amount))
            case ["house", "bids", amount]:
                return FloorBid("room", int(amount), house=True)
            case ["left", "bids", amount, "up", "to", limit, "for", paddle]:
                return FloorBid("left", int(amount), int(paddle), int(limit))
            case [("room" | "phone" | "left") as channel, "bids", amount, "for", paddle]:
                return FloorBid(_channel(channel), int(amount), int(paddle))
            case [("room" | "phone" | "left") as channel, "bids", amount]:
                return FloorBid(_channel(channel), int(amount))
            case ["take", who, bid]:
                return Take(who, bid)
            case ["refuse", who, bid]:
                return Refuse(who, bid)
            case ["auto", on]:
                return AutoAccept(on == "on")
            case ["take", "over"]:
                return TakeOver()
            case ["hammer", paddle, price]:
                return Hammer(None if paddle == "nobody" else int(paddle), int(price))
            case ["undo", "to", seq]:
                return Undo(int(seq))
            case ["reinstate", who, bid]:
                return Reinstate(who, bid)
            case ["lower", "reserve", amount]:
                return LowerReserve(int(amount))
            case ["say", text]:
                return Say(text)
        return None

    def look(self) -> str:
        """What everybody may see of the lot in these scripts."""
        now = self.view.lots[LOT]
        call = f", {now.phase}" if now.phase else ""
        return (
            f"{now.state.value} seq {now.seq}, {now.price} by paddle {now.paddle} ({now.channel}), "
            f"asking {now.asking_bid}, {now.bid_count} bids of {now.bidder_count}, "
            f"reserve {now.reserve}{call}"
        )


def _channel(word: str) -> Channel:
    channel: Channel = next(known for known in get_args(Channel) if known == word)
    return channel


def say(event: Event) -> str:
    """An event as the clerk would say it."""
    match event:
        case ActDecided(code=None):
            return "done"
        case ActDecided(code=code, would_pass=would_pass):
            return f"{code}" + (f", {would_pass} would pass" if would_pass is not None else "")
        case BidAccepted(why="reinstated", consumer_id=who, after=after):
            return f"{who} reinstated at {after.price}, asking {after.asking_bid}"
        case BidAccepted(answer=answer, after=after, why=None) if after.price is None:
            return f"left, asking {answer.asking_bid}"
        case BidCalled(consumer_id=who, why="reinstated", after=after):
            return f"{who} reinstated at {after.price}, asking {after.asking_bid}"
        case BidCalled(consumer_id=who, why=why, after=after):
            remark = f" ({why})" if why != "bid" else ""
            return f"{who} called at {after.price}, asking {after.asking_bid}{remark}"
        case BidWaiting():
            return "waiting"
        case BidsLapsed(code=code, bids=bids):
            return f"lapsed, {code}: " + ", ".join(who for who, _ in bids)
        case BidsUndone(to_seq=to_seq, undone=undone, after=after):
            who = ", ".join(who for who, _ in undone)
            return f"undone to {to_seq}: {who}, {after.price} asking {after.asking_bid}"
        case LotClosed(outcome=outcome, winners=()):
            return outcome
        case AskingSet(after=after):
            return f"asking {after.asking_bid}"
        case CallMade(phase=phase):
            return phase
        case LotReopened(after=after):
            return f"reopened, {after.price} asking {after.asking_bid}"
        case ReserveLowered(after=after):
            return f"reserve {after.reserve}, {after.price} asking {after.asking_bid}"
        case MessageSaid(text=text):
            return f"said {text}"
        case RingMoved(auction_id=None):
            return "ring empty"
        case RingMoved(auction_id=ringed):
            return "ring 1" if ringed == LOT else "ring 2"
        case ConsoleTaken(session=""):
            return "control free"
        case ConsoleTaken(session=session):
            return f"control {session}"
        case AutoAcceptSet(on=on):
            return "by net" if on else "by hand"
    return saleroom.say(event)
