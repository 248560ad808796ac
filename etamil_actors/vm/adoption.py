"""Values on their way from one machine to another.

Arrays, records and texts are the same on every machine. A function is not: it sees the variables
of the machine that made it, its *home*. ``adopted`` finds the functions inside a value and makes
each of them anew from the same piece of program text, with its captured values adopted in turn.
A shape belongs to a program; a record that comes from another program becomes a plain one.

Most values hold nothing of that kind, so the search comes first and leaves no trace. Values share
parts, and may be nested deeper than Python calls; hence the lists of what is still to be done, and
the notes of what has been seen.
"""

from __future__ import annotations

from decimal import Decimal

from etamil_actors.errors import Fault
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.vm.values import BuiltinFunction, Err, Function, Ok, Shaped, TwoNamed, Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from collections.abc import Collection
    from typing import Final

    from etamil_actors.vm.machine import Machine

PLAIN: Final = frozenset({int, str, bool, type(None), Decimal})
"""Kinds without parts, the same everywhere."""


def adopted(machine: Machine, value: Value) -> Value:
    """The value for this machine; the same object when nothing in it has to change.

    Raises:
        Fault: ``value.local`` for a function of another program.
    """
    if not _finds(value, machine):
        return value
    made: dict[int, Value] = {}
    todo = [value]
    while todo:
        item = todo[-1]
        parts = _parts(item)
        missing = [part for part in parts if type(part) not in PLAIN and id(part) not in made]
        if missing:
            todo += missing
            continue
        todo.pop()
        if id(item) not in made:
            changed = [part if type(part) in PLAIN else made[id(part)] for part in parts]
            made[id(item)] = _again(machine, item, parts, changed)
    return made[id(value)]


def holds_functions(value: Value) -> bool:
    """Whether another machine would have to adopt this."""
    return _finds(value, None)


def _finds(value: Value, machine: Machine | None) -> bool:
    """Whether there is something inside that is not at home on the machine; without one, a function."""
    all_plain = PLAIN.issuperset
    todo = [value]
    seen: set[int] = set()
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind is dict or kind is TwoNamed:
            parts = item.values()
        elif kind is list:
            parts = item
        elif kind is Ok or kind is Err:
            parts = (item.value,)
        elif kind is Shaped:
            if machine is not None and _is_foreign(machine, item):
                return True
            parts = item.values()
        elif kind is Function or kind is BuiltinFunction:
            if machine is None or _is_foreign(machine, item):
                return True
            continue
        else:
            continue
        if not all_plain(map(type, parts)) and id(item) not in seen:
            seen.add(id(item))
            todo += [part for part in parts if type(part) not in PLAIN]
    return False


def _parts(item: Value) -> Collection[Value]:
    kind = type(item)
    if kind is list:
        return item  # type: ignore[no-any-return]
    if isinstance(item, dict):
        return item.values()
    if kind is Function:
        return item.captured  # type: ignore[no-any-return]
    if kind is Ok or kind is Err:
        return (item.value,)
    return ()


def _is_foreign(machine: Machine, item: Value) -> bool:
    kind = type(item)
    if kind is Function or kind is BuiltinFunction:
        return item.home is not machine and item.home is not None
    return kind is Shaped and machine.image.shapes.get(item.shape.name) is not item.shape


def _again(machine: Machine, item: Value, parts: Collection[Value], changed: list[Value]) -> Value:
    """The value with these parts, at home on the machine."""
    foreign = _is_foreign(machine, item)
    if not foreign and all([old is new for old, new in zip(parts, changed, strict=True)]):
        return item
    match item:
        case list():
            return changed
        case dict():
            fields = dict(zip(item, changed, strict=True))
            if isinstance(item, TwoNamed):
                return TwoNamed(fields, item.names)
            return Shaped(fields, item.shape) if isinstance(item, Shaped) and not foreign else fields
        case Ok():
            return Ok(changed[0])
        case Err():
            return Err(changed[0])
        case BuiltinFunction():  # means the same in every program
            return machine.builtin_value(BUILTIN_OF[item.name].english)
        case Function():
            _insist_on_same_program(machine, item)
            return machine.function_of(item.unit, tuple(changed))
    return item


def _insist_on_same_program(machine: Machine, function: Function) -> None:
    if function.home is not None and function.home.image is not machine.image:
        raise Fault(
            "value.local",
            tamil="ஒரு நிரலின் செயல் வேறொரு நிரலில் இயங்காது",
            english="a function of one program cannot be used in another",
            details={"kind": "a function"},
        )
