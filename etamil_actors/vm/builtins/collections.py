"""Arrays and records: length, appending, sorting, fields, kinds.

Nothing given is ever changed; who appends or sorts gets a new array. (``x = இணை(x, v)`` in a loop
is linear all the same: the compiler sees it and appends in place.)
"""

from __future__ import annotations

from decimal import Decimal
from operator import itemgetter
from typing import Final

from etamil_actors.vm import limits, text
from etamil_actors.vm.builtins.registry import implements, wrong_kind
from etamil_actors.vm.convert import kind_of, number_of, texts_of
from etamil_actors.vm.values import Number, TwoNamed, Value

_NUMBERS: Final = frozenset({int, Decimal})


@implements("_length")
def length(value: Value) -> int:
    """Elements, fields, or letters."""
    if isinstance(value, list | dict):
        return len(value)
    if isinstance(value, str):
        return text.length(value)
    raise wrong_kind("நீளம்", "அணி, பொருள் அல்லது உரை", "an array, a record or a text", value)


@implements("_append", raw=True)
def append(array: Value, value: Value) -> list[Value]:
    """A new array with the value at its end."""
    if type(array) is not list:
        raise wrong_kind("இணை", "அணி", "an array", array)
    limits.admit_array(len(array) + 1)
    return [*array, value]


@implements("_sort")
def sort(array: list[Value]) -> list[Value]:
    """Ascending and stable: numbers by amount, anything else by its text."""
    kinds = set(map(type, array))
    if kinds <= _NUMBERS or kinds == {str}:
        return sorted(array)
    return [element for _, element in sorted(zip(texts_of(array), array, strict=True), key=itemgetter(0))]


@implements("_sortByField")
def sort_by_field(array: list[Value], field: str, descending: bool) -> list[Value]:
    """Records by a field as a number; what has no such field counts as 0. Stable both ways."""
    amount = itemgetter(field)
    try:
        if _NUMBERS.issuperset(map(type, map(amount, array))):
            return sorted(array, key=amount, reverse=descending)
    except (KeyError, TypeError):
        pass  # not all of them are records that have the field
    return sorted(array, key=lambda element: _amount(element, field), reverse=descending)


def _amount(element: Value, field: str) -> Number:
    return number_of(field_of(element, field)) if isinstance(element, dict) else 0


@implements("_hasField")
def has_field(record: dict[str, Value], key: str) -> bool:
    """Has the record this key?"""
    return key_in(record, key) in record


@implements("_fieldOr")
def field_or(record: dict[str, Value], key: str, default: Value) -> Value:
    """The value under the key, or the default."""
    return field_of(record, key, default)


def key_in(record: dict[str, Value], key: str) -> str:
    """The key itself; in a record that the runtime made, the one that this name stands for."""
    return record.key_for(key) if isinstance(record, TwoNamed) else key


def field_of(record: dict[str, Value], key: str, default: Value = None) -> Value:
    """The value under a key, which may be its second name."""
    return record.get(key_in(record, key), default)


implements("_typeof")(kind_of)
