"""JSON of the edge's own: sessions, tokens, problem documents. Numbers stay what they are in the language.

A program's bodies are read and written by the machine; this is for what never becomes a body. Numbers are
whole (``int``) or exact decimals with 1 to 28 places, and what is neither is refused rather than rounded.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

import msgspec

from etamil_actors.errors import EtamilError
from etamil_actors.vm.values import Value

MAX_MANTISSA: Final = 2**96 - 1
MAX_SCALE: Final = 28
LONGEST_NUMBER: Final = 48


class NotExactError(EtamilError):
    """The bytes are no JSON, or hold a number that the language does not have."""


def encode(value: Value) -> bytes:
    """Compact JSON of texts, numbers, booleans, இன்மை, arrays and records."""
    return _encoder.encode(value)


def decode(data: bytes) -> Value:
    """The value. Raises: NotExactError."""
    try:
        value = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError) as problem:
        raise NotExactError(str(problem)) from None
    if _long_number.search(data) is not None:  # a look at the bytes is cheaper than one at every part
        _admit(value)
    return value


def _read_number(written: str) -> int | Decimal:
    if len(written) > LONGEST_NUMBER:
        raise _does_not_fit()
    number = Decimal(written)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or not -MAX_SCALE <= exponent <= MAX_SCALE:
        raise _does_not_fit()
    if exponent >= 0:
        return _whole(int(number))
    # Not by arithmetic: that would round to whatever context the machine has set.
    _whole(int("".join(map(str, digits))))
    return number or number.copy_abs()


def _admit(value: Value) -> None:
    if type(value) is int:
        _whole(value)
    elif isinstance(value, dict):
        for part in value.values():
            _admit(part)
    elif isinstance(value, list):
        for part in value:
            _admit(part)


def _whole(number: int) -> int:
    if not -MAX_MANTISSA <= number <= MAX_MANTISSA:
        raise _does_not_fit()
    return number


def _does_not_fit() -> NotExactError:
    return NotExactError("a number does not fit")


_long_number: Final = re.compile(rb"\d{29}")
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=_read_number)
