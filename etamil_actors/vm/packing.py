"""Values as bytes, for what leaves the process or outlives it, and back without loss.

Most messages are plain: texts, whole numbers, truth values, nothing, and arrays and records of those.
They are MessagePack as it is. Every other value is written flat, in the order in which one would say
it — "an array of two: a decimal, a record of the shape …" — so that no depth of nesting is too deep:

```
[d(1.50), "a"]   →   array·2  decimal·"1.50"  "a"
```

A handle can go along when it has a name that means something elsewhere (``global_name``); a function of
the program goes by its name, a lambda by its number in the program together with what it captured and
the fingerprint of the program's code, for in another version of the program the number may stand for
something else. What these names mean where the value is read, ``Meanings`` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from types import CodeType
from weakref import WeakKeyDictionary

from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder, Ext

from etamil_actors.errors import Fault
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.program import Program, digest
from etamil_actors.vm.convert import kind_of
from etamil_actors.vm.values import (
    UNSET,
    BuiltinFunction,
    Err,
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

    from etamil_actors.vm.machine import Image, Machine

MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest value that can be sent, packed."""

MOST_PARTS: Final = 1_000_000
"""Texts, numbers, arrays … that one value may consist of. Parts that are shared count each time."""

_PLAIN, _FLAT = b"p", b"f"

_TRACED = b"t"
"""Before a packed value: the trace context of whoever sent it, as long as ``traceparent`` is."""
TRACE_LENGTH: Final = 55

_DECIMAL, _LARGE, _ARRAY, _RECORD, _SHAPED, _TWO_NAMED, _OK, _ERR = range(8)
_HANDLE, _FUNCTION, _LAMBDA, _BUILTIN, _UNSET = range(8, 13)

_LEAST, _MOST = -(2**63), 2**63 - 1
_PLAIN_DEPTH = 50
_PLAIN_PARTS = 10_000

_encode = Encoder().encode
_decode = Decoder().decode


class Meanings:
    """What names mean where packed values are read. This one knows no program.

    Whatever a name does not mean here is ``None``.
    """

    fingerprint: bytes = b""
    """That of the program; lambdas of another one are refused."""

    def shape(self, name: str) -> ShapeInfo | None:
        """The shape of this name; a record of a shape that is not known becomes a plain one."""
        return ShapeInfo(name, {})

    def handle(self, kind: str, name: str) -> Value:
        """What has this ``global_name``."""
        return None

    def function(self, name: str, arity: int) -> Function | None:
        """The program's function or agent of this name."""
        return None

    def closure(self, unit: int, captured: tuple[Value, ...]) -> Function | None:
        """The lambda or body of this number in the program, with what it captured."""
        return None

    def builtin(self, name: str) -> BuiltinFunction | None:
        """The builtin with this Tamil name."""
        return None


NOTHING_KNOWN: Final = Meanings()

LATER: Final = Meanings()
"""What names mean is known only to whoever takes a value, and unpacks it then."""


class MachineMeanings(Meanings):
    """What names mean to the program that a machine runs. Functions are at home on the machine."""

    def __init__(self, machine: Machine, handle: Callable[[str, str], Value] | None = None) -> None:
        self._machine = machine
        self._handle = handle
        self.fingerprint = fingerprint_of_image(machine.image)

    def handle(self, kind: str, name: str) -> Value:
        """See ``Meanings``."""
        return self._handle(kind, name) if self._handle is not None else None

    def shape(self, name: str) -> ShapeInfo | None:
        """See ``Meanings``."""
        return self._machine.image.shapes.get(name)

    def function(self, name: str, arity: int) -> Function | None:
        """See ``Meanings``."""
        function = self._machine.functions.get(name)
        if function is None and name in self._machine.image.agents:
            function = self._machine.function_of(self._machine.image.agents[name].unit)
        return function if function is not None and function.arity == arity else None

    def closure(self, unit: int, captured: tuple[Value, ...]) -> Function | None:
        """See ``Meanings``."""
        return self._machine.function_of(unit, captured)

    def builtin(self, name: str) -> BuiltinFunction | None:
        """See ``Meanings``."""
        known = BUILTIN_OF.get(name)
        return self._machine.builtin_value(known.english) if known is not None else None


# ── packing ─────────────────────────────────────────────────────────────────────────────────────


def packed(value: Value) -> bytes:
    """A value as bytes that ``unpacked`` reads.

    Raises:
        Fault: ``value.local``, something in it has no meaning outside of this process; ``validation``,
            it is too large.
    """
    if _is_plain(value):
        return _fitting(_PLAIN + _encode(value))
    tokens: list[Any] = []
    left: list[Value] = [value]
    while left:
        if len(tokens) + len(left) > MOST_PARTS:
            _too_large()
        token, parts = _told(left.pop())
        tokens.append(token)
        left.extend(reversed(parts))
    return _fitting(_FLAT + _encode(tokens))


def with_trace(data: bytes, trace: str) -> bytes:
    """The same packed value with a trace context in front; without one, as it is."""
    return data if len(trace) != TRACE_LENGTH or not trace.isascii() else _TRACED + trace.encode() + data


def trace_of(data: bytes) -> str:
    """The trace context in front of a packed value, or nothing."""
    return data[1 : 1 + TRACE_LENGTH].decode("ascii", "replace") if data[:1] == _TRACED else ""


def _fitting(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        _too_large()
    return data


def _too_large() -> NoReturn:
    raise Fault(
        "validation",
        problem_ta="இந்த மதிப்பு அனுப்ப முடியாத அளவுக்குப் பெரியது",
        problem_en="this value is too large to be sent",
    )


def _is_plain(value: Value) -> bool:
    """Can MessagePack carry it as it is? Large and deep values are not looked through to the end."""
    left: list[tuple[Value, int]] = [(value, 0)]
    parts = 0
    while left:
        value, depth = left.pop()
        kind = type(value)
        if kind is str or kind is bool or value is None:
            continue
        if kind is int:
            if not _LEAST <= value <= _MOST:
                return False
            continue
        if kind is not list and kind is not dict:
            return False
        parts += len(value)
        if depth == _PLAIN_DEPTH or parts > _PLAIN_PARTS:
            return False
        depth += 1
        left.extend([(part, depth) for part in (value if kind is list else value.values())])
    return True


_NO_PARTS: tuple[Value, ...] = ()


def _told(value: Value) -> tuple[Any, list[Value] | tuple[Value, ...]]:
    """The token of a value, and the parts that come after it."""
    match value:
        case bool() | str() | None:
            return value, _NO_PARTS
        case int():
            if _LEAST <= value <= _MOST:
                return value, _NO_PARTS
            return Ext(_LARGE, b"%d" % value), _NO_PARTS
        case Decimal():
            return Ext(_DECIMAL, str(value).encode()), _NO_PARTS
        case list():
            return Ext(_ARRAY, b"%d" % len(value)), value
        case Shaped():
            return Ext(_SHAPED, _encode([value.shape.name, len(value)])), _fields(value)
        case TwoNamed():
            return Ext(_TWO_NAMED, _encode([dict(value.names), len(value)])), _fields(value)
        case dict():
            return Ext(_RECORD, b"%d" % len(value)), _fields(value)
        case Ok():
            return Ext(_OK, b""), (value.value,)
        case Err():
            return Ext(_ERR, b""), (value.value,)
        case Function():
            return _told_function(value)
        case BuiltinFunction():
            return Ext(_BUILTIN, value.name.encode()), _NO_PARTS
        case Handle():
            name = getattr(value, "global_name", None)
            if name is None:
                raise Fault("value.local", kind=value.kind)
            return Ext(_HANDLE, _encode(name)), _NO_PARTS
    if value is UNSET:
        return Ext(_UNSET, b""), _NO_PARTS
    raise Fault("value.local", kind=kind_of(value))


def _fields(record: dict[str, Value]) -> list[Value]:
    return [part for field in record.items() for part in field]


def _told_function(function: Function) -> tuple[Any, tuple[Value, ...]]:
    if function.home is None:  # made by the runtime, around something of this process
        raise Fault("value.local", kind="a function")
    if function.name:
        return Ext(_FUNCTION, _encode([function.name, function.arity])), _NO_PARTS
    captured = function.captured
    program = fingerprint_of_image(function.home.image)
    return Ext(_LAMBDA, _encode([function.unit, program, len(captured)])), captured


# ── unpacking ───────────────────────────────────────────────────────────────────────────────────


def unpacked(data: bytes, meanings: Meanings = NOTHING_KNOWN) -> Value:
    """The value that ``packed`` made these bytes of.

    Raises:
        Fault: ``validation``, something in it means nothing here, or these bytes are no value.
    """
    start = 1 + TRACE_LENGTH if data[:1] == _TRACED else 0
    lead = data[start : start + 1]
    try:
        body = _decode(memoryview(data)[start + 1 :])
        if lead == _PLAIN:
            return body
        if lead == _FLAT:
            return _rebuilt(body, meanings)
    except (MsgspecError, LookupError, ValueError, TypeError, ArithmeticError, RecursionError):
        pass  # told below: whatever these bytes are, they are not what we wrote
    raise Fault(
        "validation",
        problem_ta="சேமித்த மதிப்பைப் படிக்க முடியவில்லை",
        problem_en="the kept value cannot be read",
    )


def _rebuilt(tokens: list[Any], meanings: Meanings) -> Value:
    """From the last token to the first: the parts of a thing are there before the thing itself."""
    made: list[Value] = []
    for token in reversed(tokens):
        made.append(_made(token, made, meanings) if type(token) is Ext else token)
    (value,) = made
    return value


def _made(token: Any, made: list[Value], meanings: Meanings) -> Value:
    data = bytes(token.data)
    match token.code:
        case 0:
            return Decimal(data.decode())
        case 1:
            return int(data)
        case 2:
            return _parts(made, int(data))
        case 3:
            return _record(made, int(data))
        case 4:
            name, count = _decode(data)
            shape, record = meanings.shape(name), _record(made, count)
            return Shaped(record, shape) if shape is not None else record
        case 5:
            names, count = _decode(data)
            return TwoNamed(_record(made, count), names)
        case 6:
            return Ok(made.pop())
        case 7:
            return Err(made.pop())
        case 8:
            kind, name = _decode(data)
            handle = meanings.handle(kind, name)
            return handle if handle is not None else _unknown("கைப்பிடி", "handle", name)
        case 9:
            name, arity = _decode(data)
            function = meanings.function(name, arity)
            return function if function is not None else _unknown("செயல்", "function", name)
        case 10:
            unit, program, count = _decode(data)
            return _closure(unit, program, tuple(_parts(made, count)), meanings)
        case 11:
            builtin = meanings.builtin(data.decode())
            return builtin if builtin is not None else _unknown("செயல்", "function", data.decode())
        case 12:
            return UNSET
    raise ValueError(token.code)


def _parts(made: list[Value], count: int) -> list[Value]:
    if not count:
        return []
    if count > len(made):
        raise ValueError(count)
    parts = made[-count:]
    del made[-count:]
    parts.reverse()
    return parts


def _record(made: list[Value], count: int) -> dict[str, Value]:
    parts: Iterator[Value] = iter(_parts(made, 2 * count))
    return dict(zip(parts, parts, strict=True))


def _closure(unit: int, program: bytes, captured: tuple[Value, ...], meanings: Meanings) -> Function:
    function = meanings.closure(unit, captured) if program == meanings.fingerprint else None
    if function is None:
        raise Fault(
            "validation",
            problem_ta="இந்தச் செயல் நிரலின் வேறு பதிப்பைச் சேர்ந்தது; இங்கே இயக்க முடியாது",
            problem_en="this function belongs to another version of the program and cannot run here",
        )
    return function


def _unknown(tamil: str, english: str, name: str) -> NoReturn:
    raise Fault(
        "validation",
        problem_ta=f"இங்கே ‘{name}’ என்ற {tamil} இல்லை",
        problem_en=f"there is no {english} ‘{name}’ here",
    )


# ── which program ───────────────────────────────────────────────────────────────────────────────


_KNOWN: WeakKeyDictionary[Image, bytes] = WeakKeyDictionary()


def fingerprint_of_image(image: Image) -> bytes:
    """The fingerprint of the program that was made ready here, found once."""
    known = _KNOWN.get(image)
    if known is None:
        known = _KNOWN[image] = fingerprint_of(image.program)
    return known


def fingerprint_of(program: Program) -> bytes:
    """What tells this version of a program from another.

    It is made of instructions and constants, not of places, so comments and empty lines may change.
    """
    return _of_code(program.code)


def _of_code(code: CodeType) -> bytes:
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    said = [repr(part) for part in (*names, code.co_argcount, code.co_code, code.co_exceptiontable)]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            said.append(_of_code(constant).hex())
        elif isinstance(constant, frozenset):  # in the same order in every process
            said.append(repr(sorted(map(repr, constant))))
        else:
            said.append(repr(constant))
    return digest("\0".join(said).encode("utf-8", "surrogatepass"))
