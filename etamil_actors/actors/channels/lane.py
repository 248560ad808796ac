"""Messages that wait in memory, those that are in somebody's hands, and whoever waits for more.

A queue channel is one lane with senders; a broadcast channel has a lane for each subscription. All of
receiving lives here.

```
            ┌─ sleeping ─┐ due
 delayed ──▶│ by moment  │──┐
            └────────────┘  ▼
 sent ─────────────────▶ ┌─ lane, by number ─┐ ──▶ unsettled ──▶ acked
                         └───────────────────┘         │    └──▶ buried: a dead letter
                            ▲    │ its key is taken    │ given back
                   key free │    ▼                     │
                         ┌─ held, by key ────┐         │
                         └───────────────────┘ ◀───────┘ to its old place, or to sleep first
```

- Every message gets a *number* when it begins to wait, and the lane is in the order of numbers. What is
  given back keeps its number, so it comes before everything that was sent after it.
- A message with a key *claims* the key when it is taken, and lets go of it when it is acknowledged or
  dead: a message that was given back keeps the claim, also while it sleeps, for its turn is not over.
  Others of that key are held, apart from the lane, and the first of them inherits the claim.
- A message that is sent with a delay does not wait yet: it takes no room and is not counted until it is
  due, and then it is let in whether there is room or not, for it was accepted long ago. The same holds for
  what is given back. So that no program fills the memory with what is to come, so many may sleep at most.
- The *age* of a message counts from when it first could be taken; trying it again makes it no younger. One
  that is too old while it waits is a dead letter at that moment, whether anybody looks or not.
- The lane is over when it is closed and nothing waits, sleeps or is unsettled (but what was simply
  received, see ``loosen``, counts for no one else): what is in somebody's
  hands may come back, and whoever waits here is the one to take it then.

A watcher that is woken leaves the list of those who wait and looks for itself. ``senders wait ⇒ there is
no room`` holds after every call, and whoever makes room lets the first of them in, in the same breath.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

from trio.lowlevel import (
    Task,
)

from etamil_actors.actors.channels.alarm import MOST_SPENT, Alarm, Sleepers
from etamil_actors.actors.channels.base import ChannelSettings, Delivery
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.channels.takers import Takers
from etamil_actors.actors.events import DeadReason, EventStream, MessageDead, MessageSent, MessageTaken
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

MOST_SLEEPING: Final = 100_000
"""So many messages of one channel may sleep; whoever sends one more gets ``overloaded``."""

FAILED: Final = DeadReason.UNWANTED
"""The reason that is published when a message was buried by whoever tried to handle it."""


class Message(Delivery):
    """A message in a lane, and the delivery of it once it is taken."""

    __slots__ = ("expires", "has_claim", "number", "waits")

    def __init__(
        self, value: Value, sent: float, key: str | None = None, id: object = None, trace: str = ""
    ) -> None:
        # Its source is set when it is taken. One that waits does not know its lane, so that a lane which
        # everybody has forgotten is freed at once.
        self.value = value
        self.sent = sent
        self.key = key
        self.id = id
        self.trace = trace
        self.attempt = 1
        self.is_settled = self.is_loose = False
        self.number = 0
        """Its place; 0 as long as it has none."""
        self.has_claim = False
        """Is it the one message of its key that may be handled?"""
        self.expires = math.inf
        self.waits = False
        """Is it in the lane or held? Only kept where messages grow old."""


class Lane(Takers):
    """See the top of the file."""

    name: str
    path: str
    settings: ChannelSettings

    def _open_lane(
        self, settings: ChannelSettings, events: EventStream | None, letters: MemoryLetters | None
    ) -> None:
        self.capacity = settings.capacity
        self.dropped = 0
        """How many messages the overflow rule or their age has dropped."""
        self._lane: deque[Message] = deque()
        self._held = 0
        self._keys: dict[str, deque[Message] | None] = {}
        """The keys that are claimed, each with those that are held for it."""
        self._sleeping: Sleepers[Message] = Sleepers()
        self._ages: deque[Message] | None = None if settings.ttl is None else deque()
        """All that wait, by age, where messages grow old; some that were taken are still among them."""
        self._alarm: Alarm | None = None
        self._number = 0
        self._unsettled = 0
        self._loose = 0
        self._senders: OrderedDict[Task, Any] = OrderedDict()
        """Those who wait for room, each with what it sends."""
        self._closed = False
        self._is_gone = False
        """Was everything handed out, so that nothing may come back?"""
        self._open_takers()
        self._events = events if events is not None else EventStream()
        self._letters = letters

    # ── what is known ────────────────────────────────────────────────────────────────────────────

    @property
    def pending(self) -> int:
        """How many messages wait; those that sleep and those of waiting senders are not counted."""
        return len(self._lane) + self._held

    @property
    def sleeping(self) -> int:
        """How many messages are not due yet."""
        return len(self._sleeping)

    def counter(self) -> Callable[[], int]:
        """Tells ``pending`` without keeping the lane alive, and so also when it has been freed."""
        lane, keys = self._lane, self._keys
        return lambda: len(lane) + sum(len(held) for held in keys.values() if held)

    @property
    def unsettled(self) -> int:
        """How many messages are in somebody's hands."""
        return self._unsettled

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
        """Closed, and nothing waits, sleeps, or could still be given back."""
        # What is held is held for a message that sleeps, waits or is unsettled.
        return self._closed and not (self._unsettled > self._loose or self._lane or self._sleeping)

    # ── taking ───────────────────────────────────────────────────────────────────────────────────

    def try_take(self) -> Message | None:
        """The next message that may be handled, if there is one now."""
        if self._ages is not None:
            self._bury_the_old()
        lane = self._lane
        while lane:
            message = lane.popleft()
            if message.key is not None and not self._claim(message, message.key):
                continue
            self._unsettled += 1
            message.source = self
            message.waits = False
            if self._events.on_message:
                now = self._now()
                self._events.message(MessageTaken(now, self.path, message.value, now - message.sent))
            if self._senders:
                self._admit()
            return message
        return None

    @property
    def _may_have(self) -> bool:
        return bool(self._lane)

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────

    def _claim(self, message: Message, key: str) -> bool:
        """May this message be handled? If not, it is held until the key is free."""
        if message.has_claim:
            return True
        if key not in self._keys:
            self._keys[key] = None
            message.has_claim = True
            return True
        held = self._keys[key]
        if held is None:
            held = self._keys[key] = deque()
        held.append(message)
        self._held += 1
        return False

    def _let_go(self, key: str) -> None:
        """The message that had this claim is done or dead; the next one inherits it."""
        held = self._keys[key]
        if not held:
            del self._keys[key]
            return
        message = held.popleft()
        self._held -= 1
        message.has_claim = True
        _insert(self._lane, message)
        self._wake_one()

    # ── waiting and sleeping ─────────────────────────────────────────────────────────────────────

    def _enter(self, message: Message) -> None:
        """A message begins to wait, whether there is room or not."""
        self._number += 1
        message.number = self._number
        self._lane.append(message)
        if self._ages is not None:
            self._grow_old(message)
        if self._watchers:
            self._wake_one()

    def _enter_again(self, message: Message) -> None:
        """One that had a place before goes back to it."""
        _insert(self._lane, message)
        if self._ages is not None:
            message.waits = True
            _insert(self._ages, message)
            self._call_at(message.expires)
            self._bury_the_old()
        self._wake_one()

    def _sleep(self, message: Message, seconds: float) -> None:
        due = self._now() + seconds
        self._sleeping.add(due, message)
        self._call_at(due)

    def _may_sleep(self) -> None:
        if len(self._sleeping) >= MOST_SLEEPING:
            raise Fault("overloaded")

    def _grow_old(self, message: Message) -> None:
        assert self._ages is not None and self.settings.ttl is not None
        message.waits = True
        message.expires = self._now() + self.settings.ttl
        ages = self._ages
        while ages and not ages[0].waits:
            ages.popleft()
        ages.append(message)
        # Behind one that waits for its key, thousands may have come and gone.
        if len(ages) > 2 * self.pending + MOST_SPENT:
            self._ages = deque(one for one in ages if one.waits)
        self._call_at(message.expires)

    def _call_at(self, moment: float) -> None:
        if self._alarm is None:
            self._alarm = Alarm(self._bell())
        self._alarm.set(moment)

    def _bell(self) -> Callable[[], float]:
        """What the alarm calls. It keeps the lane alive until nothing sleeps or grows old in it."""
        return self._time_has_come

    def _time_has_come(self) -> float:
        """Wake what is due and bury what is too old; when is the next of them?"""
        now = self._now()
        while (message := self._sleeping.pop_due(now)) is not None:
            if message.number:
                self._enter_again(message)
            else:
                self._enter(message)
        if self._ages is None:
            return self._sleeping.next
        self._bury_the_old()
        return min(self._sleeping.next, self._ages[0].expires if self._ages else math.inf)

    def _bury_the_old(self) -> None:
        ages = self._ages
        assert ages is not None
        if not ages:
            return
        now = self._now()
        found = False
        while ages and (not ages[0].waits or ages[0].expires <= now):
            message = ages.popleft()
            if message.waits:
                found = True
                self._remove(message)
                self.dropped += 1
                self._die(message, DeadReason.EXPIRED, Fault("timeout", seconds=self.settings.ttl))
        if found:
            if self._senders:
                self._admit()
            self._wake_all_if_over()

    def _drop_oldest(self) -> None:
        """Drop the message that has waited longest, held or not."""
        firsts = [held[0] for held in self._keys.values() if held] if self._held else []
        if self._lane:
            firsts.append(self._lane[0])
        message = min(firsts, key=_number_of)
        self._remove(message)
        self.dropped += 1
        self._die(message, DeadReason.DROPPED, Fault("overloaded"))

    def _remove(self, message: Message) -> None:
        """Take a message that waits out of the lane, or from those who are held."""
        message.waits = False
        held = None if message.key is None or message.has_claim else self._keys.get(message.key)
        if self._lane and self._lane[0] is message:
            self._lane.popleft()
        elif held and message in held:
            held.remove(message)
            self._held -= 1
        else:
            self._lane.remove(message)
        if message.has_claim and message.key is not None:
            self._let_go(message.key)

    def put_again(self, value: Value, key: str | None) -> None:
        """Send a dead letter again, whether there is room or not.

        Raises:
            Fault: ``channel.closed``.
        """
        if self._closed:
            raise Fault("channel.closed")
        now = self._now()
        if self._events.on_message:
            self._events.message(MessageSent(now, self.path, value))
        self._enter(Message(value, now, key))

    def _admit(self) -> None:
        """There is room: let senders in as long as there is."""
        raise NotImplementedError

    # ── settling ─────────────────────────────────────────────────────────────────────────────────

    def loosen(self, delivery: Delivery) -> None:
        """It was received, and memory promises no more; with a key it still holds back others."""
        if delivery.key is None and not delivery.is_loose:
            delivery.is_loose = True
            self._loose += 1
            if self._closed:
                self._wake_all_if_over()

    def _settled(self, delivery: Delivery) -> None:
        self._unsettled -= 1
        self._loose -= delivery.is_loose

    def acked(self, delivery: Delivery) -> None:
        """It is done."""
        self._settled(delivery)
        if delivery.key is not None:
            self._let_go(delivery.key)
        if self._closed:
            self._wake_all_if_over()

    def given_back(self, delivery: Delivery, delay: float) -> None:
        """It goes back to its place, at once or after a sleep; after the last try it is dead instead."""
        assert isinstance(delivery, Message)
        most = self.settings.attempts
        if most is not None and delivery.attempt >= most:
            self.buried(delivery, _given_back_too_often(most))
            return
        self._settled(delivery)
        # A new one, because the old delivery is settled and whoever has it may hold on to it.
        message = Message(delivery.value, delivery.sent, delivery.key, delivery.id, delivery.trace)
        message.attempt = delivery.attempt + 1
        message.number = delivery.number
        message.has_claim = delivery.has_claim
        message.expires = delivery.expires
        if self._is_gone:
            self._leave(message)
        elif delay > 0:
            self._sleep(message, delay)
        else:
            self._enter_again(message)

    def buried(self, delivery: Delivery, fault: Fault) -> None:
        """It becomes a dead letter."""
        assert isinstance(delivery, Message)
        self._settled(delivery)
        if delivery.key is not None:
            self._let_go(delivery.key)
        self._die(delivery, FAILED, fault, delivery.attempt)
        if self._closed:
            self._wake_all_if_over()

    # ── ends ─────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> list[Message]:
        """Close, and hand out what waits, is held, and sleeps; each is a dead letter.

        What is in somebody's hands is not among them: if it is given back afterwards, it is a dead
        letter then.
        """
        self.close()
        self._is_gone = True
        waiting = [*self._lane, *(one for held in self._keys.values() for one in held or ())]
        left = [*sorted(waiting, key=_number_of), *self._sleeping.pop_all()]
        self._lane.clear()
        for key in self._keys:
            self._keys[key] = None
        self._held = 0
        if self._ages is not None:
            self._ages.clear()
        for message in left:
            message.source = self
            self._leave(message)
        self._wake_all_if_over()
        return left

    def close(self) -> None:
        """Nothing more comes in. What waits can still be taken; senders that wait are refused."""
        raise NotImplementedError

    def _leave(self, message: Message) -> None:
        self._die(message, DeadReason.LEFT, Fault("channel.closed"))

    def _die(self, message: Message, reason: DeadReason, fault: Fault, tries: int | None = None) -> None:
        if self._letters is not None:
            self._letters.add(self, message, message.attempt - 1 if tries is None else tries, fault)
        if self._events.on_message:
            self._events.message(MessageDead(self._now(), self.path, message.value, reason))


def _insert(line: deque[Message], message: Message) -> None:
    """Put a message at its place by number, which is nearly always the front."""
    if not line or message.number < line[0].number:
        line.appendleft(message)
    else:  # thousands may have been given back before
        line.insert(bisect(line, message.number, key=_number_of), message)


def _number_of(message: Message) -> int:
    return message.number


def _given_back_too_often(most: int) -> Fault:
    return Fault(
        "cancelled",
        tamil=f"செய்தி {most} முறை எடுக்கப்பட்டு, ஒவ்வொரு முறையும் திருப்பித் தரப்பட்டது",
        english=f"the message was taken {most} times, and given back each time",
    )
