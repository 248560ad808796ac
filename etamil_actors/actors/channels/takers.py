"""Those who wait to take from a channel, in the order in which they came.

Two ways lead here: ``take`` waits in a task, ``watch`` calls a plain function. Both are *woken*, and look for
themselves; who was woken and leaves a message behind wakes the next. Every channel whose messages wait
somewhere has this part, wherever that is.

A taker lets other tasks run when it has to wait, and else once per turn. Then it does so *before* it takes:
who has taken a message has it at once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable

import trio
from trio.lowlevel import (
    Abort,
    checkpoint,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.channels.base import Delivery, Source
from etamil_actors.actors.mailbox import TURN_MESSAGES, TURN_SECONDS
from etamil_actors.actors.moments import after, as_number
from etamil_actors.errors import Fault


class Takers(Source):
    """See the top of the file."""

    # No slots: Python cannot join two classes that have them, and who has this part is a ``Channel`` too.

    def _open_takers(self) -> None:
        self._watchers: OrderedDict[Callable[[], None], None] = OrderedDict()
        self._turn = 0
        self._turn_ends = 0.0
        self._now = trio.lowlevel.current_clock().current_time
        """``trio.current_time``, without asking each time whose clock it is: a channel belongs to one run."""

    @property
    @abstractmethod
    def _may_have(self) -> bool:
        """Is there something to take, or to look through for something to take?"""

    async def take(self, seconds: float = math.inf) -> Delivery | None:
        """Wait for the next message; nothing once the source is over.

        A cancellation is noticed before anything is taken, never after.

        Raises:
            Fault: ``timeout``, none came within so many seconds; what ``try_take`` raises.
        """
        if self._turn >= TURN_MESSAGES or self._now() > self._turn_ends:
            await checkpoint()
            self._begin_turn()
        else:
            await checkpoint_if_cancelled()
        self._turn += 1
        delivery = self.try_take()
        if delivery is None:
            delivery = await self._wait(seconds)
            self._begin_turn()
        return delivery

    def _begin_turn(self) -> None:
        self._turn = 0
        self._turn_ends = self._now() + TURN_SECONDS

    async def _wait(self, seconds: float) -> Delivery | None:
        if seconds == math.inf:
            return await self._wait_for_message()
        delivery = None
        with trio.CancelScope(deadline=after(seconds)) as waiting:
            delivery = await self._wait_for_message()
        if waiting.cancelled_caught:
            raise Fault("timeout", seconds=as_number(seconds))
        return delivery

    async def _wait_for_message(self) -> Delivery | None:
        watchers, task = self._watchers, current_task()

        def wake() -> None:
            reschedule(task)

        def give_up(_: object) -> Abort:
            # Called only as long as nobody has woken us, so there is no wake to be passed on.
            del watchers[wake]
            return Abort.SUCCEEDED

        while not self.is_over:
            if self._may_have:  # the search was long and is not at its end
                try:
                    await checkpoint()
                except trio.Cancelled:
                    self._wake_one()  # who goes on searching in place of this one
                    raise
            else:
                watchers[wake] = None
                await wait_task_rescheduled(give_up)
            delivery = self.try_take()
            if delivery is not None:
                return delivery
        return None

    def watch(self, wake: Callable[[], None]) -> None:
        """Call this once, when there may be a message, or when the source is over; perhaps at once."""
        if self._may_have or self.is_over:
            wake()
        else:
            self._watchers[wake] = None

    def unwatch(self, wake: Callable[[], None]) -> None:
        """Do not wake any more; whoever was woken and leaves messages behind wakes the next."""
        if wake in self._watchers:
            del self._watchers[wake]
        elif self._may_have:
            self._wake_one()

    def _wake_one(self) -> None:
        if self._watchers:
            self._watchers.popitem(last=False)[0]()

    def _wake_all_if_over(self) -> None:
        if self.is_over:
            while self._watchers:
                self._wake_one()
