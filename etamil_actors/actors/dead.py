"""Dead letters: messages that were accepted and will not be handled. Counted always, lost never in
silence.

The last ones are kept to be looked at; the counts go on for ever. A sender whose message was
*refused* knows it and needs no dead letter.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import trio

from etamil_actors.actors.events import DeadReason, EventStream, MessageDead

KEPT: Final = 1000


class DeadLetter(NamedTuple):
    """A message that was not handled."""

    time: float
    actor: str
    message: object
    reason: DeadReason


class DeadLetters:
    """The last dead letters, and how many there were."""

    __slots__ = ("_counts", "_events", "_last")

    def __init__(self, events: EventStream, kept: int = KEPT) -> None:
        self._events = events
        self._last: deque[DeadLetter] = deque(maxlen=kept)
        self._counts: dict[DeadReason, int] = {}

    def add(self, actor: str, message: object, reason: DeadReason) -> None:
        """Note a message that will not be handled."""
        letter = DeadLetter(trio.current_time(), actor, message, reason)
        self._last.append(letter)
        self._counts[reason] = self._counts.get(reason, 0) + 1
        if self._events.on_message:
            self._events.message(MessageDead(letter.time, actor, message, reason))

    def count(self, reason: DeadReason | None = None) -> int:
        """How many there were, of one reason or of all."""
        return sum(self._counts.values()) if reason is None else self._counts.get(reason, 0)

    @property
    def last(self) -> list[DeadLetter]:
        """Those that are kept, oldest first."""
        return list(self._last)
