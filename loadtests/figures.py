"""What a benchmark found: a number, what it includes, and the machine's own limit beside it.

Numbers of a shared machine mean little alone.  So each comes, where there is one, with what
the same machine did in the same run with the same client and none of our work: the ratio of
the two is what may be compared with other days and other machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.  ``lower`` means less is better, for a time."""

    name: str
    value: float
    unit: str
    includes: str
    beside: float | None = None  # the raw limit, in the same unit
    beside_is: str = ""
    aim: float | None = None  # for the value
    aim_ratio: float | None = None  # for value / beside
    lower: bool = False

    @property
    def ratio(self) -> float | None:
        """The value as a share of the raw limit."""
        return self.value / self.beside if self.beside else None

    @property
    def reached(self) -> bool | None:
        """Whether every aim was reached; None where there is none."""
        aims = [
            self._within(self.value, self.aim),
            self._within(self.ratio, self.aim_ratio),
        ]
        known = [aim for aim in aims if aim is not None]
        return all(known) if known else None

    def _within(self, value: float | None, aim: float | None) -> bool | None:
        if value is None or aim is None:
            return None
        return value <= aim if self.lower else value >= aim

    def record(self) -> dict[str, Any]:
        """The figure as the results file holds it."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "includes": self.includes,
            "beside": None if self.beside is None else round(self.beside, 3),
            "beside_is": self.beside_is or None,
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "aim": self.aim,
            "aim_ratio": self.aim_ratio,
            "reached": self.reached,
        }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table for a terminal, with what each includes below it."""
    rows = [("", "ours", "raw limit", "ratio", "aim"), *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    notes = [_note(number, figure) for number, figure in enumerate(figures, 1)]
    return "\n".join([*lines, "", *notes])


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    return (
        figure.name,
        _number(figure.value, figure.unit),
        "" if figure.beside is None else _number(figure.beside, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        _aims(figure),
    )


def _cells(row: tuple[str, str, str, str, str], widths: Sequence[int]) -> list[str]:
    name, *numbers = row
    aligned = zip(numbers, widths[1:], strict=True)
    return [name.ljust(widths[0]), *(number.rjust(width) for number, width in aligned)]


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"


def _aims(figure: Figure) -> str:
    if figure.reached is None:
        return ""
    sign = "≤" if figure.lower else "≥"
    wanted = []
    if figure.aim is not None:
        wanted.append(f"{sign} {_number(figure.aim, figure.unit)}")
    if figure.aim_ratio is not None:
        wanted.append(f"{sign} {figure.aim_ratio:.2f}")
    return f"{' and '.join(wanted)} {'✓' if figure.reached else '✗'}"


def _note(number: int, figure: Figure) -> str:
    beside = f"\n    beside: {figure.beside_is}" if figure.beside_is else ""
    return f"{number:2}. {figure.name}: {figure.includes}{beside}"
