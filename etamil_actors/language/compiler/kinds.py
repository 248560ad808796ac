"""What the compiler knows about a value before the program runs.

A ``Kind`` is the set of kinds that an expression can have, and for its whole numbers an
interval. From it the code generator decides whether a bare Python operation is already the
language's operation. Four ideas carry the speed:

*Sets.* ``x + 1`` on a value known to be a whole number needs no question about its type. Zero
with decimals (``1.50 - 1.50`` is ``0.00``) is a member of its own, because only it disturbs
the scale rules of a Python ``Decimal`` sum.

*Sizes.* A decimal result beyond ``HUGE`` has no room for a single decimal place and becomes a whole
number, which bare Python arithmetic would not bound. So the size of decimals is followed too; while
it stays below, decimals stay decimals.

*Intervals.* A whole number must stay below 2⁹⁶. Where the interval shows that it does, the
check is left out. A variable that only ever moves by small steps (``i = i + 1``) cannot get
further than ``FAR`` = 2⁸⁰ while anybody is alive to see it: 2⁵⁰ steps take years.

*Facts.* After ``(n < 2) எனில் { திரும்பு n; }`` n is at least 2, so ``n - 1`` needs no check.
Facts are kept for names that are assigned once only.
"""

from __future__ import annotations

from typing import NamedTuple

INT = 1
DECIMAL = 2
ZERO = 4
"""A zero with decimals, ``Decimal("0.00")``."""
TEXT = 8
BOOL = 16
ARRAY = 32
RECORD = 64
"""A plain record: exactly a ``dict``."""
NIL = 128
OTHER = 256
"""Shaped and two-named records, results, functions, handles."""
ANYTHING = 511
NUMBER = INT | DECIMAL | ZERO

MOST = 2**96 - 1
HUGE = MOST // 10
FAR = 2**80 + 2**39 + 77
"""About 2⁸⁰, and no number that a program is likely to write down."""
STEP = 2**30


class Kind(NamedTuple):
    """A set of kinds, the interval of the whole numbers in it, and how large its decimals can be."""

    mask: int
    low: int = -MOST
    high: int = MOST
    size: int = MOST

    def is_only(self, mask: int) -> bool:
        """Whether it can be nothing outside ``mask``."""
        return not self.mask & ~mask

    def may_be(self, mask: int) -> bool:
        """Whether it can be something in ``mask``."""
        return bool(self.mask & mask)

    @property
    def reach(self) -> int:
        """How far from zero a number in it can be."""
        whole = max(abs(self.low), abs(self.high)) if self.mask & INT else 0
        return max(whole, self.size) if self.mask & (DECIMAL | ZERO) else whole


NEVER = Kind(0, 0, 0, 0)
ANY = Kind(ANYTHING)
WHOLE = Kind(INT)
NUMERIC = Kind(NUMBER)
IS_TEXT = Kind(TEXT)
IS_BOOL = Kind(BOOL)
IS_ARRAY = Kind(ARRAY)
IS_RECORD = Kind(RECORD)
IS_NIL = Kind(NIL)
IS_OTHER = Kind(OTHER)


def whole(value: int) -> Kind:
    """The kind of one whole number."""
    return Kind(INT, value, value, 0)


def join(one: Kind, other: Kind) -> Kind:
    """What a value is that may come from either side."""
    size = max(
        one.size if one.mask & (DECIMAL | ZERO) else 0, other.size if other.mask & (DECIMAL | ZERO) else 0
    )
    if not one.mask & INT:
        return Kind(one.mask | other.mask, other.low, other.high, size)
    if not other.mask & INT:
        return Kind(one.mask | other.mask, one.low, one.high, size)
    return Kind(one.mask | other.mask, min(one.low, other.low), max(one.high, other.high), size)


def total(left: Kind, right: Kind, operator: str) -> Kind:
    """The kind of a bare ``left + right`` or ``left - right``, before any check."""
    if not (left.is_only(NUMBER) and right.is_only(NUMBER)):
        return Kind(NUMBER, -2 * MOST, 2 * MOST, 2 * MOST)
    mask = 0
    if left.mask & INT and right.mask & INT:
        mask |= INT
    if (left.mask | right.mask) & (DECIMAL | ZERO):
        mask |= DECIMAL | ZERO
    size = left.reach + right.reach
    if operator == "+":
        return Kind(mask, left.low + right.low, left.high + right.high, size)
    return Kind(mask, left.low - right.high, left.high - right.low, size)


def product(left: Kind, right: Kind) -> Kind:
    """The kind of ``left * right``: with a factor 0 it is the whole number 0."""
    if not (left.is_only(NUMBER) and right.is_only(NUMBER)):
        return Kind(NUMBER, -(MOST**2), MOST**2, MOST**2)
    mask, corners = 0, [0]
    if left.mask & INT and right.mask & INT:
        mask = INT
        corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    if (left.mask | right.mask) & (DECIMAL | ZERO):
        mask |= INT | DECIMAL
        corners.append(0)
    if (left.mask & right.mask) & (DECIMAL | ZERO):
        mask |= ZERO  # two tiny decimals: rounded to a zero with 28 places
    return Kind(mask, min(corners), max(corners), left.reach * right.reach)


def fits(kind: Kind) -> bool:
    """Whether every whole number of the interval is a number of the language."""
    return not kind.mask & INT or (-MOST <= kind.low and kind.high <= MOST)


def clipped(kind: Kind) -> Kind:
    """What is left of a kind after all checks, rounding included."""
    if kind.mask & (DECIMAL | ZERO) and kind.size >= HUGE:
        return Kind(kind.mask | INT, -MOST, MOST, MOST)
    return Kind(kind.mask, max(kind.low, -MOST), min(kind.high, MOST), kind.size)
