"""Tasks: functions that run beside whoever started them (EXTENSIONS §4).

A task is an activity with a machine of its own, whose globals begin as copies of its parent's, and an
actor under the service's supervisor for tasks. It belongs to the activity that started it: ``close``
of that activity cancels it when it still runs, and looks at its error when nobody did.

```
பணி_தொடங்கு ─▶ ஓடுகிறது ─┬─▶ முடிந்தது           its value, as often as asked
                        ├─▶ பிழை                its error
                        └─▶ நிறுத்தப்பட்டது       cancelled
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Any, Final

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.moments import after, as_number
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.words import duration, expect, tamil_of, word
from etamil_actors.actors.reference import Reference
from etamil_actors.actors.restart import Restart
from etamil_actors.actors.waits import wait_for_children
from etamil_actors.errors import BudgetSpent, ExitRequested, Fault
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.operations import wrong_count
from etamil_actors.vm.options import count_of, read_options
from etamil_actors.vm.values import BuiltinFunction, Function, Handle, Value


class Status(Enum):
    """How a task is, in the program's words."""

    RUNNING = "ஓடுகிறது"
    DONE = "முடிந்தது"
    FAILED = "பிழை"
    CANCELLED = "நிறுத்தப்பட்டது"


class Outcome:
    """What becomes of something that runs beside others: awaited, asked and cancelled by its handle."""

    __slots__ = ("_watchers", "fault", "leaving", "status", "value", "was_awaited")

    def __init__(self) -> None:
        self.status = Status.RUNNING
        self.value: Value = None
        self.fault: Fault | None = None
        self.leaving: ExitRequested | None = None
        """It said வெளியேறு: whoever waits for it leaves as well."""
        self.was_awaited = False
        """Has anybody looked at how it ended?"""
        self._watchers: list[Callable[[], None]] | None = None

    @property
    def is_over(self) -> bool:
        """Has it ended?"""
        return self.status is not Status.RUNNING

    def ended(self, status: Status, value: Value = None, fault: Fault | None = None) -> None:
        """It has ended like this; only the first end counts."""
        if self.status is not Status.RUNNING:
            return
        self.status, self.value, self.fault = status, value, fault
        watchers, self._watchers = self._watchers, None
        for wake in watchers or ():
            wake()

    def watch(self, wake: Callable[[], None]) -> None:
        """Call this once when it has ended; now, if it has."""
        if self.is_over:
            wake()
        elif self._watchers is None:
            self._watchers = [wake]
        else:
            self._watchers.append(wake)

    def unwatch(self, wake: Callable[[], None]) -> None:
        """Forget a watcher."""
        if self._watchers is not None and wake in self._watchers:
            self._watchers.remove(wake)

    async def wait(self) -> None:
        """Wait until it has ended."""
        if not self.is_over:
            over = trio.Event()
            self.watch(over.set)
            try:
                await over.wait()
            finally:
                self.unwatch(over.set)

    def answer(self, machine: Machine) -> Value:
        """Its value, for this machine.

        Raises:
            Fault: what it raised, or ``cancelled``.
            ExitRequested: it left the process.
        """
        self.was_awaited = True
        if self.leaving is not None:
            raise ExitRequested(self.leaving.status)
        if self.fault is not None:
            raise told(self.fault, machine)
        if self.status is Status.CANCELLED:
            raise Fault("cancelled")
        return machine.adopt(self.value)


def told(fault: Fault, machine: Machine) -> Fault:
    """An error as it is told to one who awaits: what happens to it there, nobody else sees."""
    again = Fault(
        fault.code, tamil=fault.tamil, english=fault.english, details=machine.adopt(dict(fault.details))
    )
    again.trace, again.earlier = fault.trace, fault.earlier
    return again


class Task(Handle):
    """A started task, as its handle and as what runs."""

    __slots__ = ("activity", "arguments", "function", "outcome", "reference", "siblings")

    kind = "a task"

    def __init__(
        self,
        siblings: dict[Task, None],
        activity: Activity,
        function: Value,
        arguments: Sequence[Value],
    ) -> None:
        self.siblings = siblings
        """The children of its parent, of which it is one."""
        self.activity = activity
        self.function = function
        self.arguments = arguments
        self.outcome = Outcome()
        self.reference: Reference | None = None

    @property
    def text(self) -> str:
        return f"<பணி {self.activity.name}>"

    async def live(self) -> None:
        """Run it to its end; its outcome knows how it was."""
        activity, machine = self.activity, self.activity.machine
        assert machine is not None
        try:
            value = await activity.live(machine.call, self.function, *self.arguments)
        except Fault as fault:
            self.outcome.ended(Status.FAILED, fault=fault)
            raise
        except BudgetSpent as spent:
            self.outcome.ended(Status.FAILED, fault=spent.fault)
            raise
        except ExitRequested as leaving:
            self.outcome.leaving = leaving
            activity.service.system.leave(leaving.status)
        else:
            self.outcome.ended(Status.DONE, value)
        finally:
            self.outcome.ended(Status.CANCELLED)
            if self.outcome.fault is None or self.outcome.was_awaited:
                self.forget()

    def forget(self) -> None:
        """It has ended, and its parent need not look at how: a long life has many children."""
        self.siblings.pop(self, None)

    def cancel(self) -> None:
        """Let it end soon."""
        if self.reference is not None and not self.outcome.is_over:
            self.reference.cancel("பணி_நிறுத்து")


class TaskBehaviour(Behaviour):
    """What the actor of a task does."""

    def __init__(self, task: Task) -> None:
        self.task = task

    async def work(self, actor: Actor) -> None:
        """Run the task."""
        await self.task.live()


# ---- starting -------------------------------------------------------------------------


def start(parent: Activity, function: Value, arguments: Sequence[Value], key: str) -> Task:
    """Start a function as a child of an activity.

    Raises:
        Fault: it is no function, or takes another number of arguments.
    """
    name = name_of(function, len(arguments), key)
    service = parent.service
    activity = Activity(service, name)
    activity.trace = parent.trace
    assert parent.machine is not None
    machine = service.continue_from(parent.machine)
    activity.enter(machine)
    if parent.children is None:
        parent.children = {}
    siblings = parent.children
    task = Task(siblings, activity, machine.adopt(function), [machine.adopt(one) for one in arguments])
    branch = service.tasks
    task.reference = branch.start_child_nowait(
        ActorSpec(
            name=branch.fresh_name(name),
            make=lambda: TaskBehaviour(task),
            restart=Restart.TEMPORARY,
            shutdown=0.0,
        )
    )
    activity.actor = task.reference.path
    siblings[task] = None
    return task


def name_of(function: Value, given: int, key: str) -> str:
    """What people call a function that is to be started, if it can be called like this.

    Raises:
        Fault: ``value.kind``, ``call.arguments``.
    """
    if isinstance(function, Function):
        if function.arity != given:
            wrong_count(function.name or "செயல்", str(function.arity), [None] * given)
        return function.name or "செயல்"
    if isinstance(function, BuiltinFunction):
        if given < function.least or 0 <= function.most < given:
            wrong_count(function.name, str(function.least), [None] * given)
        return function.name
    raise wrong_kind(tamil_of(key), "ஒரு செயல்", "a function", function)


# ---- the words ------------------------------------------------------------------------


@word("_spawn")
def spawn(activity: Activity, function: Value, *arguments: Value) -> Value:
    """பணி_தொடங்கு."""
    return start(activity, function, arguments, "_spawn")


def expect_outcome(value: Value, key: str) -> Any:
    """A task, or a job that was started: anything with an outcome."""
    if isinstance(value, Handle) and isinstance(getattr(value, "outcome", None), Outcome):
        return value
    return expect(Task, value, key, "ஒரு பணி", "a task")


@word("_await")
def await_task(activity: Activity, value: Value, seconds: Value = None) -> Any:
    """பணி_காத்திரு."""
    task = expect_outcome(value, "_await")
    patience = float("inf") if seconds is None else duration(seconds, "_await")
    if task.outcome.is_over:
        return _answer(activity, task)
    return _wait_for(activity, task, patience)


async def _wait_for(activity: Activity, task: Any, seconds: float) -> Value:
    with (
        trio.CancelScope(deadline=after(seconds)) as patience,
        wait_for_children(activity, [task.activity]),
    ):
        await task.outcome.wait()
    if patience.cancelled_caught and not task.outcome.is_over:
        raise Fault("timeout", seconds=as_number(seconds))
    return _answer(activity, task)


def _answer(activity: Activity, task: Any) -> Value:
    assert activity.machine is not None
    if isinstance(task, Task):
        task.forget()
    return task.outcome.answer(activity.machine)


@word("_cancel")
def cancel_task(activity: Activity, value: Value) -> Any:
    """பணி_நிறுத்து."""
    task = expect_outcome(value, "_cancel")
    task.outcome.was_awaited = True
    if task.outcome.is_over:
        if isinstance(task, Task):
            task.forget()
        return None
    task.cancel()
    return task.outcome.wait()


@word("_taskStatus")
def task_status(activity: Activity, value: Value) -> Value:
    """பணி_நிலை."""
    return expect_outcome(value, "_taskStatus").outcome.status.value


@word("_parallel")
def parallel(activity: Activity, functions: Value, options: Value = None) -> Any:
    """இணையாக."""
    calls: list[tuple[Value, Sequence[Value]]] = [
        (function, ()) for function in _array(functions, "_parallel")
    ]
    return _side_by_side(activity, calls, _limit(options, "_parallel"), "_parallel")


@word("_parallelMap")
def parallel_map(activity: Activity, values: Value, function: Value, options: Value = None) -> Any:
    """இணையாக_மாற்று."""
    calls = [(function, (value,)) for value in _array(values, "_parallelMap")]
    return _side_by_side(activity, calls, _limit(options, "_parallelMap"), "_parallelMap")


def _array(value: Value, key: str) -> list[Value]:
    if type(value) is list:
        return value
    raise wrong_kind(tamil_of(key), "ஓர் அணி", "an array", value)


def _limit(options: Value, key: str) -> int:
    if options is None:
        return MOST_SIDE_BY_SIDE
    return count_of(read_options(options, key), "limit", key, MOST_SIDE_BY_SIDE)


MOST_SIDE_BY_SIDE: Final = 1000
"""How many run at once when the program names no limit."""


async def _side_by_side(
    activity: Activity, calls: Sequence[tuple[Value, Sequence[Value]]], limit: int, key: str
) -> Value:
    for function, arguments in calls:
        name_of(function, len(arguments), key)
    tasks: list[Task] = []
    crowd = Crowd()
    try:
        with wait_for_children(activity, crowd.running.keys()):
            while len(tasks) < len(calls) or crowd.running:
                while len(tasks) < len(calls) and len(crowd.running) < limit:
                    function, arguments = calls[len(tasks)]
                    tasks.append(start(activity, function, arguments, key))
                    crowd.add(tasks[-1])
                for task in await crowd.over():
                    _answer(activity, task)  # raises the first error
        return [_answer(activity, task) for task in tasks]
    finally:
        await crowd.end()


class Crowd:
    """Tasks that run side by side."""

    def __init__(self) -> None:
        self.running: dict[Activity, Task] = {}
        self._over: list[Task] = []
        self._changed = trio.Event()

    def add(self, task: Task) -> None:
        """This task runs with the others. Its error is the business of whoever has the crowd."""
        task.outcome.was_awaited = True
        self.running[task.activity] = task
        task.outcome.watch(partial(self._ended, task))

    def _ended(self, task: Task) -> None:
        del self.running[task.activity]
        self._over.append(task)
        self._changed.set()

    async def over(self) -> list[Task]:
        """Wait until some have ended: those, the first first."""
        if not self._over:
            self._changed = trio.Event()
            await self._changed.wait()
        over, self._over = self._over, []
        return over

    async def end(self) -> None:
        """Cancel those that still run, and wait until they have ended."""
        running = list(self.running.values())
        for task in reversed(running):
            task.cancel()
        with trio.CancelScope(shield=True):
            for task in running:
                await task.outcome.wait()
