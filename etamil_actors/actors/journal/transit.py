"""What stands around a journal's channel: what the file held of it, a message on its way to the disk, and
one in somebody's hands.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import outcome
import trio
from trio.lowlevel import Task, reschedule

from etamil_actors.actors.channels.base import Delivery
from etamil_actors.actors.journal.line import Message
from etamil_actors.errors import Fault
from etamil_actors.vm.packing import Meanings, packed, unpacked, with_trace
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.journal.channel import JournalChannel


class Backlog:
    """What the file holds of a channel when the journal opens."""

    __slots__ = ("dead", "keys", "later", "number", "ready")

    def __init__(self, number: int, dead: int = 0) -> None:
        self.number = number
        self.dead = dead
        """How many dead letters there ever were."""
        self.ready: deque[int] = deque()
        self.later: list[tuple[float, int, bool]] = []
        """When it is due, number, and whether it was given back."""
        self.keys: dict[str, int] = {}
        """Keys of what was given back and sleeps."""

    @property
    def count(self) -> int:
        """How many messages wait or sleep."""
        return len(self.ready) + len(self.later)


class JournalDelivery(Delivery):
    """A message from the journal. Whoever knows the program that takes it can unpack it for that."""

    __slots__ = ("packed",)

    packed: bytes

    def unpack(self, meanings: Meanings) -> Value:
        """The value with other meanings of names.

        Raises:
            Fault: ``validation``, something in it means nothing there.
        """
        return unpacked(self.packed, meanings)


class Sending:
    """A message on its way to the disk, and who waits for that."""

    __slots__ = (
        "_channel", "delay", "failure", "id", "is_over", "key", "message", "others", "packed", "task",
        "value",
    )  # fmt: skip

    def __init__(
        self,
        channel: JournalChannel,
        value: Value,
        delay: float,
        key: str | None,
        id: str | None,
        trace: str = "",
    ) -> None:
        self._channel = channel
        self.value = value
        self.packed = with_trace(packed(value), trace)
        self.delay = delay
        self.key = key
        self.id = id
        self.message: Message | None = None
        self.is_over = False
        self.failure: Fault | None = None
        self.task: Task | None = None
        self.others: trio.Event | None = None
        """For those who send the same id meanwhile."""

    def end(self, failure: Fault | None) -> None:
        """It is on the disk, or it is not and will not be."""
        self.is_over = True
        self.failure = failure
        if self.others is not None:
            self.others.set()
        if self.task is not None:
            task, self.task = self.task, None
            reschedule(task, outcome.Error(failure) if failure is not None else outcome.Value(True))

    def written(self, failure: Exception | None) -> None:
        """The disk has answered."""
        self._channel.written(self, failure)
