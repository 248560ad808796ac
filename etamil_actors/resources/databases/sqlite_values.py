"""How values travel to SQLite and back (REFERENCE §18.3).

A number is bound as TEXT without zeros at its end, because SQLite has no exact decimals; a TEXT that is a
number comes back as one. So ``007`` comes back as 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from etamil_actors.ports.databases import Datum, Row
from etamil_actors.resources.databases.datum import number_of_float, number_of_text, text_of_number

Stored = str | int | float | bytes | None
"""What SQLite itself has."""

_FIRST: Final = frozenset("0123456789+-.")
_MOST_WHOLE: Final = 2**63 - 1


def stored(parameters: Sequence[Datum]) -> list[Stored]:
    """Parameters as they are bound."""
    return [value if value is None or type(value) is str else stored_value(value) for value in parameters]


def stored_value(value: Datum) -> Stored:
    """One of them."""
    if isinstance(value, bool):
        return int(value)
    return value if value is None or isinstance(value, str) else text_of_number(value)


def datum_of(value: Stored) -> Datum:
    """A value of SQLite as programs have it."""
    if isinstance(value, str):
        number = number_of_text(value)
        return value if number is None else number
    if isinstance(value, float):
        return number_of_float(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def rows_of(names: Sequence[str], found: Iterable[Sequence[Stored]]) -> list[Row]:
    """Rows as programs have them; of two columns with one name the later wins."""
    rows: list[Row] = []
    for one in found:
        row: dict[str, Any] = dict(zip(names, one, strict=True))
        for name, value in row.items():
            kind = type(value)
            if kind is str:
                # Most texts are no numbers, and their first letter tells.
                if value[:1] in _FIRST and (number := number_of_text(value)) is not None:
                    row[name] = number
            elif kind is float or kind is bytes:
                row[name] = datum_of(value)
        rows.append(row)
    return rows


def function_of(call: Callable[..., Datum], is_numeric: bool) -> Callable[..., Stored]:
    """A function of a program as SQLite may call it."""

    def called(*arguments: Stored) -> Stored:
        answer = call(*map(datum_of, arguments))
        if is_numeric and isinstance(answer, int | Decimal) and not isinstance(answer, bool):
            whole = int(answer)
            return whole if whole == answer and abs(whole) <= _MOST_WHOLE else float(answer)
        return stored_value(answer)

    return called
