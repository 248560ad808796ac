"""What happens to actors, published for whoever watches: log, metrics, the observer, tests.

Events are in the past tense and say what *has* happened. Nothing that watches ever sends a message
into the program, and a watcher that fails is sent away instead of harming what it watched.

There are two rates. Lives begin and end now and then; messages come by the hundred thousand. So
there are two lists of listeners, and whoever publishes asks first:

```python
if events.on_message:
    events.message(MessageSent(...))
```

With nobody listening that is one look at an empty tuple, and no event is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import ClassVar

from etamil_actors.actors.restart import Exit


class DeadReason(Enum):
    """Why a message was not handled."""

    DROPPED = "dropped"
    """The mailbox was full, and its rule was to drop."""
    LEFT = "left"
    """It still waited when its actor ended."""
    EXPIRED = "expired"
    """Its deadline had passed when its turn came; whoever asked has gone."""
    UNWANTED = "unwanted"
    """It was sent to a supervisor, which handles no messages."""


@dataclass(slots=True)
class Event:
    """Something has happened to an actor, which is named by its path in the tree."""

    time: float
    actor: str


@dataclass(slots=True)
class ActorStarted(Event):
    """A life has begun: the actor is ready for messages."""

    life: int
    """1 for the first life; one more after every restart."""


@dataclass(slots=True)
class ActorCrashed(Event):
    """A life has ended with an error, or a cleanup has failed."""

    life: int
    problem: BaseException


@dataclass(slots=True)
class ActorRestarted(Event):
    """The supervisor begins another life, after ``delay`` seconds of waiting."""

    life: int
    delay: float
    cause: str
    """The path of the actor whose end was the reason: its own, or a sibling's."""


@dataclass(slots=True)
class ActorStopped(Event):
    """The actor has ended for good."""

    exit: Exit


@dataclass(slots=True)
class MessageSent(Event):
    """The mailbox has accepted a message."""

    message: object


@dataclass(slots=True)
class MessageTaken(Event):
    """The actor begins to handle a message that has waited so long."""

    message: object
    waited: float


@dataclass(slots=True)
class MessageDead(Event):
    """A message will not be handled."""

    message: object
    reason: DeadReason


Listener = Callable[[Event], None]


class Subscription:
    """A listener's place in the stream; leaving the block, or ``end``, gives it up."""

    __slots__ = ("_listener", "_stream")

    def __init__(self, stream: EventStream, listener: Listener) -> None:
        self._stream = stream
        self._listener = listener

    def end(self) -> None:
        """Hear no more. May be said twice."""
        self._stream.forget(self._listener)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class EventStream:
    """Who listens. Listeners are called at once, in the order in which they came."""

    __slots__ = ("failures", "on_life", "on_message")

    KEPT_FAILURES: ClassVar[int] = 20

    def __init__(self) -> None:
        self.on_life: tuple[Listener, ...] = ()
        self.on_message: tuple[Listener, ...] = ()
        self.failures: list[tuple[Listener, Exception]] = []
        """Watchers that were sent away, and why; the first few."""

    def listen(self, listener: Listener, *, messages: bool = True) -> Subscription:
        """Call this function with every event; without ``messages`` only with those of lives."""
        self.on_life += (listener,)
        if messages:
            self.on_message += (listener,)
        return Subscription(self, listener)

    def forget(self, listener: Listener) -> None:
        """Never call this function again."""
        # Equality, not identity: each look at ``list.append`` makes another bound method.
        self.on_life = tuple(other for other in self.on_life if other != listener)
        self.on_message = tuple(other for other in self.on_message if other != listener)

    def life(self, event: Event) -> None:
        """Tell of the beginning or end of a life."""
        self._tell(self.on_life, event)

    def message(self, event: Event) -> None:
        """Tell of a message. Ask ``on_message`` before making the event."""
        self._tell(self.on_message, event)

    def _tell(self, listeners: tuple[Listener, ...], event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception as problem:  # noqa: BLE001  whoever watches may not harm what is watched
                self.forget(listener)
                if len(self.failures) < self.KEPT_FAILURES:
                    self.failures.append((listener, problem))
