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
from greenlet import greenlet

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

    __slots__ = ("_machine", "_program", "_slicer", "grace", "stood_at")

    def __init__(self, machine: Machine, slicer: Slicer, entry: Callable[..., Value]) -> None:
        self._machine = machine
        self._slicer = slicer
        self._program = greenlet(entry)
        self.stood_at: str | None = None
        """Where the program stood when it was cancelled."""
        self.grace = 0.0
        """Until when இறுதியில் blocks may wait, once the program is being ended; 0 before."""

    @property
    def is_over(self) -> bool:
        """Has the program code ended?"""
        return bool(self._program.dead)

    @property
    def stands_at(self) -> str | None:
        """Where the program waits now, or where it stood when it was cancelled."""
        return stands_at(self._program.gr_frame, self._machine.program.files) or self.stood_at

    def enter(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Let the program run until it waits or ends: what it waits for, or its value."""
        slicer = self._slicer
        slicer.entries += 1
        outer, slicer.running = slicer.running, self._machine
        try:
            return act(*arguments)
        finally:
            slicer.running = outer

    def begin(self, *arguments: Value) -> Any:
        """Start the program in the greenlet that calls this. Ask ``is_over`` what it is that came."""
        return self.enter(self._program.switch, *arguments)

    async def run(self, *arguments: Value) -> Value:
        """Run the program to its end.

        Raises: what the program raises — a Fault, a ProgramEnd — and trio's cancellation.
        """
        return await self.carry_on(self.begin(*arguments))

    async def carry_on(self, step: Any) -> Value:
        """Go on from what ``begin`` answered, in any task."""
        program, slicer = self._program, self._slicer
        if not program.dead:
            program.parent = greenlet.getcurrent()
        try:
            while not program.dead:
                if slicer.granted is self._machine and step.cr_code is not _SET_ASIDE:
                    slicer.done()
                try:
                    answer = await step
                except trio.Cancelled as cancelled:
                    if self.stood_at is None:
                        self.stood_at = stands_at(program.gr_frame, self._machine.program.files)
                    step = self.enter(program.throw, ActivityCancelled(cancelled))
                except BaseException as problem:  # noqa: BLE001  it goes to whoever asked: the program
                    step = self.enter(program.throw, problem)
                else:
                    step = self.enter(program.switch, answer)
            return step
        except ActivityCancelled as ended:
            if ended.args:
                raise ended.args[0] from None  # trio gets its cancellation back
            raise
        finally:
            if slicer.granted is self._machine:
                slicer.done()
