"""The values of a program, as Python objects.

=========  ==============================================================================
number     ``int`` when the scale is 0, else ``decimal.Decimal`` whose exponent is −scale
text       ``str`` (never with lone surrogates)
boolean    ``bool`` — never mistaken for a number: ask ``type(v) is int``, not ``isinstance``
array      ``list``
record     ``dict`` with text keys; of a shape: ``Shaped``; made by the runtime: ``TwoNamed``
result     ``Ok`` or ``Err``
function   ``Function`` (of the program) or ``BuiltinFunction``
nothing    ``None``
handle     a child of ``Handle``
=========  ==============================================================================

Lists and dicts are *never* changed by a builtin: value semantics rests on the rule that only
compiled code changes one in place, and only when nothing else refers to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final

    from etamil_actors.vm.machine import Machine

    Value = Any
    """A value of a program. ``Any``, because every operation decides by kind at run time."""
else:
    Value = object

Number = int | Decimal


class _Unset:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()
"""Stands where a name has no value yet; never visible to a program."""


class Ok:
    """``சரி(value)``."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Ok({self.value!r})"


class Err:
    """``தவறு(value)``."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Err({self.value!r})"

    def __bool__(self) -> bool:
        """False, so that the truth of every value in Python is its truth in the language."""
        return False


class FieldInfo:
    """A field of a shape at run time. ``kind`` is a ``TypeName.kind`` or "" for untyped."""

    __slots__ = ("element", "kind", "name", "optional", "shape")

    def __init__(
        self, name: str, kind: str, shape: str, optional: bool, element: FieldInfo | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self.shape = shape
        self.optional = optional
        self.element = element


class ShapeInfo:
    """A shape at run time: its name, fields in order, and methods by name."""

    __slots__ = ("deep", "entered", "fields", "methods", "name")

    def __init__(self, name: str, fields: Mapping[str, FieldInfo]) -> None:
        self.name = name
        self.fields = fields
        self.methods: dict[str, Function] = {}
        self.entered: set[tuple[str | type, ...]] = set()
        """Names and types of records that have come for this shape and were right (``entering.py``)."""
        self.deep: list[FieldInfo] | None = None
        """Fields that have to be looked at all the same; found out by the first that is right."""


class Shaped(dict[str, Value]):
    """A record that remembers its shape."""

    __slots__ = ("shape",)

    shape: ShapeInfo

    def __init__(self, fields: Mapping[str, Value], shape: ShapeInfo) -> None:
        super().__init__(fields)
        self.shape = shape

    def copy(self) -> Shaped:
        """A shallow copy of the same shape."""
        return Shaped(self, self.shape)


class LateNames(dict[str, str]):
    """Second names of a record that has fields besides which are made when they are first read, because
    reading them has consequences. Until then they are not there for anything else."""

    __slots__ = ("late",)

    def __init__(self, names: Mapping[str, str], late: Mapping[str, Callable[[], Value]]) -> None:
        super().__init__(names)
        self.late = late


class TwoNamed(dict[str, Value]):
    """A record that the runtime made: keys are English, and Tamil names read the same fields."""

    __slots__ = ("names",)

    def __init__(self, fields: Mapping[str, Value], names: Mapping[str, str]) -> None:
        super().__init__(fields)
        self.names = names
        """Tamil name → English key."""

    def __missing__(self, key: str) -> Value:
        names = self.names
        english = names.get(key)
        if english is None and type(names) is LateNames and key in names.late:
            self[key] = value = names.late[key]()
            return value
        if english is None or english not in self:
            raise KeyError(key)
        return self[english]

    def copy(self) -> TwoNamed:
        """A shallow copy with the same second names."""
        return TwoNamed(self, self.names)

    def key_for(self, key: str) -> str:
        """The key under which a field of this name is, or would be, kept."""
        return key if key in self else self.names.get(key, key)


class Function:
    """A function of the program as a value.

    ``call`` takes the arguments and, last, the depth of the caller plus one. ``unit`` tells
    which piece of program text it is; two functions are equal when the unit and the captured
    values are. ``home`` is the machine whose variables it sees; another one has to adopt it first.
    """

    __slots__ = ("arity", "call", "captured", "home", "name", "task", "takes_self", "unit")

    def __init__(
        self,
        call: Callable[..., Value],
        name: str,
        arity: int,
        unit: int,
        captured: tuple[Value, ...] = (),
        home: Machine | None = None,
        takes_self: bool = False,
        task: bool = False,
    ) -> None:
        self.call = call
        self.name = name
        self.arity = arity
        self.unit = unit
        self.captured = captured
        self.home = home
        self.takes_self = takes_self
        self.task = task


class BuiltinFunction:
    """A builtin as a value. ``name`` is its Tamil name; ``call`` is bound to the machine, its
    ``home``, and takes the arguments and, last, the depth, like ``Function.call``."""

    __slots__ = ("call", "home", "most", "least", "name")

    def __init__(
        self, call: Callable[..., Value], name: str, least: int, most: int, home: Machine | None = None
    ) -> None:
        self.call = call
        self.home = home
        self.name = name
        self.least = least
        self.most = most


class Handle:
    """Something shared that a value refers to: a channel, a lock, a pool …

    ``kind`` is what ``வகை`` answers ("a channel"), ``text`` what அச்சு shows ("<சேனல் name>").
    """

    __slots__ = ()

    kind: str = "a handle"

    @property
    def text(self) -> str:
        """How it prints."""
        return f"<{self.kind}>"
