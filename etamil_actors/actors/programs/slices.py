"""Time slices: a program that computes without waiting is set aside again and again.

Trio has one thread and no pre-emption, so a loop that never waits would stop every timer, every health
check and the shutdown. A timer of the operating system that counts *computing time* raises the flag of
the machine that runs at that moment; compiled code looks at it at loop ends and function entries and
yields. An idle process gets no signal at all.

One round of trio's scheduler runs every task that is ready. If all that compute were ready in every
round, sixteen endless loops would delay a timer by sixteen slices. So those that were set aside stand in
a line, and one of them goes on per round:

```
flag ─▶ aside ─▶ end of the line … front ─▶ a slice ─▶ flag ─▶ …
```

In a simulation nobody is interrupted, as what depends on the speed of a machine cannot be repeated. What
computes there for ``limit`` seconds without waiting is ended, because nothing else could end it.
"""

from __future__ import annotations

import _signal
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

from trio.lowlevel import Abort, Task, checkpoint, current_task, reschedule, wait_task_rescheduled

from etamil_actors.actors.programs.greenlets import Stock
from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.vm.machine import Machine

DEAF: Final = 2.0
"""Seconds beyond the budget after which a program that does not look at its flag is ended by force: it is
inside one long operation."""

SLICE_SECONDS: Final = 0.004
"""Computing time until a program is set aside. It is a tick of most kernels; a little more would be two."""


TURN_WORDS: Final = 256
"""In a simulation: words that need not wait before others get a turn."""


class Slicer:
    """Who computes now, and who waits for another slice. One for the process."""

    __slots__ = (
        "_allowed", "_before", "_is_spent", "_line", "_start", "_thread", "budget", "granted", "limit",
        "entries", "on_spent", "running", "stock", "virtual", "_seen", "_since", "_wakeup", "_words",
    )

    def __init__(self, *, virtual: bool = False, limit: float = 10.0, budget: float = 0.0) -> None:
        self.running: Machine | None = None
        """The machine whose code runs at this moment."""
        self.budget = budget
        """Seconds that all programs together may compute; 0 for no limit."""
        self.on_spent: Callable[[Fault], None] | None = None
        """Is told that the budget is spent, each time that a program is ended for it."""
        self._allowed = budget
        self._is_spent = False
        self._start = 0.0
        self.virtual = virtual
        self.limit = limit
        self.stock = Stock()
        """Where program code runs."""
        self.entries = 0
        """How often program code was entered."""
        self._wakeup = -1
        self._words = 0
        self._seen = 0
        self._since = 0.0
        """In a simulation: which entry is looked at, and when it was first seen, in computing time."""
        self.granted: Machine | None = None
        """Of those that were set aside, the one that has its turn."""
        self._line: deque[tuple[Task, Machine]] = deque()
        self._before: Any = None
        self._thread: _Ticker | None = None

    # ── the timer ────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Slicer:
        self._start = time.process_time()
        try:
            self._before = _signal.signal(_signal.SIGVTALRM, self._on_signal)
        except ValueError:  # not the main thread: a thread has to watch the time
            self._thread = _Ticker(self)
            self._thread.start()
        else:
            if self.virtual:
                # Trio would be woken by every signal, and what it does then depends on the machine's speed.
                self._wakeup = _signal.set_wakeup_fd(-1)
            _signal.setitimer(_signal.ITIMER_VIRTUAL, SLICE_SECONDS, SLICE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.end()
        else:
            if self.virtual:
                _signal.set_wakeup_fd(self._wakeup)
            _signal.setitimer(_signal.ITIMER_VIRTUAL, 0)
            _signal.signal(_signal.SIGVTALRM, self._before or _signal.SIG_DFL)

    def _on_signal(self, signal: int, frame: FrameType | None) -> None:
        if not self.virtual:
            if self.running is not None and self._over() >= DEAF:
                raise self._spent()
            self.tick()
        elif self._computed() > self.limit + DEAF:
            raise self._too_long()
        elif self._computed() > self.limit:
            self.tick()

    def look(self) -> None:
        """What the thread does that stands for the timer. It cannot end anybody by force."""
        if not self.virtual or self._computed() > self.limit:
            self.tick()

    def tick(self) -> None:
        """So much time was computed: whoever runs now is asked to yield."""
        machine = self.running
        if machine is not None:
            machine.interrupt()

    def _computed(self) -> float:
        """In a simulation: for how long has the running program computed without waiting?"""
        now = time.process_time()
        if self.running is None or self._seen != self.entries:
            self._seen, self._since = self.entries, now
        return now - self._since

    def _too_long(self) -> BudgetSpent:
        seconds = int(self.limit) if self.limit.is_integer() else self.limit
        return BudgetSpent(Fault("budget.time", seconds=seconds))

    def is_turn_over(self) -> bool:
        """In a simulation, where no timer does: shall others have a turn before the next word?"""
        if not self.virtual:
            return False
        self._words = (self._words + 1) % TURN_WORDS
        return not self._words

    # ── the budget ───────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """End the program that asks for another slice, when the budget is spent.

        In a simulation nobody asks for one who has not computed for too long.
        """
        if self.virtual:
            raise self._too_long()
        if self._over() >= 0:
            raise self._spent()

    def give(self, seconds: float) -> None:
        """The programs are ended because the budget is spent: once, let இறுதியில் blocks compute so long."""
        if self._is_spent and self._allowed == self.budget:
            self._allowed = time.process_time() - self._start + seconds

    def _over(self) -> float:
        return time.process_time() - self._start - self._allowed if self.budget else -1.0

    def _spent(self) -> BudgetSpent:
        self._is_spent = True
        seconds = int(self.budget) if self.budget.is_integer() else self.budget
        fault = Fault("budget.time", seconds=seconds)
        if self.on_spent is not None:
            self.on_spent(fault)
        return BudgetSpent(fault)

    # ── the line ─────────────────────────────────────────────────────────────────────────────────

    async def set_aside(self, machine: Machine) -> None:
        """Let everybody else go first; comes back when it is this machine's turn to compute."""
        if self.granted is machine:
            self.granted = None
        if self.granted is None and not self._line:
            self.granted = machine
            await checkpoint()
        else:
            await self._stand_in_line(machine)

    async def _stand_in_line(self, machine: Machine) -> None:
        line, place = self._line, (current_task(), machine)
        line.append(place)
        self.let_next()

        def leave(_: object) -> Abort:
            line.remove(place)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(leave)

    def let_next(self) -> None:
        """Give the turn to the first in the line, if nobody has it."""
        if self.granted is None and self._line:
            task, self.granted = self._line.popleft()
            reschedule(task)

    def done(self) -> None:
        """Whoever had the turn waits for something else now, or has ended."""
        self.granted = None
        self.let_next()


class _Ticker(threading.Thread):
    """Raises the flag where no signal can be had: trio runs in a thread that is not the main one."""

    def __init__(self, slicer: Slicer) -> None:
        super().__init__(daemon=True, name="slices")
        self._slicer = slicer
        self._over = threading.Event()

    def run(self) -> None:
        """Tick until the end."""
        while not self._over.wait(SLICE_SECONDS):
            self._slicer.look()

    def end(self) -> None:
        """Tick no more."""
        self._over.set()
        self.join()
