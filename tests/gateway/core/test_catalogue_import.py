"""A catalogue as a clerk's spreadsheet has it: what it comes to, and what is wrong with it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from engine.core.messages import State
from gateway.core.catalogue_import import Known, Sheet, read
from gateway.core.lotting import Setting
from gateway.core.schedule import read_instant
from gateway.increments import published

BERLIN = ZoneInfo("Europe/Berlin")
EUROS = Setting("EUR", 2, BERLIN, published())
PLAIN = "lotNumber,name,startingBid\n201,Vase,100\n202,Moon jar,250.50\n"


def sheet(text: str, **known: Known) -> Sheet:
    """The file, read; *known*: the sale's lots by number, as ``n201``."""
    there = {name.removeprefix("n"): lot for name, lot in known.items()}
    return read(text.encode(), EUROS, there)


def errors(text: str, **known: Known) -> list[tuple[int, str | None, str]]:
    """What is wrong: (row, column, message)."""
    return [(each.row, each.column, each.message) for each in sheet(text, **known).errors]


def as_known(text: str, state: State = State.SCHEDULED) -> dict[str, Known]:
    """The lots of the file, as if they had been entered."""
    return {
        f"n{entry.lot_number}": Known(f"auction_k3f9_{entry.row}", 0, state, entry.offer)
        for entry in sheet(text).entries
    }


def test_a_small_catalogue() -> None:
    """Two lots, their numbers, names and opening bids."""
    found = sheet(PLAIN)
    assert (found.rows, found.errors) == (2, [])
    shown = [(e.row, e.lot_number, e.offer.catalogue.name, e.offer.terms.opening)
             for e in found.entries]  # fmt: skip
    assert shown == [(2, "201", "Vase", 10_000), (3, "202", "Moon jar", 25_050)]
    assert all(entry.known is None and entry.is_news for entry in found.entries)


def test_everything_a_row_can_say() -> None:
    """Any field of a lot, estimates in two columns, the provenance line by line."""
    text = (
        "Lot Number,NAME,description,estimate_low,Estimate High,Starting Bid,Reserve Price,"
        "close at,format,winner count,ladder only,provenance\n"
        '12A,"Jar, white",Stoneware.,100,200,50,80,2026-12-24T18:00,english,1,true,'
        '"Kyoto, by 1934\n\nLondon, 1971"\n'
    )
    [entry] = sheet(text).entries
    terms, printed = entry.offer
    assert (printed.lot_number, printed.name) == ("12A", "Jar, white")
    assert (printed.estimate_low, printed.estimate_high) == (10_000, 20_000)
    assert printed.provenance == ("Kyoto, by 1934", "London, 1971")
    assert (terms.opening, terms.reserve, terms.ladder_only) == (5_000, 8_000, True)
    assert terms.closes_at == read_instant("2026-12-24T17:00Z", BERLIN)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_whatever_a_spreadsheet_writes(delimiter: str, mark: str, end: str) -> None:
    """Commas, semicolons or tabs, with or without a mark before the header."""
    text = mark + PLAIN.replace(",", delimiter).replace("\n", end)
    assert [entry.lot_number for entry in sheet(text).entries] == ["201", "202"]


def test_a_mark_before_a_quoted_header() -> None:
    """It is not part of the first column's name."""
    found = sheet('\ufeff"Lot Number","Name","Colour"\n201,Vase,green\n')
    assert [error.column for error in found.errors] == ["Colour"]
    assert [error.column for error in sheet("\ufeffColour,lotNumber,name\n").errors] == ["Colour"]


def test_empty_rows_count_for_the_row_numbers_only() -> None:
    """A row is named as the spreadsheet counts it."""
    found = sheet("lotNumber,name\n\n201,Vase\n,\n202,\n")
    assert found.rows == 2
    assert [(error.row, error.column) for error in found.errors] == [(5, "name")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "lotNumber"), (1, "name")]),
        ("lotNumber,name,colour\n201,Vase,green\n", [(1, "colour")]),
        ("lotNumber,name,Name\n201,Vase,Jar\n", [(1, "Name")]),
        ("name\nVase\n", [(1, "lotNumber")]),
        ("lotNumber,name\n201,Vase\n201,Jar\n", [(3, "lotNumber")]),
        ("lotNumber,name\n201,Vase,\n", [(2, None)]),
        ("lotNumber,name\n,Vase\n202,\n", [(2, "lotNumber"), (3, "name")]),
        ("Lot,name\n", [(1, "Lot"), (1, "lotNumber")]),
        ("lotNumber,name,Starting bid\n201,Vase,ten\n202,Jar,1.005\n",
         [(2, "Starting bid"), (3, "Starting bid")]),
        ("lotNumber,name,closeAt\n201,Vase,2026-03-29T02:30\n", [(2, "closeAt")]),
        ("lotNumber,name,estimateLow,estimateHigh\n201,Vase,2,1\n", [(2, "estimateLow")]),
        ("lotNumber,name,estimate high\n201,Vase,x\n", [(2, "estimate high")]),
        ("lotNumber,name,format\n201,Vase,japanese\n", [(2, "format")]),
        ("lotNumber,name,format\n201,Vase,dutch\n", [(2, None)]),
        ("lotNumber,name,sequenceId\n201,Vase,seq_x\n", [(1, "sequenceId")]),
        (f"lotNumber,name\n201,{'x' * 251}\n", [(2, "name")]),
        ('lotNumber,name\n201,"Va', [(1, None)]),
    ],
)  # fmt: skip
def test_every_error_has_its_cell(text: str, expected: list[tuple[int, str | None]]) -> None:
    """Row and column as the clerk sees them."""
    found = [(row, column) for row, column, _ in errors(text)]
    assert found == expected


def test_one_bad_row_does_not_hide_the_next() -> None:
    """All errors of a file are told at once."""
    text = "lotNumber,name,startingBid,reservePrice\n1,A,x,y\n2,B,1,z\n3,C,1,1\n"
    found = sheet(text)
    assert [(error.row, error.column) for error in found.errors] == [
        (2, "startingBid"),
        (3, "reservePrice"),
    ]
    assert found.rows == 3


def test_bytes_that_are_no_text_are_an_error() -> None:
    """A spreadsheet file itself, or another encoding."""
    found = read(b"lotNumber,name\n201,V\xe4se\n", EUROS, {})
    assert [error.column for error in found.errors] == [None]
    assert not found.entries


def test_the_same_file_again_is_no_news() -> None:
    """A lot is known by its number; nothing has to be entered twice."""
    found = sheet(PLAIN, **as_known(PLAIN))
    assert not found.errors
    assert not any(entry.is_news for entry in found.entries)


def test_a_changed_row_changes_its_lot() -> None:
    """What the row says is changed; what it leaves empty stays."""
    known = as_known("lotNumber,name,startingBid,reservePrice\n201,Vase,100,150\n")
    [entry] = sheet("lotNumber,name,startingBid,reservePrice\n201,Jar,100,\n", **known).entries
    assert entry.is_news
    assert entry.known == known["n201"]
    before = known["n201"].offer
    assert entry.offer.terms == before.terms
    assert entry.offer.catalogue == replace(before.catalogue, name="Jar")


@pytest.mark.parametrize("state", [State.OPEN, State.PAUSED, State.CLOSED, State.CANCELED])
def test_a_lot_that_has_opened_is_not_changed_by_a_file(state: State) -> None:
    """The row is an error where it says something new, and none where it does not."""
    known = as_known(PLAIN, state)
    assert errors(PLAIN, **known) == []
    [(row, column, _)] = errors(PLAIN.replace("Vase", "Jar"), **known)
    assert (row, column) == (2, "lotNumber")
