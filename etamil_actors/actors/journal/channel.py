"""A channel in the journal: at least once after send returned, across ``kill -9``.

Who may take what, and when, is as for channels in memory (``channels/lane.py``); ``Line`` keeps the
order. What is different:

- A message can be taken when it is on the disk, not before. A sender that is cancelled while the disk is
  at work has to wait for it.
- Messages live in the file. Those that wait are in memory too, as long as they are few and small; of the
  others only the number, and they are read again by the hundred when their turn comes.
- Each try is counted, safe from ``kill -9``, before the message is handed out. Acknowledgements and what
  was given back are written a little later; when the process dies before, the message comes again.
- A message whose ``id`` was seen is dropped, as the first one *is* delivered; its sender gets the answer no.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    wait_task_rescheduled,
)

from etamil_actors.actors.channels.alarm import Alarm
from etamil_actors.actors.channels.base import SEEN_SECONDS, Channel, ChannelSettings, Delivery
from etamil_actors.actors.channels.lane import FAILED, MOST_SLEEPING
from etamil_actors.actors.channels.takers import Takers
from etamil_actors.actors.events import DeadReason, EventStream, MessageDead, MessageSent, MessageTaken
from etamil_actors.actors.journal.errors import unavailable
from etamil_actors.actors.journal.letters import BURY_MESSAGE, frame_text
from etamil_actors.actors.journal.line import Line, Message
from etamil_actors.actors.journal.transit import Backlog, JournalDelivery, Sending
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.errors import Fault, InternalError
from etamil_actors.vm.packing import LATER, trace_of, unpacked
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.journal.store import Journal

CACHED: Final = 4096
"""So many messages of a channel are in memory before the others are only numbers."""

CACHED_BYTES: Final = 4096
"""Larger ones are always read from the file."""

READ_AT_ONCE: Final = 256

READ_AGAIN_SECONDS: Final = 1.0
"""When the file cannot be read, or no try be put on record: how long until that is attempted again."""


class JournalChannel(Takers, Channel):
    """See the top of the file. ``Journal.channel`` makes it."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        settings: ChannelSettings,
        path: str,
        events: EventStream,
        backlog: Backlog,
    ) -> None:
        super().__init__(name, settings, path)
        self._journal = journal
        self._events = events
        self._backlog = backlog
        self._messages: dict[int, Message] = {}
        self._taken: dict[int, Message] = {}
        self._line = Line(self._find, journal.next_number, settings.ttl)
        self._sends = 0
        """Messages on their way to the disk that will take room."""
        self._delayed_sends = 0
        self._senders: OrderedDict[Task, Sending] = OrderedDict()
        self._open_takers()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._sending: dict[str, Sending] = {}
        self._alarm = Alarm(self._time_has_come)
        self._closed = False
        self._has_ended = False
        self._cannot_count = False
        self.dropped = 0
        """How many messages the overflow rule or their age has dropped."""
        self.duplicates = 0
        """How many messages were dropped because their id had been seen."""
        self._restore()

    # ── what is known ───────────────────────────────────────────────────────────────────────────

    @property
    def pending(self) -> int:
        """How many messages wait; those that sleep and those of waiting senders are not counted."""
        return self._line.count

    @property
    def sleeping(self) -> int:
        """How many messages are not due yet."""
        return self._line.sleeping

    @property
    def unsettled(self) -> int:
        """How many messages are in somebody's hands."""
        return len(self._taken)

    @property
    def waiting_senders(self) -> int:
        """How many senders wait for room."""
        return len(self._senders)

    @property
    def is_closed(self) -> bool:
        """Are sends refused?"""
        return self._closed

    @property
    def is_over(self) -> bool:
        """Closed, and nothing waits, sleeps, comes, or could be given back; or the journal has ended."""
        if not self._closed or self._has_ended:
            return self._has_ended
        line = self._line
        return not (self._taken or line.count or line.sleeping or self._sends or self._delayed_sends)

    # ── sending ─────────────────────────────────────────────────────────────────────────────────

    def send_nowait(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool | None:
        """Only what is decided without the disk; all else has to wait.

        Raises:
            Fault: ``channel.closed``, ``overloaded``, ``value.local``.
        """
        if self._closed:
            raise Fault("channel.closed")
        if id is not None and self._is_duplicate(id):
            return False
        if delay > 0:
            self._may_sleep()
        elif self._is_full and self.settings.overflow in (Overflow.REJECT, Overflow.DROP_NEWEST):
            return self._refuse(Sending(self, value, delay, key, id, trace))
        return None

    async def send(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool:
        """Send, and wait until it is on the disk, before that for room where that is the rule; False when
        it was dropped.

        Raises:
            Fault: as ``send_nowait``; ``channel.unavailable``, the disk is full or fails; nothing was sent.
        """
        await checkpoint_if_cancelled()
        sending = Sending(self, value, delay, key, id, trace)
        while True:
            if self._closed:
                raise Fault("channel.closed")
            if id is None:
                break
            if self._is_duplicate(id):
                await cancel_shielded_checkpoint()
                return False
            other = self._sending.get(id)
            if other is None:
                break
            # Another of this id is on its way. When it arrives, this one need not.
            if other.others is None:
                other.others = trio.Event()
            await other.others.wait()
        if delay > 0:
            self._may_sleep()
        elif self._is_full:
            if self.settings.overflow is Overflow.WAIT:
                return await self._wait_for_room(sending)
            if self.settings.overflow is not Overflow.DROP_OLDEST:
                self._refuse(sending)
                await cancel_shielded_checkpoint()
                return False
        self._begin(sending)
        return await self._wait_for_disk(sending)

    def close(self) -> None:
        """No more sends. What waits can still be taken; senders that wait for room are refused."""
        self._closed = True
        while self._senders:
            _, sending = self._senders.popitem(last=False)
            self._leave_ids(sending)
            sending.end(Fault("channel.closed"))
        self._wake_all_if_over()

    # ── on the way to the disk ──────────────────────────────────────────────────────────────────

    @property
    def _is_full(self) -> bool:
        return bool(self._senders) or self._line.count + self._sends >= self.settings.capacity

    def _may_sleep(self) -> None:
        if self._line.sleeping + self._delayed_sends >= MOST_SLEEPING:
            raise Fault("overloaded")

    def _is_duplicate(self, id: str) -> bool:
        seen, now = self._seen, trio.current_time()
        while seen and seen[next(iter(seen))] <= now:
            seen.popitem(last=False)
        if id not in seen:
            return False
        self.duplicates += 1
        return True

    def _refuse(self, sending: Sending) -> bool:
        if self.settings.overflow is Overflow.REJECT:
            raise Fault("overloaded")
        self.dropped += 1
        now = trio.current_time()
        self._add_letter(now, 0, Fault("overloaded"), sending=sending)
        self._tell_dead(now, sending.value, DeadReason.DROPPED)
        return False

    def _begin(self, sending: Sending) -> None:
        """Put it into the group that will be written next."""
        journal, now = self._journal, trio.current_time()
        number, ready = journal.next_number(), now + sending.delay
        message = sending.message = Message(number, sending.packed, sending.key, now, ready, 0)
        sent = journal.to_calendar(now)
        if sending.delay > 0:
            self._delayed_sends += 1
            due = later = journal.to_calendar(ready)
        else:
            self._sends += 1
            due, later = 0.0, sent
        group = journal.group
        group.sends.append((number, self._backlog.number, message.packed, message.key, sent, later, due, 0))
        if sending.id is not None:
            self._sending[sending.id] = sending
            group.ids.append((self._backlog.number, sending.id, sent + SEEN_SECONDS))
        group.waiters.append(sending.written)
        journal.urge()

    def written(self, sending: Sending, failure: Exception | None) -> None:
        """A message is on the disk, and may be taken; or the disk has failed."""
        if sending.delay > 0:
            self._delayed_sends -= 1
        else:
            self._sends -= 1
        self._leave_ids(sending)
        if failure is not None:
            sending.end(unavailable(failure))
            self._admit()
            self._wake_all_if_over()
            return
        message = sending.message
        assert message is not None
        if sending.id is not None:
            self._seen[sending.id] = message.sent + SEEN_SECONDS
        if len(self._messages) < CACHED and len(message.packed) <= CACHED_BYTES:
            self._messages[message.number] = message
        if self._events.on_message:
            self._events.message(MessageSent(trio.current_time(), self.path, sending.value))
        if sending.delay > 0:
            self._line.sleep(message.number, message.ready)
            self._alarm.set(message.ready)
        else:
            self._line.enter(message.number, message.ready)
            self._look_after_age()
            self._make_room()
            self._wake_one()
        sending.end(None)

    async def _wait_for_disk(self, sending: Sending) -> bool:
        if sending.is_over:
            await cancel_shielded_checkpoint()
            if sending.failure is not None:
                raise sending.failure
            return True
        sending.task = current_task()
        sent: bool = await wait_task_rescheduled(_no_way_back)
        return sent

    async def _wait_for_room(self, sending: Sending) -> bool:
        senders, task = self._senders, current_task()
        senders[task] = sending
        sending.task = task
        if sending.id is not None:
            self._sending[sending.id] = sending

        def give_up(_: object) -> Abort:
            if task not in senders:
                return Abort.FAILED  # it has found room and is on its way
            del senders[task]
            sending.task = None
            self._leave_ids(sending)
            sending.end(Fault("cancelled"))
            return Abort.SUCCEEDED

        sent: bool = await wait_task_rescheduled(give_up)
        return sent

    def _leave_ids(self, sending: Sending) -> None:
        if sending.id is not None and self._sending.get(sending.id) is sending:
            del self._sending[sending.id]

    def _admit(self) -> None:
        """There is room: let senders go on, as long as there is."""
        while self._senders and self._line.count + self._sends < self.settings.capacity:
            _, sending = self._senders.popitem(last=False)
            self._begin(sending)

    def _make_room(self) -> None:
        if self.settings.overflow is not Overflow.DROP_OLDEST:
            return
        while self._line.count > self.settings.capacity:
            try:
                oldest = self._line.drop_oldest()
            except Fault:
                return  # the file cannot be read now; the next message tries again
            self.dropped += 1
            self._die(oldest, Fault("overloaded"), DeadReason.DROPPED)

    # ── taking ──────────────────────────────────────────────────────────────────────────────────

    def try_take(self) -> JournalDelivery | None:
        """The next message that may be handled, if there is one now; its try is on record.

        Raises:
            Fault: ``channel.unavailable``, the file cannot be read.
        """
        line = self._line
        now = trio.current_time()
        if line.next_time <= now:
            self._pass_time(now)
        while not (self._cannot_count or self._has_ended):
            message = line.take()
            if message is None:
                return None
            delivery = self._hand_out(message, now)
            if self._senders:
                self._admit()
            if delivery is not None:
                return delivery
        return None

    def _hand_out(self, message: Message, now: float) -> JournalDelivery | None:
        number, most = message.number, self.settings.attempts
        if most is not None and message.attempt >= most:
            self._finish(message, too_often(most))
            return None
        if not self._journal.count_try(number, message.attempt + 1):
            self._cannot_count = True
            self._line.give_back(message)
            self._alarm.set(now + READ_AGAIN_SECONDS)
            return None
        message.attempt += 1
        meanings = self._journal.meanings
        try:
            value = None if meanings is LATER else unpacked(message.packed, meanings)
        except Fault as fault:
            self._finish(message, fault)
            return None
        self._messages.pop(number, None)
        self._taken[number] = message
        delivery = JournalDelivery(
            self, value, attempt=message.attempt, key=message.key, id=number, sent=message.sent,
            trace=trace_of(message.packed),
        )  # fmt: skip
        delivery.packed = message.packed
        if self._events.on_message:
            self._events.message(MessageTaken(now, self.path, value, now - message.sent))
        return delivery

    @property
    def _may_have(self) -> bool:
        return self._line.may_have and not self._cannot_count

    # ── settling ────────────────────────────────────────────────────────────────────────────────

    def acked(self, delivery: Delivery) -> None:
        """It is done; the file will hear of it soon."""
        message = self._returned(delivery)
        if message is None:
            return
        self._journal.group.deletes.append(message.number)
        self._journal.lazily()
        if self._line.settle(message):
            self._wake_one()
        if self._closed:
            self._wake_all_if_over()

    def given_back(self, delivery: Delivery, delay: float) -> None:
        """It goes back to its place, at once or after a sleep; after the last try it is dead instead."""
        message = self._returned(delivery)
        if message is None:
            return
        most = self.settings.attempts
        if most is not None and message.attempt >= most:
            self._finish(message, too_often(most))
            return
        message.is_kept = True
        self._messages[message.number] = message
        due = trio.current_time() + delay if delay > 0 else None
        kept = self._journal.to_calendar(due) if due is not None else 0.0
        statement = "UPDATE messages SET due = ?, attempt = ? WHERE number = ?"
        self._journal.group.deeds.append((statement, (kept, message.attempt, message.number)))
        self._journal.lazily()
        self._line.give_back(message, due)
        if due is not None:
            self._alarm.set(due)
            return
        self._look_after_age()
        if self._line.next_time <= (now := trio.current_time()):
            self._pass_time(now)
        self._wake_one()

    def buried(self, delivery: Delivery, fault: Fault) -> None:
        """It becomes a dead letter."""
        message = self._returned(delivery)
        if message is not None:
            self._finish(message, fault)

    def _returned(self, delivery: Delivery) -> Message | None:
        """The message that somebody had; nothing when the journal has ended, for then it will come again."""
        assert isinstance(delivery.id, int)
        return None if self._has_ended else self._taken.pop(delivery.id, None)

    def _finish(self, message: Message, fault: Fault) -> None:
        """A message that was taken will not be tried again."""
        self._die(message, fault, FAILED)
        if self._line.settle(message):
            self._wake_one()
        self._wake_all_if_over()

    # ── dead letters ────────────────────────────────────────────────────────────────────────────

    def _die(self, message: Message, fault: Fault, reason: DeadReason) -> None:
        now = trio.current_time()
        self._messages.pop(message.number, None)
        self._add_letter(now, message.attempt, fault, message=message)
        self._journal.group.deletes.append(message.number)
        if self._events.on_message:
            self._tell_dead(now, self._value_of(message), reason)

    def _value_of(self, message: Message) -> Value:
        try:
            return unpacked(message.packed, self._journal.meanings)
        except Fault as fault:
            return fault.message

    def _tell_dead(self, now: float, value: Value, reason: DeadReason) -> None:
        if self._events.on_message:
            self._events.message(MessageDead(now, self.path, value, reason))

    def _add_letter(
        self,
        now: float,
        tries: int,
        fault: Fault,
        *,
        message: Message | None = None,
        sending: Sending | None = None,
    ) -> None:
        journal = self._journal
        trace = json.dumps([frame_text(frame) for frame in fault.trace], ensure_ascii=False)
        time = journal.to_calendar(now)
        reason = (time, tries, fault.code, fault.tamil, fault.english, trace)
        deeds = journal.group.deeds
        if message is not None:
            deeds.append((BURY_MESSAGE, (*reason, message.number)))
        elif sending is not None:
            deeds.append((BURY_NEW, (self._backlog.number, sending.packed, sending.key, time, *reason)))
        self._backlog.dead += 1
        deeds.append(("UPDATE channels SET dead = dead + 1 WHERE number = ?", (self._backlog.number,)))
        journal.urge()

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    def _look_after_age(self) -> None:
        if self.settings.ttl is not None:
            self._alarm.set(self._line.next_time)

    def _time_has_come(self) -> float:
        if self._has_ended:
            return math.inf
        now = trio.current_time()
        self.can_count_again()  # perhaps
        try:
            self._pass_time(now)
        except Fault:
            return now + READ_AGAIN_SECONDS  # the file cannot be read now; whoever takes is told so
        return self._line.next_time

    def _pass_time(self, now: float) -> None:
        """Wake what is due and bury what is too old."""
        for _ in range(self._line.wake_due(now)):
            self._wake_one()
        found = False
        while (message := self._line.expire(now)) is not None:
            found = True
            self.dropped += 1
            self._die(message, Fault("timeout", seconds=self.settings.ttl), DeadReason.EXPIRED)
        if self._line.next_time < math.inf:
            self._alarm.set(self._line.next_time)
        if found:
            self._admit()
            self._wake_all_if_over()

    # ── in and out of memory ────────────────────────────────────────────────────────────────────

    def _find(self, number: int) -> Message:
        """A message by its number; when it is not in memory, it is read together with those after it."""
        message = self._messages.get(number)
        if message is None:
            if len(self._messages) > 2 * CACHED:
                self._messages = {kept.number: kept for kept in self._messages.values() if kept.is_kept}
            others = [one for one in self._line.ahead(READ_AT_ONCE) if one not in self._messages]
            self._read([number, *others])
            message = self._messages.get(number)
            if message is None:
                raise InternalError(f"the message {number} of ‘{self.name}’ is not in the journal")
        return message

    def _read(self, numbers: list[int]) -> None:
        clock = self._journal.to_clock
        for number, value, key, sent, ready, attempt in self._journal.read(
            # A large one comes alone: two hundred of them would fill the memory.
            "SELECT number, value, key, sent, ready, attempt FROM messages WHERE number IN"
            " (SELECT value FROM json_each(?)) AND (number = ? OR length(value) <= ?)",
            (json.dumps(numbers), numbers[0], CACHED_BYTES),
        ):
            self._messages[number] = Message(number, value, key, clock(sent), clock(ready), attempt)

    def _restore(self) -> None:
        """Take over what the file holds."""
        journal, backlog, line = self._journal, self._backlog, self._line
        if self.settings.ttl is None:
            line.restore(backlog.ready, backlog.keys)
        else:
            line.restore(deque(), backlog.keys)
            # Who waits is what the backlog says, not the file: time has passed since the journal was opened.
            rows = journal.read("SELECT number, ready FROM messages WHERE channel = ?", (backlog.number,))
            ready = dict(rows)
            for number in backlog.ready:
                line.enter(number, journal.to_clock(ready[number]))
        for due, number, was_tried in backlog.later:
            if was_tried:
                line.sleep_again(number, due)
            else:
                line.sleep(number, due)
        backlog.ready, backlog.later = deque(), []
        now = journal.to_calendar(trio.current_time())
        for id, until in journal.read(
            "SELECT id, until FROM seen WHERE channel = ? AND until > ? ORDER BY until", (backlog.number, now)
        ):
            self._seen[id] = journal.to_clock(min(until, now + SEEN_SECONDS))
        if line.next_time < math.inf:
            self._alarm.set(line.next_time)

    def came_back(self, number: int, moment: float) -> None:
        """A dead letter waits again, as a new message; it is on the disk already."""
        self._line.enter(number, moment)
        self._look_after_age()
        self._wake_one()

    def tries(self) -> list[tuple[int, int]]:
        """Attempt and number of what is in somebody's hands."""
        return [(message.attempt, message.number) for message in self._taken.values()]

    def can_count_again(self) -> None:
        """There is room for more tries on record."""
        if self._cannot_count:
            self._cannot_count = False
            for _ in range(len(self._watchers)):
                self._wake_one()

    def open_again(self, settings: ChannelSettings, path: str, events: EventStream) -> None:
        """Somebody makes this channel once more, perhaps after it was closed."""
        self.settings = settings
        self.path = path
        self._events = events
        self._line.ttl = settings.ttl
        self._closed = False
        self._admit()

    def end(self) -> None:
        """The journal closes: what is on its way may arrive, nothing else happens any more."""
        self.close()
        self._has_ended = True
        self._wake_all_if_over()


BURY_NEW: Final = (
    "INSERT INTO dead (channel, value, key, sent, time, tries, code, tamil, english, trace)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def too_often(most: int) -> Fault:
    """Why a message is dead that was taken so many times."""
    return Fault(
        "cancelled",
        tamil=f"செய்தி {most} முறை எடுக்கப்பட்டும் முடிக்கப்படவில்லை",
        english=f"the message was taken {most} times, and never done",
    )


def _no_way_back(_: object) -> Abort:
    return Abort.FAILED
