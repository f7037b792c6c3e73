"""A catalogue as a spreadsheet (CSV) → the lots of a sale, or what is wrong with it, cell by cell.

The columns are named as the fields of a lot in the contract, in any case and with or without
spaces; an empty cell says nothing.  A lot is known by its number within the sale, so the same
file may be entered again: what is said there already stays, what is different is changed.

Promises: with one error nothing is to be entered; every error names the row as a spreadsheet
counts it (the header is row 1) and the column as the file names it.  Pure: text in, lots out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final, NamedTuple

from engine.core.messages import State
from gateway.core import bodies
from gateway.core.lotting import Offer, Setting, amended, offered, wire_name
from gateway.core.problems import Problem
from gateway.core.wire.house import CellError, LotChanges

MOST_ROWS: Final = 20_000

_NOT_HERE: Final = ("sequence_id", "time_zone", "currency_code", "estimate", "provenance")
_PLAIN: Final = tuple(
    wire_name(name) for name in LotChanges.__struct_fields__ if name not in _NOT_HERE
)
# Columns that make one field together, or one field of several lines.
_ESTIMATE: Final = ("estimateLow", "estimateHigh")
_PROVENANCE: Final = "provenance"
_NEEDED: Final = ("lotNumber", "name")
_COLUMNS: Final = {name.lower(): name for name in (*_PLAIN, *_ESTIMATE, _PROVENANCE)}


class Known(NamedTuple):
    """A lot that the sale has already."""

    auction_id: str
    revision: int
    state: State
    offer: Offer


class Entry(NamedTuple):
    """What one row comes to: a new lot, a changed one, or nothing new."""

    row: int
    lot_number: str
    offer: Offer
    known: Known | None

    @property
    def is_news(self) -> bool:
        """Is there anything to be entered?"""
        return self.known is None or self.known.offer != self.offer

    @property
    def is_fixed(self) -> bool:
        """Is it about a lot that cannot be changed like this any more?"""
        over = self.known is not None and self.known.state is not State.SCHEDULED
        return over and self.is_news


@dataclass(slots=True)
class Sheet:
    """A catalogue that has been read."""

    rows: int = 0
    entries: list[Entry] = field(default_factory=list)
    errors: list[CellError] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)  # ours → as the file names them

    def column(self, named: str) -> str | None:
        """The file's own name of the column that a field came from."""
        if named in self.columns or not named.startswith("estimate"):
            return self.columns.get(named)
        low, high = (self.columns.get(name) for name in _ESTIMATE)
        return high if named.endswith("high") else low or high

    def objects(self, row: int, column: str | None, message: str) -> None:
        """Note what is wrong."""
        self.errors.append(CellError(row=row, column=column, message=message))


def read(content: bytes, setting: Setting, known: Mapping[str, Known]) -> Sheet:
    """A CSV file → its lots; *known*: what the sale has, by lot number."""
    sheet = Sheet()
    try:
        lines = _lines(content)
        reader = _Reader(sheet, next(lines, []), setting, known)
        for row, cells in enumerate(lines, 2):
            if any(cell.strip() for cell in cells):
                reader.take(row, cells)
    except (csv.Error, UnicodeDecodeError) as error:
        sheet.objects(sheet.rows + 1, None, f"not CSV in UTF-8: {error}")
    if sheet.rows > MOST_ROWS:
        sheet.objects(MOST_ROWS + 2, None, f"at most {MOST_ROWS} lots in one file")
    return sheet


def _lines(content: bytes) -> Iterator[list[str]]:
    text = content.decode("utf-8-sig")  # spreadsheets put a mark before the header
    header = text.partition("\n")[0]
    # Spreadsheets of half the world write semicolons, for they write 1,50.
    delimiter = max(",;\t", key=header.count)
    return csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)


class _Reader:
    """Reads row after row under one header."""

    def __init__(
        self, sheet: Sheet, header: Sequence[str], setting: Setting, known: Mapping[str, Known]
    ) -> None:
        self._sheet = sheet
        self._setting = setting
        self._known = known
        self._fields = [_COLUMNS.get(_bare(cell), "") for cell in header]
        self._columns = sheet.columns = dict(zip(self._fields, header, strict=True))
        self._seen: set[str] = set()  # lot numbers
        self._check(header)

    def _check(self, header: Sequence[str]) -> None:
        for place, (cell, named) in enumerate(zip(header, self._fields, strict=True)):
            if not named:
                self._sheet.objects(1, cell, "an unknown column")
            elif named in self._fields[:place]:
                self._sheet.objects(1, cell, "this column comes twice")
        for needed in _NEEDED:
            if needed not in self._fields:
                self._sheet.objects(1, needed, "this column is needed")

    def take(self, row: int, cells: Sequence[str]) -> None:
        """Read a row that is not empty."""
        self._sheet.rows += 1
        if len(cells) > len(self._fields):
            under = f"{len(cells)} cells under {len(self._fields)} columns"
            self._sheet.objects(row, None, under)
            return
        given = zip(self._fields, (cell.strip() for cell in cells), strict=False)
        said = {named: cell for named, cell in given if named and cell}
        empty = [name for name in _NEEDED if name in self._columns and name not in said]
        for named in empty:
            self._sheet.objects(row, self._columns[named], "this cell must not be empty")
        if not empty and "lotNumber" in said:
            self._take_lot(row, said)

    def _take_lot(self, row: int, said: dict[str, str]) -> None:
        number, column = said["lotNumber"], self._columns["lotNumber"]
        if number in self._seen:
            self._sheet.objects(row, column, "a lot with this number comes above")
            return
        self._seen.add(number)
        try:
            entry = _entry(row, number, said, self._setting, self._known.get(number))
        except Problem as problem:
            for named, message in _faults(problem):
                self._sheet.objects(row, self._sheet.column(named), message)
            return
        if entry.is_fixed:
            self._sheet.objects(row, column, "this lot is open or over: it cannot be changed")
            return
        self._sheet.entries.append(entry)


def _bare(cell: str) -> str:
    return "".join(filter(str.isalnum, cell)).lower()


def _entry(
    row: int, number: str, said: dict[str, str], setting: Setting, known: Known | None
) -> Entry:
    changes = changes_of(said)
    if known is None:
        return Entry(row, number, offered(changes, setting, number), None)
    return Entry(row, number, amended(known.offer, changes, setting), known)


def changes_of(said: Mapping[str, str | None]) -> LotChanges:
    """What is said of a lot by columns, or in a form that has them as fields; None: nothing
    any more.  Raises ``Problem`` 400."""
    return bodies.take(_fields(said), LotChanges, strict=False)


def _fields(said: Mapping[str, str | None]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: said[name] for name in _PLAIN if name in said}
    if any(name in said for name in _ESTIMATE):
        low, high = (said.get(name) for name in _ESTIMATE)
        fields["estimate"] = {"low": low, "high": high}
    if _PROVENANCE in said:
        lines = (line.strip() for line in (said[_PROVENANCE] or "").splitlines())
        fields["provenance"] = [line for line in lines if line]
    return fields


def _faults(problem: Problem) -> list[tuple[str, str]]:
    details: Any = problem.details
    if not details:
        return [("", problem.message or problem.text)]
    return [(detail["field"], detail["message"]) for detail in details]
