"""What a console says: one strict form for each act of the contract's table (*Selling*).

An ``act`` frame has a tag of its own, ``act``, beside its ``type``; unknown fields are refused
as everywhere.  What is read here becomes the deed of the log's command in ``deed_of``; a bid
that is named by its id is looked up by the caller, for only the house can tell whose it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from engine.core import messages
from engine.core.messages import MAX_AMOUNT, Deed

_WHOLE = 2**53
CmdId = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,64}\Z")]
AuctionId = Annotated[str, Meta(min_length=1, max_length=100)]
BidId = Annotated[str, Meta(min_length=1, max_length=100)]
Seq = Annotated[int, Meta(ge=0, le=_WHOLE)]
Amount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Paddle = Annotated[int, Meta(ge=1, le=_WHOLE)]
Reason = Annotated[str, Meta(max_length=500)]
LONGEST_MESSAGE = 280  # characters: it is read at a glance, on every screen


class Act(
    Struct, frozen=True, tag_field="act", forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """What every act says."""

    type: Literal["act"]
    cmd_id: CmdId
    auction_id: AuctionId
    seen: Seq | None = None
    reason: Reason | None = None


class OpenIt(Act, frozen=True, tag="open"):
    opening: Amount | None = None


class Ask(Act, frozen=True, tag="ask"):
    amount: Amount


class Step(Act, frozen=True, tag="step"):
    amount: Amount | None  # null: back to the table


class Called(Act, frozen=True, tag="bid"):
    channel: Literal["room", "phone", "left"]
    amount: Amount
    paddle: Paddle | None = None
    max: Amount | None = None  # of a left bid: the limit
    house: bool = False  # for the seller, where the sale's terms allow it


class Take(Act, frozen=True, tag="take"):
    bid_id: BidId


class Refuse(Act, frozen=True, tag="refuse"):
    bid_id: BidId


class AutoAccept(Act, frozen=True, tag="auto_accept"):
    on: bool


class FairWarning(Act, frozen=True, tag="fair_warning"):
    pass


class FinalCall(Act, frozen=True, tag="final_call"):
    pass


class Pause(Act, frozen=True, tag="pause"):
    pass


class Unpause(Act, frozen=True, tag="unpause"):
    pass


class TakeOver(Act, frozen=True, tag="take_over"):
    pass


class Hammer(Act, frozen=True, tag="hammer"):
    paddle: Paddle | None
    price: Amount


class SellSubject(Act, frozen=True, tag="sell_subject"):
    pass


class PassIt(Act, frozen=True, tag="pass"):
    pass


class Withdraw(Act, frozen=True, tag="withdraw"):
    pass


class Skip(Act, frozen=True, tag="skip"):
    to: AuctionId | None = None


class Undo(Act, frozen=True, tag="undo"):
    to_seq: Seq


class Reinstate(Act, frozen=True, tag="reinstate"):
    bid_id: BidId


class Reopen(Act, frozen=True, tag="reopen"):
    pass


class LowerReserve(Act, frozen=True, tag="lower_reserve"):
    amount: Amount


class Message(Act, frozen=True, tag="message"):
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_MESSAGE)]


AnyAct = (
    OpenIt
    | Ask
    | Step
    | Called
    | Take
    | Refuse
    | AutoAccept
    | FairWarning
    | FinalCall
    | Pause
    | Unpause
    | TakeOver
    | Hammer
    | SellSubject
    | PassIt
    | Withdraw
    | Skip
    | Undo
    | Reinstate
    | Reopen
    | LowerReserve
    | Message
)
_decoder: Any = msgspec.json.Decoder(AnyAct)


# Those that name a bid: its id means something to the house alone.
OfBid = Take | Refuse | Reinstate


def deed_of(act: Act, bid: tuple[str, str] = ("", "")) -> Deed:
    """What the log is told of an act.  *bid*: consumer and cmd_id of the bid that it names."""
    match act:
        case OpenIt():
            return messages.Open(act.opening)
        case Ask():
            return messages.Ask(act.amount)
        case Step():
            return messages.Step(act.amount)
        case Called():
            return messages.FloorBid(act.channel, act.amount, act.paddle, act.max, act.house)
        case Take():
            return messages.Take(*bid)
        case Refuse():
            return messages.Refuse(*bid)
        case Reinstate():
            return messages.Reinstate(*bid)
        case AutoAccept():
            return messages.AutoAccept(act.on)
        case Hammer():
            return messages.Hammer(act.paddle, act.price)
        case Skip():
            return messages.Skip(act.to)
        case Undo():
            return messages.Undo(act.to_seq)
        case LowerReserve():
            return messages.LowerReserve(act.amount)
        case Message():
            return messages.Say(act.text)
        case _:
            return _PLAIN[type(act)]


_PLAIN: dict[type, Deed] = {
    FairWarning: messages.FairWarning(),
    FinalCall: messages.FinalCall(),
    Pause: messages.Pause(),
    Unpause: messages.Unpause(),
    TakeOver: messages.TakeOver(),
    SellSubject: messages.SellSubject(),
    PassIt: messages.Pass(),
    Withdraw: messages.Withdraw(),
    Reopen: messages.Reopen(),
}


def read(text: str) -> Act:
    """The act of a frame whose type says that it is one.  Raises what msgspec does."""
    act: Act = _decoder.decode(text)
    return act
