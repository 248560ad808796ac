"""An activity: one run of program code, with everything it has to give back when it ends.

A started task, a run of a job, the life of an agent, the prelude of a service, a request: each is an
activity with a machine of its own. Its *children* are tasks that it started. They are structured: when the
activity ends, those that still run are cancelled, and the error of one that nobody awaited becomes the
activity's. What it took from channels is acknowledged when it ends well, and given back when it does not.

```
enter ─▶ program code (driver.py) ─▶ settle: children end ─▶ deliveries ─▶ locks ─▶ cleanups ─▶ machine
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

import trio
from greenlet import getcurrent

from etamil_actors.actors.channels.base import Delivery, Source
from etamil_actors.actors.locks import release_all
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.driver import Drive
from etamil_actors.actors.programs.spans import Within, handling
from etamil_actors.actors.programs.words import DEEDS, WORDS, tamil_of
from etamil_actors.actors.waits import Wait
from etamil_actors.errors import ActivityCancelled, Fault, InternalError
from etamil_actors.vm.effects import Effect, Service
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.locks import Lock
    from etamil_actors.actors.programs.databases_leases import Lent
    from etamil_actors.actors.programs.responses import Answer
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.tasks import Task

QUIET_SECONDS: Final = 1.0
"""How long an activity that is asked to stop may still wait for a message, perhaps an answer."""

CUT_SECONDS: Final = 10.0
"""How long the end of one thing may take that was cancelled: longer than its இறுதியில் blocks get."""


class Activity:
    """See the top of the file. ``kind`` tells what it is, for words that depend on it."""

    __slots__ = (
        "actor",
        "budget",
        "children",
        "cleanups",
        "deadline",
        "drive",
        "following",
        "held",
        "idle",
        "is_background",
        "is_stopping",
        "last_taken",
        "lent",
        "locks",
        "machine",
        "me",
        "name",
        "request",
        "said",
        "service",
        "taken",
        "trace",
        "waiting",
    )

    def __init__(self, service: RunningService, name: str) -> None:
        self.service = service
        self.name = name
        """What people call it, in messages about deadlocks and errors."""
        self.machine: Machine | None = None
        self.drive: Drive | None = None
        self.waiting: Wait | None = None
        """For whom it waits, as deadlocks are looked for."""
        self.me: Value = None
        """இது: the agent whose activity it is."""
        self.request: Any = None
        """The request at hand, where there is one."""
        self.said: Answer | None = None
        """What the program has answered to it so far."""
        self.budget = inf
        """Seconds that one entry into program code may compute."""
        self.deadline = inf
        """When whoever waits for it stops waiting."""
        self.trace = ""
        """The trace context that travels on with what it sends, as ``traceparent`` has it; empty: none."""
        self.is_background = False
        """Is it a job of nobody in particular? Then it goes on with the trace of what it receives."""
        self.following: tuple[Delivery, Within] | None = None
        """The message whose trace it goes on with."""
        self.actor = ""
        """The place in the tree of the job or task that it is."""
        self.idle: trio.CancelScope | None = None
        """Around its wait for a message."""
        self.is_stopping = False
        self.last_taken: dict[Source, None] | None = None
        """Where it has taken from since it was asked to stop."""
        self.children: dict[Task, None] | None = None
        self.taken: dict[Source, list[Delivery]] | None = None
        """What it received and has not settled."""
        self.held: dict[Delivery, None] | None = None
        """What it handles for the length of a block or a turn."""
        self.locks: list[Lock] | None = None
        self.lent: Lent | None = None
        """Connections of databases that it has, once it has had one."""
        self.cleanups: list[Callable[[bool], Any]] | None = None
        """Called at the end, last first, with whether it ended well; may answer a coroutine."""

    def __repr__(self) -> str:
        return f"<activity {self.name}>"

    # ── running ──────────────────────────────────────────────────────────────────────────────────

    def enter(self, machine: Machine) -> None:
        """Work on this machine from now on."""
        self.machine = machine
        machine.performer = self.perform
        machine.me = self.me

    def driving(self, entry: Callable[..., Value]) -> Drive:
        """An entry into program code of the machine at hand."""
        assert self.machine is not None
        self.drive = Drive(self.machine, self.service.system.slicer, entry)
        return self.drive

    async def run(self, entry: Callable[..., Value], *arguments: Value) -> Value:
        """Run program code, in the task that awaits this."""
        return await self.driving(entry).run(*arguments)

    async def run_body(self, unit: int, *given: Value) -> Value:
        """Run a body of the program."""
        machine = self.machine
        assert machine is not None
        return await self.driving(machine.run_body).run(unit, *given)

    async def live(self, entry: Callable[..., Value], *arguments: Value) -> Value:
        """Run program code as the whole of this activity, and give everything back at its end.

        Raises: what the program raises; the error of a child that nobody awaited.
        """
        well = False
        try:
            value = await self.run(entry, *arguments)
            well = True
            return value
        finally:
            await self.close(well)

    async def close(self, well: bool) -> None:
        """Give back everything that it holds.

        Raises:
            Fault: it has ended well, and a child that nobody awaited has failed.
        """
        failure = None
        try:
            if self.children:
                # Without a deadline: every child has one of its own, and its children end before it does.
                with trio.CancelScope(shield=True):
                    await end_children(self)
                failure = failure_of_children(self) if well else None
            self.settle(well and failure is None)
            release_all(self)  # a block gives back its lock itself; this is the net under it
            while self.cleanups:
                made = self.cleanups.pop()(well and failure is None)
                if type(made) is CoroutineType:
                    with trio.CancelScope(shield=True, deadline=after(CUT_SECONDS)):
                        await made
        finally:
            machine, self.machine = self.machine, None
            if machine is not None:
                self.service.give_back_clean(machine)
        if failure is not None:
            raise failure

    @property
    def path(self) -> str:
        """Its place in the tree, for whoever tells of it."""
        if self.actor:
            return self.actor
        service = self.service
        if self.me is not None and self.me.reference is not None:
            return str(self.me.reference.path)
        if self.request is not None and self.request.route is not None:
            return f"{service.path}/routes/{self.request.route.place}"
        return service.path

    @property
    def place(self) -> str | None:
        """The program's file and line where it waits, or where it stood when it was cancelled."""
        return self.drive.stands_at if self.drive is not None else None

    # ── what program code asks for ───────────────────────────────────────────────────────────────

    def perform(self, effect: Effect) -> Any:
        """Answer an effect. Called in the program's greenlet; waits there when the answer is a coroutine."""
        if type(effect) is Service:
            word = WORDS.get(effect.key)
            if word is None:
                raise Fault("not_provided", name=tamil_of(effect.key))
            slicer = self.service.system.slicer
            if slicer.virtual and slicer.is_turn_over():
                self.wait(_a_turn_for_others())
            answer = word(self, *effect.arguments)
        else:
            answer = DEEDS[type(effect)](self, effect)
        if type(answer) is CoroutineType:
            return self.wait(answer)
        return answer

    def wait(self, coroutine: Any) -> Any:
        """In the program's greenlet: let the driver await this, and answer what came of it."""
        parent = getcurrent().parent
        if parent is None:
            coroutine.close()
            raise InternalError("program code that waits runs outside a driver")
        if self.service.world.is_dirty:
            try:
                self.service.world.show()
            except BaseException:
                coroutine.close()
                raise
        return parent.switch(coroutine)

    async def take(self, taking: Awaitable[Any]) -> Any:
        """Wait for messages. An activity that is asked to stop has nothing in hand then, and stops here."""
        with trio.CancelScope(deadline=after(QUIET_SECONDS if self.is_stopping else inf)) as self.idle:
            return await taking
        self.idle = None
        raise ActivityCancelled

    def may_take(self, source: Source) -> None:
        """Before it takes from here: one that is asked to stop takes one more at the most, perhaps an answer.

        Raises:
            ActivityCancelled: it has nothing in hand, and stops here.
        """
        if self.is_stopping and self.last_taken is not None and source in self.last_taken:
            raise ActivityCancelled

    def ask_to_stop(self) -> None:
        """Take no more messages, if it is one that takes messages; what it has in hand may be finished."""
        self.is_stopping = True
        if self.idle is not None:
            self.idle.deadline = after(QUIET_SECONDS)

    # ── what it holds ────────────────────────────────────────────────────────────────────────────

    @property
    def holds_something(self) -> bool:
        """Is there anything to give back at its end?"""
        return self.owes_something or self.machine is not None

    @property
    def owes_something(self) -> bool:
        """Does its end take more than to give back the machine?"""
        return bool(self.children or self.taken or self.locks or self.cleanups)

    def took(self, delivery: Delivery) -> None:
        """It received this and has to settle it."""
        if self.taken is None:
            self.taken = {}
        self.taken.setdefault(delivery.source, []).append(delivery)
        self._note(delivery)
        if self.is_background:
            self._follow(delivery)

    def _note(self, delivery: Delivery) -> None:
        if self.is_stopping:
            if self.last_taken is None:
                self.last_taken = {}
            self.last_taken[delivery.source] = None

    def value_of(self, delivery: Delivery) -> Value:
        """What was sent, as the machine at hand may use it.

        Raises:
            Fault: ``value.local``, ``validation``: it means nothing in this program.
        """
        machine = self.machine
        assert machine is not None
        packed = delivery.packed
        if packed is None:
            return machine.adopt(delivery.value)
        from etamil_actors.vm.packing import MachineMeanings, unpacked

        return unpacked(packed, MachineMeanings(machine, self.service.system.handle))

    def settle(self, well: bool) -> None:
        """Acknowledge what was taken, or give it back."""
        taken, self.taken = self.taken, None
        if self.following is not None:
            self._follow(None)
        for deliveries in (taken or {}).values():
            for delivery in deliveries:
                if well:
                    delivery.ack()
                else:
                    delivery.give_back()

    def settle_source(self, source: Source, *, well: bool = True) -> None:
        """Acknowledge what was taken from this source, or give it back."""
        taken = self.taken
        if self.following is not None and self.following[0].source is source:
            self._follow(None)
        for delivery in taken.pop(source, ()) if taken else ():
            if well:
                delivery.ack()
            else:
                delivery.give_back()

    def _follow(self, delivery: Delivery | None) -> None:
        """Go on with the trace of a message that was received, until it is settled or the next one comes."""
        if self.following is not None:
            self.following[1].leave()
            self.following = None
        if delivery is not None:
            within = handling(self, delivery)
            if within is not None:
                self.following = delivery, within

    def hold(self, delivery: Delivery) -> None:
        """A message is in its hands for the length of a block or of a turn."""
        if self.held is None:
            self.held = {}
        self.held[delivery] = None
        self._note(delivery)

    def let_go(self, delivery: Delivery, *, well: bool) -> None:
        """The block has ended: its message is done, or given back, unless the program has said so itself."""
        if self.held is not None:
            self.held.pop(delivery, None)
        if well:
            delivery.ack()
        else:
            delivery.give_back()

    def settle_held(self, source: Source, *, well: bool) -> None:
        """Settle now what is in its hands from this source."""
        for delivery in [one for one in self.held or () if one.source is source]:
            self.let_go(delivery, well=well)

    def at_end(self, cleanup: Callable[[bool], Any]) -> None:
        """Call this when the activity ends."""
        if self.cleanups is None:
            self.cleanups = []
        self.cleanups.append(cleanup)


async def _a_turn_for_others() -> None:
    await trio.lowlevel.checkpoint()


async def end_children(activity: Activity) -> None:
    """The activity is over: cancel the children that still run, and wait until they have ended."""
    children = list(activity.children or ())
    for task in reversed(children):
        task.cancel()
    for task in children:
        await task.outcome.wait()


def failure_of_children(activity: Activity) -> Fault | None:
    """The error of a child that has failed and that nobody awaited; each is told once."""
    found = None
    children = activity.children or {}
    for task in [task for task in children if task.outcome.is_over]:
        del children[task]
        if task.outcome.fault is not None and not task.outcome.was_awaited:
            task.outcome.was_awaited = True
            found = found or task.outcome.fault
    return found
