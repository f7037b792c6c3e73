"""From a bid that is paid in to its end in the books, over a real log, with kills in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event, select
from structlog.testing import capture_logs

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    KeepTime,
    PlaceBid,
    SettleLot,
    Terms,
    Tokens,
)
from engine.streams import Log
from gateway import archive, keys, sealing, settlement
from gateway.archive import ArchiveError
from gateway.books import ledger
from gateway.books.ledger import holds
from gateway.books.store import reading
from gateway.settings import read_gateway_settings
from gateway.settlement import prize_of
from tests.gateway.books.bookkeeping import live_bids
from tests.gateway.decisions import held, sealed_bid
from tests.gateway.token_house import (
    BOTH,
    LOT,
    MILLION,
    TOKEN,
    House,
    empty_database,
    open_house,
    token_lot,
)


@pytest.fixture(scope="session")
def house_keys(tmp_path_factory: pytest.TempPathFactory) -> keys.HouseKeys:
    folder = tmp_path_factory.mktemp("house")
    settings = read_gateway_settings({"DATA_DIR": str(folder), "DEMO": "0"})
    return keys.load_or_create(settings, 1)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_database(request, tmp_path)


@pytest.fixture
async def house(
    valkey: str, database: str, house_keys: keys.HouseKeys, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """Two jars are for sale; Ana, Bo and Cy have a hundred tokens each."""
    monkeypatch.setattr(settlement, "_LOOK_EVERY_S", 0.0)
    async with open_house(valkey, database, house_keys) as house:
        yield house


# ── A bid's way ──────────────────────────────────────────────────────────────────────────


@BOTH
async def test_winners_pay_and_losers_have_everything_back(house: House) -> None:
    """Two jars: Ana and Bo pay their own bids, Cy is released; then the log says settled."""
    for consumer, tokens in (("cons_ana", 12), ("cons_bo", 30), ("cons_cy", 7)):
        await house.bid(consumer, tokens)
    await house.leader.decide(CloseLot(LOT))
    await house.write_down()
    assert house.money("cons_cy") == (93, 7, 0)  # until it is settled nobody is told
    await house.leader.decide(SettleLot(LOT))
    await house.write_down()
    assert house.money("cons_ana") == (88, 0, 1)
    assert house.money("cons_bo") == (70, 0, 1)
    assert house.money("cons_cy") == (100, 0, 0)
    assert house.state_of() == (True, False)
    await house.finish()
    assert house.state_of() == (True, True)
    house.agree()
    assert live_bids(house.books) == set()


async def test_a_transfer_pays_the_house(house: House) -> None:
    """Where the terms say so, the tokens are not destroyed."""
    other = "auction_k3f9_2"
    tokens = Tokens(house.gold.asset_id, "erc721", house.jars.asset_id, settlement_type="transfer")
    await house.leader.decide(replace(token_lot(house, tokens=tokens), auction_id=other))
    await house.bid("cons_bo", 6, other)
    await house.leader.decide(CloseLot(other), SettleLot(other))
    await house.finish()
    assert house.state_of(other) == (True, True)
    assert house.money("cons_bo") == (94, 0, 1)
    paid = ledger.entries_of_auction(house.books, other)[1]
    assert (paid.credit.holder, paid.amount) == ("house", 6 * TOKEN)
    house.agree()


async def test_a_refused_bid_is_released(house: House) -> None:
    """Ana's second bid is one too many: the first stays held, the second is given back."""
    first = await house.bid("cons_ana", 12)
    await house.bid("cons_ana", 13)  # already_bid
    await house.write_down()
    assert house.money("cons_ana") == (88, 12, 0)
    assert live_bids(house.books) == {house.id_of(first)}
    house.agree()


async def test_a_bid_that_was_taken_back_is_released(house: House) -> None:
    """And bid again, another amount is held."""
    first = await house.bid("cons_ana", 12)
    await house.leader.decide(CancelBid(LOT, "cons_ana", first.cmd_id, "x", "cy"))
    await house.write_down()
    assert house.money("cons_ana") == (100, 0, 0)
    await house.bid("cons_ana", 20)
    await house.write_down()
    assert house.money("cons_ana") == (80, 20, 0)
    house.agree()


async def test_a_bid_sent_again_under_its_id_with_another_amount_changes_nothing(
    house: House,
) -> None:
    """The first one stands and stays held."""
    first = await house.bid("cons_ana", 12)
    await house.leader.decide(replace(first, amount=13 * MILLION))
    await house.write_down()
    assert live_bids(house.books) == {house.id_of(first)}


@BOTH
async def test_a_bid_that_came_too_late_and_again_in_time_keeps_its_hold(house: House) -> None:
    """The log refuses the first copy as expired and takes the second: who wins has paid."""
    late = await house.hold("cons_ana", 30, for_ms=-1_000)
    again = await house.hold("cons_ana", 30, said="exists")
    await house.leader.decide(late, again)
    await house.finish()
    assert house.money("cons_ana") == (70, 30, 0)
    await house.leader.decide(CloseLot(LOT), SettleLot(LOT))
    await house.finish()
    assert house.money("cons_ana") == (70, 0, 1)
    house.agree()


async def test_a_bid_that_came_too_late_is_released(house: House) -> None:
    """At once where it was not sent again; and sent again after that, it is paid in anew."""
    late = await house.hold("cons_ana", 30, for_ms=-1_000)
    await house.leader.decide(late)
    await house.clerk.catch_up()
    assert house.money("cons_ana") == (100, 0, 0)
    await house.bid("cons_ana", 30)
    await house.finish()
    assert house.money("cons_ana") == (70, 30, 0)
    await house.leader.decide(CloseLot(LOT), SettleLot(LOT))
    await house.finish()
    assert house.money("cons_ana") == (70, 0, 1)
    house.agree()


async def test_a_retry_that_never_comes_holds_nothing_for_ever(house: House) -> None:
    """The first copy was too late, and the gateway died before it appended the second."""
    late = await house.hold("cons_ana", 30, for_ms=-5_000)
    at = await house.log.now()
    await house.leader.decide(late)
    again = await house.hold("cons_ana", 30, for_ms=700, said="exists")
    assert again.expires_at is not None
    assert again.expires_at > at
    await house.clerk.catch_up()
    assert live_bids(house.books) == {house.id_of(late)}
    await _later_than(house.log, again.expires_at + settlement._GRACE_MS)
    await house.finish()
    assert house.money("cons_ana") == (100, 0, 0)
    house.agree()


@BOTH
async def test_a_refused_bid_is_paid_in_anew_when_the_log_has_forgotten_it(house: House) -> None:
    """As long as it repeats the refusal nothing is held; after 32 others it is decided anew."""
    other = await house.bid("cons_ana", 12)
    refused = await house.bid("cons_ana", 13)  # already_bid
    await house.finish()
    for tokens in range(20, 51):
        await house.hold("cons_ana", 13, said="ended")
        await house.bid("cons_ana", tokens)
        await house.finish()
    await house.hold("cons_ana", 13, said="ended")
    await house.leader.decide(CancelBid(LOT, "cons_ana", other.cmd_id, "x", "cy"))
    await house.leader.decide(PlaceBid(LOT, "cons_ana", "another", 1, "bid"))  # the 32nd refusal
    await house.finish()
    assert house.money("cons_ana") == (100, 0, 0)
    await house.leader.decide(await house.hold("cons_ana", 13))
    await house.finish()
    assert live_bids(house.books) == {house.id_of(refused)}
    await house.leader.decide(CloseLot(LOT), SettleLot(LOT))
    await house.finish()
    assert house.money("cons_ana") == (87, 0, 1)
    house.agree()


async def test_a_bid_for_more_than_is_held_is_told(house: House) -> None:
    """Slipped past the gateway, it pays what is held, and somebody must look at it."""
    await house.bid("cons_bo", 13)
    bid = await house.hold("cons_ana", 1)
    await house.leader.decide(replace(bid, amount=90 * MILLION))
    with capture_logs() as told:
        await house.finish()
    assert [line["event"] for line in told if line["log_level"] == "error"] == [
        "a bid for another amount than is held"
    ]


@BOTH
async def test_a_canceled_auction_gives_everything_back(house: House) -> None:
    """Bids that stand, and one that is still on its way."""
    await house.bid("cons_ana", 12)
    late = await house.hold("cons_bo", 5)
    await house.leader.decide(CancelLot(LOT))
    await house.write_down()
    assert live_bids(house.books) == set()
    await house.leader.decide(late)  # refused: it had been released before
    await house.finish()
    assert house.money("cons_bo") == (100, 0, 0)
    house.agree()


async def test_a_passed_lot_is_settled_without_a_winner(house: House) -> None:
    """Nobody has reached the reserve: everything is given back, nothing is minted."""
    other = "auction_k3f9_2"
    await house.leader.decide(replace(token_lot(house, reserve=50 * MILLION), auction_id=other))
    await house.bid("cons_ana", 12, other)
    await house.leader.decide(CloseLot(other), SettleLot(other))
    await house.finish()
    assert house.money("cons_ana") == (100, 0, 0)
    assert house.state_of(other) == (True, True)
    house.agree()


async def test_a_bid_that_nothing_is_held_for_wins_nothing(house: House) -> None:
    """Slipped past the gateway, it may win in the log, but nobody mints for it."""
    await house.leader.decide(PlaceBid(LOT, "cons_bo", "slipped", 90 * MILLION, "bid"))
    await house.bid("cons_ana", 12)
    await house.leader.decide(CloseLot(LOT), SettleLot(LOT))
    await house.finish()
    assert house.money("cons_bo") == (100, 0, 0)
    assert house.money("cons_ana") == (88, 0, 1)
    house.agree()


async def test_what_moves_money_is_on_the_disk_before_anybody_is_told(house: House) -> None:
    """It is written by the books' connections; whatever else there is, by the archive's."""
    written: list[str] = []
    event.listen(house.books, "commit", lambda _: written.append("books"))
    event.listen(house.archive, "commit", lambda _: written.append("archive"))
    await house.clerk.catch_up()
    assert written == ["archive"]
    bid = await house.hold("cons_ana", 12)
    written.clear()
    await house.leader.decide(bid)
    await house.clerk.catch_up()
    assert written == ["books"]
    with house.books.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_only_an_erc1155_has_a_number_of_its_own() -> None:
    """An erc721's token is numbered by its contract, whatever was asked for."""
    assert prize_of(Tokens("gold", "erc1155", "jars", 7)).token_id == "7"
    assert prize_of(Tokens("gold", "erc721", "jars", 7)).token_id == ""


# ── Holds without a bid ──────────────────────────────────────────────────────────────────


@BOTH
async def test_a_hold_whose_bid_never_came_is_released(house: House) -> None:
    """The gateway died in between: once the log can take the bid no more, it is given back."""
    await house.hold("cons_ana", 12, for_ms=-3_000)
    await house.finish()
    assert house.money("cons_ana") == (100, 0, 0)
    house.agree()


async def test_a_hold_that_may_still_get_its_bid_is_kept(house: House) -> None:
    """Its instant is not past, or only just."""
    await house.hold("cons_ana", 12, for_ms=5_000)
    await house.hold("cons_bo", 12, for_ms=-1_000)
    await house.finish()
    assert len(live_bids(house.books)) == 2


async def test_a_bid_that_waits_to_be_decided_keeps_its_hold(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appended in time and decided late: it stands, and must not have been released before."""
    monkeypatch.setattr(settlement, "_GRACE_MS", 0)
    bid = await house.hold("cons_ana", 12, for_ms=200)
    await house.leader.append(bid)
    assert bid.expires_at is not None
    await _later_than(house.log, bid.expires_at)
    await house.write_down()
    assert live_bids(house.books) == {house.id_of(bid)}  # the log has not decided it yet
    await house.leader.decide_waiting()
    await house.clerk.attend()
    assert live_bids(house.books) == {house.id_of(bid)}  # it has, and the clerk has not read it yet
    await house.finish()
    assert live_bids(house.books) == {house.id_of(bid)}
    with reading(house.books) as connection:
        assert connection.scalar(select(holds.c.taken_at)) is not None


async def _later_than(log: Log, instant: int) -> None:
    async with asyncio.timeout(10):
        while await log.now() <= instant + 1:
            await asyncio.sleep(0.01)


async def test_the_log_says_up_to_when_it_has_decided(house: House) -> None:
    """Up to now where nothing waits, and no further than before what does."""
    before = await house.log.now()
    said = await house.log.decided(0)
    assert said.until >= before - 1
    assert said.seq == house.leader.seq
    assert (await house.log.decided(1)).until >= before - 1  # a shard that nobody ever led
    await house.leader.decide(CancelLot("auction_none"))  # refused
    cursor = await house.log.now()
    await house.leader.append(CancelLot(LOT))
    said = await house.log.decided(0)
    assert said.until < cursor
    assert said.seq == house.leader.seq
    await house.leader.decide_waiting()
    assert (await house.log.decided(0)).until >= cursor - 1


# ── Killed in between ────────────────────────────────────────────────────────────────────


class _Killed(ArchiveError):
    """What stands for a kill."""


@contextmanager
def killed_before(engine: Engine, statement: int) -> Iterator[None]:
    """Let so many statements through and no more."""
    left = count(statement, -1)

    def cut(*_: object) -> None:
        if next(left) == 0:
            raise _Killed

    event.listen(engine, "before_cursor_execute", cut)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", cut)


async def _script(house: House) -> AsyncIterator[None]:
    """A whole auction, in the steps between which somebody may be killed."""
    ana = await house.hold("cons_ana", 12)
    yield
    await house.leader.append(ana)
    yield
    await house.leader.decide_waiting()
    yield
    await house.clerk.turn(0)
    yield
    bo = await house.bid("cons_bo", 30)
    yield
    await house.leader.decide(CancelBid(LOT, "cons_bo", bo.cmd_id, "x", "cy"))
    yield
    await house.clerk.turn(0)
    yield
    await house.bid("cons_cy", 9)
    await house.bid("cons_bo", 8)
    yield
    await house.leader.decide(CloseLot(LOT))
    yield
    await house.clerk.turn(0)
    yield
    await house.leader.decide(SettleLot(LOT))
    yield
    await house.clerk.turn(0)
    yield
    await house.leader.stay()
    await house.clerk.attend()
    yield
    await house.leader.decide_waiting()
    yield
    await house.clerk.turn(0)


STEPS = 15


@pytest.mark.parametrize("killed_after", range(STEPS))
async def test_a_clerk_killed_between_two_steps_leaves_nothing_undone(
    house: House, killed_after: int
) -> None:
    """Whoever comes after it goes on where it was, and the money is where it belongs."""
    number = 0
    async for _ in _script(house):
        if number == killed_after:
            await house.begin_clerk()
        number += 1
    assert number == STEPS - 1
    await house.finish()
    _check_the_end(house)


async def test_a_clerk_killed_before_any_statement_leaves_nothing_half_done(
    house: House,
) -> None:
    """Every transaction of the whole auction, cut off before each of its statements."""
    cuts = 0
    async for _ in _script(house):
        statement = 0
        while True:
            await house.begin_clerk()
            try:
                with killed_before(house.books, statement), killed_before(house.archive, statement):
                    await house.clerk.turn(0)
                break
            except _Killed:
                statement += 1
                house.agree()
        cuts += statement
    assert cuts > 50
    await house.begin_clerk()
    await house.finish()
    _check_the_end(house)


def _check_the_end(house: House) -> None:
    assert house.money("cons_ana") == (88, 0, 1)
    assert house.money("cons_cy") == (91, 0, 1)
    assert house.money("cons_bo") == (100, 0, 0)
    assert house.state_of() == (True, True)
    assert live_bids(house.books) == set()
    house.agree()


async def test_a_settlement_is_asked_for_until_it_is_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log took the word and lost its answer, or never took it: it is said again."""
    await house.bid("cons_ana", 12)
    await house.leader.decide(CloseLot(LOT), SettleLot(LOT))
    await house.write_down()
    said = await _waiting(house)
    await house.clerk.attend()
    assert await _waiting(house) == said  # not every time
    monkeypatch.setattr(settlement, "_AGAIN_S", 0.0)
    await house.clerk.attend()
    assert await _waiting(house) == said + 1
    await house.leader.decide_waiting()
    await house.clerk.catch_up()
    assert house.state_of() == (True, True)
    said = await _waiting(house)
    await house.clerk.attend()
    assert await _waiting(house) == said


async def _waiting(house: House) -> int:
    """How many commands the log has ever been given."""
    found = await house.log.read_commands({0: "0-0"}, 0)
    return len(found[0][1]) if found else 0


# ── Sealed bids ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("killed", [False, True])
async def test_a_sealed_auction_is_opened_with_the_houses_key(house: House, killed: bool) -> None:
    """Its time is over: the clerk, or the one after it, brings the key, and Ana has won."""
    sealed_terms = Terms(
        10_000,
        table([(0, 1_000)]),
        opens_at=0,
        closes_at=await house.log.now() + 300,
        format="sealed_first",
        sealing=sealing.new_sealing(house.keys),
    )
    auction = "auction_k3f9_9"
    assert sealed_terms.sealing is not None
    public_key = sealed_terms.sealing.public_key
    await house.leader.decide(
        AddLot(auction, "seq_k3f9", sealed_terms, Catalogue("9", "Bowl")),
        sealed_bid(auction, "cons_ana", "a", 20_000, public_key),
    )
    assert sealed_terms.closes_at is not None
    await _later_than(house.log, sealed_terms.closes_at)
    await house.leader.decide(KeepTime(auction))
    await house.clerk.catch_up()
    assert archive.ended_auctions(house.archive) == [auction]
    if killed:
        await house.begin_clerk()
    await house.finish()
    [result] = held(house.archive)["results"]
    assert (result["winner"], result["opening_key"]) == (
        "cons_ana",
        sealing.opening_key(house.keys, sealed_terms),
    )
    assert archive.ended_auctions(house.archive) == []


def test_a_sealed_key_opens_only_beside_its_own_public_key(house_keys: keys.HouseKeys) -> None:
    """Put into another auction's terms, or touched, it stays shut, and the line is no secret."""
    one, other = sealing.new_sealing(house_keys), sealing.new_sealing(house_keys)
    terms = Terms(1, table([(0, 1)]), sealing=replace(one, public_key=other.public_key))
    with pytest.raises(sealing.CannotOpen, match="cannot be opened"):
        sealing.opening_key(house_keys, terms)
    with pytest.raises(sealing.CannotOpen, match="no sealed bids"):
        sealing.opening_key(house_keys, Terms(1, table([(0, 1)])))
