"""The tasks that serve the actors of one supervisor.

An actor that has nothing to do has no task: it is *parked*. When there is something, it calls a *worker*, a
task in the nursery of its supervisor, which serves it until its mailbox is empty and then waits for the next
call. A few workers are kept waiting, so that a message to a parked actor costs what waking a task costs,
and not what making one does.

```
actor.run ◀── worker ──▶ kept ──call(actor)──▶ actor.run …
                 └──▶ ends, when enough are kept or the supervisor closes
```

A worker waits at the actor that it served last, and when that one calls, it is the one that comes: an actor
that is busy keeps its worker. When another calls and has none, the one comes that has waited longest. The
actor that it leaves is parked all the time and does not notice.

Trio's promise stays whole: every piece of an actor that waits for something is a task in that nursery,
so none outlives the supervisor, and a nursery that is cancelled reaches all who are at work. Those who
are parked hold nothing that trio could cancel; their supervisor stops them.
"""

from __future__ import annotations

from collections import OrderedDict
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

if TYPE_CHECKING:
    from etamil_actors.actors.actor import Actor

KEPT: Final = 32
"""So many workers wait for the next call; more end when they are done."""


class Worker:
    """A task that serves one actor after the other."""

    __slots__ = ("called_by", "last", "task")

    def __init__(self, actor: Actor) -> None:
        self.called_by: Actor | None = actor
        """Whom it serves next."""
        self.last = actor
        """Whom it has served last, and where it waits."""
        self.task: Task | None = None


class Workers:
    """See the top of the file. Made in the task of the supervisor, whose context every worker has."""

    __slots__ = ("_closed", "_context", "_kept", "_nursery")

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        # Not that of whoever sends a message: a trace of the sender is not one of the actor.
        self._context = copy_context()
        self._kept: OrderedDict[Worker, None] = OrderedDict()
        self._closed = False

    def call(self, actor: Actor) -> None:
        """Let somebody ``run`` this actor soon."""
        worker = actor.worker
        if worker is not None:
            del self._kept[worker]
        elif self._kept:
            worker, _ = self._kept.popitem(last=False)
            assert worker.task is not None
            worker.task.name, worker.task.context = actor.path, self._context.copy()
        else:
            begin = partial(self._nursery.start_soon, self._work, Worker(actor), name=actor.path)
            self._context.run(begin)
            return
        worker.called_by = actor
        self._leave(worker)

    @staticmethod
    def _leave(worker: Worker) -> None:
        worker.last.worker = None
        assert worker.task is not None
        reschedule(worker.task)

    @property
    def has_enough(self) -> bool:
        """Shall a worker end that is done?"""
        return self._closed or len(self._kept) >= KEPT

    async def wait(self, worker: Worker) -> None:
        """Be kept until there is a call, or until the supervisor closes."""

        def leave(_: object) -> Abort:
            del self._kept[worker]
            worker.last.worker = None
            return Abort.SUCCEEDED

        self._kept[worker] = None
        worker.last.worker = worker
        await wait_task_rescheduled(leave)

    def close(self) -> None:
        """Keep nobody any more: who waits ends now, who works ends when its actor is done."""
        self._closed = True
        while self._kept:
            worker, _ = self._kept.popitem()
            self._leave(worker)

    async def _work(self, worker: Worker) -> None:
        worker.task = current_task()
        while True:
            actor = worker.called_by
            if actor is None:
                if self.has_enough:
                    return
                await self.wait(worker)
                if worker.called_by is None:
                    return
            else:
                worker.called_by, worker.last = None, actor
                await actor.run(worker)
