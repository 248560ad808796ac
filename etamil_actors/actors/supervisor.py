"""Actors that start, restart and stop other actors.

A ``Supervisor`` has children that are known beforehand, started in order and stopped in reverse; a
``DynamicSupervisor`` has children that come and go, each on its own. Both are actors themselves, so
they stand under supervisors in turn, and an error that a fresh start does not cure travels upwards.

The tasks of children live in a nursery of their supervisor's task. So trio itself promises that no
child outlives its supervisor, whatever happens. The nursery never sees an error: an actor hands its
exit over as a value (``child_ended``), in its last step and without waiting.

A supervisor decides with pure helpers (``plan.py``, ``ledger.py``, ``restart.py``) and acts in few
words. Its loop waits for the next moment when something is due, and is woken when something happened:

```
child_started, child_ended, stop_child ─▶ plan ─▶ wake ─▶ steps ─▶ begin, request_stop
```
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final, Generic, TypeVar

import trio

from etamil_actors.actors.actor import STOP, Actor, Parent, Spec, State
from etamil_actors.actors.errors import ActorStoppedError, StartError
from etamil_actors.actors.events import ActorRestarted, DeadReason
from etamil_actors.actors.ledger import Account, Ledger
from etamil_actors.actors.moments import at
from etamil_actors.actors.plan import Begin, Plan, Post
from etamil_actors.actors.reference import Envelope, Reference, Reply
from etamil_actors.actors.restart import Crashed, Exit, Stopped, Strategy, should_restart
from etamil_actors.errors import EtamilError

WAKE: Final = Envelope("wake")
"""Something has happened: look at the plan again."""

STOPPED_WITH_PARENT: Final = "its supervisor stops"
STOPPED_WITH: Final = "stopped because ‘{}’ is restarted"
STOPPED_ON_REQUEST: Final = "stopped by request"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec(Spec):
    """A supervisor and the children it is born with."""

    children: tuple[Spec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 3
    """Restarts that are allowed …"""
    period: float = 5.0
    """… within so many seconds."""
    shutdown: float = inf
    """Every child has a shutdown time of its own, so the supervisor needs none."""

    def create(self, parent: Parent) -> Actor:
        """Make the supervisor and its children, known in the tree but not begun."""
        return Supervisor(self, parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicSpec(Spec):
    """A supervisor whose children are started while it runs."""

    intensity: int = 3
    period: float = 5.0
    shutdown: float = inf

    def create(self, parent: Parent) -> Actor:
        """Make the supervisor, known in the tree but not begun."""
        return DynamicSupervisor(self, parent)


S = TypeVar("S", SupervisorSpec, DynamicSpec)


class _Supervising(Actor, Generic[S]):
    """What both kinds share: a nursery, and a loop around a mailbox that brings only system words."""

    __slots__ = ("_branch",)

    def __init__(self, branch: S, parent: Parent) -> None:
        super().__init__(branch, parent)
        self._branch: S = branch

    async def _word(self, until: float) -> None:
        """Wait until something has happened, or until this moment."""
        with trio.CancelScope(deadline=at(until)):
            envelope = await self.mailbox.take()
            if envelope is not STOP and envelope is not WAKE:
                self._bury(envelope, DeadReason.UNWANTED, ActorStoppedError(self.path))

    def _wake(self) -> None:
        # A loop that is not waiting looks at the plan anyway before it waits again.
        if self.mailbox.is_waiting:
            self.mailbox.put_system(WAKE)

    def _tell_restart(self, child: Actor, delay: float, cause: str) -> None:
        if self.tree.events.on_life:
            event = ActorRestarted(trio.current_time(), child.path, child.life + 1, delay, cause)
            self.tree.events.life(event)


class Supervisor(_Supervising[SupervisorSpec]):
    """A supervisor of children that are known beforehand."""

    __slots__ = ("_actors", "_children", "_plan", "_posts")

    def __init__(self, branch: SupervisorSpec, parent: Parent) -> None:
        super().__init__(branch, parent)
        self._plan: Plan | None = None
        self._posts: dict[Actor, Post] = {}
        self._actors: dict[Post, Actor] = {}
        self._children: list[Actor] = []
        try:
            for spec in branch.children:
                self._children.append(spec.create(self))
        except EtamilError:
            self.leave(Stopped("it could not be made"))
            raise

    @property
    def children(self) -> tuple[Reference, ...]:
        """The children in the order of start."""
        return tuple(child.reference for child in self._children)

    async def _work(self) -> Exit:
        plan = self._make_plan()
        async with trio.open_nursery() as nursery:
            try:
                while not plan.is_over:
                    if self.is_stopping and not plan.is_closing:
                        plan.close()
                    self._carry_out(plan, nursery)
                    if not plan.is_over:
                        await self._word(plan.wakes_at(trio.current_time()))
            finally:
                self._plan = None
        if plan.failure is not None:
            raise plan.failure
        return Stopped(self._stop_reason or STOPPED_ON_REQUEST)

    def _make_plan(self) -> Plan:
        # A child that is gone cannot come back; its place is taken by a new one.
        self._children = [child.spec.create(self) if child.is_gone else child for child in self._children]
        self._posts = {
            child: Post(child.path, child.spec.restart, child.spec.backoff) for child in self._children
        }
        self._actors = {post: child for child, post in self._posts.items()}
        ledger = Ledger(self.path, self._branch.intensity, self._branch.period)
        self._plan = Plan(tuple(self._posts.values()), self._branch.strategy, ledger)
        return self._plan

    def _carry_out(self, plan: Plan, nursery: trio.Nursery) -> None:
        was_ready = plan.is_ready
        for step in plan.steps(trio.current_time()):
            child, post = self._actors[step.post], step.post
            if isinstance(step, Begin):
                if post.lives > 1:
                    self._tell_restart(child, post.delay, post.cause)
                child.begin(nursery)
            elif plan.is_closing:
                child.request_stop(STOPPED_WITH_PARENT, for_good=post.finished or self._for_good)
            else:
                child.request_stop(STOPPED_WITH.format(post.cause), for_good=post.finished)
        if plan.is_ready and not was_ready:
            self._ready()

    def child_started(self, child: Actor) -> None:
        """A life of this child is ready."""
        if self._plan is not None:
            self._plan.started(self._posts[child], trio.current_time())
            self._wake()

    def child_ended(self, child: Actor, exit: Exit) -> None:
        """A life of this child is over."""
        if self._plan is None:
            return
        post = self._posts[child]
        self._plan.ended(post, exit, trio.current_time(), self.tree.random())
        if post.finished or self._for_good:
            child.leave(exit)
        self._wake()

    async def stop_child(self, child: Actor, reason: str) -> None:
        """End a child for good and wait for it. Another life of the supervisor will have a new one."""
        if self._plan is None:
            child.leave(Stopped(reason))
            return
        post = self._posts[child]
        self._plan.stop(post)
        if post.doomed:
            child.request_stop(reason, for_good=True)
        else:
            child.leave(Stopped(reason))
        self._wake()
        await child.wait_gone()

    def leave(self, exit: Exit) -> None:
        """The supervisor will not come back, and so none of its children will."""
        for child in reversed(self._children):
            child.leave(child.exit or Stopped(STOPPED_WITH_PARENT))
        super().leave(exit)


class DynamicSupervisor(_Supervising[DynamicSpec]):
    """A supervisor of children that come and go, each restarted alone and stopped side by side."""

    __slots__ = ("_accounts", "_due", "_failure", "_ledger", "_nursery", "_opened", "_order", "_starts")

    def __init__(self, branch: DynamicSpec, parent: Parent) -> None:
        super().__init__(branch, parent)
        self._nursery: trio.Nursery | None = None
        self._opened = trio.Event()
        """Set while the present life takes children, and when there will be no other life."""
        self._ledger = Ledger(self.path, branch.intensity, branch.period)
        self._failure: EtamilError | None = None
        self._accounts: dict[Actor, Account] = {}
        self._starts: dict[Actor, Reply] = {}
        """Who waits until a first life is ready."""
        self._due: list[tuple[float, int, Actor, float]] = []
        """A heap of restarts to come: when, in which order, of whom, after which delay."""
        self._order = count(1)

    @property
    def children(self) -> tuple[Reference, ...]:
        """Those that are there now, in the order of start."""
        return tuple(child.reference for child in self._accounts)

    def fresh_name(self, stem: str) -> str:
        """A name that no child of this supervisor has had."""
        return f"{stem}#{next(self._order)}"

    async def start_child(self, spec: Spec) -> Reference:
        """Start a child and wait until it is ready; while the supervisor is restarted, wait for that.

        Raises:
            StartError: it crashed while it started; there is no such child then.
            ActorStoppedError: the supervisor has ended or stops, or was never started.
            NameTakenError: another actor has this place or name.
        """
        nursery = await self._open_nursery()
        child = spec.create(self)
        self._accounts[child] = Account(child.path, spec.backoff)
        reply = self._starts[child] = Reply()
        child.begin(nursery)
        try:
            await reply.wait()
        except trio.Cancelled:
            # Nobody will ever get the reference, so nobody could stop it.
            child.request_stop("whoever started it has gone", for_good=True)
            raise
        return child.reference

    async def _open_nursery(self) -> trio.Nursery:
        while self._nursery is None or self._closes:
            if self.life == 0 or self.is_gone or self._for_good:
                raise ActorStoppedError(self.path)
            await self._opened.wait()
        return self._nursery

    @property
    def _closes(self) -> bool:
        return self.is_stopping or self._failure is not None

    async def _work(self) -> Exit:
        self._failure = None
        self._ledger = Ledger(self.path, self._branch.intensity, self._branch.period)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    self._ready()
                    self._opened.set()
                    while not self._closes:
                        await self._word(self._due[0][0] if self._due else inf)
                        self._begin_due(nursery)
                finally:
                    self._nursery = None
                    self._opened = trio.Event()
                for child in reversed(list(self._accounts)):
                    child.request_stop(STOPPED_WITH_PARENT, for_good=True)
        finally:
            for child in reversed(list(self._accounts)):
                self._forget(child, child.exit or Stopped(STOPPED_WITH_PARENT))
            self._due.clear()
        if self._failure is not None:
            raise self._failure
        return Stopped(self._stop_reason or STOPPED_ON_REQUEST)

    def _begin_due(self, nursery: trio.Nursery) -> None:
        now = trio.current_time()
        while self._due and self._due[0][0] <= now and not self._closes:
            _, _, child, delay = heappop(self._due)
            if child in self._accounts:
                self._begin_again(child, delay, nursery)

    def _begin_again(self, child: Actor, delay: float, nursery: trio.Nursery) -> None:
        self._tell_restart(child, delay, child.path)
        child.begin(nursery)

    def child_started(self, child: Actor) -> None:
        """A life of this child is ready."""
        self._accounts[child].since = trio.current_time()
        reply = self._starts.pop(child, None)
        if reply is not None:
            reply.give(None)

    def child_ended(self, child: Actor, exit: Exit) -> None:
        """A life of this child is over."""
        reply = self._starts.pop(child, None)
        if reply is not None:
            self._forget(child, exit)
            reply.fail(
                StartError(child.path, exit.problem)
                if isinstance(exit, Crashed)
                else ActorStoppedError(child.path)
            )
        elif self._nursery is None or child.is_stopping or not should_restart(child.spec.restart, exit):
            self._forget(child, exit)
        else:
            self._restart(child, exit, self._nursery)

    def _restart(self, child: Actor, exit: Exit, nursery: trio.Nursery) -> None:
        now = trio.current_time()
        verdict = self._ledger.enter(self._accounts[child], exit, now, self.tree.random())
        if isinstance(verdict, EtamilError):
            self._failure = self._failure or verdict
            self._wake()
        elif verdict == 0 and not self._closes:
            self._begin_again(child, verdict, nursery)
        else:
            heappush(self._due, (now + verdict, next(self._order), child, verdict))
            self._wake()

    def leave(self, exit: Exit) -> None:
        """The supervisor will not come back, so nobody needs to wait for it."""
        super().leave(exit)
        self._opened.set()

    def _forget(self, child: Actor, exit: Exit) -> None:
        del self._accounts[child]
        child.leave(exit)

    async def stop_child(self, child: Actor, reason: str) -> None:
        """End a child for good and wait for it."""
        if child.state is State.WAITING and child in self._accounts:
            self._forget(child, Stopped(reason))
        child.request_stop(reason, for_good=True)
        await child.wait_gone()
