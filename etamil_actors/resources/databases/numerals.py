"""Numbers as databases write them, and as the language keeps them.

A number has a mantissa below 2⁹⁶ and at most 28 decimals. It is an ``int`` when it is whole, else a
``Decimal`` without zeros at its end, so that every kind of database gives the same number for the same
value. An exact column whose value does not fit is refused; a float, which was never exact, is rounded.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

from etamil_actors.resources.databases.troubles import no_number

MAX_MANTISSA: Final = 2**96 - 1
MAX_SCALE: Final = 28
SURE: Final = 29
"""So many letters with a point among them are 28 digits at most, and fit for sure."""

_WIDE: Final = Context(prec=80, rounding=ROUND_HALF_EVEN)
_LEAST: Final = Decimal(1).scaleb(-MAX_SCALE)
_NUMERAL: Final = re.compile(r"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)\Z")

Number = int | Decimal


def exact(raw: bytes) -> Number:
    """The number that an exact column shows. Raises: Fault, when it does not fit."""
    try:
        if b"." in raw:
            raw = raw.rstrip(b"0")
            if raw[-1] == 46:  # the point
                return _bounded(int(raw[:-1]))
            value = Decimal(raw.decode())
            if len(raw) <= SURE or _fits(value):
                return value
        else:
            return _bounded(int(raw))
    except ValueError:  # NaN, Infinity, thousands of digits
        pass
    raise no_number(raw.decode("ascii", "replace"), "number")


def about(raw: bytes) -> Number:
    """The number that is nearest to a float. Raises: Fault, for NaN, infinities and what is too large."""
    if raw.isdigit():
        return exact(raw)
    try:
        value = Decimal(raw.decode())
    except (ValueError, InvalidOperation):
        raise no_number(raw.decode("ascii", "replace"), "number") from None
    if not value.is_finite() or abs(value) > MAX_MANTISSA:
        raise no_number(raw.decode("ascii", "replace"), "number")
    if value == (whole := int(value)):
        return whole
    rounded = _WIDE.quantize(value, _LEAST)
    while not _fits(rounded):
        # So large a float has a dozen decimals too many; the last one goes until it fits.
        rounded = _WIDE.quantize(rounded, Decimal(1).scaleb(int(rounded.as_tuple().exponent) + 1))
    return exact(format(rounded, "f").encode())


def written(value: Number) -> str:
    """Plain decimal notation without zeros at the end."""
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def read(text: str) -> Decimal | None:
    """The number that a text is, or nothing."""
    text = text.strip()
    return Decimal(text.replace("_", "")) if _NUMERAL.match(text) else None


def _bounded(value: int) -> int:
    if -MAX_MANTISSA <= value <= MAX_MANTISSA:
        return value
    raise ValueError


def _fits(value: Decimal) -> bool:
    _, digits, exponent = value.as_tuple()
    return -int(exponent) <= MAX_SCALE and int("".join(map(str, digits))) <= MAX_MANTISSA
