"""The actor ``/root/resources``: it keeps what is opened once for all of a process.

It starts before every service and stops after all of them. Pools, bridges and writers run in its nursery,
each guarded: one that fails is told and run again, so no mistake of a library takes the tree down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from etamil_actors.actors.actor import Actor
from etamil_actors.actors.behaviour import Behaviour
from etamil_actors.actors.errors import describe
from etamil_actors.actors.events import Event, EventStream
from etamil_actors.actors.leaves import leaves_of
from etamil_actors.actors.moments import after
from etamil_actors.vm.log_line import shown

NAME: Final = "resources"
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
CLOSE_SECONDS: Final = 5.0
"""How long closing one thing may take."""

Run = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Told(Event):
    """Something that the operator should know of what a process has opened."""

    tamil: str
    english: str


class ResourceKeeper:
    """See ``ports.background.Keeper``."""

    def __init__(self, events: EventStream) -> None:
        self._events = events
        self._nursery: trio.Nursery | None = None
        self._waiting: list[tuple[str, Run]] = []
        self._closing: list[Run] = []

    def start(self, name: str, run: Run) -> None:
        """Run this until the process ends; again, should it fail."""
        if self._nursery is None:
            self._waiting.append((name, run))
        else:
            self._nursery.start_soon(self._guarded, name, run, name=f"resources: {name}")

    def at_close(self, close: Run) -> None:
        """Call this when no program runs any more."""
        self._closing.append(close)

    def tell(self, tamil: str, english: str) -> None:
        """Tell the operator something: in one line, and no secrets that servers repeat."""
        if self._events.on_life:
            self._events.life(Told(trio.current_time(), f"/root/{NAME}", shown(tamil), shown(english)))

    async def close(self) -> None:
        """Close everything, what was opened last first; one thing that fails does not hold up the others."""
        while self._closing:
            close = self._closing.pop()
            with trio.CancelScope(shield=True, deadline=after(CLOSE_SECONDS)) as scope:
                try:
                    await close()
                except Exception as problem:  # noqa: BLE001  told; the rest is closed all the same
                    told = describe(problem)
                    self.tell(f"மூட முடியவில்லை: {told}", f"cannot be closed: {told}")
            if scope.cancelled_caught:
                self.tell("மூட நேரம் போதவில்லை", "closing took too long")

    async def keep(self, stopping: Callable[[], Awaitable[object]]) -> None:
        """Run what is started, until ``stopping`` is over; then close everything."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            waiting, self._waiting = self._waiting, []
            for name, run in waiting:
                self.start(name, run)
            try:
                await stopping()
                await self.close()
            finally:
                self._nursery = None
                nursery.cancel_scope.cancel("the process ends")

    async def _guarded(self, name: str, run: Run) -> None:
        pause = FIRST_PAUSE
        while True:
            began = trio.current_time()
            try:
                await run()
                return
            except BaseException as problem:
                found = leaves_of(problem)
                if found.cancelled or found.interrupts:
                    raise
                told = "; ".join(describe(error) for error in found.errors)
            self.tell(f"{name}: {told}; மீண்டும் தொடங்கும்", f"{name}: {told}; it is started again")
            if trio.current_time() - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


class Keeping(Behaviour):
    """The actor that keeps."""

    def __init__(self, keeper: ResourceKeeper) -> None:
        self._keeper = keeper

    async def work(self, actor: Actor) -> None:
        """Keep until everything else has ended."""
        await self._keeper.keep(actor.stopping.wait)
