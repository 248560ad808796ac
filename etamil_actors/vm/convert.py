"""How values become text, numbers and truth, and how they compare (REFERENCE §4, §7).

Nothing here fails on a kind: every conversion and comparison has an answer for every value. What
can happen is that a text would outgrow its budget. Values may be nested ten thousand deep, and one
array may stand in another a thousand times, so nothing here recurses, and what is shared is
visited once: by ``equal`` always, by ``text_of`` as soon as a text grows long.

The ``…_any`` operations are what compiled code calls when it does not know what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from decimal import Decimal

from etamil_actors.errors import InternalError
from etamil_actors.vm import limits, number
from etamil_actors.vm.values import (
    BuiltinFunction,
    Err,
    Function,
    Handle,
    Number,
    Ok,
    Shaped,
    TwoNamed,
    Value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final

# ---- kinds --------------------------------------------------------------------------------------

_KINDS: Final[dict[type, str]] = {
    int: "a number",
    Decimal: "a number",
    str: "a string",
    bool: "a boolean",
    list: "an array",
    dict: "a record",
    TwoNamed: "a record",
    Ok: "a result",
    Err: "a result",
    Function: "a function",
    BuiltinFunction: "a function",
    type(None): "nil",
}


def kind_of(value: Value) -> str:
    """What ``வகை`` answers; a shaped record tells the name of its shape."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, Shaped):
        return value.shape.name
    if isinstance(value, Handle):
        return value.kind
    raise InternalError(f"{type(value).__name__} is no type of a value")


# ---- text ---------------------------------------------------------------------------------------


def text_of(value: Value) -> str:
    """The text of any value.

    Raises:
        BudgetSpent: it would be longer than a value may be.
    """
    scalar = _SCALAR_TEXT.get(type(value))
    return scalar(value) if scalar else _nested_text(value)


def _function_text(function: Function | BuiltinFunction) -> str:
    return f"<செயல் {function.name}>" if function.name else "<செயல்>"


_SCALAR_TEXT: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    int: str,
    Decimal: number.number_text,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _nothing: "nil",
    Function: _function_text,
    BuiltinFunction: _function_text,
}


def texts_of(values: list[Value]) -> list[str]:
    """The texts of many values.

    Raises:
        BudgetSpent: the texts made for them would together be longer than one value may be.
    """
    if _SCALAR_TEXT.keys() >= set(map(type, values)):
        return [_SCALAR_TEXT[type(value)](value) for value in values]
    shared = _admitted(values)
    written: dict[int, str] = {}
    return [_written(value, shared, written, limits.VALUE_BYTES) or "" for value in values]


# Texts of values with parts are put together from the front, with a stack of what is still to be
# written. That is linear for deep values, but a value that shares its parts can be exponentially
# smaller than its text. So a text that grows long is given up, measured and begun again: what is
# shared is then written once and kept.

_LONG: Final = 1_000_000
"""From this length on it pays to measure a text before it is written."""


def _nested_text(value: Value) -> str:
    text = _written(value, frozenset(), {}, _LONG)
    if text is None:
        text = _written(value, _admitted(value), {}, limits.VALUE_BYTES)
    return text or ""


class _End:
    """Stands on the stack behind the parts of a shared value: here its text is complete."""

    __slots__ = ("begin", "key")

    def __init__(self, key: int, begin: int) -> None:
        self.key = key
        self.begin = begin


def _written(value: Value, shared: Set[int], written: dict[int, str], most: int) -> str | None:
    """The text of a value, or None as soon as it is longer than ``most``.

    Values are known by identity, which is safe while the one that holds them all is alive.
    """
    pieces: list[str] = []
    length = 0
    todo = [value]
    while todo:
        part = todo.pop()
        if type(part) is _End:
            text = "".join(pieces[part.begin :])
            pieces[part.begin :] = [text]
            written[part.key] = text
        elif type(part) is str or id(part) in written:
            pieces.append(part if type(part) is str else written[id(part)])
            length += len(pieces[-1])
            if length > most:
                return None
        else:
            if id(part) in shared:
                todo.append(_End(id(part), len(pieces)))
            todo += _parts_backwards(part)
    return "".join(pieces)


def _admitted(value: Value) -> Set[int]:
    """Which parts of a value are shared, if its text is not too long.

    A container is opened, then its parts are measured, then it is closed. Who meets one that is
    closed has found a shared one.

    Raises:
        BudgetSpent: the text would be too long.
    """
    opened = -1
    lengths: dict[int, int] = {}
    shared = set()
    todo = [value]
    while todo:
        part = todo[-1]
        state = lengths.get(id(part))
        if state is None:
            lengths[id(part)] = opened
            todo += [inner for inner in _parts_backwards(part) if type(inner) not in _SCALAR_TEXT]
            continue
        todo.pop()
        if state != opened:
            shared.add(id(part))
            continue
        lengths[id(part)] = sum(
            lengths[id(inner)] if type(inner) not in _SCALAR_TEXT else len(_SCALAR_TEXT[type(inner)](inner))
            for inner in _parts_backwards(part)
        )
    limits.admit_text(lengths[id(value)])
    return shared


def _parts_backwards(value: Value) -> list[Value]:
    """What the text of a value consists of, texts and parts, the last first."""
    match value:
        case list():
            return _elements_backwards(value)
        case dict():
            return _fields_backwards(value)
        case Ok():
            return [")", value.value, "சரி("]
        case Err():
            return [")", value.value, "தவறு("]
        case Handle():
            return [value.text]
        case _:
            return [_SCALAR_TEXT[type(value)](value)]


def _elements_backwards(elements: list[Value]) -> list[Value]:
    if _SCALAR_TEXT.keys() >= set(map(type, elements)):
        return [_flat_text(elements)]
    parts: list[Value] = ["]"]
    for element in reversed(elements):
        parts += (element, ", ")
    parts[-1] = "["
    return parts


def _flat_text(elements: list[Value]) -> str:
    texts = [_SCALAR_TEXT[type(element)](element) for element in elements]
    # One long text may stand in it many times.
    limits.admit_text(sum(map(len, texts)))
    return f"[{', '.join(texts)}]"


def _fields_backwards(record: dict[str, Value]) -> list[Value]:
    name = record.shape.name if isinstance(record, Shaped) else ""
    parts: list[Value] = ["}"]
    for key in sorted(record, reverse=True):
        parts += (record[key], f", {key}: ")
    if len(parts) == 1:
        return [f"{name}{{}}"]
    parts[-1] = f"{name}{{{parts[-1][2:]}"
    return parts


# ---- numbers and truth --------------------------------------------------------------------------


def number_of(value: Value) -> Number:
    """The number that a value counts as; what is no number counts as 0."""
    kind = type(value)
    if kind is int or kind is Decimal:
        return value  # type: ignore[no-any-return]
    if kind is str:
        n = number.parse_number(value)
        return 0 if n is None else n
    return 1 if value is True else 0


def truth(value: Value) -> bool:
    """Is it true as a condition?"""
    kind = type(value)
    if kind is bool:
        return value  # type: ignore[no-any-return]
    if kind in _TRUE_UNLESS_EMPTY:
        return bool(value)
    return value is not None and kind is not Err


_TRUE_UNLESS_EMPTY: Final = frozenset({int, Decimal, str, list, dict, Shaped, TwoNamed})


# ---- comparing ----------------------------------------------------------------------------------

_NUMBERS: Final = frozenset({int, Decimal})


def equal(a: Value, b: Value) -> bool:
    """``a == b`` for any two values: different kinds are unequal."""
    kind = type(a)
    if kind is type(b) and kind in _PLAIN:
        return bool(a == b)
    if kind in _NUMBERS and type(b) in _NUMBERS:
        return bool(a == b)
    return a is b or (_family(a) is _family(b) and _equal_parts(a, b))


_PLAIN: Final = frozenset({int, Decimal, str, bool, type(None)})


def _family(value: Value) -> type:
    """One type for all values that may be equal."""
    if isinstance(value, dict):
        return dict
    kind = type(value)
    return Decimal if kind is int else kind


def _equal_parts(a: Value, b: Value) -> bool:
    """Are two values of one family equal? Pairs met before are not looked at again: either they
    are equal, or the answer is no anyway."""
    todo = [(a, b)]
    seen: set[tuple[int, int]] = set()
    while todo:
        a, b = todo.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        if _family(a) is not _family(b):
            return False
        if type(a) in _PLAIN:
            if a != b:
                return False
            continue
        seen.add((id(a), id(b)))
        pairs = _pairs(a, b)
        if pairs is None:
            return False
        todo += pairs
    return True


def _pairs(a: Value, b: Value) -> Iterable[tuple[Value, Value]] | None:
    """What must be equal for two different values of one family to be equal; None if they cannot."""
    match a:
        case list():
            return zip(a, b, strict=True) if len(a) == len(b) else None
        case dict():
            return _field_pairs(a, b)
        case Ok() | Err():
            return [(a.value, b.value)]
        case Function():
            return _listed_pairs(a.captured, b.captured) if a.unit == b.unit else None
        case BuiltinFunction():
            return () if a.name == b.name else None
        case _:
            return () if a == b else None


def _listed_pairs(a: tuple[Value, ...], b: tuple[Value, ...]) -> Iterable[tuple[Value, Value]] | None:
    return zip(a, b, strict=True) if len(a) == len(b) else None


def _field_pairs(a: dict[str, Value], b: dict[str, Value]) -> Iterable[tuple[Value, Value]] | None:
    if a.keys() != b.keys() or _shape_name(a) != _shape_name(b):
        return None
    return [(value, b[key]) for key, value in a.items()]


def _shape_name(record: dict[str, Value]) -> str | None:
    return record.shape.name if isinstance(record, Shaped) else None


_ORDERED: Final = frozenset({int, Decimal, str})


def less(a: Value, b: Value) -> bool:
    """``a < b``: numbers by amount, texts by code points, both mixed as numbers, else false."""
    if type(a) is type(b) and type(a) in _ORDERED:
        return bool(a < b)
    pair = _comparable(a, b)
    return pair is not None and bool(pair[0] < pair[1])


def less_equal(a: Value, b: Value) -> bool:
    """``a <= b``."""
    if type(a) is type(b) and type(a) in _ORDERED:
        return bool(a <= b)
    pair = _comparable(a, b)
    return pair is not None and bool(pair[0] <= pair[1])


def greater(a: Value, b: Value) -> bool:
    """``a > b``."""
    return less(b, a)


def greater_equal(a: Value, b: Value) -> bool:
    """``a >= b``."""
    return less_equal(b, a)


def _comparable(a: Value, b: Value) -> tuple[Value, Value] | None:
    """The two as numbers or as texts; None when they have no order."""
    kinds = type(a), type(b)
    if kinds[0] in _NUMBERS:
        if kinds[1] in _NUMBERS:
            return a, b
        return (a, number_of(b)) if kinds[1] is str else None
    if kinds[0] is str:
        if kinds[1] is str:
            return a, b
        return (number_of(a), b) if kinds[1] in _NUMBERS else None
    return None


COMPARE: Final[dict[str, Callable[[Value, Value], bool]]] = {
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    "<": less,
    "<=": less_equal,
    ">": greater,
    ">=": greater_equal,
}


def compare_any(operator: str, a: Value, b: Value) -> bool:
    """Compare two values with the operator of that sign."""
    return COMPARE[operator](a, b)


# ---- operations on anything ---------------------------------------------------------------------


def add_any(a: Value, b: Value) -> Number:
    """``a + b``; both sides count as numbers."""
    return number.add(number_of(a), number_of(b))


def subtract_any(a: Value, b: Value) -> Number:
    """``a - b``."""
    return number.subtract(number_of(a), number_of(b))


def multiply_any(a: Value, b: Value) -> Number:
    """``a * b``."""
    return number.multiply(number_of(a), number_of(b))


def divide_any(a: Value, b: Value) -> Number:
    """``a / b``."""
    return number.divide(number_of(a), number_of(b))


def negate_any(a: Value) -> Number:
    """``-a``."""
    return number.negate(number_of(a))


def join_any(a: Value, b: Value) -> str:
    """``a & b``; both sides count as texts.

    Raises:
        BudgetSpent: the text would be longer than a value may be.
    """
    front, back = text_of(a), text_of(b)
    limits.admit_text(len(front) + len(back))
    return front + back
