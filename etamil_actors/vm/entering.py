"""Data that enters a program where its type is written down: messages of agents, bodies of requests.

Inside a program types are a promise of its author; at its border they are checked to the last element.
A record that comes for a shape becomes one of that shape, nested ones too. இன்மை fits only where the type
is marked with ``?``. Every wrong part is told by its way from the outside: ``பொருட்கள்[2].விலை``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from etamil_actors.errors import KIND_IN_TAMIL, Fault
from etamil_actors.vm.convert import kind_of
from etamil_actors.vm.operations import TYPE_WORDS, does_fit
from etamil_actors.vm.values import FieldInfo, Shaped, ShapeInfo, Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, NamedTuple
else:
    from etamil_actors.rows import NamedTuple

PLAIN = frozenset({int, str, bool, Decimal})


class Misfit(NamedTuple):
    """One part of what came that is not of its type."""

    way: str
    tamil: str
    english: str


def entered(info: FieldInfo, value: Value, shapes: Mapping[str, ShapeInfo]) -> Value:
    """The value as the program gets it.

    Raises:
        Fault: ``validation``; its details have the misfits, under ``fields``.
    """
    if type(value) in PLAIN and info.element is None and does_fit(info, value):
        return value
    misfits: list[Misfit] = []
    try:
        made = _enter(info, value, shapes, info.name, misfits)
    except RecursionError:  # only a shape that has fields of its own kind can be followed so far
        raise Fault(
            "validation",
            problem_ta="மதிப்பு மிக ஆழமாகப் பொதிந்துள்ளது",
            problem_en="the value is nested too deeply",
        ) from None
    if misfits:
        raise refusal(misfits)
    return made


def refusal(misfits: list[Misfit]) -> Fault:
    """The error that tells the misfits, the first hundred when they are many: an answer is not to be
    many times as large as what was sent.
    """
    return Fault(
        "validation",
        tamil="; ".join(f"‘{one.way}’: {one.tamil}" for one in misfits[:_SHOWN]),
        english="; ".join(f"‘{one.way}’: {one.english}" for one in misfits[:_SHOWN]),
        details={"fields": {one.way: f"{one.tamil}  ({one.english})" for one in misfits[:_TOLD]}},
    )


_SHOWN, _TOLD = 3, 100


def _enter(
    info: FieldInfo, value: Value, shapes: Mapping[str, ShapeInfo], way: Way, misfits: list[Misfit]
) -> Value:
    if not info.kind or (value is None and info.optional):
        return value
    if value is None:
        misfits.append(Misfit(_told(way), "மதிப்பு இல்லை", "it is missing"))
        return None
    if info.kind == "Shape":
        shape = shapes.get(info.shape)
        if shape is not None and isinstance(value, dict):
            return _enter_shape(shape, value, shapes, way, misfits)
    elif does_fit(info, value):
        element = info.element
        if element is None:
            return value
        if isinstance(value, list):
            return [_enter(element, item, shapes, (way, place), misfits) for place, item in enumerate(value)]
        return {key: _enter(element, item, shapes, (way, key), misfits) for key, item in value.items()}
    tamil, english = TYPE_WORDS.get(info.kind, (info.shape, info.shape))
    kind = kind_of(value)
    kind_ta = KIND_IN_TAMIL.get(kind, kind)
    misfits.append(
        Misfit(_told(way), f"{tamil} தேவை; {kind_ta} கிடைத்தது", f"{english} is wanted, not {kind}")
    )
    return value


def _enter_shape(
    shape: ShapeInfo,
    record: dict[str, Value],
    shapes: Mapping[str, ShapeInfo],
    way: Way,
    misfits: list[Misfit],
) -> Value:
    # Where types decide whether values fit, what was right once is right the next time.
    if shape.deep is not None and (*record, *map(type, record.values())) in shape.entered:
        made = Shaped(record, shape)
        for info in shape.deep:
            made[info.name] = _enter(info, record[info.name], shapes, (way, info.name), misfits)
        return made
    wrong = len(misfits)
    fields: dict[str, Value] = {
        name: _enter(info, record.get(name), shapes, (way, name), misfits)
        for name, info in shape.fields.items()
    }
    if len(record) > len(fields) or record.keys() != fields.keys():
        _look_for_others(shape, record, way, misfits)
    elif len(misfits) == wrong:
        _learn(shape, record)
    return Shaped(fields, shape)


def _learn(shape: ShapeInfo, record: dict[str, Value]) -> None:
    if shape.deep is None:
        shape.deep = [
            info for info in shape.fields.values() if info.kind not in _BY_TYPE or info.element is not None
        ]
    if len(shape.entered) < _LEARNT and list(record) == list(shape.fields):
        shape.entered.add((*record, *map(type, record.values())))


_BY_TYPE = frozenset(("", "Number", "Text", "Boolean", "Date"))
_LEARNT = 64


def _look_for_others(
    shape: ShapeInfo, record: dict[str, Value], way: Way, misfits: list[Misfit]
) -> None:
    for name in record:
        if name not in shape.fields:
            tamil, english = f"‘{shape.name}’ வடிவத்தில் இந்தப் புலம் இல்லை", f"‘{shape.name}’ has no such field"
            misfits.append(Misfit(_told((way, name)), tamil, english))


if TYPE_CHECKING:
    Way = tuple[Any, str | int] | str
"""Where a part stands: in which other, by name or number. Made into text only when it is told."""


def _told(way: Way) -> str:
    if isinstance(way, str):
        return way
    outer, step = _told(way[0]), way[1]
    if isinstance(step, int):
        return f"{outer}[{step}]"
    return f"{outer}.{step}" if outer else step
