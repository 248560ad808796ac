"""Rows of tables: tuples with names, for modules that every run imports.

``typing.NamedTuple`` does the same, but importing ``typing`` takes a fifth of the time in which
``etamil_actors run hello.qmz`` should be done. Type checkers are shown the original:

    TYPE_CHECKING = False
    if TYPE_CHECKING:
        from typing import NamedTuple
    else:
        from etamil_actors.rows import NamedTuple
"""

from __future__ import annotations

from operator import itemgetter


class NamedTuple(tuple):  # type: ignore[type-arg]
    """A tuple whose places are named by the annotations of its class; no defaults."""

    __slots__ = ()
    _names: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls._names = tuple(cls.__annotations__)
        for place, name in enumerate(cls._names):
            setattr(cls, name, property(itemgetter(place)))

    def __new__(cls, *values: object, **named: object) -> NamedTuple:
        if named:
            values += tuple(named.pop(name) for name in cls._names[len(values) :])
        if named or len(values) != len(cls._names):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._names)}")
        return tuple.__new__(cls, values)

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={value!r}" for name, value in zip(self._names, self, strict=True))
        return f"{type(self).__name__}({parts})"
