"""What shall happen later in a channel: messages that sleep until they are due, and the clock that calls.

Whoever waits for a message is woken by a plain function, so somebody has to call it when time alone
makes a message ready. That is one task for each channel that has such messages, and none for the
others. It belongs to trio's own nursery: it starts with the first message that has to be waited for,
ends when there is none left, and in any case with the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

import trio

from etamil_actors.actors.moments import at

T = TypeVar("T")

MOST_SPENT: Final = 64
"""Notes of when something would have been too old are cleared away when so many more than those that
still mean something are left."""


class Alarm:
    """Calls a function at a moment. The function answers when it wants to be called again.

    It is called at that moment or a trifle later, never before, and not at all when the run has ended.
    Setting it again for an earlier moment brings the call forward; a later moment changes nothing, for
    the function will be called before and can say so then.
    """

    __slots__ = ("_moment", "_ring", "_scope")

    def __init__(self, ring: Callable[[], float]) -> None:
        self._ring = ring
        self._moment = math.inf
        self._scope: trio.CancelScope | None = None

    def set(self, moment: float) -> None:
        """Call at this moment at the latest."""
        if moment >= self._moment:
            return
        self._moment = moment
        if self._scope is None:
            self._scope = trio.CancelScope(deadline=at(moment))
            trio.lowlevel.spawn_system_task(self._keep_time, self._scope)
        else:
            self._scope.deadline = at(moment)

    async def _keep_time(self, scope: trio.CancelScope) -> None:
        while True:
            with scope:
                await trio.sleep_forever()
            self._moment = math.inf
            # The function may set the alarm itself while it runs, through what it does.
            self._moment = min(self._ring(), self._moment)
            if self._moment == math.inf:
                self._scope = None
                return
            scope = self._scope = trio.CancelScope(deadline=at(self._moment))


class Sleepers(Generic[T]):
    """Things that are due later, by moment; of one moment in the order in which they were added."""

    __slots__ = ("_added", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next(self) -> float:
        """When the first is due; never, when there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, due: float, thing: T) -> None:
        """Let this sleep until then."""
        self._added += 1
        heappush(self._heap, (due, self._added, thing))

    def pop_due(self, now: float) -> T | None:
        """The next one that is due, out of its sleep."""
        return heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now else None

    def pop_all(self) -> list[T]:
        """All of them, the first due first, whether it is time or not."""
        return [heappop(self._heap)[2] for _ in range(len(self._heap))]
