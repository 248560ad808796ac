"""The operations that compiled code calls by name.

Each does for *any* operands exactly what the reference says, or raises a ``Fault``. Compiled code
uses them where it does not know enough, and behind every bare Python operation that it tried first
(``language/compiler/expressions.py``). ``NAMES`` is everything that generated code can name: it
runs with no builtins of Python at all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from etamil_actors.errors import Fault, ProgramEnd
from etamil_actors.vm import convert, number, text
from etamil_actors.vm.limits import ELEMENTS, VALUE_BYTES, too_large
from etamil_actors.vm.values import (
    UNSET,
    BuiltinFunction,
    Err,
    FieldInfo,
    Function,
    Handle,
    Ok,
    Shaped,
    ShapeInfo,
    TwoNamed,
    Value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final, NoReturn


class Propagate(Exception):
    """A ``?`` met a தவறு: leave the function with it, or go to the nearest பிழை."""

    def __init__(self, result: Err) -> None:
        super().__init__()
        self.result = result


def _alone() -> int:
    """What ``getrefcount`` answers for a value that only one variable holds.

    Asked from compiled code of the same form, because CPython versions count differently.
    """
    held: list[Value] = []
    return sys.getrefcount(held)


# ---- numbers and texts ----------------------------------------------------------------


def fit(whole: int) -> int:
    """A whole number, if it is one of the language."""
    return number.check(whole)


_FOLD: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "+": convert.add_any,
    "-": convert.subtract_any,
    "*": convert.multiply_any,
    "/": convert.divide_any,
    "&": convert.join_any,
}


def folded(operators: str, operands: Sequence[Value]) -> Value:
    """A long chain of operations, from the left."""
    value = operands[0]
    place = 0
    while place < len(operators):
        if operators[place] == "&":
            end = place
            while end < len(operators) and operators[end] == "&":
                end += 1
            value = joined(value, *operands[place + 1 : end + 1])
            place = end
        else:
            value = _FOLD[operators[place]](value, operands[place + 1])
            place += 1
    return value


def joined(*parts: Value) -> str:
    """``a & b & c``."""
    made = "".join([part if type(part) is str else convert.text_of(part) for part in parts])
    if len(made) > VALUE_BYTES:
        raise too_large()
    return made


def too_long(_text: str) -> NoReturn:
    """A text outgrew the budget."""
    raise too_large()


# ---- parts of values ------------------------------------------------------------------


def index_any(target: Value, index: Value) -> Value:
    """``target[index]``."""
    if isinstance(target, dict):
        key = index if type(index) is str else convert.text_of(index)
        try:
            return target[key]
        except KeyError:
            raise Fault("record.missing_key", key=key) from None
    if type(target) is list:
        return target[position(index, len(target))]
    if type(target) is str:
        place = whole_index(index)
        if place < 0:
            raise Fault("index.range", index=place, length=text.length(target))
        return text.letter_at(target, place)
    raise Fault("index.kind", kind=convert.kind_of(target))


def position(index: Value, length: int) -> int:
    """An index as a place inside something of that length."""
    whole = whole_index(index)
    if whole < 0 or whole >= length:
        raise Fault("index.range", index=whole, length=length)
    return whole


def whole_index(index: Value) -> int:
    """An index as a whole number."""
    whole = convert.number_of(index)
    if type(whole) is not int:
        if not number.is_whole(whole):
            raise Fault("index.not_whole", index=number.number_text(whole))
        whole = int(whole)
    return whole


def field_any(target: Value, name: str) -> Value:
    """``target.name``."""
    if isinstance(target, dict):
        try:
            return target[name]
        except KeyError:
            raise Fault("record.missing_key", key=name) from None
    fields = getattr(target, "fields", None) if isinstance(target, Handle) else None
    if fields is not None:
        return field_any(fields, name)
    raise Fault("record.kind", kind=convert.kind_of(target), field=name)


def set_index(target: Value, index: Value, value: Value) -> Value:
    """The value after ``target[index] = value``; the old one stays as it was."""
    if isinstance(target, dict):
        return _with_field(target, index if type(index) is str else convert.text_of(index), value)
    if type(target) is list:
        place = position(index, len(target))
        changed = target.copy()
        changed[place] = value
        return changed
    if type(target) is str:
        raise Fault("index.text_fixed")
    raise Fault("index.kind", kind=convert.kind_of(target))


def set_field(target: Value, name: str, value: Value) -> Value:
    """The value after ``target.name = value``."""
    if isinstance(target, dict):
        return _with_field(target, name, value)
    raise Fault("record.kind", kind=convert.kind_of(target), field=name)


def _with_field(record: dict[str, Value], name: str, value: Value) -> Value:
    if isinstance(record, Shaped):
        info = record.shape.fields.get(name)
        if info is None:
            raise _misfit(record.shape, f"‘{name}’ என்ற புலம் வடிவத்தில் இல்லை", f"it has no field ‘{name}’")
        _insist(record.shape, info, value)
    changed = record.copy()
    if isinstance(changed, TwoNamed):
        name = changed.key_for(name)
    changed[name] = value
    if len(changed) > ELEMENTS:
        raise too_large()
    return changed


def first_keys(names: Sequence[str], values: Sequence[Value]) -> dict[str, Value]:
    """A record literal that repeats a key: the first counts."""
    record: dict[str, Value] = {}
    for name, value in zip(names, values, strict=True):
        record.setdefault(name, value)
    return record


# ---- shapes ---------------------------------------------------------------------------

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "Number": (int, Decimal),
    "Text": (str, int, Decimal),
    "Date": (str, int, Decimal),
    "Boolean": (bool,),
    "Array": (list,),
    "Function": (Function, BuiltinFunction),
}
TYPE_WORDS: Final = {
    "Number": ("எண்", "a number"),
    "Text": ("உரை", "a text"),
    "Date": ("தேதி", "a date"),
    "Boolean": ("ஈர்ம", "a boolean"),
    "Array": ("அணி", "an array"),
    "Record": ("பொருள்", "a record"),
    "Function": ("செயல்", "a function"),
}


def does_fit(info: FieldInfo, value: Value) -> bool:
    """Whether a value may stand where this type is declared. இன்மை always may."""
    if value is None or not info.kind:
        return True
    if info.kind == "Shape":
        return isinstance(value, Shaped) and value.shape.name == info.shape
    if info.kind == "Record":
        return isinstance(value, dict)
    return type(value) in _KINDS[info.kind]


def _insist(shape: ShapeInfo, info: FieldInfo, value: Value) -> None:
    if does_fit(info, value):
        return
    tamil, english = TYPE_WORDS.get(info.kind, (info.shape, info.shape))
    kind = convert.kind_of(value)
    raise _misfit(
        shape,
        f"புலம் ‘{info.name}’ {tamil} வகையாக இருக்க வேண்டும்; {kind} கிடைத்தது",
        f"the field ‘{info.name}’ must be {english}, not {kind}",
    )


def _misfit(shape: ShapeInfo, tamil: str, english: str) -> Fault:
    return Fault("shape.field", shape=shape.name, problem_ta=tamil, problem_en=english)


def shape_literal(shape: ShapeInfo, fields: dict[str, Value]) -> Shaped:
    """``Shape{…}``."""
    for name, info in shape.fields.items():
        if name not in fields:
            if not info.optional:
                raise _misfit(shape, f"புலம் ‘{name}’ இல்லை", f"the field ‘{name}’ is missing")
            fields[name] = None
        elif not does_fit(info, fields[name]):
            _insist(shape, info, fields[name])
    if len(fields) != len(shape.fields):
        extra = next(name for name in fields if name not in shape.fields)
        raise _misfit(shape, f"‘{extra}’ என்ற புலம் வடிவத்தில் இல்லை", f"it has no field ‘{extra}’")
    return Shaped(fields, shape)


def shape_from(shape: ShapeInfo, base: Value, fields: dict[str, Value]) -> Shaped:
    """``Shape{…, ..base}``."""
    if not isinstance(base, Shaped) or base.shape.name != shape.name:
        kind = convert.kind_of(base)
        raise _misfit(
            shape, f"‘..’-க்குப் பின் இதே வடிவம் தேவை; {kind} கிடைத்தது", f"‘..’ wants the same shape, not {kind}"
        )
    return shape_literal(shape, {**{n: v for n, v in base.items() if n not in fields}, **fields})


def shape_convert(shape: ShapeInfo, value: Value) -> Ok | Err:
    """``Shape(record)``."""
    if isinstance(value, Shaped):
        if value.shape.name == shape.name:
            return Ok(value)
        return _refused(shape, f"இது ‘{value.shape.name}’ வடிவம்", f"it is a ‘{value.shape.name}’")
    if not isinstance(value, dict):
        kind = convert.kind_of(value)
        return _refused(shape, f"பொருள் தேவை; {kind} கிடைத்தது", f"a record is wanted, not {kind}")
    try:
        return Ok(shape_literal(shape, dict(value)))
    except Fault as fault:
        return Err(fault.message)


def _refused(shape: ShapeInfo, tamil: str, english: str) -> Err:
    return Err(_misfit(shape, tamil, english).message)


# ---- results --------------------------------------------------------------------------


def question(value: Value) -> NoReturn:
    """``?`` on anything but a சரி."""
    if type(value) is Err:
        raise Propagate(value)
    raise Fault("result.kind", kind=convert.kind_of(value))


# ---- calls ----------------------------------------------------------------------------


def wrong_count(name: str, expected: str, arguments: Sequence[Value]) -> NoReturn:
    """A call with a number of arguments that the function does not take."""
    raise Fault("call.arguments", name=name, expected=expected, given=len(arguments))


def call_value(value: Value, arguments: Sequence[Value], depth: int, name: str) -> Value:
    """Call something that should be a function."""
    if type(value) is Function:
        if value.arity != len(arguments):
            wrong_count(value.name or name or "செயல்", str(value.arity), arguments)
        return value.call(*arguments, depth)
    if type(value) is BuiltinFunction:
        if len(arguments) < value.least or (0 <= value.most < len(arguments)):
            wrong_count(value.name, str(value.least), arguments)
        return value.call(*arguments, depth)
    raise Fault("call.not_function", kind=convert.kind_of(value))


def call_variable(value: Value, fallback: Value, arguments: Sequence[Value], depth: int, name: str) -> Value:
    """Call by a name that a variable and something else of the program share."""
    if isinstance(value, (Function, BuiltinFunction)):
        return call_value(value, arguments, depth, name)
    if isinstance(fallback, ShapeInfo):
        return shape_convert(fallback, arguments[0])
    return call_value(fallback, arguments, depth, name)


def return_outside() -> NoReturn:
    """``திரும்பு`` at the top level."""
    raise Fault("return.outside")


def not_provided(name: str) -> NoReturn:
    """A statement that no runtime of the language provides."""
    raise Fault("not_provided", name=name)


# ---- walking --------------------------------------------------------------------------


def iterate(collection: Value) -> Iterable[Value]:
    """What ஒவ்வொரு walks through."""
    if type(collection) is list:
        return collection
    if isinstance(collection, dict):
        return sorted(collection)
    if type(collection) is str:
        return text.letters(collection)
    raise Fault("loop.kind", kind=convert.kind_of(collection))


def finish(turns: Any) -> None:
    """The loop has been left: whoever gave the turns may put things in order."""
    close = getattr(turns, "close", None)
    if close is not None:
        close()


NAMES: Final[dict[str, object]] = {
    "__builtins__": {},
    "__name__": "etamil",
    "WARMTH": (None,) * 16,
    "ALONE": _alone(),
    "ELEMENTS": ELEMENTS,
    "LETTERS": VALUE_BYTES,
    "UNSET": UNSET,
    "Ok": Ok,
    "Function": Function,
    "Propagate": Propagate,
    "Speculation": (ArithmeticError, TypeError, LookupError),
    "Exception_": Exception,
    "NameError_": NameError,
    "ProgramEnd_": ProgramEnd,
    "add": number.add,
    "subtract": number.subtract,
    "multiply": number.multiply,
    "divide": number.divide,
    "add_any": convert.add_any,
    "subtract_any": convert.subtract_any,
    "multiply_any": convert.multiply_any,
    "divide_any": convert.divide_any,
    "joined": joined,
    "folded": folded,
    "fit": fit,
    "too_long": too_long,
    "equal": convert.equal,
    "less": convert.less,
    "less_equal": convert.less_equal,
    "greater": convert.greater,
    "greater_equal": convert.greater_equal,
    "index_any": index_any,
    "field_any": field_any,
    "set_index": set_index,
    "set_field": set_field,
    "first_keys": first_keys,
    "shape_literal": shape_literal,
    "shape_from": shape_from,
    "shape_convert": shape_convert,
    "question": question,
    "wrong_count": wrong_count,
    "return_outside": return_outside,
    "not_provided": not_provided,
}
"""What generated code can name, apart from its own functions and what the machine gives it."""
