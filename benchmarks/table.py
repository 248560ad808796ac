"""The table that a measurement prints: one ``Line`` for each piece of work, and whether its bar is met.

A bar is a number that must not be passed; ``Bar.least`` turns it round, for speeds. Nothing here measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

HEAD = ("work", "ours", "Python", "ratio", "bar", "met?")


class Bar(NamedTuple):
    """What is to be reached, with its unit: ``× `` for ratios, ``ms``, ``lines/s``."""

    value: float
    unit: str = "×"
    least: bool = False

    def is_met(self, numbers: Sequence[float]) -> bool:
        """Whether every number keeps to the bar."""
        return all(number >= self.value if self.least else number <= self.value for number in numbers)

    def __str__(self) -> str:
        value = f"{self.value:,.0f}".replace(",", " ") if self.value >= 1000 else f"{self.value:g}"
        return f"{'≥' if self.least else '≤'} {value} {self.unit}"


class Line(NamedTuple):
    """One line of the table. ``judged`` are the numbers that the bar speaks of."""

    work: str
    ours: str
    python: str = "—"
    ratio: str = "—"
    bar: Bar | None = None
    judged: Sequence[float] = ()
    numbers: dict[str, object] = {}

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        return None if self.bar is None else self.bar.is_met(self.judged)

    def cells(self) -> tuple[str, ...]:
        """The line as it is shown."""
        verdict = {True: "yes", False: "NO", None: "—"}[self.is_met]
        return (self.work, self.ours, self.python, self.ratio, str(self.bar or "—"), verdict)

    def plain(self) -> dict[str, object]:
        """The line as it is written with ``--json``."""
        bar = None if self.bar is None else self.bar._asdict()
        verdict = {"bar": bar, "judged": list(self.judged), "met": self.is_met}
        return {"work": self.work, **verdict, **self.numbers}


def render(lines: Sequence[Line]) -> str:
    """The table, which is Markdown too."""
    rows = [HEAD, *[line.cells() for line in lines]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    shown = ["| " + " | ".join(_padded(row, widths)) + " |" for row in rows]
    shown.insert(1, "| " + " | ".join(_rule(column, width) for column, width in enumerate(widths)) + " |")
    return "\n".join(shown)


def verdict(lines: Sequence[Line]) -> str:
    """How many bars are met, and which are not."""
    judged = [line for line in lines if line.bar is not None]
    missed = [line.work for line in judged if not line.is_met]
    met = len(judged) - len(missed)
    first = f"{len(judged)} வரம்புகளில் {met} எட்டப்பட்டன  ({met} of {len(judged)} bars are met)"
    return "\n".join([first, *[f"  ✗ {work}" for work in missed]])


def milliseconds(seconds: float) -> str:
    """A time as the table shows it."""
    return f"{seconds * 1000:.1f} ms"


def times(ratio: float) -> str:
    """A ratio as the table shows it."""
    return f"{ratio:.2f} ×"


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    # Words to the left, numbers to the right.
    return [
        cell.ljust(width) if column in (0, 5) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _rule(column: int, width: int) -> str:
    return "-" * width if column in (0, 5) else "-" * (width - 1) + ":"
