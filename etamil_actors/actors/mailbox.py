"""A bounded queue of messages with one taker: what stands between an actor and everybody else.

Trio's memory channels throw away what is buffered when their last receiver goes, and know neither
priority nor overflow nor age. This mailbox keeps the promise *nothing is lost in silence*: every
message that was accepted is either taken, or dropped by the rule that was chosen (and told to
``on_dropped``), or handed out by ``drain`` when the mailbox is closed.

```
put ──▶ waiting senders ──▶ ┌──────────── lane ────────────┐ ──▶ take
        (only when full)    │ (time, message), oldest first │      one taker
put_system ───────────────▶ └──────────── system ──────────┘      system lane first
```

What the lanes promise:

- messages of one sender are taken in the order in which they were put; of several senders, in the
  order in which the lane accepted them; senders that wait are served first come, first served;
- ``waiting senders ⇒ the lane is full``: whoever takes moves the first waiting message into the
  lane in the same breath, so a newcomer cannot overtake it;
- a message is in exactly one place at any time. A waiting taker is *woken*, it is not *handed* the
  message; so a taker that is cancelled can lose nothing, and a sender that is cancelled knows that
  its message was not accepted.

``put`` and ``take`` always notice a cancellation before they do anything, and never after. They let
other tasks run when they have to wait, and else once per turn: a scheduling round per message would
cost more than everything else here. A turn is so many messages or so much time, whichever ends first.

The system lane has no bound. Only the runtime writes to it: a word to stop, or that a watched actor
has ended.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar

import outcome
import trio
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.errors import MailboxClosed, MailboxFull
from etamil_actors.errors import InternalError

T = TypeVar("T")

TURN_MESSAGES: Final = 64
"""Messages that may go in or out before others get a turn."""

TURN_SECONDS: Final = 0.002
"""A taker lets others run after so much time, however few messages it was."""


class Turn:
    """What one after the other does without waiting, before others get a turn."""

    __slots__ = ("_count", "_ends")

    def __init__(self) -> None:
        self._count = 0
        self._ends = 0.0

    def is_over(self) -> bool:
        """Count one thing done; is it time to let others run?"""
        self._count += 1
        return self._count >= TURN_MESSAGES or trio.current_time() > self._ends

    def begin(self) -> None:
        """Others have just run: count things and time from now."""
        self._count = 0
        self._ends = trio.current_time() + TURN_SECONDS


class Overflow(Enum):
    """What a full mailbox does with one message more."""

    WAIT = "wait"
    """The sender waits for room."""
    REJECT = "reject"
    """The sender gets ``MailboxFull``."""
    DROP_OLDEST = "drop_oldest"
    """The message that has waited longest makes room."""
    DROP_NEWEST = "drop_newest"
    """The new message is dropped, and the sender is told so."""


class Mailbox(Generic[T]):
    """See the top of the file. A message is anything but ``None``."""

    __slots__ = (
        "_closed",
        "_lane",
        "_now",
        "_on_dropped",
        "_puts",
        "_senders",
        "_system",
        "_taken",
        "_taker",
        "_turn_ends",
        "capacity",
        "dropped",
        "overflow",
        "stamp",
    )

    def __init__(
        self,
        capacity: int = 1000,
        overflow: Overflow = Overflow.WAIT,
        on_dropped: Callable[[T], None] | None = None,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least one message, not {capacity}")
        self.capacity = capacity
        self.overflow = overflow
        self.dropped = 0
        """How many messages the overflow rule has dropped."""
        self.stamp = 0.0
        """When the message that was taken last had been put."""
        self._on_dropped = on_dropped
        self._now = now
        # Idle actors are many, and an empty deque has the size of three mailboxes: lanes are made when used.
        self._lane: deque[tuple[float, T]] | None = None
        self._system: deque[T] | None = None
        self._senders: OrderedDict[Task, tuple[float, T]] | None = None
        self._taker: Task | None = None
        self._closed = False
        self._puts = 0
        self._taken = 0
        self._turn_ends = 0.0

    # ── what is known ────────────────────────────────────────────────────────────────────────────

    @property
    def depth(self) -> int:
        """How many messages wait in the lane; those of waiting senders are not counted."""
        return len(self._lane) if self._lane is not None else 0

    @property
    def has_room(self) -> bool:
        """Would a message be accepted now, without waiting and without dropping any?"""
        return self._lane is None or len(self._lane) < self.capacity

    @property
    def is_quiet(self) -> bool:
        """Is there nothing that its taker had to look at: no message, and not closed?"""
        return not self._lane and not self._system and not self._closed

    @property
    def waiting_senders(self) -> int:
        """How many senders wait for room."""
        return len(self._senders) if self._senders is not None else 0

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest waiting message was put; 0 when none waits."""
        return self._now() - self._lane[0][0] if self._lane else 0.0

    @property
    def is_closed(self) -> bool:
        """Are puts refused?"""
        return self._closed

    @property
    def is_waiting(self) -> bool:
        """Does somebody wait for a message?"""
        return self._taker is not None

    # ── putting ──────────────────────────────────────────────────────────────────────────────────

    async def put(self, message: T) -> bool:
        """Put a message in, waiting for room where the rule says so; False when it was dropped.

        Raises:
            MailboxFull: there is no room, and the rule is to reject.
            MailboxClosed: the mailbox is closed, or was closed while this sender waited.
        """
        await checkpoint_if_cancelled()
        lane = self._lane
        if lane is not None and len(lane) >= self.capacity and self.overflow is Overflow.WAIT:
            if self._closed:
                raise MailboxClosed
            await self._wait_for_room(message)
            return True
        accepted = self.put_nowait(message)
        if self.is_turn_over():
            # Shielded: the message is in, and a cancellation here would tell the sender that it is not.
            await cancel_shielded_checkpoint()
        return accepted

    def is_turn_over(self) -> bool:
        """Count a message that was put in; is it time to let others run?"""
        self._puts += 1
        if self._puts < TURN_MESSAGES:
            return False
        self._puts = 0
        return True

    def put_nowait(self, message: T) -> bool:
        """Like ``put``, but never waits: where the rule is to wait, a full mailbox rejects."""
        if self._closed:
            raise MailboxClosed
        lane = self._lane
        if lane is None:
            lane = self._lane = deque()
        if len(lane) >= self.capacity:
            accepted = self._put_into_full(lane, message)
        else:
            accepted = True
            lane.append((self._now(), message))
        if self._taker is not None:
            self._wake_taker()
        return accepted

    def put_system(self, message: T) -> bool:
        """Put a message into the lane that is served first; False when the mailbox is closed."""
        if self._closed:
            return False
        if self._system is None:
            self._system = deque()
        self._system.append(message)
        if self._taker is not None:
            self._wake_taker()
        return True

    def _put_into_full(self, lane: deque[tuple[float, T]], message: T) -> bool:
        if self.overflow is Overflow.DROP_NEWEST:
            self._drop(message)
            return False
        if self.overflow is Overflow.DROP_OLDEST:
            lane.append((self._now(), message))
            self._drop(lane.popleft()[1])
            return True
        raise MailboxFull

    def _drop(self, message: T) -> None:
        self.dropped += 1
        if self._on_dropped is not None:
            self._on_dropped(message)

    async def _wait_for_room(self, message: T) -> None:
        if self._senders is None:
            self._senders = OrderedDict()
        senders, task = self._senders, current_task()
        senders[task] = (self._now(), message)

        def give_up(_: object) -> Abort:
            del senders[task]
            return Abort.SUCCEEDED

        await wait_task_rescheduled(give_up)

    # ── taking ───────────────────────────────────────────────────────────────────────────────────

    async def take(self) -> T:
        """Wait for a message and take it: one of the system lane if there is one, else the oldest.

        Raises:
            MailboxClosed: nothing is left and nothing will come.
        """
        while True:
            message = await self.take_waiting()
            if message is not None:
                return message
            if self._closed:
                raise MailboxClosed
            await self._wait_for_message()
            self.begin_turn()

    async def take_waiting(self) -> T | None:
        """Take a message as ``take`` does; nothing when none is there."""
        await checkpoint_if_cancelled()
        if self._system:
            return self._system.popleft()
        lane = self._lane
        if not lane:
            return None
        message = self._take_oldest(lane)
        self._taken += 1
        if self._taken >= TURN_MESSAGES or self._now() > self._turn_ends:
            # Shielded, because the message is out of the lane and only we have it.
            await cancel_shielded_checkpoint()
            self.begin_turn()
        return message

    def begin_turn(self) -> None:
        """Others have just run: count messages and time from now."""
        self._taken = 0
        self._turn_ends = self._now() + TURN_SECONDS

    def rest(self) -> None:
        """Nobody will take for a while: keep no empty lanes."""
        if not self._lane:
            self._lane = None
        if not self._system:
            self._system = None

    def try_take(self) -> T | None:
        """Take a message if there is one, without waiting."""
        if self._system:
            return self._system.popleft()
        return self._take_oldest(self._lane) if self._lane else None

    def _take_oldest(self, lane: deque[tuple[float, T]]) -> T:
        self.stamp, message = lane.popleft()
        if self._senders:
            sender, waiting = self._senders.popitem(last=False)
            lane.append(waiting)
            reschedule(sender)
        return message

    async def _wait_for_message(self) -> None:
        if self._taker is not None:
            raise InternalError("two tasks take from one mailbox")
        self._taker = current_task()
        await wait_task_rescheduled(self._stop_waiting)

    def _stop_waiting(self, _: object) -> Abort:
        self._taker = None
        return Abort.SUCCEEDED

    def _wake_taker(self) -> None:
        task, self._taker = self._taker, None
        if task is not None:
            reschedule(task)

    # ── closing ──────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Accept no more messages. What is in can still be taken; senders that wait are refused."""
        self._closed = True
        if self._senders is not None:
            for sender in self._senders:
                reschedule(sender, outcome.Error(MailboxClosed()))
            self._senders = None
        if self._taker is not None:
            self._wake_taker()

    def drain(self) -> list[T]:
        """Close, and hand out everything that is left, system lane first."""
        self.close()
        left: list[T] = list(self._system or ())
        left += [message for _, message in self._lane or ()]
        self._system = self._lane = None
        return left
