"""A value that is being computed while others wait for it.

One activity computes. Whoever asks for the same value meanwhile queues, and in the end all of them have it:

```
one computes ─┬─ a value, or an error ─▶ everybody has it         land
              ├─ no value at all       ─▶ the first in the queue computes    give_up
              └─ cancelled, crashed    ─▶ the first in the queue computes    give_up
```

That is a lock with one more way to end, so it *is* one: fair, cancellable, looked at for deadlocks when
somebody begins to wait (an activity that asks for what it is computing itself is the shortest of rings),
and given back when its holder ends in whatever way.
"""

from __future__ import annotations

from trio.lowlevel import checkpoint_if_cancelled, reschedule

from etamil_actors.actors.locks import Holder, Lock
from etamil_actors.actors.waits import begin_waiting
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value


class Flight(Lock):
    """See the top of the file. Whoever holds it computes."""

    __slots__ = ("fault", "has_landed", "value")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.has_landed = False
        self.value: Value = None
        self.fault: Fault | None = None
        """The error that computing ended with; there is no value then."""

    async def join(self, party: Holder) -> bool:
        """Wait for the value. True says that there is none and it is this party's turn to compute it.

        Raises:
            Fault: ``lock.deadlock``, the value would wait for this party.
        """
        await checkpoint_if_cancelled()
        if self.has_landed:
            return False
        if self.try_acquire(party):
            return True
        begin_waiting(party, self._wait)
        await self._wait_in_queue(party)
        return not self.has_landed

    def land(self, party: Holder, value: Value, fault: Fault | None = None) -> None:
        """The party that computes is done, and everybody who waits gets what came of it."""
        self.has_landed, self.value, self.fault = True, value, fault
        queue, self._queue = self._queue, None
        self.release(party)  # nobody queues now, so it is not handed on
        for waiting, task in (queue or {}).items():
            waiting.waiting = None
            reschedule(task)
