"""The audit: a house in order has nothing to fear, and whatever is touched is named."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace
from sqlalchemy import text

from engine.core.codec import GENESIS, chain, decode_event, encode_event
from engine.core.messages import (
    AddLot,
    BidAccepted,
    BidCanceled,
    BidderRegistered,
    BidRefused,
    CancelBid,
    CloseLot,
    Command,
    CommandTaken,
    Event,
    LimitLowered,
    LotCanceled,
    LotClosed,
    LotOpened,
    LotSettled,
    LotSettling,
    LotUpdated,
    PlaceBid,
    RegisterBidder,
    SettleLot,
)
from engine.settings import read_log_settings
from engine.streams import keys_of
from gateway import audit, keys
from gateway.books import ledger
from gateway.books.store import writing
from gateway.core.ledger import Line, available, issued
from gateway.core.recount import Disagreement, Recount
from gateway.settings import read_gateway_settings
from tests.gateway.decisions import Crowd, decided, sale_of_lots
from tests.gateway.token_house import BOTH, LOT, House, empty_database, open_house, token_lot
from tests.processes import Running, environment, python


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir()
    return folder


@pytest.fixture
def house_keys(data_dir: Path) -> keys.HouseKeys:
    settings = read_gateway_settings({"DATA_DIR": str(data_dir), "DEMO": "0"})
    return keys.load_or_create(settings, 1)


@pytest.fixture
def database(request: pytest.FixtureRequest, data_dir: Path) -> str:
    return empty_database(request, data_dir)


@pytest.fixture
async def house(
    valkey: str,
    data_dir: Path,
    database: str,
    house_keys: keys.HouseKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:
    """A house that has sold: one auction settled, another one under way, and a crowd's sale."""
    for name, value in settings_of(data_dir, valkey).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", database)
    async with open_house(valkey, database, house_keys) as house:
        await sell(house)
        yield house


def settings_of(data_dir: Path, redis_url: str) -> dict[str, str]:
    return {"DATA_DIR": str(data_dir), "REDIS_URL": redis_url, "SHARDS": "1", "DATABASE_URL": ""}


async def sell(house: House) -> None:
    """Four bids, of which one is taken back and two win, and a hundred wishes of a crowd."""
    taken_back = await house.bid("cons_cy", 3)
    await house.leader.decide(CancelBid(LOT, "cons_cy", taken_back.cmd_id, "back", "cy"))
    for consumer, tokens in (("cons_ana", 12), ("cons_bo", 30), ("cons_cy", 7)):
        await house.bid(consumer, tokens)
    await house.leader.decide(CloseLot(LOT), SettleLot(LOT))
    await house.leader.decide(*sale_of_lots("zz11", lots=4))
    crowd = Crowd(7, "zz11")
    for _ in range(30):
        # Without token auctions, whose bids would have to be paid in.
        await house.leader.decide(*(one for one in crowd.wishes(10) if not _in_tokens(one)))
    await house.finish()


def _in_tokens(wish: Command) -> bool:
    return isinstance(wish, AddLot) and wish.terms.tokens is not None


def audited(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code and the lines."""
    capsys.readouterr()
    code = audit.main([])
    return code, capsys.readouterr().out.splitlines()


async def finding(capsys: pytest.CaptureFixture[str]) -> str:
    """The one disagreement that is named."""
    code, lines = await asyncio.to_thread(audited, capsys)
    assert code == 1, lines
    assert lines[-1].startswith("disagreement: ")
    return lines[-1].removeprefix("disagreement: ")


# ── In order ─────────────────────────────────────────────────────────────────────────────


@BOTH
async def test_a_house_in_order_is_told_so(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a check, while the house is open."""
    code, lines = await asyncio.to_thread(audited, capsys)
    assert code == 0, lines
    assert [line.split()[0] for line in lines] == [
        "log",
        "decisions",
        "archive",
        "ledger",
        "holds",
    ]


async def test_an_archive_that_is_behind_is_no_disagreement(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clerk was killed: what it has written is compared, and what is missing counted."""
    await house.bid("cons_ana", 1)
    await house.leader.decide(RegisterBidder("seq_k3f9", "cons_dee"))
    code, lines = await asyncio.to_thread(audited, capsys)
    assert code == 0, lines
    assert lines[2].endswith("2 events are still to be written down")


async def test_a_closed_house_is_audited_by_its_own_server(
    data_dir: Path, house_keys: keys.HouseKeys
) -> None:
    """The log's server is started for it and stopped again, and the next start finds it free."""
    variables = settings_of(data_dir, "")
    keeper = python("-m", "engine.keeper")
    with Running(keeper, environment(**variables, LOG_FORMAT="json")) as process:
        process.line_with("ready")
        url = read_log_settings(variables).url
        async with open_house(url, f"sqlite:///{data_dir / 'fairwarning.db'}", house_keys) as house:
            await sell(house)
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines
    for _ in range(2):
        with Running(python("-m", "gateway.audit"), environment(**variables)) as process:
            assert process.ended() == 0, process.lines
            assert any(line.startswith("holds") for line in process.lines)


def test_where_no_house_has_been_there_is_nothing_to_audit(tmp_path: Path) -> None:
    """Exit code 2 and one line; no key, no database and no log is made."""
    with Running(python("-m", "gateway.audit"), environment(DATA_DIR=str(tmp_path))) as process:
        assert process.ended() == 2
        assert "keys.json is missing" in process.lines[0]
    assert list(tmp_path.iterdir()) == []


def test_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    """Without looking at any house."""
    with pytest.raises(SystemExit) as ended:
        audit.main(["--help"])
    assert ended.value.code == 0
    assert "first disagreement" in capsys.readouterr().out


# ── The log touched ──────────────────────────────────────────────────────────────────────


def rewrite(
    valkey: str, change: Callable[[int, bytes], bytes | None], *, forge: bool = False
) -> None:
    """Put another history in the log's place; *forge*: with a head that fits it."""
    _, evt, meta, _ = keys_of(0)
    with redis.Redis.from_url(valkey) as client:
        entries = client.xrange(evt)
        client.delete(evt)
        head = GENESIS
        for place, (entry_id, fields) in enumerate(entries, 1):
            payload = change(place, fields[b"d"])
            if payload is not None:
                head = chain(head, payload)
                client.xadd(evt, {**fields, b"d": payload}, id=entry_id)
        if forge:
            client.hset(meta, "head", head)


def a_letter(_: int, payload: bytes) -> bytes:
    """One letter of a lot's name, which no decision looks at."""
    return payload.replace(b'"name":"Jar"', b'"name":"Jur"')


async def test_one_byte_of_the_log_is_found(
    house: House, valkey: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changed where no rule looks: the links do not fit."""
    rewrite(valkey, a_letter)
    assert "the archive has followed another history" in await finding(capsys)


async def test_one_byte_behind_the_archives_back_is_found(
    house: House, valkey: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has written it down yet; the log's own head does not fit."""
    await house.leader.decide(RegisterBidder("seq_k3f9", "cons_dee", reason="a letter"))
    rewrite(valkey, lambda _, payload: payload.replace(b"a letter", b"a litter"))
    assert "does not end in the log's head" in await finding(capsys)


async def test_a_missing_event_is_found(
    house: House, valkey: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its number named."""
    rewrite(valkey, lambda place, payload: None if place == 3 else payload)
    assert "shard 0: event 3 is missing, 4 follows 2" in await finding(capsys)


async def test_an_unreadable_event_is_found(
    house: House, valkey: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record of no version."""
    rewrite(valkey, lambda place, payload: b"x" + payload if place == 5 else payload)
    assert "event 5 cannot be read" in await finding(capsys)


async def test_a_decision_that_the_rules_do_not_make_is_found(
    house: House, valkey: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bo pays less than he bid, and every link of the chain is forged to fit: the rules say no.

    The line names the field, and nobody's figures.
    """

    def cheaper(_: int, payload: bytes) -> bytes:
        event = decode_event(payload)
        if isinstance(event, LotClosed) and event.auction_id == LOT:
            best = replace(event.winners[0], amount=event.winners[0].amount - 1)
            return encode_event(replace(event, winners=(best, *event.winners[1:])))
        return payload

    rewrite(valkey, cheaper, forge=True)
    said = await finding(capsys)
    assert f"LotClosed of {LOT}: the rules say another winners" in said
    assert "29999999" not in said


# ── Decisions, without a log ─────────────────────────────────────────────────────────────


def crowded() -> list[Event]:
    return decided([*sale_of_lots(lots=4), *Crowd(3, "k3f9").wishes(1_500)])


def recounted(events: list[Event], size: int = 10_000) -> Recount:
    recount = Recount()
    numbered = list(enumerate(events, 1))
    for start in range(0, len(numbered), size):
        recount.read(numbered[start : start + size], last=start + size >= len(numbered))
    return recount


@pytest.mark.parametrize("size", [1, 10_000])
def test_every_decision_of_a_crowd_is_made_again(size: int) -> None:
    """However the history is cut into pieces."""
    recount = recounted(crowded(), size)
    assert recount.made_again > 10 * recount.untold


LIES: list[tuple[type, Callable[[Any], Any]]] = [
    (BidAccepted, lambda e: replace(e, paddle=e.paddle + 1)),
    (BidAccepted, lambda e: replace(e, after=replace(e.after, price=e.after.price + 1))),
    (BidAccepted, lambda e: replace(e, answer=replace(e.answer, status="OUTBID"))),
    (BidRefused, lambda e: replace(e, answer=replace(e.answer, code="closed"))),
    (BidRefused, lambda e: replace(e, answer=replace(e.answer, would_pass=5))),
    (LotClosed, lambda e: replace(e, outcome="passed", winner=None, winners=())),
    (LotClosed, lambda e: replace(e, settle_at=None)),
    (LotCanceled, lambda e: replace(e, after=replace(e.after, seq=e.after.seq + 1))),
    (LotUpdated, lambda e: replace(e, revision=e.revision + 1)),
    (LotOpened, lambda e: replace(e, at=e.at - 10_000)),
    (BidderRegistered, lambda e: replace(e, paddle=e.paddle + 1)),
    (BidCanceled, lambda e: replace(e, bid_cmd_id="another")),
    (LimitLowered, lambda e: replace(e, limit=1)),
    (CommandTaken, lambda e: replace(e, cmd_id="")),
    (LotSettling, lambda e: LotSettled(e.at, e.auction_id, e.after)),
]


@pytest.mark.parametrize(("kind", "lie"), LIES)
def test_a_single_lie_is_found(kind: type, lie: Callable[[Any], Any]) -> None:
    """One event of that kind says something else than the rules."""
    events = crowded()
    place = max(i for i, event in enumerate(events) if type(event) is kind and _fits(event))
    events[place] = lie(events[place])
    with pytest.raises(Disagreement, match=r"event \d+"):
        recounted(events)


def _fits(event: Event) -> bool:
    return not isinstance(event, BidAccepted) or event.after.price is not None


def test_a_bid_that_is_left_out_is_found() -> None:
    """Each that made a price, one at a time: the next word about its lot does not fit."""
    events = crowded()
    last = {getattr(event, "auction_id", ""): i for i, event in enumerate(events)}
    places = [
        i
        for i, event in enumerate(events)
        if isinstance(event, BidAccepted) and event.why is not None and i < last[event.auction_id]
    ]
    assert len(places) > 20
    for place in places:
        with pytest.raises(Disagreement):
            recounted(events[:place] + events[place + 1 :])


# ── The database touched ─────────────────────────────────────────────────────────────────

ANA = "(SELECT bid_id FROM holds WHERE consumer_id = 'cons_ana')"
MORE = "substr(amount, 1, 77) || '9'"
FORGERIES = {
    "UPDATE bids SET amount = amount + 1 WHERE auction_id = 'auction_k3f9_1'": (
        "bids of auction_k3f9_1, 4: the events say another amount"
    ),
    "UPDATE bids SET consumer_id = 'cons_eve' WHERE log_seq = 4": (
        "bids of auction_k3f9_1, 4: the events say another consumer_id"
    ),
    "DELETE FROM bids WHERE log_seq = 4": "bids of auction_k3f9_1, 4: the row is missing",
    "UPDATE results SET winner = 'cons_cy' WHERE auction_id = 'auction_k3f9_1'": (
        "results of auction_k3f9_1: the events say another winner"
    ),
    "UPDATE wins SET amount = 1 WHERE place = 1 AND auction_id = 'auction_k3f9_1'": (
        "wins of auction_k3f9_1, 1: the events say another amount"
    ),
    "UPDATE sales SET name = 'Gone'": "sales of seq_k3f9: the events say another name",
    "UPDATE auctions SET terms = replace(terms, '1000000', '1000001')": (
        "auctions of auction_k3f9_1: the events say another terms"
    ),
    "INSERT INTO acts VALUES ('auction_k3f9_1', 'eve', 'x', 1, 'CloseLot')": (
        "acts of auction_k3f9_1, 1: no event says that there is such a row"
    ),
    "UPDATE registrations SET bid_limit = 5 WHERE consumer_id = 'cons_ana'": (
        "registrations of seq_k3f9: the events say another bid_limit"
    ),
    "UPDATE positions SET head = replace(head, substr(head, 1, 1), 'x')": (
        "the archive has followed another history"
    ),
    "UPDATE positions SET lineage = 'another'": "the archive is of another log",
    "UPDATE positions SET seq = seq + 1": "the archive has",
    # Money.
    f"UPDATE accounts SET balance = {MORE.replace('amount', 'balance')}"
    " WHERE holder = 'cons_bo' AND kind = 'available'": (
        "ledger: the available balance of cons_bo in"
    ),
    f"UPDATE journal SET amount = {MORE} WHERE journal_key = 'issue:cons_ana'": (
        "it is not what its lines come to"
    ),
    f"DELETE FROM journal WHERE journal_key = 'end:' || {ANA}": "it is not what its lines come to",
    f"UPDATE journal SET journal_key = 'mint:x' WHERE journal_key = 'end:' || {ANA}": (
        "from held to burned is no such line's way"
    ),
    f"UPDATE journal SET auction_id = 'auction_zz11_1' WHERE journal_key = 'mint:' || {ANA}": (
        "more was minted for auction_zz11_1 than was for sale"
    ),
    f"UPDATE journal SET auction_id = 'auction_x' WHERE journal_key = 'mint:' || {ANA}": (
        "minted for auction_x, of which no event knows"
    ),
    # Holds.
    f"UPDATE holds SET amount = {MORE} WHERE consumer_id = 'cons_ana'": (
        "the ledger did not set it aside so"
    ),
    "UPDATE holds SET ended_as = 'released' WHERE consumer_id = 'cons_ana'": (
        "the ledger has ended it in another way"
    ),
    "UPDATE holds SET ended_as = NULL, ended_at = NULL WHERE consumer_id = 'cons_ana'": (
        "whether it has ended, the ledger says otherwise"
    ),
    "UPDATE holds SET taken_at = NULL WHERE consumer_id = 'cons_ana'": (
        "it is not as the bid that was taken"
    ),
    "UPDATE holds SET cmd_id = 'x' WHERE consumer_id = 'cons_ana'": (
        "it is not as the bid that was taken"
    ),
    "DELETE FROM holds WHERE consumer_id = 'cons_ana'": "was taken and never paid in",
}


TWICE_HELD = {
    "UPDATE journal SET journal_key = 'end:x' WHERE journal_key = 'end:' || {bid}": (
        "it was held again before it was given back"
    ),
    "UPDATE holds SET number = 1 WHERE bid_id = {bid}": "the ledger has ended it in another way",
    "UPDATE holds SET number = 3 WHERE bid_id = {bid}": (
        "it was held again before it was given back"
    ),
}


@pytest.mark.parametrize(("statement", "named"), [("", ""), *TWICE_HELD.items()])
async def test_a_bid_that_was_held_for_twice(
    house: House, capsys: pytest.CaptureFixture[str], statement: str, named: str
) -> None:
    """The first copy came too late and was released: in order, as long as nothing is touched."""
    other = "auction_k3f9_2"
    await house.leader.decide(replace(token_lot(house), auction_id=other))
    late = await house.hold("cons_bo", 9, for_ms=-1_000, auction=other)
    await house.leader.decide(late)
    await house.finish()
    await house.bid("cons_bo", 9, other)
    await house.leader.decide(CloseLot(other), SettleLot(other))
    await house.finish()
    if not statement:
        code, lines = await asyncio.to_thread(audited, capsys)
        assert code == 0, lines
        return
    with house.books.execution_options(writes=True).begin() as connection:
        bid = f"'{house.id_of(late)}'"
        assert connection.execute(text(statement.format(bid=bid))).rowcount > 0
    assert named in await finding(capsys)


@pytest.mark.parametrize(("statement", "named"), FORGERIES.items())
async def test_a_row_that_was_touched_is_named(
    house: House, capsys: pytest.CaptureFixture[str], statement: str, named: str
) -> None:
    """Whatever of the archive, the ledger or the holds it is."""
    with house.books.execution_options(writes=True).begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0
    assert named in await finding(capsys)


async def test_more_minted_than_was_for_sale_is_named(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two jars were sold: a third one, properly booked, is one too many."""
    with writing(house.books) as connection:
        minted = Line(
            "mint:more",
            issued(house.jars.asset_id),
            available("cons_cy", house.jars.asset_id),
            1,
            1,
            LOT,
            "more",
        )
        assert ledger.post(connection, [[minted]]) == 1
    assert f"more was minted for {LOT} than was for sale" in await finding(capsys)


async def test_a_bid_that_was_never_paid_in_is_named(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """It got into the log past the gateway."""
    other = "auction_k3f9_2"
    await house.leader.decide(replace(token_lot(house), auction_id=other))
    await house.leader.decide(PlaceBid(other, "cons_ana", "slipped", 90_000_000, "bid"))
    await house.finish()
    assert f"of {other} was taken and never paid in" in await finding(capsys)
