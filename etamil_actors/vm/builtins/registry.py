"""Ties the rows of the builtin table to the functions that do the work.

A function says ``@implements("_length")`` and stands in the module of its row's group; that module
is imported when a program first uses a builtin of it, never before. ``link`` makes what compiled
code calls: a callable that takes exactly the program's arguments. What the letters of the row
promise — texts converted, arrays insisted on — is done here, in front of the function, so that a
function like ``நாள்_கூட்டு`` reads as if it were called from Python.

Linking happens for every builtin a program uses and for every machine that runs it. All that does
not depend on the machine is therefore prepared once; the machine is bound as a method's object is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import MethodType

from etamil_actors.errors import Fault, InternalError
from etamil_actors.language.builtins import BUILTIN_OF, Builtin
from etamil_actors.vm.convert import kind_of, number_of, text_of, truth
from etamil_actors.vm.number import is_whole
from etamil_actors.vm.values import BuiltinFunction, Function, Handle, Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final, TypeVar

    AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Value])

Converter = Callable[[Value], Value]

_SERVICES: Final = (
    "agents", "auth", "cache", "channels", "databases", "http", "jobs", "locks", "log", "metrics",
    "redis", "registry", "resilience", "routes", "settings", "tasks", "testing", "tracing", "web",
)  # fmt: skip
_ABSENT: Final = ("broker", "devices", "mongo", "xml")

MODULE_OF: Final = dict.fromkeys(_SERVICES, "services") | dict.fromkeys(_ABSENT, "absent")
"""The module of a group of builtins; a group that is missing here is a module itself."""


class _Implementation:
    """A function that does the work of one builtin, and what it wants besides the arguments."""

    __slots__ = ("calls", "function", "machine", "raw")

    def __init__(self, function: Callable[..., Value], machine: bool, calls: bool, raw: bool) -> None:
        self.function = function
        self.machine = machine
        self.calls = calls
        self.raw = raw


_IMPLEMENTATIONS: Final[dict[str, _Implementation]] = {}
_PREPARED: Final[dict[str, Callable[..., Value]]] = {}


def implements(
    key: str, *, machine: bool = False, calls: bool = False, raw: bool = False
) -> Callable[[AnyCallable], AnyCallable]:
    """Register a function as the builtin with this English alias.

    Args:
        key: the English alias in the table.
        machine: the first parameter is the machine.
        calls: the last parameter is the depth of calls, for a builtin that calls the function
            it is given.
        raw: the function converts its arguments itself.
    """

    def register(function: AnyCallable) -> AnyCallable:
        _IMPLEMENTATIONS[key] = _Implementation(function, machine, calls, raw)
        return function

    return register


def link(key: str, machine: Any) -> Callable[..., Value]:
    """What a program running on this machine calls for the builtin with this English alias.

    It takes the arguments of the program, whose number has been checked, and the depth of calls
    behind them when ``takes_depth(key)``.
    """
    prepared = _PREPARED.get(key) or _prepare(key)
    return MethodType(prepared, machine) if _IMPLEMENTATIONS[key].machine else prepared


def takes_depth(key: str) -> bool:
    """Does the linked builtin take the depth of calls last? Those do that are given a function,
    whether or not they call it themselves."""
    return "f" in BUILTIN_OF[key].letters


def function_value(key: str, machine: Any) -> BuiltinFunction:
    """The builtin as a value of the program."""
    builtin = BUILTIN_OF[key]
    linked = link(key, machine)
    call = linked if takes_depth(key) else _without_depth(linked)
    return BuiltinFunction(call, builtin.tamil, builtin.least, builtin.most, machine)


def tamil_name(key: str) -> str:
    """What a program calls the builtin with this English name, for messages."""
    builtin = BUILTIN_OF.get(key)
    return builtin.tamil if builtin is not None else key


def call_function(function: Value, arguments: Sequence[Value], depth: int, name: str) -> Value:
    """Call a function value on behalf of the builtin of this Tamil name.

    Raises:
        Fault: ``value.kind`` when it is no function, ``call.arguments`` when it takes another
            number of arguments.
    """
    return program_function(function, len(arguments), name)(*arguments, depth + 1)


def program_function(function: Value, arguments: int, name: str) -> Callable[..., Value]:
    """What calls a function value that is given so many arguments, and the depth, each time.

    Raises:
        Fault: as ``call_function``, once and before the first call.
    """
    if isinstance(function, Function):
        least = most = function.arity
    elif isinstance(function, BuiltinFunction):
        least, most = function.least, function.most
    else:
        raise wrong_kind(name, "செயல்", "a function", function)
    if arguments < least or 0 <= most < arguments:
        name = function.name or "செயல்"
        raise Fault("call.arguments", name=name, expected=_range(least, most), given=arguments)
    call: Callable[..., Value] = function.call
    return call


def wrong_kind(name: str, wanted_tamil: str, wanted_english: str, value: Value) -> Fault:
    """The fault of a builtin that wants another kind of value, ready to be raised."""
    return Fault(
        "value.kind", name=name, wanted_ta=wanted_tamil, wanted_en=wanted_english, kind=kind_of(value)
    )


def _range(least: int, most: int) -> str:
    """How many arguments, in words for a message."""
    if most < 0:
        return f"{least}…"
    return str(least) if least == most else f"{least}–{most}"


# ---- preparing ------------------------------------------------------------------------------------


def _implementation(key: str) -> _Implementation:
    if key not in _IMPLEMENTATIONS:
        from importlib import import_module

        group = BUILTIN_OF[key].group
        import_module(f"etamil_actors.vm.builtins.{MODULE_OF.get(group, group)}")
    try:
        return _IMPLEMENTATIONS[key]
    except KeyError:
        raise InternalError(f"no function implements the builtin {key}") from None


def _prepare(key: str) -> Callable[..., Value]:
    """The function with the conversions of its row in front of it."""
    implementation = _implementation(key)
    builtin = BUILTIN_OF[key]
    prepared = implementation.function
    if not implementation.raw and builtin.letters.strip("v"):
        prepared = _converting(implementation, builtin)
    if takes_depth(key) and not implementation.calls:
        prepared = _without_depth(prepared)
    _PREPARED[key] = prepared
    return prepared


def _converting(implementation: _Implementation, builtin: Builtin) -> Callable[..., Value]:
    function = implementation.function
    converters = [_CONVERTERS[letter](builtin.tamil) for letter in builtin.letters]
    if implementation.machine:
        converters.insert(0, _as_it_is)
    if builtin.most < 0:
        return _converting_many(function, converters)
    if implementation.calls:
        assert builtin.least == builtin.most, "the depth has no place behind arguments that may be missing"
        converters.append(_as_it_is)
    if builtin.least == builtin.most:
        match converters:
            case [first]:
                return lambda a: function(first(a))
            case [first, second]:
                return lambda a, b: function(first(a), second(b))
            case [first, second, third]:
                return lambda a, b, c: function(first(a), second(b), third(c))
    return lambda *values: function(*[convert(v) for convert, v in zip(converters, values, strict=False)])


def _converting_many(function: Callable[..., Value], converters: list[Converter]) -> Callable[..., Value]:
    """The last converter stands for all arguments that are left."""
    *first, last = converters

    def call(*values: Value) -> Value:
        front = [convert(value) for convert, value in zip(first, values, strict=False)]
        return function(*front, *[last(value) for value in values[len(first) :]])

    return call


def _without_depth(linked: Callable[..., Value]) -> Callable[..., Value]:
    return lambda *arguments: linked(*arguments[:-1])


# ---- what the letters stand for -----------------------------------------------------------------


def _as_it_is(value: Value) -> Value:
    return value


def _array(name: str) -> Converter:
    def convert(value: Value) -> Value:
        if type(value) is list:
            return value
        raise wrong_kind(name, "அணி", "an array", value)

    return convert


def _record(name: str) -> Converter:
    def convert(value: Value) -> Value:
        if isinstance(value, dict):
            return value
        raise wrong_kind(name, "பொருள்", "a record", value)

    return convert


def _whole(name: str) -> Converter:
    def convert(value: Value) -> Value:
        if type(value) is int:
            return value
        if type(value) is Decimal and is_whole(value):
            return int(value)
        raise wrong_kind(name, "முழு எண்", "a whole number", value)

    return convert


def _function(name: str) -> Converter:
    def convert(value: Value) -> Value:
        if isinstance(value, Function | BuiltinFunction):
            return value
        raise wrong_kind(name, "செயல்", "a function", value)

    return convert


def _handle(name: str) -> Converter:
    def convert(value: Value) -> Value:
        if isinstance(value, Handle):
            return value
        raise wrong_kind(name, "கைப்பிடி", "a handle", value)

    return convert


_CONVERTERS: Final[dict[str, Callable[[str], Converter]]] = {
    "v": lambda _name: _as_it_is,
    "t": lambda _name: text_of,
    "n": lambda _name: number_of,
    "b": lambda _name: truth,
    "a": _array,
    "r": _record,
    "w": _whole,
    "f": _function,
    "c": _handle,
}
