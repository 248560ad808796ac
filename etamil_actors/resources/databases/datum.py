"""Numbers in SQLite, where they are texts or floats: read, and written (REFERENCE §4.2, §18.3).

``numerals.py`` has the rules; here is the quick look that most texts need only.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from etamil_actors.resources.databases.numerals import MAX_MANTISSA, MAX_SCALE, Number, written

_NUMBER: Final = re.compile(
    r"([+-]?)(?=\.?[0-9])((?:[0-9]+(?:_+[0-9]+)*)?)(?:\.((?:[0-9]+(?:_+[0-9]+)*)?))?", re.ASCII
)
_FIRST: Final = frozenset("0123456789+-.")
_SMALL: Final = 15
"""A plain whole number with so few digits needs no further look."""
_WHOLE_DIGITS: Final = 29

text_of_number = written


def number_of_text(text: str) -> Number | None:
    """The number that a text is, or nothing. Decimals that do not fit are rounded off, half up; whole digits
    that do not fit make it none."""
    if text[:1] not in _FIRST:
        return None
    if len(text) <= _SMALL and text.isascii() and text.isdigit():
        return int(text)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, decimals = found[2].replace("_", "").lstrip("0"), (found[3] or "").replace("_", "")
    return None if len(whole) > _WHOLE_DIGITS else _fitted(found[1] == "-", whole, decimals)


def _fitted(is_negative: bool, whole: str, decimals: str) -> Number | None:
    for scale in range(min(len(decimals), MAX_SCALE), -1, -1):
        digits = int(whole + decimals[:scale] or "0") + (decimals[scale : scale + 1] >= "5")
        if digits <= MAX_MANTISSA:
            return _made(-digits if is_negative else digits, scale)
    return None


def _made(mantissa: int, scale: int) -> Number:
    """Without zeros at the end, as numbers are here."""
    while scale and not mantissa % 10:
        mantissa //= 10
        scale -= 1
    if not scale:
        return mantissa
    return Decimal((int(mantissa < 0), tuple(map(int, str(abs(mantissa)))), -scale))


def number_of_float(number: float) -> Number | str:
    """The number whose shortest decimal text this float has; a text when there is no such number."""
    text = repr(number)
    if text[-1] in "fn":  # inf, nan
        return text
    if "e" in text:
        text = format(Decimal(text), "f")
    made = number_of_text(text)
    return text if made is None else made
