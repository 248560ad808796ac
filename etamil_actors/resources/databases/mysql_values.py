"""How values travel to MySQL and MariaDB and back (REFERENCE §18.3): numbers as texts that the server
converts, and back by the type of the column. Rows of prepared statements are binary, others are texts."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from etamil_actors.ports.databases import Datum
from etamil_actors.resources.databases import numerals
from etamil_actors.resources.databases.mysql_packets import Column, ProtocolError, Reader, counted
from etamil_actors.resources.databases.troubles import not_text

UNSIGNED: Final = 32
TINY, SHORT, LONG, FLOAT, DOUBLE, NULL, TIMESTAMP, LONGLONG, INT24 = range(1, 10)
OLD_DECIMAL, DATE, TIME, DATETIME, YEAR, BIT, DECIMAL = 0, 10, 11, 12, 13, 16, 246

_TEXT: Final = b"\xfd\0"
_TRUE: Final = (b"\x01\0", b"\x01")
_FALSE: Final = (b"\x01\0", b"\0")


def bound(value: Datum) -> tuple[bytes, bytes] | None:
    """The type and the bytes of a parameter. Raises: Fault."""
    if isinstance(value, str):
        try:
            return _TEXT, counted(value.encode())
        except UnicodeEncodeError:
            raise not_text() from None
    if value is None:
        return None
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    return _TEXT, counted(numerals.written(value).encode())


# ---- texts ----------------------------------------------------------------------------------

Read = Callable[[bytes], Datum]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _moment(raw: bytes) -> str:
    """``2026-11-21 09:30:00.500000`` as the language writes it."""
    day, _, time = raw.decode("ascii", "replace").partition(" ")
    return f"{day}T{_without_zeros(time)}"


def _time(raw: bytes) -> str:
    return _without_zeros(raw.decode("ascii", "replace"))


def _without_zeros(time: str) -> str:
    return time.rstrip("0").rstrip(".") if "." in time else time


def _bits(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


_FROM_TEXT: Final[dict[int, Read]] = {
    **dict.fromkeys((TINY, SHORT, LONG, LONGLONG, INT24, YEAR, OLD_DECIMAL, DECIMAL), numerals.exact),
    **dict.fromkeys((FLOAT, DOUBLE), numerals.about),
    **dict.fromkeys((TIMESTAMP, DATETIME), _moment),
    TIME: _time,
    BIT: _bits,
}


def text_reader(column: Column) -> Read:
    """How a value of this column is read that came as text."""
    return _FROM_TEXT.get(column.kind, _text)


def text_row(packet: bytes, readers: list[Read]) -> list[Datum]:
    """The values of a row that came as texts. Raises: Fault, ProtocolError."""
    reader = Reader(packet)
    values: list[Datum] = []
    for read in readers:
        if packet[reader.at : reader.at + 1] == b"\xfb":
            reader.at += 1
            values.append(None)
        else:
            values.append(read(reader.counted()))
    return values


# ---- binary ---------------------------------------------------------------------------------

Take = Callable[[bytes, int], tuple[Datum, int]]
"""Reads a value of a row at a place, and says where the next one is."""


def _whole(form: str) -> Take:
    unpack, size = struct.Struct(form).unpack_from, struct.calcsize(form)

    def take(row: bytes, at: int) -> tuple[Datum, int]:
        return unpack(row, at)[0], at + size

    return take


def _float(row: bytes, at: int) -> tuple[Datum, int]:
    value: float = _FLOAT(row, at)[0]
    # The shortest text that is this float of 32 bits, as `float` has it for 64.
    for digits in range(6, 9):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == row[at : at + 4]:
            break
    else:
        text = f"{value:.9g}"
    return numerals.about(text.encode()), at + 4


def _double(row: bytes, at: int) -> tuple[Datum, int]:
    return numerals.about(repr(_DOUBLE(row, at)[0]).encode()), at + 8


_FLOAT: Final = struct.Struct("<f").unpack_from
_DOUBLE: Final = struct.Struct("<d").unpack_from


def _take_date(row: bytes, at: int) -> tuple[Datum, int]:
    day, _, at = _moment_parts(row, at)
    return day, at


def _take_moment(row: bytes, at: int) -> tuple[Datum, int]:
    day, time, at = _moment_parts(row, at)
    return f"{day}T{time}", at


def _moment_parts(row: bytes, at: int) -> tuple[str, str, int]:
    size = row[at]
    part = row[at + 1 : at + 1 + size].ljust(11, b"\0")
    day = f"{part[0] | part[1] << 8:04}-{part[2]:02}-{part[3]:02}"
    time = f"{part[4]:02}:{part[5]:02}:{part[6]:02}{_fraction(part[7:11])}"
    return day, time, at + 1 + size


def _take_time(row: bytes, at: int) -> tuple[Datum, int]:
    size = row[at]
    part = row[at + 1 : at + 1 + size].ljust(12, b"\0")
    hours = int.from_bytes(part[1:5], "little") * 24 + part[5]
    sign = "-" if part[0] else ""
    return f"{sign}{hours:02}:{part[6]:02}:{part[7]:02}{_fraction(part[8:12])}", at + 1 + size


def _fraction(raw: bytes) -> str:
    millionths = int.from_bytes(raw, "little")
    return f".{millionths:06}".rstrip("0") if millionths else ""


def _counted_as(read: Read) -> Take:
    def take(row: bytes, at: int) -> tuple[Datum, int]:
        size = row[at]
        at += 1
        if size >= 0xFB:
            reader = Reader(row, at - 1)
            size, at = reader.length(), reader.at
        end = at + size
        if end > len(row):
            raise ProtocolError("a row is too short")
        return read(row[at:end]), end

    return take


_WHOLE: Final[dict[int, tuple[Take, Take]]] = {
    TINY: (_whole("<b"), _whole("<B")),
    SHORT: (_whole("<h"), _whole("<H")),
    YEAR: (_whole("<H"), _whole("<H")),
    LONG: (_whole("<i"), _whole("<I")),
    INT24: (_whole("<i"), _whole("<I")),
    LONGLONG: (_whole("<q"), _whole("<Q")),
}
_TAKE: Final[dict[int, Take]] = {
    **dict.fromkeys((OLD_DECIMAL, DECIMAL), _counted_as(numerals.exact)),
    FLOAT: _float,
    DOUBLE: _double,
    DATE: _take_date,
    **dict.fromkeys((TIMESTAMP, DATETIME), _take_moment),
    TIME: _take_time,
    BIT: _counted_as(_bits),
}
_take_text: Final = _counted_as(_text)


def taker(column: Column) -> Take:
    """How a value of this column is read from a binary row."""
    whole = _WHOLE.get(column.kind)
    if whole is not None:
        return whole[bool(column.flags & UNSIGNED)]
    return _TAKE.get(column.kind, _take_text)


def binary_row(packet: bytes, takers: list[Take]) -> list[Datum]:
    """The values of a binary row. Raises: Fault, ProtocolError."""
    # A byte, then a bit for every column that holds nothing, from the third bit on.
    at = 1 + (len(takers) + 9) // 8
    nothing = int.from_bytes(packet[1:at], "little") >> 2
    values: list[Datum] = []
    try:
        for take in takers:
            if nothing & 1:
                values.append(None)
            else:
                value, at = take(packet, at)
                values.append(value)
            nothing >>= 1
    except (IndexError, OverflowError, struct.error):
        raise ProtocolError("a row is too short") from None
    return values
