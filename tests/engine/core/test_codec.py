"""Messages ⇄ bytes: what was written is read, and yesterday's bytes are read tomorrow."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from engine.core.codec import (
    GENESIS,
    UnreadableRecord,
    chain,
    decode_commands,
    decode_event,
    encode_commands,
    encode_event,
)
from engine.core.messages import (
    MAX_AMOUNT,
    AddLot,
    BidRefused,
    Command,
    CreateSale,
    Event,
    KeepTime,
    LotAdded,
    PlaceBid,
    RegisterBidder,
    Terms,
    TradingResumed,
)

COMMANDS: tuple[type, ...] = get_args(Command)
EVENTS: tuple[type, ...] = get_args(Event)

st.register_type_strategy(int, st.integers(0, MAX_AMOUNT))


def messages_of(kind: type) -> st.SearchStrategy[Any]:
    """Any message of one type, all of its fields filled."""
    hints = {f.name: f.type for f in fields(kind)}
    return st.builds(kind, **{name: value_of(hint) for name, hint in hints.items()})


def value_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field: our own structs field by field, everything else by its type."""
    options = get_args(hint) or (hint,)
    structs = [o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)]
    if not structs:
        return st.from_type(hint)
    others = [st.none()] if type(None) in options else []
    return st.one_of(*others, *map(messages_of, structs))


# ── There and back ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_is_read_as_it_was_written(kind: type) -> None:
    """Every type, whatever is in it, alone and in a batch."""

    @given(st.lists(messages_of(kind), max_size=3))
    def there_and_back(commands: list[Command]) -> None:
        assert decode_commands(encode_commands(commands)) == commands

    there_and_back()


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_is_read_as_it_was_written(kind: type) -> None:
    """Every type; and writing it again gives the same bytes, or the hash chain would break."""

    @given(messages_of(kind))
    def there_and_back(event: Event) -> None:
        payload = encode_event(event)
        assert decode_event(payload) == event
        assert encode_event(decode_event(payload)) == payload

    there_and_back()


def test_a_batch_keeps_its_order() -> None:
    """Commands of one entry are decided in the order in which they were appended."""
    batch: list[Command] = [
        PlaceBid("a", "anna", "x", 100, "bid"),
        KeepTime("a"),
        PlaceBid("a", "anna", "y", 110, "max", 7),
    ]

    assert decode_commands(encode_commands(batch)) == batch
    assert decode_commands(encode_commands([])) == []


# ── What cannot be read ──────────────────────────────────────────────────────────────────


def test_another_version_is_refused_by_its_name() -> None:
    """The message says which version came and which one is read."""
    payload = encode_event(TradingResumed(1))

    with pytest.raises(UnreadableRecord, match=r"version b'2'.*reads b'1'"):
        decode_event(b"2" + payload[1:])
    with pytest.raises(UnreadableRecord, match=r"version b''"):
        decode_commands(b"")


@pytest.mark.parametrize(
    "payload",
    [
        b"1",
        b"1{}",
        b"1null",
        b"1[]",
        b'1["NoSuchThing",1]',
        b'1["TradingResumed"]',
        b'1["TradingResumed","soon"]',
        b'1["TradingResumed",1.5]',
        b'1["TradingResumed",1]]',
        b'1["PlaceBid","a","anna","x",100,"bid",null]',  # a command is no event
        b'1["LotOpened",1,"a",[1,"ajar",null,null,null,0,0,"none",null,0]]',
        b"1[\xff\xfe]",
        b'1["BidRefused","\xff","b","c",[]]',
        b"1" + b"[" * 100_000,
        b"1" + b"9" * 10_000,
    ],
)
def test_garbage_is_an_unreadable_record(payload: bytes) -> None:
    """One family of error, whatever is wrong, so that the loop can stop with its reason."""
    with pytest.raises(UnreadableRecord):
        decode_event(payload)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_at_all_are_read_or_refused(noise: bytes) -> None:
    """Nothing else is ever raised."""
    for payload in (noise, b"1" + noise):
        for decode in (decode_event, decode_commands):
            try:
                decode(payload)
            except UnreadableRecord:
                continue


def test_one_byte_changed_is_never_the_same_record() -> None:
    """A damaged record is refused, or is another one, whose link of the chain differs."""
    payload = encode_event(TradingResumed(1767225600000))
    for place in range(len(payload)):
        damaged = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :]
        assert chain(GENESIS, damaged) != chain(GENESIS, payload)
        try:
            assert decode_event(damaged) != TradingResumed(1767225600000)
        except UnreadableRecord:
            continue


def test_the_chain_is_over_the_head_and_the_bytes() -> None:
    """SHA-256 of the previous head in hex, then the payload as it stands in the log."""
    first = chain(GENESIS, b'1["TradingResumed",1]')

    assert first == "48a81f46288a538b5b9f01a1175a6a9a82a770365d7872f3b69a2fed112a5099"
    assert chain(first, b"1") != chain(GENESIS, b"1")


# ── Yesterday's log ──────────────────────────────────────────────────────────────────────

TERMS = b'{"opening":100,"increments":["table",[0],[10]],"reserve":null,"reserve_policy":"normal","leader_raise":"freeze","ladder_only":false,"opens_at":null,"closes_at":null,"settle_at":null,"extension_window_ms":0,"extension_ms":0,"max_extensions":null}'
CATALOGUE = b'{"lot_number":"214","name":"Moon jar","description":"","estimate_low":null,"estimate_high":null,"photos":[],"provenance":[],"serial":null}'
AFTER = b'[2,"open",100,110,101,1,1,"none",60,0]'
ANSWER = b'[100,"max",7,2,"WINNING",100,110,101,null,false,1]'

# One record of each type, byte for byte as the first version wrote it.  These lines never
# change: a field may only be added after them, with a default.
COMMANDS_OF_VERSION_1 = [
    b'["CreateSale","seq_k3f9","Ceramics","EUR",2,"UTC","open"]',
    b'["AddLot","auction_k3f9_1","seq_k3f9",' + TERMS + b"," + CATALOGUE + b"]",
    b'["RegisterBidder","seq_k3f9","anna","approved",null]',
    b'["PlaceBid","auction_k3f9_1","anna","x",100,"max",3]',
    b'["OpenLot","auction_k3f9_1"]',
    b'["PauseLot","auction_k3f9_1"]',
    b'["UnpauseLot","auction_k3f9_1"]',
    b'["CloseLot","auction_k3f9_1"]',
    b'["CancelLot","auction_k3f9_1"]',
    b'["SettleLot","auction_k3f9_1"]',
    b'["KeepTime","auction_k3f9_1"]',
    b'["ResumeTrading"]',
]
EVENTS_OF_VERSION_1 = [
    b'["SaleCreated",7,["CreateSale","seq_k3f9","Ceramics","EUR",2,"UTC","open"]]',
    b'["LotAdded",7,"auction_k3f9_1","seq_k3f9",'
    + TERMS
    + b","
    + CATALOGUE
    + b","
    + AFTER
    + b",10]",
    b'["BidderRegistered",7,"seq_k3f9","anna",101,"approved"]',
    b'["LotOpened",7,"auction_k3f9_1",' + AFTER + b"]",
    b'["LotPaused",7,"auction_k3f9_1",' + AFTER + b"]",
    b'["LotUnpaused",7,"auction_k3f9_1",' + AFTER + b"]",
    b'["LotExtended",7,"auction_k3f9_1",' + AFTER + b"]",
    b'["LotClosed",7,"auction_k3f9_1","sold","anna",60,' + AFTER + b"]",
    b'["LotCanceled",7,"auction_k3f9_1",' + AFTER + b"]",
    b'["LotSettled",7,"auction_k3f9_1",' + AFTER + b"]",
    b'["BidAccepted","auction_k3f9_1","anna","x",'
    + ANSWER
    + b',101,null,false,"bid",'
    + AFTER
    + b"]",
    b'["BidRefused","auction_k3f9_1","anna","x",[90,"bid",7,2,"NOT_BID",100,110,110,"below_asking_bid",true,0]]',
    b'["AnswerRepeated","auction_k3f9_1","anna","x",' + ANSWER + b"]",
    b'["CommandRefused",7,"auction_k3f9_1","OpenLot","invalid_transition"]',
    b'["TradingResumed",7]',
]


def test_every_type_has_its_record_of_version_1() -> None:
    """A new type of message gets a line above, too."""
    assert [tag(record) for record in COMMANDS_OF_VERSION_1] == [c.__name__ for c in COMMANDS]
    assert [tag(record) for record in EVENTS_OF_VERSION_1] == [e.__name__ for e in EVENTS]


def tag(record: bytes) -> str:
    """The name of a record's type, which is its first element."""
    name = msgspec.json.decode(record)[0]
    assert isinstance(name, str)
    return name


@pytest.mark.parametrize("record", COMMANDS_OF_VERSION_1, ids=tag)
def test_commands_of_version_1_are_still_read(record: bytes) -> None:
    """And what is written begins with the same fields in the same order."""
    (command,) = decode_commands(b"1[" + record + b"]")

    written = msgspec.json.decode(encode_commands([command])[1:])[0]
    assert continues(written, msgspec.json.decode(record))


@pytest.mark.parametrize("record", EVENTS_OF_VERSION_1, ids=tag)
def test_events_of_version_1_are_still_read(record: bytes) -> None:
    """And what is written begins with the same fields in the same order."""
    event = decode_event(b"1" + record)

    written = msgspec.json.decode(encode_event(event)[1:])
    assert continues(written, msgspec.json.decode(record))


def continues(written: Any, record: Any) -> bool:
    """Is *written* the *record*, with fields appended at most?"""
    if isinstance(record, list):
        return len(written) >= len(record) and all(map(continues, written, record))
    if isinstance(record, dict):
        return all(key in written and continues(written[key], record[key]) for key in record)
    return type(written) is type(record) and bool(written == record)


def test_the_fields_of_version_1_have_their_meaning_still() -> None:
    """Spelled out for the records that matter most."""
    (bid,) = decode_commands(b"1[" + COMMANDS_OF_VERSION_1[3] + b"]")
    refused = decode_event(b"1" + EVENTS_OF_VERSION_1[11])

    assert bid == PlaceBid("auction_k3f9_1", "anna", "x", 100, "max", 3)
    assert isinstance(refused, BidRefused)
    assert refused.answer.code == "below_asking_bid"
    assert (refused.answer.would_pass, refused.answer.moved) == (110, True)


@pytest.mark.parametrize(
    ("shorter", "whole"),
    [
        (b'1[["CreateSale","s","n","EUR",2]]', CreateSale("s", "n", "EUR", 2, "UTC", "open")),
        (b'1[["RegisterBidder","s","anna"]]', RegisterBidder("s", "anna", "approved", None)),
        (b'1[["PlaceBid","a","anna","x",1,"bid"]]', PlaceBid("a", "anna", "x", 1, "bid", None)),
    ],
)
def test_a_record_from_before_a_field_was_added(shorter: bytes, whole: Command) -> None:
    """The field takes its default."""
    assert decode_commands(shorter) == [whole]


def test_terms_from_before_a_rule_was_added() -> None:
    """A lot added under older terms keeps them: what they do not say is the default."""
    terms = b'{"opening":100,"increments":["ladder",[10],[10],[[0,2,5,8]]]}'
    (add,) = decode_commands(b'1[["AddLot","a","s",' + terms + b',{"lot_number":"1","name":"n"}]]')

    assert isinstance(add, AddLot)
    assert add.terms == Terms(100, add.terms.increments)


def test_fields_that_a_later_version_appended_are_passed_over() -> None:
    """An engine that was rolled back still reads what the newer one wrote."""
    later = EVENTS_OF_VERSION_1[1][:-1] + b',"something new"]'

    assert isinstance(decode_event(b"1" + later), LotAdded)
    assert decode_commands(b'1[["KeepTime","a",1,2,3]]') == [KeepTime("a")]


@pytest.mark.parametrize("kind", [*COMMANDS, *EVENTS], ids=lambda kind: kind.__name__)
def test_fields_after_a_default_have_defaults(kind: type) -> None:
    """Otherwise an older record could not be read at all."""
    required = [f.required for f in fields(kind)]

    assert required == sorted(required, reverse=True)
