"""Text for programs: conversion, case, replacing, splitting, joining, bytes.

What a letter is, and where one may cut, is told in ``vm/text.py``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from etamil_actors.errors import Fault
from etamil_actors.vm import limits, text
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.convert import text_of, texts_of
from etamil_actors.vm.values import Err, Ok, Value

implements("_toString")(text_of)
implements("_replace")(text.replace)
implements("_split")(text.split)


@implements("_upper")
def upper(value: str) -> str:
    """In upper case, which may be longer: ß becomes SS."""
    made = text.upper(value)
    limits.admit_text(len(made))
    return made


@implements("_lower")
def lower(value: str) -> str:
    """In lower case."""
    made = text.lower(value)
    limits.admit_text(len(made))
    return made


@implements("_join")
def join(array: list[Value], separator: str) -> str:
    """The texts of the elements with the separator between."""
    pieces = texts_of(array)
    limits.admit_text(sum(map(len, pieces)) + len(separator) * len(pieces))
    return separator.join(pieces)


@implements("_bytes")
def to_bytes(value: str) -> list[int]:
    """The UTF-8 bytes as numbers."""
    encoded = value.encode()
    limits.admit_array(len(encoded))
    return list(encoded)


@implements("_fromBytes")
def from_bytes(array: list[Value]) -> Ok | Err:
    """Text from bytes."""
    octets = _octets(array)
    try:
        return Ok(octets.decode())
    except UnicodeDecodeError as error:
        place = error.start
        return failed(f"இடம் {place}: பைட்டுகள் UTF-8 அல்ல", f"at {place}: the bytes are not UTF-8")


def _octets(array: list[Value]) -> bytes:
    if set(map(type, array)) <= {int}:
        try:
            return bytes(array)
        except ValueError:
            pass  # one by one, to say which it is
    return bytes(map(_octet, array))


_NAME: Final = "பைட்டுச்_சரம்"


def _octet(element: Value) -> int:
    if type(element) in (int, Decimal) and 0 <= element <= 255 and element == int(element):
        return int(element)
    shown = text_of(element)[:60]
    raise Fault(
        "value.invalid",
        name=_NAME,
        problem_ta=f"‘{shown}’ 0 முதல் 255 வரையிலான முழு எண் அல்ல",
        problem_en=f"‘{shown}’ is not a whole number from 0 to 255",
    )
