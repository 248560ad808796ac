"""A broadcast channel: everybody who has subscribed gets every message.

```
            ┌▶ lane of subscription 1 ─▶
 send ──────┼▶ lane of subscription 2 ─▶
            └▶ lane of subscription 3 ─▶
```

Nobody receives from the channel itself, but from a subscription: a bounded source of one's own, which
gets what is sent after it was made. A message that is sent while there is no subscription reaches
nobody, and that is no loss: there was nobody to lose it.

The overflow rule holds for each subscription by itself where it drops: the slow one misses messages, the
others do not, and the send answers False when nobody at all got the message. Where senders wait or are
refused, all or none get it: a sender waits for the slowest, and one that is cancelled meanwhile has sent
nothing to anybody.

So a subscription that nobody reads holds up everybody who sends. Whoever has subscribed says ``end``
when it is done; a subscription that was simply forgotten ends by itself when its memory is freed, for
the channel knows its subscriptions only weakly.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn
from weakref import WeakMethod, ref

import outcome
import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.channels.alarm import Alarm, Sleepers
from etamil_actors.actors.channels.base import Channel, ChannelSettings, Delivery
from etamil_actors.actors.channels.lane import MOST_SLEEPING, Lane, Message
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.channels.seen import SeenIds
from etamil_actors.actors.events import DeadReason, EventStream, MessageDead, MessageSent
from etamil_actors.actors.mailbox import TURN_MESSAGES, Overflow
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

RECEIVE: Final = "சேனல்_பெறு"
SUBSCRIBE: Final = "சேனல்_சந்தா"


class Post(NamedTuple):
    """What is sent, before every subscription gets a message of its own."""

    value: Value
    sent: float
    key: str | None
    id: str | None
    trace: str = ""


class Subscription(Lane):
    """A receiving end of one's own on a broadcast channel."""

    def __init__(self, channel: BroadcastChannel) -> None:
        self.name = channel.name
        self.path = channel.path
        self.settings = channel.settings
        self._open_lane(channel.settings, channel._events, channel._letters)
        self._senders = channel._senders
        self._channel = channel
        self.number = 0
        """What its channel knows it by."""
        self.is_ended = False

    @property
    def text(self) -> str:
        return f"<சேனல் {self.name}>"

    @property
    def has_room(self) -> bool:
        """Would it take a message now without dropping any?"""
        return len(self._lane) + self._held < self.capacity

    @property
    def is_over(self) -> bool:
        """Ended; or the channel is closed, and nothing waits, sleeps, or could still be given back."""
        return self.is_ended or super().is_over

    def end(self) -> None:
        """Receive no more, and hold nobody up. What waits was for this receiver alone and goes with it."""
        if not self.is_ended:
            self.drain()
            self._channel._forget_number(self.number)

    def drain(self) -> list[Message]:
        """End, and hand out what is left."""
        self.is_ended = True
        return super().drain()

    def close(self) -> None:
        """Nothing more comes in."""
        self._closed = True
        self._wake_all_if_over()

    def deliver(self, post: Post) -> bool:
        """Take a message in by the overflow rule; False when it was dropped."""
        message = Message(post.value, post.sent, post.key, None, post.trace)
        if not self.has_room:
            if self.settings.overflow is Overflow.DROP_NEWEST:
                self.dropped += 1
                self._die(message, DeadReason.DROPPED, Fault("overloaded"))
                return False
            while not self.has_room:
                self._drop_oldest()
        self._enter(message)
        return True

    def deliver_late(self, post: Post) -> None:
        """Take in one that was delayed: it was accepted long ago, so it needs no room."""
        self._enter(Message(post.value, post.sent, post.key, None, post.trace))

    def _admit(self) -> None:
        self._channel._admit()

    def _bell(self) -> Callable[[], float]:
        # As long as messages come there is always one that grows old; that must not keep a subscription
        # alive that everybody else has forgotten.
        weak = WeakMethod(self._time_has_come)

        def ring() -> float:
            time_has_come = weak()
            return time_has_come() if time_has_come is not None else math.inf

        return ring

    def _leave(self, message: Message) -> None:
        # Whoever ends a subscription says that it wants no more; nobody will want to send these again.
        if self._events.on_message:
            self._events.message(
                MessageDead(trio.current_time(), self.path, message.value, DeadReason.LEFT)
            )


class BroadcastChannel(Channel):
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
        self._events = events if events is not None else EventStream()
        self._letters = letters
        self._subscriptions: dict[int, ref[Subscription]] = {}
        self._subscribed = 0
        self._full: list[ref[Subscription]] = []
        """Those that had no room when they were looked at last."""
        self._senders: OrderedDict[Task, Post] = OrderedDict()
        self._sleeping: Sleepers[Post] = Sleepers()
        self._alarm: Alarm | None = None
        self._seen: SeenIds | None = None
        self._closed = False
        self._sent = 0
        self.duplicates = 0
        """How many messages were dropped because their id had been seen."""

    # ── what is known ────────────────────────────────────────────────────────────────────────────

    @property
    def subscriptions(self) -> list[Subscription]:
        """Those that have not ended, in the order in which they were made."""
        there = [weak() for weak in self._subscriptions.values()]
        return [one for one in there if one is not None]

    @property
    def pending(self) -> int:
        """How many messages wait at the slowest subscription."""
        return max((one.pending for one in self.subscriptions), default=0)

    @property
    def sleeping(self) -> int:
        """How many messages are not due yet."""
        return len(self._sleeping)

    @property
    def waiting_senders(self) -> int:
        """How many senders wait for room."""
        return len(self._senders)

    @property
    def dropped(self) -> int:
        """How many messages the subscriptions that are there have dropped."""
        return sum(one.dropped for one in self.subscriptions)

    @property
    def is_closed(self) -> bool:
        """Are sends refused?"""
        return self._closed

    @property
    def is_over(self) -> bool:
        """Closed, and nothing more will be sent to the subscriptions."""
        return self._closed and not self._sleeping

    # ── sending ──────────────────────────────────────────────────────────────────────────────────

    def send_nowait(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool | None:
        """Send without waiting: did anybody get it, or was it dropped (False)? Nothing when it has to wait.

        A message that is delayed goes to those who have subscribed when it is due.

        Raises:
            Fault: ``channel.closed``; ``overloaded``, somebody's lane is full and the rule is to reject, or
                too many messages sleep.
        """
        if self._closed:
            raise Fault("channel.closed")
        if id is not None and self._is_duplicate(id):
            return False
        post = Post(value, trio.current_time(), key, id, trace)
        if delay > 0:
            self._delay(post, delay)
            return True
        if not self._may_enter():
            if self.settings.overflow is Overflow.REJECT:
                raise Fault("overloaded")
            if self.settings.overflow is Overflow.WAIT:
                return None
        return self._deliver(post)

    async def send(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool:
        """Send, waiting for the slowest where that is the rule; False when everybody dropped it.

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
            return await self._wait_for_room(Post(value, trio.current_time(), key, id, trace))
        return accepted

    def close(self) -> None:
        """No more sends. What waits can still be taken, what sleeps is still sent when it is due."""
        self._closed = True
        while self._senders:
            sender, _ = self._senders.popitem(last=False)
            reschedule(sender, outcome.Error(Fault("channel.closed")))
        if not self._sleeping:
            for one in self.subscriptions:
                one.close()

    def drain(self) -> list[Message]:
        """Close, and hand out what waits at the subscriptions, and what sleeps, for it will reach nobody."""
        late = self._sleeping.pop_all()
        self.close()
        left = [delivery for one in self.subscriptions for delivery in one.drain()]
        for post in late:
            message = Message(post.value, post.sent, post.key, post.id)
            message.source = self
            left.append(message)
            if self._events.on_message:
                self._events.message(
                    MessageDead(trio.current_time(), self.path, post.value, DeadReason.LEFT)
                )
        return left

    # ── receiving ────────────────────────────────────────────────────────────────────────────────

    def subscribe(self) -> Subscription:
        """A receiving end of one's own; it gets what is sent from now on."""
        subscription = Subscription(self)
        if self.is_over:
            subscription.close()
            return subscription
        self._subscribed += 1
        number = subscription.number = self._subscribed
        token = trio.lowlevel.current_trio_token()

        def is_freed(_: object) -> None:
            # Memory may be freed in the middle of anything, so the rest is done when trio comes by.
            try:
                token.run_sync_soon(self._forget_number, number)
            except trio.RunFinishedError:
                pass  # nobody is left to be held up

        self._subscriptions[number] = ref(subscription, is_freed)
        return subscription

    def try_take(self) -> NoReturn:
        """Nobody receives from a broadcast channel.

        Raises:
            Fault: ``value.invalid``, always: one has to subscribe.
        """
        raise Fault(
            "value.invalid",
            name=RECEIVE,
            problem_ta=f"‘{self.name}’ பரப்புச் சேனல்; நேரடியாகப் பெற முடியாது;"
            f" ‘{SUBSCRIBE}’ தரும் முனையிலிருந்து பெறவும்",
            problem_en=f"‘{self.name}’ is a broadcast channel and cannot be received from directly;"
            f" receive from what ‘{SUBSCRIBE}’ answers",
        )

    def watch(self, wake: Callable[[], None]) -> NoReturn:
        """As ``try_take``."""
        self.try_take()

    def unwatch(self, wake: Callable[[], None]) -> None:
        """Nobody watches here."""

    def acked(self, delivery: Delivery) -> None:
        """What was never taken cannot be settled, except after ``drain``, when it means nothing."""

    def given_back(self, delivery: Delivery, delay: float) -> None:
        """As ``acked``."""

    def buried(self, delivery: Delivery, fault: Fault) -> None:
        """As ``acked``."""

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _may_enter(self) -> bool:
        # Asked at every take while a sender waits. Only who had no room is looked at again, and all of
        # them only when none of those is left.
        full = self._full
        while full:
            one = full[-1]()
            if one is not None and not one.has_room:
                return False
            full.pop()
        self._full = [ref(one) for one in self.subscriptions if not one.has_room]
        return not self._full

    def _deliver(self, post: Post) -> bool:
        self._note(post)
        subscriptions = self.subscriptions
        taken = [one.deliver(post) for one in subscriptions]
        return any(taken) or not taken

    def _note(self, post: Post) -> None:
        """It is accepted: remember its id and tell those who listen."""
        if self._seen is not None and post.id is not None:
            self._seen.add(post.id)
        if self._events.on_message:
            self._events.message(MessageSent(trio.current_time(), self.path, post.value))

    def _is_duplicate(self, id: str) -> bool:
        if self._seen is None:
            self._seen = SeenIds()
        if id not in self._seen:
            return False
        self.duplicates += 1
        return True

    def _delay(self, post: Post, seconds: float) -> None:
        if len(self._sleeping) >= MOST_SLEEPING:
            raise Fault("overloaded")
        self._note(post)
        due = trio.current_time() + seconds
        self._sleeping.add(due, post)
        if self._alarm is None:
            self._alarm = Alarm(self._time_has_come)
        self._alarm.set(due)

    def _time_has_come(self) -> float:
        now = trio.current_time()
        while (post := self._sleeping.pop_due(now)) is not None:
            for one in self.subscriptions:
                one.deliver_late(post)
        if self.is_over:
            for one in self.subscriptions:
                one.close()
        return self._sleeping.next

    async def _wait_for_room(self, post: Post) -> bool:
        senders, task = self._senders, current_task()
        senders[task] = post

        def give_up(_: object) -> Abort:
            del senders[task]
            return Abort.SUCCEEDED

        accepted: Any = await wait_task_rescheduled(give_up)
        return bool(accepted)

    def _admit(self) -> None:
        senders = self._senders
        while senders and self._may_enter():
            sender, post = senders.popitem(last=False)
            # Another of the same id may have been sent while this one waited.
            is_new = post.id is None or not self._is_duplicate(post.id)
            reschedule(sender, outcome.Value(is_new and self._deliver(post)))

    def _forget_number(self, number: int) -> None:
        if self._subscriptions.pop(number, None) is not None and self._senders:
            self._admit()
