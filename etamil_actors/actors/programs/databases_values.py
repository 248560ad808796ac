"""Values on their way to a database and back (REFERENCE §18.3).

Texts, numbers, booleans and இன்மை travel as they are; what else a program has becomes its text on the way to
SQLite, and is refused by the others. Numbers that come back are exact, and fitted to those of the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from unicodedata import is_normalized, normalize

from trio.lowlevel import checkpoint

from etamil_actors.errors import KIND_IN_TAMIL, Fault
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.number import MAX_MANTISSA, MAX_SCALE, parse_number
from etamil_actors.vm.values import TwoNamed, Value

if TYPE_CHECKING:
    from etamil_actors.ports.databases import Datum, Done, Kind, Row

ROWS_AT_ONCE: Final = 1000
"""After so many rows others get their turn."""

_PLAIN: Final = frozenset({int, str, bool, type(None), Decimal})
_AS_IT_IS: Final = frozenset({str, bool, type(None)})
_DIGITS: Final = 28
"""So many digits always fit a number."""
_NEAR: Final = 10**_DIGITS

_DONE_NAMES: Final = {"எண்ணிக்கை": "changed", "அடையாளம்": "id"}


def data_of(parameters: Value, kind: Kind) -> Sequence[Datum]:
    """The parameters of a statement.

    Raises:
        Fault: ``db.parameters``, they are no array; ``db.query``, the database has nothing like one of them.
    """
    if not isinstance(parameters, list):
        raise Fault("db.parameters")
    if _PLAIN.issuperset(map(type, parameters)):
        return parameters
    return [datum_of(value, kind) for value in parameters]


def datum_of(value: Value, kind: Kind) -> Datum:
    """One of them. Raises: as ``data_of``."""
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind == "sqlite":
        return text_of(value)
    found = kind_of(value)
    raise refused(
        f"{KIND_IN_TAMIL.get(found, found)} என்பதை அளவுருவாக அனுப்ப முடியாது; உரை, எண், மெய்/பொய், இன்மை மட்டுமே",
        f"{found} cannot be a parameter, only a text, a number, a boolean or nothing",
    )


def refused(tamil: str, english: str) -> Fault:
    """``db.query`` for something that the words themselves refuse."""
    return Fault("db.query", tamil=f"SQL தோல்வி: {tamil}", english=f"SQL failed: {english}")


def rows_of(rows: list[Row]) -> list[Value]:
    """Rows as a program may have them.

    Raises:
        Fault: ``number.overflow``, one holds a number that the language does not have.
    """
    if rows and not all(map(_is_plain_name, rows[0])):
        rows = [{normalize("NFC", name): value for name, value in row.items()} for row in rows]
    for row in rows:
        if not _AS_IT_IS.issuperset(map(type, row.values())):
            _fit(row)
    return rows


async def rows_in_turns(rows: list[Row]) -> list[Value]:
    """The same; of many rows, others get their turn in between. Raises: as ``rows_of``."""
    if len(rows) <= ROWS_AT_ONCE:
        return rows_of(rows)
    made: list[Value] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        made += rows_of(rows[start : start + ROWS_AT_ONCE])
        await checkpoint()
    return made


def _is_plain_name(name: str) -> bool:
    """Is it written as the language writes names? Text is never changed, so SQL may hold others."""
    return name.isascii() or is_normalized("NFC", name)


def row_of(rows: list[Row]) -> Value:
    """The first of them, or இன்மை. Raises: as ``rows_of``."""
    return rows_of(rows[:1])[0] if rows else None


def _fit(row: dict[str, Any]) -> None:
    for name, value in row.items():
        if type(value) is int:
            if not -_NEAR < value < _NEAR and abs(value) > MAX_MANTISSA:
                raise Fault("number.overflow")
        elif type(value) is Decimal:
            row[name] = _fitted(value)


def _fitted(value: Decimal) -> Value:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return str(value)  # there are databases with infinity and NaN, and the language has neither
    if len(digits) <= _DIGITS and -MAX_SCALE <= exponent < 0 and not (sign and not value):
        return value
    number = parse_number(format(value, "f"))
    if number is None:
        raise Fault("number.overflow")
    return number


def done_of(done: Done) -> Value:
    """What விகல்_செய் answers."""
    return TwoNamed({"changed": done.changed, "id": done.id}, _DONE_NAMES)
