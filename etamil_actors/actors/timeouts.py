"""One timer for all who wait for an answer.

A cancel scope around every ``ask`` costs as much as the question itself. Here a tree has one task
that sleeps until the earliest deadline, and a heap of those who wait. An answer that comes in time
leaves its entry behind; the entries at the top are thrown away when the timer passes by, the others
when they have become the majority, so the heap holds at most twice as many as wait.

Moving the timer forward does not wake its task: the deadline of the scope in which it sleeps is
set anew, and trio looks at it when it is due.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import Final

import trio

from etamil_actors.actors.errors import ActorStoppedError, AskTimeoutError
from etamil_actors.actors.reference import Reply

FEW: Final = 1000
"""So many entries are never worth a cleaning."""


class Timeouts:
    """Those who wait for an answer, by deadline."""

    __slots__ = ("_clean_at", "_heap", "_number", "_sleep")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Reply, str, float]] = []
        self._number = 0
        self._clean_at = FEW
        self._sleep = trio.CancelScope()

    def add(self, deadline: float, reply: Reply, path: str, seconds: float) -> None:
        """Let this wait end with ``AskTimeoutError`` at the deadline."""
        self._number += 1
        heap = self._heap
        heappush(heap, (deadline, self._number, reply, path, seconds))
        if heap[0][0] < self._sleep.deadline:
            self._sleep.deadline = heap[0][0]
        if len(heap) >= self._clean_at:
            self._clean()

    def __len__(self) -> int:
        return len(self._heap)

    def _clean(self) -> None:
        self._heap = [entry for entry in self._heap if not entry[2].is_done]
        heapify(self._heap)
        self._clean_at = max(FEW, 2 * len(self._heap))

    async def run(self) -> None:
        """Keep the time, until cancelled; who still waits then waits for a tree that has ended."""
        try:
            while True:
                self._sleep = trio.CancelScope(deadline=self._next(trio.current_time()))
                with self._sleep:
                    await trio.sleep_forever()
        finally:
            for _, _, reply, path, _ in sorted(self._heap, key=itemgetter(0, 1)):
                reply.fail(ActorStoppedError(path))
            self._heap.clear()

    def _next(self, now: float) -> float:
        """End the waits that are due; when is the next one?"""
        heap = self._heap
        while heap:
            deadline, _, reply, path, seconds = heap[0]
            if reply.is_done:
                heappop(heap)
            elif deadline <= now:
                heappop(heap)
                reply.fail(AskTimeoutError(path, seconds))
            else:
                return deadline
        return math.inf
