"""Deadlines, all made in one place.

Trio keeps timers in a heap and breaks a tie between equal deadlines by the memory address of the
cancel scope, so two runs with one seed could wake two timers in different orders. Here every
deadline gets its own billionth of a second: timers of one moment fire in the order in which they
were made, and a simulated run repeats to the letter.

The offsets start again after a million, so no deadline is ever late by more than a millisecond.
"""

from __future__ import annotations

import math
from decimal import Decimal

import trio

_STEP = 1e-9
_ROUND = 1_000_000

_made = 0


def after(seconds: float) -> float:
    """The moment so many seconds from now, different from every other one that was made."""
    if seconds == math.inf:
        return math.inf
    return at(trio.current_time() + seconds)


def at(moment: float) -> float:
    """This moment of trio's clock, different from every other one that was made."""
    global _made
    if moment == math.inf:
        return moment
    _made = (_made + 1) % _ROUND
    return moment + _made * _STEP


def start_over() -> None:
    """Count from the beginning, at the start of a simulated run."""
    global _made
    _made = 0


def as_number(seconds: float) -> int | Decimal:
    """Seconds as a number of the language, for the details of an error."""
    text = f"{seconds:.6f}".rstrip("0").rstrip(".")
    return Decimal(text) if "." in text else int(text)
