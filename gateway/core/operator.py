"""A lot as its operator sees it: an auction in which tokens are bid, one bid each.

What is said in whole tokens becomes a lot's terms; a lot, its bids and its lines in the
ledger become the contract's objects.  A bid is counted in units of 10^-6 of a token, or of
the token's own smallest unit where that is larger; the ledger counts in the smallest unit.

Pure.  Leaves to others: which assets there are, whose e-mail is whose, what the ledger holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from engine.core.increments import table
from engine.core.messages import Catalogue, CreateSale, Mode, State, Terms, Tokens
from gateway.core.bodies import minor_units
from gateway.core.consumer import instant, moment
from gateway.core.ledger import LARGEST, Account, base_units, bid_exponent
from gateway.core.lotting import Offer
from gateway.core.problems import Problem, bad_field, bad_fields, invalid_amount
from gateway.core.schedule import BadTime, read_instant
from gateway.core.view import LotView
from gateway.core.wire.operator import (
    Auction,
    AuctionChanges,
    Bid,
    BidStatus,
    Entry,
    Settlement,
    Status,
)
from gateway.core.wording import major_units

Verb = Literal["pause", "resume", "cancel", "complete", "settle", "delete"]

STATUSES: Final[Mapping[State, Status]] = {
    State.SCHEDULED: "draft",
    State.OPEN: "active",
    State.PAUSED: "paused",
    State.CLOSED: "completed",
    State.SETTLING: "settling",
    State.SETTLED: "settled",
    State.CANCELED: "canceled",
}
ALLOWED: Final[Mapping[Status, tuple[Verb, ...]]] = {
    "draft": ("resume", "cancel", "delete"),
    "active": ("pause", "complete", "cancel"),
    "paused": ("resume", "complete", "cancel"),
    "completed": ("settle",),
    "settling": (),
    "settled": (),
    "canceled": ("delete",),
}

_ANY_STEP: Final = table([(0, 1)])  # nobody has to beat anybody
_SMALLEST: Final = 1  # units: where no starting price is said, and below which nothing is
_PLAIN: Final = ("title", "description", "end_date")  # what may change after the draft


class Token(NamedTuple):
    """What is bid with."""

    asset_id: str
    symbol: str
    decimals: int


class PlacedBid(NamedTuple):
    """An accepted bid, from the view or from the archive."""

    bid_id: str
    consumer_id: str
    amount: int
    at: int
    canceled_at: int | None


class LedgerEntry(NamedTuple):
    """A line of the journal with the decimals of its asset."""

    reference: str
    debit: Account
    credit: Account
    amount: int
    decimals: int
    at: int
    bid_id: str | None


# ── What is said ─────────────────────────────────────────────────────────────────────────


def standing_sale(mode: Mode) -> CreateSale:
    """The sale that every token auction of a mode belongs to; its id is always the same."""
    # No currency: each auction has its own token (ISO 4217 calls that XXX).
    sale_id = f"seq_tokens{mode}"
    return CreateSale(sale_id, "Token auctions", "XXX", 0, mode=mode, supports_guest=False)


def offered(said: AuctionChanges, token: Token, lot_number: str) -> Offer:
    """A new token auction.  Raises ``Problem`` 400."""
    assert not isinstance(said.auction_asset_id, UnsetType), "a new one has it"
    assert not isinstance(said.auction_asset_type, UnsetType), "a new one has it"
    tokens = Tokens(token.asset_id, said.auction_asset_type, said.auction_asset_id)
    blank = Terms(
        _SMALLEST,
        _ANY_STEP,
        format="one_bid",
        tokens=tokens,
        fixed_end=True,
        settle_by_command=True,
        currency=token.symbol,
        exponent=bid_exponent(token.decimals),
    )
    return amended(Offer(blank, Catalogue(lot_number, "")), said, token)


def amended(offer: Offer, said: AuctionChanges, token: Token) -> Offer:
    """The auction with what is said laid over it; *token*: what is bid with from now on.

    Raises ``Problem`` 400.
    """
    terms = _in_token(offer.terms, token)
    exponent = bid_exponent(token.decimals)
    changes: dict[str, Any] = {"tokens": _tokens(terms, said)}
    if not isinstance(said.auction_asset_quantity, UnsetType):
        changes["winner_count"] = said.auction_asset_quantity
    if not isinstance(said.starting_price, UnsetType):
        opening = _price(said.starting_price, exponent, "starting_price")
        changes["opening"] = _SMALLEST if opening is None else opening
    if not isinstance(said.reserve_price, UnsetType):
        changes["reserve"] = _price(said.reserve_price, exponent, "reserve_price")
    changes |= _dates(terms, said)
    terms = replace(terms, **changes)
    _check(terms)
    if offer.catalogue.serial is not None and terms.winner_count > 1:
        raise bad_field("auction_asset_quantity", "1 where a serial names the object")
    return Offer(terms, _printed(offer.catalogue, said))


def amended_later(offer: Offer, said: AuctionChanges) -> Offer:
    """An auction that is no draft any more: title, description and a later end.

    Raises ``Problem`` 400, and 409 for anything else that is said.
    """
    beyond = [
        name
        for name in AuctionChanges.__struct_fields__
        if name not in _PLAIN and getattr(said, name) is not UNSET
    ]
    if beyond:
        raise Problem("not_editable", f"Only a draft may change its {' and '.join(beyond)}.")
    terms = replace(offer.terms, **_dates(offer.terms, said))
    return Offer(terms, _printed(offer.catalogue, said))


def _in_token(terms: Terms, token: Token) -> Terms:
    """The same prices in another token's units, where the draft changes to it."""
    assert terms.tokens is not None
    assert terms.exponent is not None
    if terms.tokens.bid_asset_id == token.asset_id:
        return terms
    exponent = bid_exponent(token.decimals)

    def converted(units: int | None) -> int | None:
        if units is None or terms.exponent is None:
            return None
        return minor_units(major_units(units, terms.exponent), exponent, "bid_asset_id")

    opening = _SMALLEST if terms.opening == _SMALLEST else converted(terms.opening)
    return replace(
        terms,
        opening=opening,
        reserve=converted(terms.reserve),
        tokens=replace(terms.tokens, bid_asset_id=token.asset_id),
        currency=token.symbol,
        exponent=exponent,
    )


def _tokens(terms: Terms, said: AuctionChanges) -> Tokens:
    assert terms.tokens is not None
    named = ("auction_asset_type", "auction_asset_id", "auction_asset_token_id", "settlement_type")
    given = {name: getattr(said, name) for name in named}
    tokens = replace(terms.tokens, **{k: value for k, value in given.items() if value is not UNSET})
    if tokens.auction_asset_type == "erc721":
        return replace(tokens, auction_asset_token_id=None)
    if tokens.auction_asset_token_id is None:
        raise bad_field("auction_asset_token_id", "an erc1155 needs it")
    return tokens


def _price(amount: Decimal | None, exponent: int, field: str) -> int | None:
    return None if amount is None or amount == 0 else minor_units(amount, exponent, field)


def _dates(terms: Terms, said: AuctionChanges) -> dict[str, int | None]:
    changes: dict[str, int | None] = {}
    if not isinstance(said.start_date, UnsetType):
        changes["opens_at"] = _instant(said.start_date, "start_date")
    if isinstance(said.end_date, UnsetType):
        return changes
    ends_at = _instant(said.end_date, "end_date")
    settle_at = ends_at
    if terms.tokens is None and terms.settle_at is not None:  # it has a day of its own
        settle_at = max(terms.settle_at, ends_at or 0)
    return {**changes, "closes_at": ends_at, "settle_at": settle_at}


def _instant(text: str | None, field: str) -> int | None:
    try:
        return None if text is None else read_instant(text, UTC)
    except BadTime as error:
        raise bad_field(field, str(error)) from error


def _check(terms: Terms) -> None:
    if terms.opens_at is None or terms.closes_at is None or terms.opens_at < terms.closes_at:
        return
    raise bad_fields([("end_date", "after start_date")])


def _printed(catalogue: Catalogue, said: AuctionChanges) -> Catalogue:
    if not isinstance(said.title, UnsetType):
        catalogue = replace(catalogue, name=said.title)
    if not isinstance(said.description, UnsetType):
        catalogue = replace(catalogue, description=said.description)
    return catalogue


def not_from(state: State, verb: Verb) -> Problem:
    """A step that an auction's life does not have where it stands, and those it has."""
    status = STATUSES.get(state)
    if status is None:  # withdrawn: somebody else was quicker
        return Problem("auction_not_found")
    allowed = ALLOWED[status]
    words = " and ".join(allowed) or "nothing more"
    return Problem(
        "invalid_transition",
        f"Cannot {verb} an auction that is {status}, which allows {words}.",
        details={"state": status, "allowed": list(allowed)},
    )


# ── What is shown ────────────────────────────────────────────────────────────────────────


def auction(lot: LotView, *, reads_reserves: bool) -> Auction:
    """An auction; what its settlement brought is added by ``settled``."""
    terms, tokens = lot.terms, lot.terms.tokens
    ends_at = terms.closes_at if terms.fixed_end else lot.now.closes_at or terms.closes_at
    return Auction(
        id=lot.auction_id,
        title=lot.catalogue.name,
        description=lot.catalogue.description,
        bid_asset_id=None if tokens is None else tokens.bid_asset_id,
        auction_asset_type=None if tokens is None else tokens.auction_asset_type,
        auction_asset_id=None if tokens is None else tokens.auction_asset_id,
        auction_asset_token_id=None if tokens is None else tokens.auction_asset_token_id,
        auction_asset_quantity=terms.winner_count,
        starting_price=_units(lot, terms.opening),
        reserve_price=_reserve(lot, reads_reserves),
        settlement_type=None if tokens is None else tokens.settlement_type,
        status=STATUSES[lot.now.state],
        start_date=instant(lot.opens_at),
        end_date=instant(ends_at),
        format=terms.format,
        bid_count=lot.now.bid_count,
        created_at=moment(lot.added_at),
        updated_at=moment(max(lot.at, lot.added_at)),
    )


def _reserve(lot: LotView, reads_reserves: bool) -> Decimal | None:
    if lot.terms.reserve is None or not (reads_reserves or lot.terms.publish_reserve):
        return None
    return _units(lot, lot.terms.reserve)


def _units(lot: LotView, amount: int) -> Decimal:
    return whole_tokens(amount, lot.money[1])


def bid(lot: LotView, placed: PlacedBid, email: str | None, decimals: int) -> Bid:
    """A bid; *decimals*: of the asset that is bid with."""
    exponent = lot.money[1]
    return Bid(
        id=placed.bid_id,
        auction_id=lot.auction_id,
        email=email,
        amount=whole_tokens(placed.amount, exponent),
        amount_base=str(base_units(placed.amount, exponent, decimals)),
        status=bid_status(lot, placed),
        created_at=moment(placed.at),
        updated_at=moment(_changed_at(lot, placed)),
    )


def bid_status(lot: LotView, placed: PlacedBid) -> BidStatus:
    """What has become of a bid; of winners nothing is said before the settlement."""
    if placed.canceled_at is not None or lot.now.state is State.CANCELED:
        return "canceled"
    if lot.now.state is not State.SETTLED:
        return "posted"
    return "lost" if lot.win_of(placed.consumer_id) is None else "winner"


def _changed_at(lot: LotView, placed: PlacedBid) -> int:
    if placed.canceled_at is not None:
        return placed.canceled_at
    is_over = lot.now.state in (State.SETTLED, State.CANCELED)
    return max(placed.at, lot.at) if is_over else placed.at


def settled(
    shown: Auction,
    lot: LotView,
    winning: Sequence[Bid],
    entries: Iterable[LedgerEntry],
    emails: Mapping[str, str],
) -> Auction:
    """The auction with what its settlement has brought."""
    tokens = lot.terms.tokens
    assert tokens is not None
    assert lot.settle_at is not None, "it is when it was settled, since it was"
    lines = [_entry(entry, emails) for entry in entries]
    settlement = Settlement(
        settlement_type=tokens.settlement_type,
        settled_at=moment(lot.settle_at),
        entries=lines,
        transaction_references=[line.reference for line in lines],
    )
    return replace(shown, winning_bids=list(winning), settlement=settlement)


def _entry(entry: LedgerEntry, emails: Mapping[str, str]) -> Entry:
    token_id = entry.debit.token_id or entry.credit.token_id
    return Entry(
        reference=entry.reference,
        bid_id=entry.bid_id,
        asset_id=entry.debit.asset_id,
        token_id=int(token_id) if token_id else None,
        debit=entry.debit.kind,
        debit_email=emails.get(entry.debit.holder),
        credit=entry.credit.kind,
        credit_email=emails.get(entry.credit.holder),
        amount=whole_tokens(entry.amount, entry.decimals),
        amount_base=str(entry.amount),
        created_at=moment(entry.at),
    )


# ── Amounts ──────────────────────────────────────────────────────────────────────────────


def whole_tokens(units: int, decimals: int) -> Decimal:
    """Units of 10^-*decimals* → whole tokens, exactly, without zeros behind.

    An amount of the ledger has up to 78 digits: more than Decimal's arithmetic keeps, so it
    is put together as a text.
    """
    whole, rest = divmod(units, 10**decimals)
    fraction = f"{rest:0{decimals}d}".rstrip("0") if decimals else ""
    return Decimal(f"{whole}.{fraction}" if fraction else str(whole))


def smallest_units(amount: Decimal, decimals: int, field: str = "amount") -> int:
    """Whole tokens → the asset's smallest unit, exactly.  Raises ``Problem`` 400."""
    sign, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int), "no amount is infinite"
    number = int("".join(map(str, digits)))
    if sign or not number or amount.adjusted() + decimals > len(str(LARGEST)):
        raise invalid_amount("out of range", field)
    shift = exponent + decimals
    units: int = number * 10 ** max(shift, 0)
    units, rest = divmod(units, 10 ** max(-shift, 0))
    if rest:
        raise invalid_amount(f"at most {decimals} decimals", field)
    if units > LARGEST:
        raise invalid_amount("out of range", field)
    return units
