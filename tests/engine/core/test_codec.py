"""Messages ⇄ bytes: what was written is read, and yesterday's bytes are read tomorrow."""

from __future__ import annotations

from typing import Any, get_args, get_origin

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
    encode_command,
    encode_commands,
    encode_event,
    join_commands,
)
from engine.core.messages import (
    MAX_AMOUNT,
    AddLot,
    BidRefused,
    Command,
    CreateSale,
    Deed,
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
    if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis:
        return st.lists(value_of(get_args(hint)[0]), max_size=3).map(tuple)
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
        assert join_commands([encode_command(c) for c in commands]) == encode_commands(commands)

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
CATALOGUE = b'{"lot_number":"214","name":"Moon jar","description":"","estimate_low":null,"estimate_high":null,"photos":[],"provenance":[],"serial":null,"time_zone":null}'
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

# fmt: off
SALE_WHOLE = b'["CreateSale","seq_k3f9","Ceramics","EUR",2,"Europe/Rome","approval","live",false,{"buyers_premium":[[0,"25"],[1000,"20.5"]],"tax_percent":"22","conditions":"As read out.","conditions_version":"v2","wrong_foot":"cover","house_bids":"announced_once","fingers":false},"c1","key_1"]'
TERMS_WHOLE = b'{"opening":100,"increments":["table",[0],[10]],"reserve":300,"reserve_policy":"to_max","leader_raise":"recompute","ladder_only":true,"opens_at":5,"closes_at":60,"settle_at":70,"extension_window_ms":8,"extension_ms":9,"max_extensions":2,"format":"uniform","winner_count":3,"buy_now":null,"publish_reserve":true,"floor":null,"drop":null,"drop_interval_ms":null,"uniform_price":"lowest_winning","sealing":{"public_key":"cHVi","sealed_private_key":"c2Vj"},"tokens":null,"fixed_end":true,"settle_by_command":true,"consignor":"cons_eva","currency":"JPY","exponent":0}'
CATALOGUE_WHOLE = b'{"lot_number":"214","name":"Moon jar","description":"White.","estimate_low":100,"estimate_high":200,"photos":["p.jpg"],"provenance":["Seoul"],"serial":"FW-1","time_zone":"Asia/Seoul"}'
AFTER_WHOLE = b'[2,"open",100,110,101,1,1,"none",60,0,"left","fair_warning"]'
ANSWER_WHOLE = b'[100,"max",7,2,"WINNING",100,110,101,null,false,1,"ab",true]'

# What a console asks for, byte for byte.
DEEDS = [
    b'["open",200]',
    b'["ask",130]',
    b'["step",50]',
    b'["bid","left",100,101,150,false]',
    b'["take","anna","x"]',
    b'["refuse","anna","x"]',
    b'["auto_accept",true]',
    b'["fair_warning"]',
    b'["final_call"]',
    b'["pause"]',
    b'["unpause"]',
    b'["take_over"]',
    b'["hammer",101,100]',
    b'["sell_subject"]',
    b'["pass"]',
    b'["withdraw"]',
    b'["skip","auction_k3f9_2"]',
    b'["undo",3]',
    b'["reinstate","anna","x"]',
    b'["reopen"]',
    b'["lower_reserve",200]',
    b'["message","Back at two."]',
]

# One record of each type, whole, byte for byte as this version writes it.  A field that is
# added later makes the lines longer; nothing else about them ever changes.
COMMANDS_WHOLE = [
    SALE_WHOLE,
    b'["UpdateSale",' + SALE_WHOLE + b',"c2","key_1"]',
    b'["RemoveSale","seq_k3f9","c3","key_1"]',
    b'["AddLot","auction_k3f9_1","seq_k3f9",' + TERMS_WHOLE + b',' + CATALOGUE_WHOLE + b',"c4","key_1"]',
    b'["UpdateLot","auction_k3f9_1",3,' + TERMS_WHOLE + b',' + CATALOGUE_WHOLE + b',"c5","key_1"]',
    b'["RemoveLot","auction_k3f9_1","c6","key_1"]',
    b'["RegisterBidder","seq_k3f9","anna","suspended",101,500,"unpaid","c7","key_1"]',
    b'["EnterSale","seq_k3f9","anna","v2","c8"]',
    b'["LeaveSale","seq_k3f9","anna","c9"]',
    b'["PlaceBid","auction_k3f9_1","anna","x",0,"sealed",3,9,"ab","Y2Q="]',
    b'["CancelBid","auction_k3f9_1","anna","x","c10","key_1"]',
    b'["LowerLimit","auction_k3f9_1","anna",90,"c11"]',
    b'["OpenLot","auction_k3f9_1","c12","key_1"]',
    b'["PauseLot","auction_k3f9_1","c13","key_1"]',
    b'["UnpauseLot","auction_k3f9_1","c14","key_1"]',
    b'["CloseLot","auction_k3f9_1","c15","key_1","a2V5"]',
    b'["CancelLot","auction_k3f9_1","c16","key_1"]',
    b'["SettleLot","auction_k3f9_1","c17","key_1"]',
    b'["FinishSettlement","auction_k3f9_1","c18","key_1"]',
    b'["Act","auction_k3f9_1",["hammer",101,100],"c19","key_1","ses_1",5,"agreed"]',
    b'["LeaveConsole","seq_k3f9","ses_1"]',
    b'["KeepTime","auction_k3f9_1"]',
    b'["ResumeTrading"]',
]
EVENTS_WHOLE = [
    b'["SaleCreated",7,' + SALE_WHOLE + b']',
    b'["SaleUpdated",7,' + SALE_WHOLE + b']',
    b'["SaleRemoved",7,"seq_k3f9"]',
    b'["LotAdded",7,"auction_k3f9_1","seq_k3f9",' + TERMS_WHOLE + b',' + CATALOGUE_WHOLE + b',' + AFTER_WHOLE + b',10]',
    b'["LotUpdated",7,"auction_k3f9_1",' + TERMS_WHOLE + b',' + CATALOGUE_WHOLE + b',4,' + AFTER_WHOLE + b',10]',
    b'["LotWithdrawn",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["BidderRegistered",7,"seq_k3f9","anna",101,"suspended",500,"unpaid","key_1","v2"]',
    b'["LotOpened",7,"auction_k3f9_1",' + AFTER_WHOLE + b',200]',
    b'["LotPaused",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["LotUnpaused",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["LotExtended",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["PriceDropped",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["BiddingEnded",7,"auction_k3f9_1"]',
    b'["LotClosed",7,"auction_k3f9_1","sold","anna",60,' + AFTER_WHOLE + b',[["anna",101,100,120,"x"]],[["anna","x",6,120,null],["bert","y",6,0,"mismatch"]],"a2V5","agreed","key_1"]',
    b'["LotCanceled",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["LotSettling",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["LotSettled",7,"auction_k3f9_1",' + AFTER_WHOLE + b']',
    b'["BidAccepted","auction_k3f9_1","anna","x",' + ANSWER_WHOLE + b',101,"bert",false,"bid",' + AFTER_WHOLE + b',"Y2Q=","phone",true,"key_1"]',
    b'["BidCanceled",7,"auction_k3f9_1","anna","x","bert",' + AFTER_WHOLE + b']',
    b'["BidRefused","auction_k3f9_1","anna","x",' + ANSWER_WHOLE + b']',
    b'["LimitLowered",7,"auction_k3f9_1","anna",90]',
    b'["AnswerRepeated","auction_k3f9_1","anna","x",' + ANSWER_WHOLE + b']',
    b'["CommandRefused",7,"auction_k3f9_1","OpenLot","invalid_transition","c12","closed","key_1"]',
    b'["CommandTaken",7,"auction_k3f9_1","OpenLot","c12","key_1"]',
    b'["BidWaiting","auction_k3f9_1","anna","x",' + ANSWER_WHOLE + b',101]',
    b'["BidsLapsed",7,"auction_k3f9_1","below_asking_bid",[["anna","x"],["bert","y"]]]',
    b'["BidCalled",7,"auction_k3f9_1","anna","x",101,"bert","left","reinstated",' + AFTER_WHOLE + b']',
    b'["AskingSet",7,"auction_k3f9_1",50,' + AFTER_WHOLE + b']',
    b'["CallMade",7,"auction_k3f9_1","final_call",' + AFTER_WHOLE + b']',
    b'["MessageSaid",7,"auction_k3f9_1","Back at two.",' + AFTER_WHOLE + b']',
    b'["ReserveLowered",7,"auction_k3f9_1",200,5,' + AFTER_WHOLE + b']',
    b'["BidsUndone",7,"auction_k3f9_1",3,[["anna","x"],["bert","y"]],"misheard",' + AFTER_WHOLE + b',[["bert","y"]]]',
    b'["LotReopened",7,"auction_k3f9_1","a bid was missed",' + AFTER_WHOLE + b']',
    b'["RingMoved",7,"seq_k3f9","auction_k3f9_1"]',
    b'["ConsoleTaken",7,"seq_k3f9","ses_1","key_1"]',
    b'["AutoAcceptSet",7,"seq_k3f9",false]',
    b'["ActDecided",7,"auction_k3f9_1",["hammer",101,100],"c19","key_1","ses_1",5,"agreed",6,100,110,110,"held",["anna","x"]]',
    b'["TradingResumed",7]',
]
# fmt: on


def test_every_type_has_its_whole_record() -> None:
    """A new type of message gets a line above, too; the first version had fewer."""
    assert [tag(record) for record in COMMANDS_WHOLE] == [c.__name__ for c in COMMANDS]
    assert [tag(record) for record in EVENTS_WHOLE] == [e.__name__ for e in EVENTS]
    assert {tag(record) for record in COMMANDS_OF_VERSION_1} < {c.__name__ for c in COMMANDS}
    assert {tag(record) for record in EVENTS_OF_VERSION_1} < {e.__name__ for e in EVENTS}


def tag(record: bytes) -> str:
    """The name of a record's type, which is its first element."""
    name = msgspec.json.decode(record)[0]
    assert isinstance(name, str)
    return name


@pytest.mark.parametrize("record", COMMANDS_WHOLE, ids=tag)
def test_a_whole_command_is_written_as_it_was_read(record: bytes) -> None:
    """Not a byte differs: no field was renamed, moved or dropped."""
    (command,) = decode_commands(b"1[" + record + b"]")

    assert type(command).__name__ == tag(record)
    assert encode_commands([command]) == b"1[" + record + b"]"


@pytest.mark.parametrize("record", EVENTS_WHOLE, ids=tag)
def test_a_whole_event_is_written_as_it_was_read(record: bytes) -> None:
    """Not a byte differs, or the chain over yesterday's log would break."""
    event = decode_event(b"1" + record)

    assert type(event).__name__ == tag(record)
    assert encode_event(event) == b"1" + record


@pytest.mark.parametrize("deed", DEEDS, ids=tag)
def test_a_deed_is_written_as_it_was_read(deed: bytes) -> None:
    """Every act that a console knows, within its command."""
    command = b'1[["Act","a",' + deed + b',"c1","key_1","ses_1",5,""]]'

    assert encode_commands(decode_commands(command)) == command


def test_every_deed_has_its_line() -> None:
    """By the name that it has on the wire."""
    assert [tag(deed) for deed in DEEDS] == [kind.__struct_config__.tag for kind in get_args(Deed)]


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
