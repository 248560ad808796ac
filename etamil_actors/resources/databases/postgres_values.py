"""How values travel to PostgreSQL and back (REFERENCE §18.3): texts both ways, by the type that the server
has declared. A type that is not listed here travels as its text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from etamil_actors.ports.databases import Datum
from etamil_actors.resources.databases import numerals
from etamil_actors.resources.databases.troubles import no_number, not_text

Encode = Callable[[Datum], bytes | None]
Decode = Callable[[bytes], Datum]

BOOL, INT8, INT2, INT4, OID, FLOAT4, FLOAT8, NUMERIC = 16, 20, 21, 23, 26, 700, 701, 1700


class Lossy(Exception):
    """A value fits the declared type only in part, or not at all: ``least`` is what is left of it, if
    anything. The type may have changed since it was asked for."""

    def __init__(self, least: bytes | None, name: str, value: Datum) -> None:
        super().__init__(name)
        self.least = least
        self.name = name
        self.value = value

    def settled(self) -> bytes:
        """What is sent when the type is certain. Raises: Fault, when nothing is."""
        if self.least is None:
            raise no_number(_shown(self.value), self.name)
        return self.least


def _shown(value: Datum) -> str:
    return _text(value).decode("utf-8", "replace")


def _text(value: Datum) -> bytes:
    if isinstance(value, str):
        try:
            raw = value.encode()
        except UnicodeEncodeError:
            raise not_text() from None
        if b"\0" in raw:
            raise not_text()
        return raw
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return b"" if value is None else numerals.written(value).encode()


def as_text(value: Datum) -> bytes | None:
    return None if value is None else _text(value)


def as_bool(value: Datum) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, int | Decimal):  # a boolean among them
        return b"t" if value else b"f"
    return _text(value)


def as_numeric(value: Datum) -> bytes | None:
    if isinstance(value, str):
        number = numerals.read(value)
        if number is None:
            raise Lossy(None, "numeric", value)
        return format(number, "f").encode()
    return as_text(value)


def whole_of(name: str, bits: int, signed: bool = True) -> Encode:
    """The encoder of a type of whole numbers."""
    most = 2 ** (bits - signed) - 1
    least = -most - 1 if signed else 0

    def as_whole(value: Datum) -> bytes | None:
        if type(value) is int:
            if least <= value <= most:
                return b"%d" % value
            raise Lossy(None, name, value)
        if value is None or isinstance(value, bool):
            return as_text(value)
        number = numerals.read(value) if isinstance(value, str) else Decimal(value)
        if number is None or not least <= (whole := int(number)) <= most:
            raise Lossy(None, name, value)
        if whole == number:
            return b"%d" % whole
        # A number is truncated; a text that is no whole number was meant to be something else.
        raise Lossy(None if isinstance(value, str) else b"%d" % whole, name, value)

    return as_whole


def _to_text(raw: bytes) -> str:
    # A database of the encoding SQL_ASCII holds whatever somebody has put there.
    return raw.decode("utf-8", "replace")


def _to_bool(raw: bytes) -> bool:
    return raw == b"t"


ENCODERS: Final[dict[int, Encode]] = {
    BOOL: as_bool,
    INT2: whole_of("smallint", 16),
    INT4: whole_of("integer", 32),
    INT8: whole_of("bigint", 64),
    OID: whole_of("oid", 32, signed=False),
    NUMERIC: as_numeric,
}

DECODERS: Final[dict[int, Decode]] = {
    BOOL: _to_bool,
    INT2: int,
    INT4: int,
    INT8: int,
    OID: int,
    FLOAT4: numerals.about,
    FLOAT8: numerals.about,
    NUMERIC: numerals.exact,
}


def encoder_of(oid: int) -> Encode:
    """How a parameter of this type is sent."""
    return ENCODERS.get(oid, as_text)


def decoder_of(oid: int) -> Decode:
    """How a column of this type is read."""
    return DECODERS.get(oid, _to_text)
