"""The supervision tree of a process: what all its actors share, and the block it lives in.

```python
async with open_tree(SupervisorSpec(name="root", children=(…))) as tree:
    await tree.at("/root/books").ask("total")
```

When the block is entered, every child is ready. When it is left, the tree is stopped in order, the
last child first. When the root gives up, the block is cancelled and ``TooManyRestartsError`` is
raised from it: not a group, one error with a report for people.
"""

from __future__ import annotations

import random as chances
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from etamil_actors.actors.actor import Actor
from etamil_actors.actors.dead import DeadLetters
from etamil_actors.actors.errors import ActorStoppedError
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.mailbox import Turn
from etamil_actors.actors.reference import Reference
from etamil_actors.actors.registry import Registry
from etamil_actors.actors.restart import Crashed, Exit
from etamil_actors.actors.supervisor import STOPPED_WITH_PARENT, SupervisorSpec
from etamil_actors.actors.timeouts import Timeouts
from etamil_actors.actors.workers import Workers


class Tree:
    """What the actors of one tree share; also the parent of the root."""

    def __init__(self, events: EventStream | None = None, random: Callable[[], float] | None = None) -> None:
        self.events = events if events is not None else EventStream()
        self.random = random if random is not None else chances.random
        """A number from 0 up to 1, for the jitter of restarts."""
        self.registry = Registry()
        self.dead_letters = DeadLetters(self.events)
        self.timeouts = Timeouts()
        self.turn = Turn()
        """What is handled in the turns of those who ask."""
        self.serving: Actor | None = None
        """The actor that is at work in the turn of whoever asked it; of several, the innermost."""
        self.injected: dict[Actor, BaseException] = {}
        """Failures that a test has put into lives, until these notice."""
        self._ready = trio.Event()
        self._block = trio.CancelScope()

    @property
    def path(self) -> str:
        """The empty path, below which the root stands."""
        return ""

    @property
    def tree(self) -> Tree:
        """Itself, as for every parent."""
        return self

    def at(self, path: str) -> Reference:
        """The actor at this place.

        Raises:
            ActorStoppedError: there is none, or no longer.
        """
        reference = self.registry.at(path)
        if reference is None:
            raise ActorStoppedError(path)
        return reference

    def child_started(self, child: Actor) -> None:
        """The root is ready, and with it everything."""
        self._ready.set()

    def child_ended(self, child: Actor, exit: Exit) -> None:
        """The root has ended: nobody is there to start it again."""
        child.leave(exit)
        self._block.cancel("the root of the tree has ended")

    def dismiss(self, child: Actor, reason: str) -> None:
        """Stop the whole tree."""
        child.request_stop(reason, for_good=True)


@asynccontextmanager
async def open_tree(
    root: SupervisorSpec, events: EventStream | None = None, random: Callable[[], float] | None = None
) -> AsyncIterator[Tree]:
    """Run a supervision tree for the length of a block.

    Raises:
        StartError: something did not start, so nothing runs.
        TooManyRestartsError: the root gave up.
    """
    tree = Tree(events, random)
    actor = root.create(tree)
    trouble: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.timeouts.run)
        actor.begin(Workers(nursery))
        with tree._block:
            await tree._ready.wait()
            try:
                yield tree
            except Exception as problem:  # noqa: BLE001  kept out of the nursery, which would wrap it
                trouble = problem
        actor.request_stop(STOPPED_WITH_PARENT, for_good=True)
        await actor.wait_gone()
        nursery.cancel_scope.cancel("the tree has ended")
    if trouble is not None:
        raise trouble
    if isinstance(actor.exit, Crashed):
        raise actor.exit.problem
