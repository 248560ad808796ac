"""The one joint between program code and trio.

Program code is plain synchronous Python in a greenlet. When it asks the world for something, a *word*
answers (``words.py``): with a value, and the program goes on at once without leaving its greenlet; or with
a coroutine, and then the greenlet switches to its driver, which awaits it in the activity's trio task:

```
driver (a trio task)                     greenlet
program.switch(…) ────────────────────▶  … words that need not wait are answered here …
await coroutine   ◀────── a coroutine ─  a word that has to wait
program.switch(answer) ───────────────▶  … goes on, until it returns
value             ◀─────────────── end
```

A cancellation of trio's is thrown into the program as ``ActivityCancelled``, which no பிழை catches, so it
reaches program code at every wait and every slice. இறுதியில் blocks then run under a shield, for a few
seconds all together; when the program has ended, trio gets its cancellation back.

Contexts: a greenlet has context variables of its own, so the decimal context of program code is nobody
else's.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import trio
from greenlet import getcurrent, greenlet

from etamil_actors.actors.programs.greenlets import Over
from etamil_actors.actors.programs.slices import Slicer
from etamil_actors.errors import ActivityCancelled
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.traces import stands_at
from etamil_actors.vm.values import Value

_SET_ASIDE = Slicer.set_aside.__code__

Wait = Coroutine[Any, Any, Any]
"""What a program waits for: not yet begun, so that any task may await it."""


class Drive:
    """One entry into program code: a greenlet, and whoever awaits what it asks for."""

    __slots__ = ("_entry", "_machine", "_program", "_slicer", "grace", "slices", "stood_at")

    def __init__(self, machine: Machine, slicer: Slicer, entry: Callable[..., Value]) -> None:
        self._machine = machine
        self._slicer = slicer
        self._entry = entry
        self._program: greenlet | None = None
        """Where the program runs; nothing before and afterwards."""
        self.stood_at: str | None = None
        """Where the program stood when it was cancelled."""
        self.slices = 0
        """How many slices of computing time it has used up."""
        self.grace = 0.0
        """Until when இறுதியில் blocks may wait, once the program is being ended; 0 before."""

    @property
    def is_over(self) -> bool:
        """Has the program code ended?"""
        return self._program is None

    @property
    def stands_at(self) -> str | None:
        """Where the program waits now, or where it stood when it was cancelled."""
        frame = self._program.gr_frame if self._program is not None else None
        return stands_at(frame, self._machine.program.files) or self.stood_at

    def begin(self, *arguments: Value) -> Any:
        """Start the program in the greenlet that calls this. Ask ``is_over`` what it is that came."""
        program = self._program = self._slicer.stock.take()
        return self._enter(program.switch, (self._entry, arguments))

    def _enter(self, act: Callable[..., Any], argument: Any) -> Any:
        """Let the program run until it waits or ends: what it waits for, or its value."""
        slicer = self._slicer
        slicer.entries += 1
        outer, slicer.running = slicer.running, self._machine
        try:
            made = act(argument)
        finally:
            slicer.running = outer
        if type(made) is not Over:
            return made
        program, self._program = self._program, None
        assert program is not None
        slicer.stock.give_back(program)
        value, problem = made.empty()
        if problem is not None:
            try:
                raise problem
            finally:
                del problem  # its trace has this frame, and would keep the program's values with it in a ring
        return value

    async def run(self, *arguments: Value) -> Value:
        """Run the program to its end.

        Raises: what the program raises — a Fault, a ProgramEnd — and trio's cancellation.
        """
        return await self.carry_on(self.begin(*arguments))

    async def carry_on(self, step: Any) -> Value:
        """Go on from what ``begin`` answered, in any task."""
        slicer = self._slicer
        if self._program is not None:
            self._program.parent = getcurrent()
        try:
            while (program := self._program) is not None:
                if slicer.granted is self._machine and step.cr_code is not _SET_ASIDE:
                    slicer.done()
                act: Callable[..., Any] = program.throw
                try:
                    answer = await step
                    act = program.switch
                except trio.Cancelled as cancelled:
                    if self.stood_at is None:
                        self.stood_at = stands_at(program.gr_frame, self._machine.program.files)
                    answer = ActivityCancelled(cancelled)
                except BaseException as problem:  # noqa: BLE001  it goes to whoever asked: the program
                    answer = problem
                # Not while it is handled here: what the program raises later has nothing to do with it.
                step = self._enter(act, answer)
                answer = None  # the program may be done with it long before its next wait is over
            return step
        except ActivityCancelled as ended:
            if ended.args:
                raise ended.args[0] from None  # trio gets its cancellation back
            raise
        finally:
            answer = None  # a problem that was thrown in has this frame in its trace
            if slicer.granted is self._machine:
                slicer.done()
