"""A spreadsheet that is only read, and computes nothing."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO

import pytest

from gateway.core.spreadsheet import written


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline="")))


def test_texts_and_numbers_come_out_as_they_went_in() -> None:
    """Commas, quotes and lines within a cell, cents to the last, and nothing at all."""
    content = written(
        ("Lot", "Title", "Hammer"),
        [("12A", 'A "crackled" vase, celadon', Decimal("-44000.50")), (7, "Two\nlines", None)],
    )
    assert content.startswith(b"\xef\xbb\xbf")
    assert rows_of(content) == [
        ["Lot", "Title", "Hammer"],
        ["12A", 'A "crackled" vase, celadon', "-44000.50"],
        ["7", "Two\nlines", ""],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_no_text_is_computed(text: str) -> None:
    """Whatever a program would take for a formula is marked as a text."""
    assert rows_of(written(("Name",), [(text,)]))[1] == [f"'{text}"]


def test_what_only_holds_such_a_sign_is_left_alone() -> None:
    """An address has an @ within."""
    assert rows_of(written(("Name",), [("ana@example.com",)]))[1] == ["ana@example.com"]
