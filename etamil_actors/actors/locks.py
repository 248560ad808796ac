"""Locks and semaphores between the activities of one process (EXTENSIONS §7).

A lock has permits, one if nothing else is said. Who finds none queues; a permit that is given back is
*handed* to the first in the queue at once, so a newcomer cannot overtake it:

```
try_acquire ─▶ free permits ─▶ holders ──release──▶ free permits
acquire ────▶ queue ─────────────▲───────────────────┘ (the queue first)
```

- ``somebody queues ⇒ no permit is free``.
- Before a party queues, ``waits.py`` looks whether it would close a deadlock; then it gets the fault
  ``lock.deadlock`` and holds what it held before. Taking a lock that one holds already is the
  shortest of all rings.
- A party that is cancelled or too late while it queues leaves no trace. One to whom the permit was handed
  before has it, and gives it back like everybody who leaves the block.
- Whoever ends gives back all it holds: ``release_all``.

Nothing is shared between processes: every process has its own locks.
"""

from __future__ import annotations

import math
import unicodedata
from collections import OrderedDict
from decimal import Decimal
from typing import Final, Protocol

import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.moments import after, as_number
from etamil_actors.actors.waits import AnyOf, Party, begin_waiting, wait_for_children
from etamil_actors.errors import Fault, InternalError
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.number import is_whole
from etamil_actors.vm.values import Handle, Value

__all__ = ["Holder", "Lock", "LockBook", "permits_of", "release_all", "wait_for_children"]

MAKER: Final = "பூட்டு_உருவாக்கு"
"""The word that makes a lock, as messages name it."""


class Holder(Party, Protocol):
    """A party that may hold locks."""

    locks: list[Lock] | None
    """One entry for each permit that it holds, in the order in which they came. Only locks write here."""


class Lock(Handle):
    """See the top of the file."""

    __slots__ = ("_holders", "_queue", "_wait", "free", "name", "permits")

    kind = "a lock"

    def __init__(self, name: str = "", permits: int = 1) -> None:
        if permits < 1:
            raise Fault(
                "value.invalid",
                name=MAKER,
                problem_ta=f"அனுமதிகள் 1 அல்லது அதற்கு மேல்; {permits} அல்ல",
                problem_en=f"permits must be 1 or more, not {permits}",
            )
        self.name = name
        """What people call it: its own name, or that of the place where it was made."""
        self.permits = permits
        self.free = permits
        """Permits that nobody holds."""
        self._holders: dict[Holder, int] = {}
        # A lock that nobody ever waits for has no queue.
        self._queue: OrderedDict[Holder, Task] | None = None
        self._wait = AnyOf(self._holders.keys())

    @property
    def text(self) -> str:
        return f"<பூட்டு {self.name}>" if self.name else "<பூட்டு>"

    def __repr__(self) -> str:
        return f"<lock {self.name}>"

    @property
    def holders(self) -> list[Holder]:
        """Who holds a permit, the first to come first."""
        return list(self._holders)

    @property
    def waiting(self) -> list[Holder]:
        """Who queues, the next to be served first."""
        return list(self._queue or ())

    # ── taking ───────────────────────────────────────────────────────────────────────────────────

    def try_acquire(self, party: Holder) -> bool:
        """Take a permit if one is free. Never waits."""
        if not self.free:
            return False
        self._give(party)
        return True

    async def acquire(self, party: Holder, seconds: float = math.inf) -> None:
        """Take a permit, waiting for one if need be. A party waits for one thing at a time.

        A cancellation is noticed before a permit is taken, never after.

        Raises:
            Fault: ``lock.deadlock``, the party would wait for ever; ``timeout``, none came in time.
        """
        await checkpoint_if_cancelled()
        if self.try_acquire(party):
            return
        begin_waiting(party, self._wait)
        if seconds == math.inf:
            await self._wait_in_queue(party)
            return
        with trio.CancelScope(deadline=after(seconds)) as waiting:
            await self._wait_in_queue(party)
        if waiting.cancelled_caught:
            raise Fault("timeout", seconds=as_number(seconds))

    async def _wait_in_queue(self, party: Holder) -> None:
        if self._queue is None:
            self._queue = OrderedDict()
        queue = self._queue
        queue[party] = current_task()

        def leave(_: object) -> Abort:
            del queue[party]
            party.waiting = None
            return Abort.SUCCEEDED

        await wait_task_rescheduled(leave)

    def _give(self, party: Holder) -> None:
        self.free -= 1
        self._holders[party] = self._holders.get(party, 0) + 1
        if party.locks is None:
            party.locks = []
        party.locks.append(self)

    # ── giving back ──────────────────────────────────────────────────────────────────────────────

    def release(self, party: Holder) -> None:
        """Give one permit back; the first in the queue has it when this returns."""
        count = self._holders.get(party, 0)
        if not count or party.locks is None:
            raise InternalError(f"{party.name} gives back {self.text}, which it does not hold")
        if count == 1:
            del self._holders[party]
        else:
            self._holders[party] = count - 1
        _forget_last(party.locks, self)
        self.free += 1
        if self._queue:
            self._hand_on(self._queue)

    def _hand_on(self, queue: OrderedDict[Holder, Task]) -> None:
        party, task = queue.popitem(last=False)
        party.waiting = None
        self._give(party)
        reschedule(task)


def _forget_last(locks: list[Lock], lock: Lock) -> None:
    """Blocks end in the reverse order of their beginning, so it nearly always is the last one."""
    for place in range(len(locks) - 1, -1, -1):
        if locks[place] is lock:
            del locks[place]
            return


def release_all(party: Holder) -> None:
    """Give back everything that a party holds, the last first: it has ended. May be said twice."""
    while party.locks:
        party.locks[-1].release(party)


class LockBook:
    """The named locks of a process, one for all of its services."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[str, Lock] = {}

    def named(self, name: str, permits: int = 1) -> Lock:
        """The lock of this name, made when it is first asked for. Names are compared in NFC.

        Raises:
            Fault: ``config``, there is one with another number of permits; ``value.invalid``.
        """
        name = unicodedata.normalize("NFC", name)
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = Lock(name, permits)
        elif lock.permits != permits:
            raise Fault(
                "config",
                problem_ta=f"பூட்டு ‘{name}’: அனுமதிகள் {permits} எனக் கேட்கப்பட்டது; ஏற்கெனவே {lock.permits}",
                problem_en=f"the lock ‘{name}’ is wanted with {permits} permit(s), but has {lock.permits}",
            )
        return lock

    def locks(self) -> list[Lock]:
        """All of them, by name."""
        return [self._locks[name] for name in sorted(self._locks)]


def permits_of(value: Value) -> int:
    """The number of permits that a program asks for.

    Raises:
        Fault: ``value.kind``, ``value.invalid``: it is no whole number from 1.
    """
    if type(value) is not int and type(value) is not Decimal:
        raise Fault(
            "value.kind",
            name=MAKER,
            wanted_ta="‘அனுமதிகள்’ ஓர் எண்ணாக",
            wanted_en="a number as ‘permits’",
            kind=kind_of(value),
        )
    if not is_whole(value) or value < 1:
        raise Fault(
            "value.invalid",
            name=MAKER,
            problem_ta=f"அனுமதிகள் 1 அல்லது அதற்கு மேற்பட்ட முழு எண்; {text_of(value)} அல்ல",
            problem_en=f"permits must be a whole number from 1, not {text_of(value)}",
        )
    return int(value)
