"""Money as double entry: accounts, and lines that move an amount from one to another.

A line is one row with two accounts and one positive amount of one asset, so a book of lines
balances by construction.  What a line takes from one account it gives to another: over all
accounts, what there is of an asset is always nothing.  The *issued* account stands for the
world outside the books and is the only one that may be below zero: what it lacks is what has
been brought in by issue and mint.

An amount is an integer of the asset's smallest unit, from 1 to ``LARGEST`` (what an EVM chain
can hold).  Every hold and its end have one journal key each, which a journal takes once: ending
one twice, or in two ways, is impossible however often it is tried; and one bid is given one
prize, however often it was set aside for.

Promises: no line of this module takes more from an account than it holds, or it raises.
Leaves to others: rows, transactions, and which bid has won.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Kind = Literal["available", "held", "house", "issued", "burned"]
AssetType = Literal["erc20", "erc721", "erc1155"]
# How a bid ended in the books.
End = Literal["released", "burned", "transferred"]
Settlement = Literal["burn", "transfer"]  # what becomes of a winner's tokens

LARGEST: Final = 2**256 - 1
DIGITS: Final = len(str(LARGEST))  # 78: of an amount as it is written down
BID_DECIMALS: Final = 6  # of a token bid, where its asset has as many


class Overdrawn(Exception):
    """A line would take more from an account than it holds, or hold more than ``LARGEST``."""


class Account(NamedTuple):
    """Where an amount may stand.  Sorted, accounts are locked in the same order by everybody."""

    holder: str  # a consumer id, or the house's own: "house", "issued", "burned"
    asset_id: str
    token_id: str  # of an erc1155; empty: none
    kind: Kind


class Line(NamedTuple):
    """One row of the journal: *amount* goes from *debit* to *credit*, which are of one asset."""

    journal_key: str
    debit: Account
    credit: Account
    amount: int
    at: int  # milliseconds since the epoch
    auction_id: str = ""
    bid_id: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one bid."""

    bid_id: str
    auction_id: str
    consumer_id: str
    asset_id: str
    amount: int
    number: int = 1  # how many times it has been: what is released may be set aside again


@dataclass(frozen=True, slots=True)
class Prize:
    """What a winner is given: one unit of it."""

    asset_id: str
    token_id: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a bid ends, and the lines that end it."""

    hold: Hold
    how: End
    lines: tuple[Line, ...]


# ── Accounts ─────────────────────────────────────────────────────────────────────────────


def available(consumer_id: str, asset_id: str, token_id: str = "") -> Account:
    """What a user may bid with or take away."""
    return Account(consumer_id, asset_id, token_id, "available")


def held(consumer_id: str, asset_id: str) -> Account:
    """What is set aside for a user's live bids."""
    return Account(consumer_id, asset_id, "", "held")


def house(asset_id: str) -> Account:
    """The house's own wallet: where a bid goes that is settled by transfer."""
    return Account("house", asset_id, "", "house")


def issued(asset_id: str, token_id: str = "") -> Account:
    """The world outside, where issued and minted amounts come from."""
    return Account("issued", asset_id, token_id, "issued")


def burned(asset_id: str) -> Account:
    """What has been destroyed."""
    return Account("burned", asset_id, "", "burned")


def is_outside(account: Account) -> bool:
    """May it be below zero?"""
    return account.kind == "issued"


# ── Lines ────────────────────────────────────────────────────────────────────────────────


def issue(key: str, consumer_id: str, asset_id: str, amount: int, at: int) -> Line:
    """Bring *amount* into a user's account; *key* makes doing it twice do it once."""
    theirs = available(consumer_id, asset_id)
    return Line(f"issue:{key}", issued(asset_id), theirs, amount, at)


def hold(bid: Hold, at: int) -> Line:
    """Set the amount of a bid aside."""
    debit = available(bid.consumer_id, bid.asset_id)
    return _of_bid("hold", bid, debit, held(bid.consumer_id, bid.asset_id), at)


def release(bid: Hold, at: int) -> Ended:
    """End a bid that was taken back, lost, refused, or never came about."""
    theirs = available(bid.consumer_id, bid.asset_id)
    return Ended(bid, "released", (_end(bid, theirs, at),))


def pay(bid: Hold, settlement: Settlement, prize: Prize, at: int) -> Ended:
    """End a winning bid: its tokens are destroyed, or go to the house, for one prize."""
    mint = Line(
        f"mint:{bid.bid_id}",
        issued(prize.asset_id, prize.token_id),
        available(bid.consumer_id, prize.asset_id, prize.token_id),
        1,
        at,
        bid.auction_id,
        bid.bid_id,
    )
    if settlement == "burn":
        return Ended(bid, "burned", (_end(bid, burned(bid.asset_id), at), mint))
    return Ended(bid, "transferred", (_end(bid, house(bid.asset_id), at), mint))


def settle(
    bids: Sequence[Hold],
    winners: Sequence[str],
    prize: Prize,
    quantity: int,
    settlement: Settlement,
    at: int,
) -> list[Ended]:
    """The end of every live bid of an auction: winners pay and are given, the others go free.

    *winners* are bid ids, best first; no more than *quantity* of them are given anything, and
    one whose bid is not among *bids* has nothing to pay with and is given nothing.
    """
    winning = frozenset(winners[:quantity])
    return [
        pay(bid, settlement, prize, at) if bid.bid_id in winning else release(bid, at)
        for bid in bids
    ]


def _end(bid: Hold, credit: Account, at: int) -> Line:
    return _of_bid("end", bid, held(bid.consumer_id, bid.asset_id), credit, at)


def _of_bid(
    what: Literal["hold", "end"], bid: Hold, debit: Account, credit: Account, at: int
) -> Line:
    key = journal_key(what, bid.bid_id, bid.number)
    return Line(key, debit, credit, bid.amount, at, bid.auction_id, bid.bid_id)


def journal_key(what: Literal["hold", "end"], bid_id: str, number: int) -> str:
    """Of the line that sets an amount aside for a bid, or ends that, the *number*-th time."""
    return f"{what}:{bid_id}" if number == 1 else f"{what}:{bid_id}:{number}"


# ── Balances ─────────────────────────────────────────────────────────────────────────────


def post(balances: Mapping[Account, int], lines: Iterable[Line]) -> dict[Account, int]:
    """The balances of the accounts that the lines touch, after them.

    *balances* knows every one of these accounts.  Raises ``Overdrawn``, and asserts that no
    line is of two assets or of no amount.
    """
    after: dict[Account, int] = {}
    for line in lines:
        assert line.amount > 0, f"{line.journal_key} moves {line.amount}"
        assert line.debit.asset_id == line.credit.asset_id, f"{line.journal_key}: two assets"
        assert line.debit != line.credit, f"{line.journal_key} goes nowhere"
        for account, change in ((line.debit, -line.amount), (line.credit, line.amount)):
            balance = after.get(account, balances[account]) + change
            if not _may_stand(account, balance):
                raise Overdrawn(f"{line.journal_key}: {account.kind} cannot bear it")
            after[account] = balance
    return after


def _may_stand(account: Account, balance: int) -> bool:
    return -LARGEST <= balance <= 0 if is_outside(account) else 0 <= balance <= LARGEST


# ── Amounts ──────────────────────────────────────────────────────────────────────────────


def written(amount: int) -> str:
    """An amount as it is stored: 78 digits, so that texts sort as numbers do.

    One that is negative or too large has another shape, which no row takes.
    """
    return f"{amount:0{DIGITS}d}"


def bid_exponent(decimals: int) -> int:
    """Decimals of a bid in an asset of so many: its unit is 10^-exponent."""
    return min(BID_DECIMALS, decimals)


def base_units(amount: int, exponent: int, decimals: int) -> int:
    """An amount of 10^-*exponent* in the smallest unit of an asset of so many decimals.

    Exact, because *exponent* is never larger (``bid_exponent``).
    """
    assert exponent <= decimals, f"an amount of {exponent} decimals in an asset of {decimals}"
    return int(amount * 10 ** (decimals - exponent))
