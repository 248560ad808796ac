"""A channel in memory: at most once, in one process, never dropped in silence.

Each message goes to exactly one receiver. How messages wait and are settled is told in ``lane.py``; here
they are sent.

- Messages of one sender are taken in the order in which they were sent, unless they were delayed. Senders
  that wait for room are served first come, first served, and nobody who comes later overtakes them.
- A sender that is cancelled while it waits has sent nothing; one whose send returned has sent it.
- A message whose ``id`` was accepted within ``SEEN_SECONDS`` is dropped and answered with False. That is
  no dead letter, for the message itself is not lost; ``duplicates`` counts them.
- A message that the overflow rule drops is a dead letter, the new one like the old one.
"""

from __future__ import annotations

import outcome
from trio.lowlevel import (
    Abort,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.channels.base import Channel, ChannelSettings
from etamil_actors.actors.channels.lane import Lane, Message
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.channels.seen import SeenIds
from etamil_actors.actors.events import DeadReason, EventStream, MessageSent
from etamil_actors.actors.mailbox import TURN_MESSAGES, Overflow
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value


class QueueChannel(Lane, Channel):
    """See the top of the file."""

    def __init__(
        self,
        name: str,
        settings: ChannelSettings,
        path: str,
        events: EventStream | None = None,
        letters: MemoryLetters | None = None,
    ) -> None:
        super().__init__(name, settings, path)
        self._open_lane(settings, events, letters)
        self._overflow = settings.overflow
        self._seen: SeenIds | None = None
        self._sent = 0
        self.duplicates = 0
        """How many messages were dropped because their id had been seen."""

    def send_nowait(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool | None:
        """Send without waiting: was it accepted, or dropped (False)? Nothing when it has to wait.

        Raises:
            Fault: ``channel.closed``; ``overloaded``, it is full and the rule is to reject, or too many
                messages sleep.
        """
        if self._closed:
            raise Fault("channel.closed")
        if id is not None and self._is_duplicate(id):
            return False
        now = self._now()
        if delay > 0:
            self._may_sleep()
            self._sleep(self._sent_now(Message(value, now, key, id, trace)), delay)
            return True
        message = Message(value, now, key, id, trace)
        if len(self._lane) + self._held >= self.capacity:
            if self._overflow is Overflow.WAIT:
                return None
            if not self._make_room(message):
                return False
        if id is not None or self._events.on_message:
            self._sent_now(message)
        # As in ``_enter``, which this is too often called to go through.
        self._number += 1
        message.number = self._number
        self._lane.append(message)
        if self._ages is not None:
            self._grow_old(message)
        if self._watchers:
            self._wake_one()
        return True

    async def send(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool:
        """Send, waiting for room where that is the rule; False when it was dropped.

        A cancellation is noticed before anything is sent, never after.

        Raises:
            Fault: as ``send_nowait``; ``channel.closed`` also when it was closed while this sender waited.
        """
        self._sent += 1
        if self._sent > TURN_MESSAGES:
            self._sent = 0
            await checkpoint()
        else:
            await checkpoint_if_cancelled()
        accepted = self.send_nowait(value, delay=delay, key=key, id=id, trace=trace)
        if accepted is None:
            return await self._wait_for_room(Message(value, self._now(), key, id, trace))
        return accepted

    def close(self) -> None:
        """No more sends. What waits can still be taken; senders that wait are refused."""
        self._closed = True
        while self._senders:
            sender, _ = self._senders.popitem(last=False)
            reschedule(sender, outcome.Error(Fault("channel.closed")))
        self._wake_all_if_over()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _is_duplicate(self, id: str) -> bool:
        if self._seen is None:
            self._seen = SeenIds()
        if id not in self._seen:
            return False
        self.duplicates += 1
        return True

    def _sent_now(self, message: Message) -> Message:
        """It is accepted: remember its id and tell those who listen."""
        if self._seen is not None and isinstance(message.id, str):
            self._seen.add(message.id)
        if self._events.on_message:
            self._events.message(MessageSent(self._now(), self.path, message.value))
        return message

    def _make_room(self, message: Message) -> bool:
        if self._overflow is Overflow.REJECT:
            raise Fault("overloaded")
        if self._overflow is Overflow.DROP_NEWEST:
            self.dropped += 1
            self._die(message, DeadReason.DROPPED, Fault("overloaded"))
            return False
        while len(self._lane) + self._held >= self.capacity:
            self._drop_oldest()
        return True

    async def _wait_for_room(self, message: Message) -> bool:
        senders, task = self._senders, current_task()
        senders[task] = message

        def give_up(_: object) -> Abort:
            del senders[task]
            return Abort.SUCCEEDED

        accepted: bool = await wait_task_rescheduled(give_up)
        return accepted

    def _admit(self) -> None:
        senders = self._senders
        while senders and len(self._lane) + self._held < self.capacity:
            sender, message = senders.popitem(last=False)
            # Another of the same id may have been accepted while this one waited.
            is_new = message.id is None or not self._is_duplicate(message.id)
            if is_new:
                self._enter(self._sent_now(message))
            reschedule(sender, outcome.Value(is_new))
