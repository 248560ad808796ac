"""Runs that repeat to the letter: one seed, one schedule.

Seeding trio's random generator is not enough. Trio puts the ready tasks of a round in an order that depends
on memory addresses unless an inner flag is set, and wakes timers of one moment by address too. So
``run_seeded`` sets the flag and the seed together, and takes its deadlines from ``actors/moments.py``, where
no two are equal. These inner names of trio's are looked for before each run, so that a release
without them is noticed and not merely less repeatable.

A seed chooses among schedules in one of two ways. ``shuffle`` puts the ready tasks of each round in
a new random order. ``priorities`` gives each task a random rank that it keeps, and now and then takes
one task's rank away; that is the idea of PCT (Burckhardt and others, 2010), and finds mistakes for
which one task has to stay behind for long.

Signals are a third source: trio lets each of them wake a task of its own, and the timer that ends programs
which compute for too long sends them by computing time. In here signals wake nobody; they need not, for
the loop never sleeps.

A thread would run in real time beside a virtual clock that does not wait for it, so in here nobody
may start one.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import trio
import trio._core._run as inner
from trio.abc import Instrument
from trio.testing import MockClock

from etamil_actors.actors import moments
from etamil_actors.errors import InternalError

T = TypeVar("T")

SHUFFLE: Final = "shuffle"
PRIORITIES: Final = "priorities"

LOSES_RANK: Final = 0.02
"""How often in a round a task loses its rank."""


class ThreadsInSimulationError(InternalError):
    """Something wanted a thread although time is virtual."""

    def __init__(self, who: str) -> None:
        super().__init__(
            f"உருவகப்படுத்துதலில் இழை கிடையாது; கேட்டது: {who}  (no threads in a simulation; {who} wanted one)"
        )


class Ranks(random.Random):
    """Orders the ready tasks by a rank that each keeps."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._ranks: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._lost = 0

    def shuffle(self, batch: Any) -> None:
        """Put the task that goes first last, as trio takes them."""
        for task in batch:
            if task not in self._ranks:
                self._ranks[task] = self.random()
        if batch and self.random() < LOSES_RANK:
            self._lost += 1
            self._ranks[self.choice(batch)] = -self._lost
        batch.sort(key=self._ranks.__getitem__)


@contextmanager
def seeded(seed: int, order: str = SHUFFLE) -> Iterator[None]:
    """Everything that trio decides by chance depends on this seed, and nothing on memory addresses."""
    assert isinstance(inner._r, random.Random), "trio keeps its random generator elsewhere"
    assert inner._ALLOW_DETERMINISTIC_SCHEDULING in (False, True), "trio has no deterministic order any more"
    before = inner._r, inner._ALLOW_DETERMINISTIC_SCHEDULING
    inner._r = Ranks(seed) if order == PRIORITIES else random.Random(seed)
    inner._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    moments.start_over()
    try:
        yield
    finally:
        inner._r, inner._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]


@contextmanager
def no_threads() -> Iterator[None]:
    """Whoever wants a thread of trio's in here gets an error that names it."""
    before = trio.to_thread.run_sync

    async def refuse(sync_fn: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        caller = sys._getframe(1)
        name = getattr(sync_fn, "__qualname__", repr(sync_fn))
        raise ThreadsInSimulationError(f"{caller.f_code.co_filename}:{caller.f_lineno} → {name}")

    trio.to_thread.run_sync = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        trio.to_thread.run_sync = before


class Watch(Instrument):
    """Sees when nothing will ever happen any more, and when there is no end to what happens.

    The virtual clock jumps to the next deadline whenever everybody waits. When there is none, everybody
    waits for ever; in real time that would be a program that hangs.
    """

    def __init__(self) -> None:
        self.steps = 0
        """How often a task has gone on."""
        self._cutters: list[Callable[[str], bool]] = []
        self._before: list[Callable[[], bool]] = []
        self._limit = inf
        self._wait_ends = self._wait_until = inf
        self._free_since: int | None = None
        self._went_on = False

    def on_idle(self, help: Callable[[], bool]) -> None:
        """Call this first when everybody waits; it answers whether it could help."""
        self._before.append(help)

    @contextmanager
    def cutting(self, cut: Callable[[str], bool], most_steps: float) -> Iterator[None]:
        """A block that is cut when everybody waits (``hang``) or when it makes too many steps (``endless``).

        ``cut`` answers whether it could do anything about it.
        """
        before, self._limit = self._limit, min(self._limit, self.steps + most_steps)
        self._cutters.append(cut)
        try:
            yield
        finally:
            self._cutters.remove(cut)
            self._limit, self._wait_ends, self._free_since = before, inf, None

    def begin_wait(self, steps: float, seconds: float, *, counts: bool = True) -> None:
        """What is to be cut begins to wait; it hangs when others make so many steps and take so long.

        If this wait does not count, what others do meanwhile is no endless going on.
        """
        if self._free_since is not None:
            self._limit += self.steps - self._free_since - 1
            self._look_at_limit()
        self._free_since = None if counts else self.steps
        self._wait_ends = self.steps + steps
        self._wait_until = trio.current_time() + seconds

    def _look_at_limit(self) -> None:
        if self.steps >= self._limit:
            self._limit = inf
            self._cut("endless")

    def _cut(self, why: str) -> None:
        for cut in reversed(self._cutters):
            if cut(why):
                return

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task goes on."""
        self._went_on = True
        self.steps += 1
        if self._free_since is None:
            self._look_at_limit()
        if self.steps >= self._wait_ends and trio.current_time() > self._wait_until:
            self._wait_ends = inf
            self._cut("hang")

    def before_io_wait(self, timeout: float) -> None:
        """Nothing is ready; when nothing was in the last round either, ask why."""
        if self._went_on:
            self._went_on = False
            return
        statistics = trio.lowlevel.current_statistics()
        if statistics.tasks_runnable or statistics.seconds_to_next_deadline != inf:
            return
        if not any([help() for help in self._before]):
            self._cut("hang")


def run_seeded(
    scenario: Callable[..., Awaitable[T]],
    *arguments: Any,
    seed: int = 0,
    order: str = SHUFFLE,
    instruments: Sequence[Instrument] = (),
) -> T:
    """Run a scenario by itself in virtual time, scheduled by a seed and by nothing else."""

    async def run() -> T:
        with _quiet_signals():
            return await scenario(*arguments)

    with seeded(seed, order), no_threads():
        try:
            return trio.run(run, clock=MockClock(autojump_threshold=0), instruments=instruments)
        except BaseExceptionGroup as group:
            if group.subgroup(KeyboardInterrupt) is not None:
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _quiet_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    woken = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)


def expect_virtual_time() -> None:
    """Insist on a clock that jumps when everybody waits.

    Raises:
        RuntimeError: the clock is another one.
    """
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock) or clock.autojump_threshold == inf:
        raise RuntimeError(
            "a service under test needs a virtual clock: use run_service, the fixtures of "
            "etamil_actors.testing.fixtures, or trio.run(…, clock=MockClock(autojump_threshold=0))"
        )
