"""The operator API: token auctions, one bid each, on the same engine as everything else.

A bid is placed on a user's behalf and paid in first; how bids end in the ledger is the
clerk's work, which an answer waits for, so that the balances read next are right.  State
calls serve auctions of every format, bid calls those of one bid.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import UNSET, UnsetType
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from engine.core.messages import (
    AddLot,
    CancelBid,
    CreateSale,
    OpenLot,
    RemoveLot,
    State,
    sale_part,
)
from gateway import archive, bidding
from gateway.api import lots
from gateway.api.calls import Ask
from gateway.books import ledger, people
from gateway.books.addresses import emails
from gateway.books.store import BadField
from gateway.core import consumer
from gateway.core import operator as core
from gateway.core.bodies import minor_units
from gateway.core.lotting import Offer
from gateway.core.naming import bid_id as name_bid
from gateway.core.operator import LedgerEntry, PlacedBid, Token
from gateway.core.paging import Ends, page_of
from gateway.core.problems import Problem, bad_field
from gateway.core.view import LotView
from gateway.core.wire.operator import (
    Auction,
    AuctionChanges,
    AuctionQuery,
    Bid,
    BidQuery,
    Data,
    Deleted,
    Listed,
    NewAuction,
    NewBid,
    Nothing,
    PageInfo,
)

NOTHING: Final = Nothing()
_PAGE: Final = 1_000  # bids in one question to the archive
_NOT_ACTIVE: Final = ("not_open_yet", "paused", "closed")


# ── Auctions ─────────────────────────────────────────────────────────────────────────────


async def create(ask: Ask, body: NewAuction) -> Data[Auction]:
    """Make a token auction: a draft, or one that takes bids at once."""
    token = await _token(ask, body.bid_asset_id)
    await _check_prize(ask, body.auction_asset_id, body.auction_asset_type)
    sale = core.standing_sale(ask.caller.mode)
    part, name = sale_part(sale.sale_id), ask.named("auction", 8)
    offer = core.offered(body, token, name[:4].upper())
    if body.status == "active":
        _check_can_open(ask, offer)
    await _hold_standing_sale(ask, sale)
    auction_id = f"auction_{part}_{name}"
    await ask.command(AddLot(auction_id, sale.sale_id, *offer, ask.cmd_id, ask.caller.name))
    lot = ask.lot(auction_id)
    if body.status == "active":
        await _open(ask, lot)
    return Data(data=_shown(ask, lot))


async def listing(ask: Ask, query: AuctionQuery) -> Listed[Auction]:
    """Auctions of every format, the oldest first."""
    wanted = "completed" if query.status == "complete" else query.status
    mine = [
        lot
        for lot in ask.gateway.saleroom.catalogued()
        if lot.sale.created.mode == ask.caller.mode
        and wanted in (None, core.STATUSES[lot.now.state])
    ]
    # Whichever gateway is asked: each has read the shards in an order of its own.
    mine.sort(key=lambda lot: (lot.added_at, lot.auction_id))
    page, ends = page_of(mine, query.limit, query.cursor, lambda lot: lot.auction_id)
    return Listed(data=[_shown(ask, lot) for lot in page], page_info=_info(ends))


async def read(ask: Ask, auction_id: str) -> Data[Auction]:
    """One auction; when it is settled, with its winners and the ledger's lines."""
    return Data(data=await _told(ask, ask.lot(auction_id)))


async def update(ask: Ask, auction_id: str, body: AuctionChanges) -> Data[Auction]:
    """Change a draft in everything; later its title, its description, and its end to a later
    one."""
    lot = ask.lot(auction_id)
    if lot.now.state is State.SCHEDULED and lot.terms.tokens is not None:
        await _update_draft(ask, lot, body)
    else:
        await lots.changed(ask, lot, lambda: _amended_later(lot, body))
    return Data(data=await _told(ask, lot))


async def remove(ask: Ask, auction_id: str) -> Data[Deleted]:
    """Take away a draft or a canceled auction."""
    lot = ask.lot(auction_id)
    try:
        await ask.command(RemoveLot(auction_id, ask.cmd_id, ask.caller.name))
    except Problem as problem:
        raise _in_own_words(problem, lot, "delete") from problem
    return Data(data=Deleted(id=auction_id))


async def _update_draft(ask: Ask, lot: LotView, said: AuctionChanges) -> None:
    assert lot.terms.tokens is not None
    tokens = lot.terms.tokens
    wished = said.bid_asset_id
    token = await _token(ask, tokens.bid_asset_id if isinstance(wished, UnsetType) else wished)
    if said.auction_asset_id is not UNSET or said.auction_asset_type is not UNSET:
        prize, kind = said.auction_asset_id, said.auction_asset_type
        await _check_prize(
            ask,
            tokens.auction_asset_id if isinstance(prize, UnsetType) else prize,
            tokens.auction_asset_type if isinstance(kind, UnsetType) else kind,
        )
    if said.status == "active":
        _check_can_open(ask, core.amended(Offer(lot.terms, lot.catalogue), said, token))
    await lots.changed(ask, lot, lambda: core.amended(Offer(lot.terms, lot.catalogue), said, token))
    if said.status == "active":
        await _open(ask, lot)


def _amended_later(lot: LotView, said: AuctionChanges) -> Offer:
    try:
        return core.amended_later(Offer(lot.terms, lot.catalogue), said)
    except Problem as problem:
        if problem.code == "not_editable" and lot.terms.tokens is None:
            raise Problem("wrong_format", "This auction is not sold for tokens.") from problem
        raise


def _check_can_open(ask: Ask, offer: Offer) -> None:
    opens_at, closes_at = offer.terms.opens_at, offer.terms.closes_at
    if opens_at is not None and opens_at > ask.now:
        raise bad_field("start_date", "an auction that is active has started")
    if closes_at is not None and closes_at <= ask.now:
        raise bad_field("end_date", "an instant that is still to come was expected")


async def _open(ask: Ask, lot: LotView) -> None:
    await lots.prepare_opening(ask, lot)
    try:
        # Another id: to the first one the log has given its answer.
        await ask.command(OpenLot(lot.auction_id, f"{ask.cmd_id}.open", ask.caller.name))
    except Problem as problem:
        # Its own start may have come first, and opened it.
        if problem.code != "invalid_transition" or lot.now.state is not State.OPEN:
            raise


async def _hold_standing_sale(ask: Ask, sale: CreateSale) -> None:
    """The house's standing sale is made when its first auction is."""
    if sale.sale_id in ask.gateway.saleroom.sales:
        return
    given = CreateSale(
        sale.sale_id,
        sale.name,
        sale.currency,
        sale.exponent,
        mode=sale.mode,
        supports_guest=sale.supports_guest,
        cmd_id=ask.cmd_id,
        by=ask.caller.name,
    )
    try:
        await ask.command(given)
    except Problem as problem:
        if problem.code != "exists":  # else somebody else has just made it
            raise


async def _token(ask: Ask, asset_id: str) -> Token:
    """What is bid with.  Raises ``Problem`` where it is no erc20 of the registry."""
    asset = await _asset(ask, asset_id)
    if asset.type != "erc20":
        raise bad_field("bid_asset_id", "an erc20 was expected")
    return Token(asset.asset_id, asset.symbol, asset.decimals)


async def _check_prize(ask: Ask, asset_id: str, asset_type: str) -> None:
    asset = await _asset(ask, asset_id)
    if asset.type != asset_type:
        raise bad_field("auction_asset_id", f"this asset is an {asset.type}")


async def _asset(ask: Ask, asset_id: str) -> ledger.Asset:
    asset = await ask.books(ledger.asset, ask.caller.mode, asset_id.lower())
    if asset is None:
        raise Problem("asset_not_found")
    return asset


# ── Moving on ────────────────────────────────────────────────────────────────────────────


async def cancel(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Data[Auction]:
    """Call it off: every hold is released."""
    return await _moved(ask, auction_id, "cancel")


async def resume(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Data[Auction]:
    """Take bids: again after a pause, or for the first time."""
    return await _moved(ask, auction_id, "resume")


async def pause(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Data[Auction]:
    """Take no bids for a while; the end stands."""
    return await _moved(ask, auction_id, "pause")


async def settle(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Data[Auction]:
    """Write the books: winners pay and are given, losers are released."""
    return await _moved(ask, auction_id, "settle")


async def complete(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Data[Auction]:
    """End the bidding now."""
    return await _moved(ask, auction_id, "complete")


async def _moved(ask: Ask, auction_id: str, verb: lots.Verb) -> Data[Auction]:
    lot = ask.lot(auction_id)
    try:
        await lots.moved(ask, lot, verb)
    except Problem as problem:
        raise _in_own_words(problem, lot, verb) from problem
    return Data(data=await _told(ask, lot))


def _in_own_words(problem: Problem, lot: LotView, verb: core.Verb) -> Problem:
    if problem.code != "invalid_transition":
        return problem
    return core.not_from(lot.now.state, verb)


# ── Bids ─────────────────────────────────────────────────────────────────────────────────


async def bid(ask: Ask, auction_id: str, body: NewBid) -> Data[Bid]:
    """Bid on a user's behalf; the amount is held in their account until the bid ends."""
    lot = _of_one_bid(ask, auction_id)
    consumer_id, email = await _user(ask, body.email)
    amount = minor_units(body.amount, lot.money[1])
    if lot.now.state is not State.OPEN:
        raise _not_active(lot)
    if lot.status_of(consumer_id) != "NOT_BID" and not _is_retry(ask, lot, consumer_id):
        raise Problem("bid_exists")
    event = await bidding.place(ask.gateway, lot, consumer_id, ask.cmd_id, amount, "bid")
    if event.answer.code is not None:
        raise _refused(lot, consumer.refused(lot, event.answer))
    named = name_bid(auction_id, consumer_id, ask.cmd_id, ask.gateway.salt)
    placed = PlacedBid(named, consumer_id, amount, event.answer.at, None)
    decimals = await _bid_decimals(ask, lot)
    return Data(data=core.bid(lot, placed, email, decimals))


async def bids(ask: Ask, auction_id: str, query: BidQuery) -> Listed[Bid]:
    """Every bid that was taken, canceled ones included, the oldest first."""
    lot = _of_one_bid(ask, auction_id)
    found = await _placed(ask, lot)
    wanted = [each for each in found if query.status in (None, core.bid_status(lot, each))]
    page, ends = page_of(wanted, query.limit, query.cursor, lambda each: each.bid_id)
    return Listed(data=await _bids_shown(ask, lot, page), page_info=_info(ends))


async def read_bid(ask: Ask, auction_id: str, bid_id: str) -> Data[Bid]:
    """One bid."""
    lot = _of_one_bid(ask, auction_id)
    placed, _ = await _find(ask, lot, bid_id)
    [shown] = await _bids_shown(ask, lot, [placed])
    return Data(data=shown)


async def cancel_bid(ask: Ask, auction_id: str, bid_id: str, body: Nothing = NOTHING) -> Data[Bid]:
    """Take a bid back; its user may bid again."""
    lot = _of_one_bid(ask, auction_id)
    placed, cmd_id = await _find(ask, lot, bid_id)
    command = CancelBid(auction_id, placed.consumer_id, cmd_id, ask.cmd_id, ask.caller.name)
    try:
        await ask.command(command)
    except Problem as problem:
        if problem.code in ("not_found", "invalid_transition"):
            raise Problem("bid_not_cancelable") from problem
        raise
    await lots.until_written(ask, lot)
    return await read_bid(ask, auction_id, bid_id)


def _of_one_bid(ask: Ask, auction_id: str) -> LotView:
    lot = ask.lot(auction_id)
    if lot.format != "one_bid":
        raise Problem("wrong_format", f"This is an auction of the format {lot.format}.")
    return lot


async def _user(ask: Ask, email: str) -> tuple[str, str]:
    """The consumer with this e-mail, and the e-mail as they wrote it."""
    try:
        address = people.read_email(email)
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    found = await ask.books(people.by_email, ask.gateway.vault, ask.caller.mode, address)
    if found is None:
        raise Problem("user_not_found")
    return found.consumer_id, found.email or address


def _is_retry(ask: Ask, lot: LotView, consumer_id: str) -> bool:
    """Was this very bid taken before, and only its answer lost?"""
    placed = lot.bids or ()
    return any(bid[:2] == (consumer_id, ask.cmd_id) for bid in placed)


def _not_active(lot: LotView) -> Problem:
    return Problem("auction_not_active", f"The auction is {core.STATUSES[lot.now.state]}.")


def _refused(lot: LotView, problem: Problem) -> Problem:
    """A refused bid, in the codes of this API."""
    if problem.code in _NOT_ACTIVE:
        return _not_active(lot)
    if problem.code == "insufficient_funds":
        return Problem("insufficient_funds", status=402)
    return problem


async def _placed(ask: Ask, lot: LotView) -> list[PlacedBid]:
    """Every bid that was taken, in the log's order."""
    if lot.bids is not None:
        name, salt = lot.auction_id, ask.gateway.salt
        return [
            PlacedBid(name_bid(name, each.consumer_id, each.cmd_id, salt), each.consumer_id, each.amount, each.at, each.canceled_at)
            for each in lot.bids
        ]  # fmt: skip
    return await run_in_threadpool(_archived, ask.gateway.archive, lot.auction_id)


def _archived(engine: Engine, auction_id: str) -> list[PlacedBid]:
    found: list[archive.AcceptedBid] = []
    last: int | None = None
    while page := archive.accepted_bids(engine, auction_id, _PAGE, last):
        found += page
        last = page[-1].log_seq
    return [
        PlacedBid(each.bid_id, each.consumer_id, each.amount, each.at, each.canceled_at)
        for each in reversed(found)
    ]


async def _find(ask: Ask, lot: LotView, bid_id: str) -> tuple[PlacedBid, str]:
    """The bid, and the id of its command."""
    name, salt = lot.auction_id, ask.gateway.salt
    for each in lot.bids or ():
        if name_bid(name, each.consumer_id, each.cmd_id, salt) == bid_id:
            placed = PlacedBid(bid_id, each.consumer_id, each.amount, each.at, each.canceled_at)
            return placed, each.cmd_id
    found = None
    if lot.bids is None:
        found = await run_in_threadpool(archive.accepted_bid, ask.gateway.archive, name, bid_id)
    if found is None:
        raise Problem("bid_not_found")
    placed = PlacedBid(bid_id, found.consumer_id, found.amount, found.at, found.canceled_at)
    return placed, found.cmd_id


# ── Showing ──────────────────────────────────────────────────────────────────────────────


def _shown(ask: Ask, lot: LotView) -> Auction:
    return core.auction(lot, reads_reserves=ask.caller.reads_reserves)


async def _told(ask: Ask, lot: LotView) -> Auction:
    """The auction with whatever its settlement has brought."""
    shown = _shown(ask, lot)
    if lot.now.state is not State.SETTLED or lot.terms.tokens is None:
        return shown
    winners = {(win.consumer_id, win.cmd_id): place for place, win in enumerate(lot.winners)}
    salt = ask.gateway.salt
    places = {
        name_bid(lot.auction_id, consumer_id, cmd_id, salt): place
        for (consumer_id, cmd_id), place in winners.items()
    }
    won = [each for each in await _placed(ask, lot) if each.bid_id in places]
    won.sort(key=lambda each: places[each.bid_id])
    entries = await ask.books(ledger.entries_of_auction, lot.auction_id)
    names = await _emails(
        ask, [account.holder for each in entries for account in (each.debit, each.credit)]
    )
    lines = await _lines(ask, entries)
    return core.settled(shown, lot, await _bids_shown(ask, lot, won), lines, names)


async def _lines(ask: Ask, entries: Sequence[ledger.Entry]) -> list[LedgerEntry]:
    found = {entry.debit.asset_id for entry in entries}
    known = [await ask.books(ledger.asset, ask.caller.mode, asset_id) for asset_id in sorted(found)]
    decimals = {asset.asset_id: asset.decimals for asset in known if asset is not None}
    return [
        LedgerEntry(
            each.reference,
            each.debit,
            each.credit,
            each.amount,
            decimals[each.debit.asset_id],
            each.at,
            each.bid_id,
        )
        for each in entries
    ]


async def _bids_shown(ask: Ask, lot: LotView, placed: Sequence[PlacedBid]) -> list[Bid]:
    decimals, names = await asyncio.gather(
        _bid_decimals(ask, lot), _emails(ask, [each.consumer_id for each in placed])
    )
    return [core.bid(lot, each, names.get(each.consumer_id), decimals) for each in placed]


async def _emails(ask: Ask, consumer_ids: Iterable[str]) -> dict[str, str]:
    return await ask.books(emails, ask.gateway.vault, sorted(set(consumer_ids)))


async def _bid_decimals(ask: Ask, lot: LotView) -> int:
    """The decimals of what is bid with; of a currency, as many as it has."""
    tokens = lot.terms.tokens
    if tokens is None:
        return lot.money[1]
    asset = await ask.books(ledger.asset, ask.caller.mode, tokens.bid_asset_id)
    return lot.money[1] if asset is None else asset.decimals


def _info(ends: Ends) -> PageInfo:
    return PageInfo(start_cursor=ends.start, end_cursor=ends.end)
