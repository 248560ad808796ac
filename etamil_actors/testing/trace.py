"""What happened in a run, in order: events, how they read, and a fingerprint of them all.

Two runs are the same when their fingerprints are. So nothing goes into it that depends on the process:
no memory address, no order of a set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any, TypeVar

from etamil_actors.actors.errors import describe
from etamil_actors.actors.events import Event
from etamil_actors.errors import Fault
from etamil_actors.vm.values import BuiltinFunction, Err, Function, Handle, Ok

E = TypeVar("E", bound=Event)


class Trace:
    """A listener that keeps what it hears: all of it, or only the last events."""

    def __init__(self, kept: int | None = None) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._digest = blake2b(digest_size=16)
        self.count = 0
        """How many events there were, kept or not."""
        self.failures: list[BaseException] = []
        """What actors and runs of jobs have failed with; all of it."""

    def __call__(self, event: Event) -> None:
        self.count += 1
        self._events.append(event)
        problem = getattr(event, "problem", None)
        if isinstance(problem, BaseException):
            self.failures.append(problem)
        self._digest.update(told(event).encode("utf-8", "surrogatepass") + b"\n")

    def __iter__(self) -> Iterator[Event]:
        return iter(list(self._events))

    def __len__(self) -> int:
        return len(self._events)

    @property
    def hash(self) -> str:
        """The fingerprint of everything so far."""
        return self._digest.hexdigest()

    def of(self, kind: type[E], at: str = "") -> list[E]:
        """The events of this kind; with ``at`` those of this actor and of what stands below it."""
        return [event for event in self if isinstance(event, kind) and _is_at(event.actor, at)]

    def at(self, path: str) -> list[Event]:
        """What happened to this actor and below it."""
        return self.of(Event, path)

    def lines(self, last: int | None = None) -> list[str]:
        """Events as people read them; only the last ones, if so wanted."""
        events = list(self._events)
        return [told(event) for event in (events if last is None else events[-last:] if last else [])]


def _is_at(actor: str, path: str) -> bool:
    return not path or actor == path or actor.startswith(path + "/")


def told(event: Event) -> str:
    """One event on one line."""
    parts = [
        f"{field.name}={shown(getattr(event, field.name))}"
        for field in fields(event)
        if field.name not in ("time", "actor")
    ]
    return " ".join([f"{event.time:.9f}", type(event).__name__, event.actor, *parts])


def shown(value: Any) -> str:
    """A value of an event, the same in every process."""
    match value:
        case None | bool() | int() | str() | Decimal():
            return repr(value)
        case float():
            return f"{value:.9g}"
        case Enum():
            return str(value.value)
        case Fault():
            return f"{value.code}: {describe(value)}"
        case BaseException():
            return f"{type(value).__name__}: {describe(value)}"
        case Ok() | Err():
            return f"{type(value).__name__}({shown(value.value)})"
        case Handle():
            return value.text
        case Function() | BuiltinFunction():
            return f"<{value.name}>"
        case dict():
            return "{" + ", ".join(f"{shown(key)}: {shown(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(shown, value)) + "]"
        case tuple():
            name = "" if type(value) is tuple else type(value).__name__
            return f"{name}({', '.join(map(shown, value))})"
    if hasattr(type(value), "__dataclass_fields__"):
        return f"{type(value).__name__}({', '.join(shown(getattr(value, f.name)) for f in fields(value))})"
    return type(value).__name__
