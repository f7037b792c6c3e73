"""Rows → a spreadsheet (CSV, RFC 4180), which no cell of takes for a formula.

A spreadsheet program computes whatever begins with ``=``, ``+``, ``-``, ``@`` or a control
character, also in a file that somebody else has filled: a bidder's name could be one.  Such a
text gets an apostrophe before it; amounts are ours and are written as the numbers they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import StringIO
from typing import Final

Cell = str | int | Decimal | None

_COMPUTED: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARK: Final = "\N{BYTE ORDER MARK}"  # else some programs read UTF-8 as something older


def written(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The file."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return (_MARK + text.getvalue()).encode()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
    # Blanks before it are passed over by some of them.
    return f"'{cell}" if cell.lstrip(" ").startswith(_COMPUTED) else cell
