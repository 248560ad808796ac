"""Actors that start, restart and stop other actors.

A ``Supervisor`` has children that are known beforehand, started in order and stopped in reverse; a
``DynamicSupervisor`` has children that come and go, each on its own. Both are actors themselves, so
they stand under supervisors in turn, and an error that a fresh start does not cure travels upwards.

A supervisor is at work for its whole life, in one task; that has a nursery with the workers of its
children. So trio itself promises that no child at work outlives its supervisor, whatever happens; those that
are parked are stopped in the last step of its block. The nursery never sees an error: an actor hands its
exit over as a value (``child_ended``), in its last step and without waiting.

A supervisor decides with pure helpers (``plan.py``, ``ledger.py``, ``restart.py``) and acts in few
words. Its loop waits for the next moment when something is due, and is woken when something happened:

```
child_started, child_ended, dismiss ─▶ plan ─▶ wake ─▶ steps ─▶ begin, request_stop
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
from etamil_actors.actors.mailbox import Turn
from etamil_actors.actors.moments import at
from etamil_actors.actors.plan import Begin, Plan, Post, Step
from etamil_actors.actors.reference import STOPPED, Answered, Envelope, Reference, Reply
from etamil_actors.actors.restart import Crashed, Exit, Stopped, Strategy, should_restart
from etamil_actors.actors.workers import Workers
from etamil_actors.errors import EtamilError

WAKE: Final = Envelope("wake")
"""Something has happened: look at the plan again."""

STOPPED_WITH_PARENT: Final = "its supervisor stops"
STOPPED_WITH: Final = "stopped because ‘{}’ is restarted"


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

    def _start(self) -> None:
        self._call(self._live)

    async def _live(self) -> Exit:
        """Start the children, look after them, and see to their end."""
        raise NotImplementedError

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

    def _bury(self, envelope: Envelope, reason: DeadReason, problem: BaseException) -> None:
        if envelope is not WAKE:  # a word to oneself is no message that was lost
            super()._bury(envelope, reason, problem)

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

    async def _live(self) -> Exit:
        plan = self._make_plan()
        async with trio.open_nursery() as nursery:
            workers = Workers(nursery)
            try:
                while not plan.is_over:
                    if self.is_stopping and not plan.is_closing:
                        plan.close()
                    self._carry_out(plan, workers)
                    if not plan.is_over:
                        await self._word(plan.wakes_at(trio.current_time()))
            finally:
                self._plan = None
                for child in reversed(self._children):
                    child.request_stop(STOPPED_WITH_PARENT, for_good=True)  # in case this was cancelled
                workers.close()
        if plan.failure is not None:
            raise plan.failure
        return Stopped(self._stop_reason or STOPPED)

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

    def _carry_out(self, plan: Plan, workers: Workers) -> None:
        was_ready = plan.is_ready
        # A child that needs no time is up, or down, at once; that makes the next step due.
        while steps := plan.steps(trio.current_time()):
            for step in steps:
                self._take_step(step, plan, workers)
        if plan.is_ready and not was_ready:
            self._be_ready(None)

    def _take_step(self, step: Step, plan: Plan, workers: Workers) -> None:
        child, post = self._actors[step.post], step.post
        if isinstance(step, Begin):
            if post.lives > 1:
                self._tell_restart(child, post.delay, post.cause)
            child.begin(workers)
        elif plan.is_closing:
            child.request_stop(STOPPED_WITH_PARENT, for_good=post.finished or self._for_good)
        else:
            child.request_stop(STOPPED_WITH.format(post.cause), for_good=post.finished)

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

    def dismiss(self, child: Actor, reason: str) -> None:
        """End a child for good. Another life of the supervisor will have a new one."""
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

    def leave(self, exit: Exit) -> None:
        """The supervisor will not come back, and so none of its children will."""
        for child in reversed(self._children):
            child.leave(child.exit or Stopped(STOPPED_WITH_PARENT))
        super().leave(exit)


class DynamicSupervisor(_Supervising[DynamicSpec]):
    """A supervisor of children that come and go, each restarted alone and stopped side by side."""

    __slots__ = (
        "_accounts",
        "_due",
        "_failure",
        "_ledger",
        "_opened",
        "_order",
        "_staff",
        "_starts",
        "_turn",
    )

    def __init__(self, branch: DynamicSpec, parent: Parent) -> None:
        super().__init__(branch, parent)
        self._staff: Workers | None = None
        """The workers of the children, while the present life takes any."""
        self._turn = Turn()
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
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._is_open:
            if self.life == 0 or self.is_gone or self._for_good:
                raise ActorStoppedError(self.path)
            await self._opened.wait()
        reference = await self._until_ready(*self._begin_child(spec))
        if self._turn.is_over():
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._turn.begin()
        return reference

    def try_start_child(self, spec: Spec) -> Answered:
        """Start a child, for those that are in no coroutine: ``(True, reference)`` if it is ready at once.

        Else ``(False, coroutine)``, to be awaited soon. Raises what ``start_child`` raises.
        """
        if not self._is_open:
            return False, self.start_child(spec)
        child, reply = self._begin_child(spec)
        return (True, child.reference) if reply.is_done else (False, self._until_ready(child, reply))

    def start_child_nowait(self, spec: Spec) -> Reference:
        """Start a child and do not wait: it is ready, unless it needs time to get ready.

        One that crashes while it gets ready is told like every crash, and there is no such child then.

        Raises:
            ActorStoppedError: the supervisor takes no children now.
            NameTakenError: another actor has this place or name.
        """
        if not self._is_open:
            raise ActorStoppedError(self.path)
        child, _ = self._begin_child(spec)
        return child.reference

    async def _until_ready(self, child: Actor, reply: Reply) -> Reference:
        try:
            await reply.wait()
        except trio.Cancelled:
            # Nobody will ever get the reference, so nobody could stop it.
            child.cut("whoever started it has gone")
            raise
        return child.reference

    def _begin_child(self, spec: Spec) -> tuple[Actor, Reply]:
        assert self._staff is not None
        child, reply = spec.create(self), Reply()
        self._accounts[child] = Account(child.path, spec.backoff)
        self._starts[child] = reply
        child.begin(self._staff)
        return child, reply

    @property
    def _is_open(self) -> bool:
        return self._staff is not None and not self._closes

    @property
    def _closes(self) -> bool:
        return self.is_stopping or self._failure is not None

    async def _live(self) -> Exit:
        self._failure = None
        self._ledger = Ledger(self.path, self._branch.intensity, self._branch.period)
        try:
            async with trio.open_nursery() as nursery:
                workers = self._staff = Workers(nursery)
                try:
                    self._be_ready(None)
                    self._opened.set()
                    while not self._closes:
                        await self._word(self._due[0][0] if self._due else inf)
                        self._begin_due(workers)
                finally:
                    self._staff = None
                    self._opened = trio.Event()
                    for child in reversed(list(self._accounts)):
                        child.request_stop(STOPPED_WITH_PARENT, for_good=True)
                    workers.close()
        finally:
            for child in reversed(list(self._accounts)):
                self._forget(child, child.exit or Stopped(STOPPED_WITH_PARENT))
            self._due.clear()
        if self._failure is not None:
            raise self._failure
        return Stopped(self._stop_reason or STOPPED)

    def _begin_due(self, workers: Workers) -> None:
        now = trio.current_time()
        while self._due and self._due[0][0] <= now and not self._closes:
            _, _, child, delay = heappop(self._due)
            if child in self._accounts:
                self._begin_again(child, delay, workers)

    def _begin_again(self, child: Actor, delay: float, workers: Workers) -> None:
        self._tell_restart(child, delay, child.path)
        child.begin(workers)

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
        elif self._staff is None or child.is_stopping or not should_restart(child.spec.restart, exit):
            self._forget(child, exit)
        else:
            self._restart(child, exit, self._staff)

    def _restart(self, child: Actor, exit: Exit, workers: Workers) -> None:
        now = trio.current_time()
        verdict = self._ledger.enter(self._accounts[child], exit, now, self.tree.random())
        if isinstance(verdict, EtamilError):
            self._failure = self._failure or verdict
            self._wake()
        elif verdict == 0 and not self._closes:
            self._begin_again(child, verdict, workers)
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

    def dismiss(self, child: Actor, reason: str) -> None:
        """End a child for good."""
        if child.state is State.WAITING and child in self._accounts:
            self._forget(child, Stopped(reason))
        child.request_stop(reason, for_good=True)
