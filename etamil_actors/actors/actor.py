"""An actor: one task, one cancel scope, one word to stop, one mailbox.

A nursery's rule is "one fails, all are cancelled". Supervision needs another: every actor catches
its errors at its own boundary, so that a crash is a *value* for its supervisor and nothing to its
siblings. The *place* of an actor — path, mailbox, reference — outlives its *lives*; each life has
a task, a scope and a behaviour of its own:

```
begin ─▶ on_start ─▶ on_message ─▶ on_message ─▶ …  ─▶ on_stop ─▶ parent.child_ended(exit)
                        │ mailbox, one at a time      under a shield, for a few seconds
                        └ crash ────────────────────▶
```

Stopping is polite first: the behaviour sees ``stopping`` and finishes the message at hand. When its
shutdown time is over the scope is cancelled. The deadline sits on the scope itself, so it holds even
if whoever wanted the stop is gone. ``on_stop`` runs whatever the reason was, shielded but bounded.

Waiting messages stay waiting over a restart. Only when the actor is ``gone`` — its supervisor has
decided that there will be no other life — what is left becomes dead letters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol
from unicodedata import normalize

import trio
from trio.lowlevel import Task, current_task

from etamil_actors.actors.errors import (
    ActorCrashedError,
    ActorStoppedError,
    MailboxClosed,
    MailboxFull,
    StartTimeoutError,
)
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorStarted,
    ActorStopped,
    DeadReason,
    MessageSent,
    MessageTaken,
)
from etamil_actors.actors.leaves import ERRORS, error_of
from etamil_actors.actors.mailbox import Mailbox, Overflow
from etamil_actors.actors.moments import after
from etamil_actors.actors.reference import Down, Envelope, Monitor, Reference, Reply
from etamil_actors.actors.restart import (
    NO_BACKOFF,
    Backoff,
    Crashed,
    Cut,
    Ended,
    Exit,
    Restart,
    Stopped,
)

if TYPE_CHECKING:
    from etamil_actors.actors.tree import Tree

CLEANUP_SECONDS: Final = 5.0
"""How long ``on_stop`` may take."""


class Behaviour:
    """What an actor does. Each life has one of its own; override what is needed."""

    async def on_start(self, actor: Actor) -> None:
        """Get ready; nobody's message is handled before this returns."""

    async def on_message(self, message: Any, actor: Actor) -> Any:
        """Handle one message. What it returns is the answer, if somebody asked."""

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        """Give back what ``on_start`` took. Runs after every life that became ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How a child is started, restarted and stopped."""

    name: str
    restart: Restart = Restart.PERMANENT
    backoff: Backoff = NO_BACKOFF
    shutdown: float = 10.0
    """Seconds it gets to finish when it is asked to stop."""
    register: str | None = None
    """A name under which it can be found."""

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"‘{self.name}’ is no name for a child")
        if not self.shutdown >= 0:
            raise ValueError(f"a shutdown time of {self.shutdown} s")

    def create(self, parent: Parent) -> Actor:
        """Make the actor, known in the tree but not begun."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSpec(Spec):
    """A child that handles messages."""

    make: Callable[[], Behaviour]
    """Makes the behaviour of each life."""
    capacity: int = 1000
    overflow: Overflow = Overflow.WAIT
    drain: bool = False
    """When it is stopped for good: handle what waits in the mailbox first, within the shutdown time."""
    start_within: float = 60.0
    """Seconds ``on_start`` may take."""

    def create(self, parent: Parent) -> Actor:
        """Make the actor, known in the tree but not begun."""
        return Actor(self, parent, self.capacity, self.overflow)


class Parent(Protocol):
    """Who is told what becomes of an actor: its supervisor, or the tree above the root."""

    @property
    def path(self) -> str:
        """Its place in the tree."""
        ...

    @property
    def tree(self) -> Tree:
        """The tree it stands in."""
        ...

    def child_started(self, child: Actor) -> None:
        """A life of this child is ready."""
        ...

    def child_ended(self, child: Actor, exit: Exit) -> None:
        """A life of this child is over; its task ends now."""
        ...

    async def stop_child(self, child: Actor, reason: str) -> None:
        """End a child for good and wait for it."""
        ...


class State(Enum):
    """How an actor is, for those who look at the tree."""

    WAITING = "waiting"
    """Between two lives, or before the first."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    GONE = "gone"


STOP: Final = Envelope("stop")
"""The word to stop, in the system lane."""


class Actor:
    """See the top of the file."""

    __slots__ = (
        "_behaviour",
        "_current",
        "_ending",
        "_for_good",
        "_gone",
        "_scope",
        "_stop_reason",
        "_stopping",
        "_task",
        "_watchers",
        "exit",
        "handled",
        "life",
        "mailbox",
        "parent",
        "path",
        "reference",
        "spec",
        "state",
        "tree",
    )

    def __init__(
        self, spec: Spec, parent: Parent, capacity: int = 1000, overflow: Overflow = Overflow.WAIT
    ) -> None:
        self.spec = spec
        self.parent = parent
        self.tree = parent.tree
        self.path = normalize("NFC", f"{parent.path}/{spec.name}")
        self.mailbox: Mailbox[Envelope] = Mailbox(capacity, overflow, self._dropped)
        self.reference = Reference(self)
        self.state = State.WAITING
        self.life = 0
        self.handled = 0
        """How many messages it has handled in all its lives."""
        self.exit: Exit | None = None
        """How the last life ended."""
        self._behaviour: Behaviour | None = None
        self._current: Envelope | None = None
        self._scope: trio.CancelScope | None = None
        self._task: Task | None = None
        self._stop_reason: str | None = None
        self._ending = False
        self._for_good = False
        # Events cost as much as everything else here together, and few actors are ever waited for.
        self._stopping: trio.Event | None = None
        self._gone: trio.Event | None = None
        self._watchers: list[Callable[[Down], None]] | None = None
        self.tree.registry.enter(self, spec.register)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}: {self.state.value}, life {self.life}>"

    # ── from inside: what a behaviour may use ────────────────────────────────────────────────────

    @property
    def stopping(self) -> trio.Event:
        """Set when this life is asked to stop; for behaviours that wait for something else."""
        if self._stopping is None:
            self._stopping = trio.Event()
            if self._stop_reason is not None:
                self._stopping.set()
        return self._stopping

    @property
    def is_stopping(self) -> bool:
        """Has this life been asked to stop?"""
        return self._stop_reason is not None

    @property
    def envelope(self) -> Envelope | None:
        """The message at hand with what travels along: deadline and trace context."""
        return self._current

    def end(self) -> None:
        """There is nothing more to do: this life ends after the message at hand."""
        self._ending = True

    def defer(self) -> Reply:
        """Take over the answer to the message at hand; it may be given later, from anywhere.

        Whoever takes it over owes it: an answer that never comes is a timeout for the asker.
        """
        envelope = self._current
        if envelope is None or envelope.reply is None:
            return Reply()
        reply, envelope.reply = envelope.reply, None
        return reply

    def monitor(self, other: Reference) -> Monitor:
        """Get one ``Down`` as a message, before others, when that actor has ended for good."""

        def notify(down: Down) -> None:
            self.mailbox.put_system(Envelope(down))

        return other.monitor(notify)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    @property
    def is_current(self) -> bool:
        """Is it this actor's own task that runs?"""
        return self._task is not None and self._task is current_task()

    async def receive(self, envelope: Envelope) -> bool:
        """Accept a message, waiting for room where the overflow rule says so."""
        if self.tree.events.on_message:
            # Without a round of scheduling in between, so that "sent" is told before "taken". Only a
            # sender that has to wait for room tells it when it goes on, which may be later.
            await trio.lowlevel.checkpoint_if_cancelled()
            try:
                accepted = self.receive_nowait(envelope)
            except MailboxFull:
                if self.mailbox.overflow is not Overflow.WAIT:
                    raise
                accepted = await self.mailbox.put(envelope)
                self._tell_sent(envelope)
            else:
                await self.mailbox.count_put()
            return accepted
        return await self.mailbox.put(envelope)

    def receive_nowait(self, envelope: Envelope) -> bool:
        """Accept a message, or raise ``MailboxFull``."""
        accepted = self.mailbox.put_nowait(envelope)
        if accepted and self.tree.events.on_message:
            self._tell_sent(envelope)
        return accepted

    def _tell_sent(self, envelope: Envelope) -> None:
        self.tree.events.message(MessageSent(trio.current_time(), self.path, envelope.message))

    def _dropped(self, envelope: Envelope) -> None:
        self._bury(envelope, DeadReason.DROPPED, MailboxFull())

    def _bury(self, envelope: Envelope, reason: DeadReason, problem: BaseException) -> None:
        if envelope is STOP or isinstance(envelope.message, Down):
            return
        self.tree.dead_letters.add(self.path, envelope.message, reason)
        if envelope.reply is not None:
            envelope.reply.fail(problem)

    # ── from above: what a supervisor does ───────────────────────────────────────────────────────

    def begin(self, nursery: trio.Nursery) -> None:
        """Begin another life in this nursery."""
        self.life += 1
        self.state = State.STARTING
        self._stop_reason = None
        self._stopping = None
        self._for_good = False
        self._ending = False
        self._scope = trio.CancelScope()
        nursery.start_soon(self._live, name=self.path)

    def request_stop(self, reason: str, *, for_good: bool) -> None:
        """Ask this life to stop, and cancel it when its shutdown time is over. May be said twice."""
        if self._stop_reason is not None or self._scope is None:
            return
        self._stop_reason, self._for_good = reason, for_good
        was_running, self.state = self.state is State.RUNNING, State.STOPPING
        self._scope.deadline = after(self.spec.shutdown)
        if self._stopping is not None:
            self._stopping.set()
        if for_good and was_running and isinstance(self.spec, ActorSpec) and self.spec.drain:
            self.mailbox.close()  # the life ends when the mailbox is empty
        else:
            self.mailbox.put_system(STOP)

    async def stop_for_good(self, reason: str) -> None:
        """End for good, whatever the restart kind says, and wait for it."""
        if self.state is not State.GONE:
            await self.parent.stop_child(self, reason)

    # ── a life ───────────────────────────────────────────────────────────────────────────────────

    async def _live(self) -> None:
        assert self._scope is not None
        self._task = current_task()
        exit: Exit = Cut("everything around it was cancelled")
        try:
            with self._scope as scope:
                exit = await self._work()
            if scope.cancelled_caught:
                exit = Cut(self._stop_reason or "cancelled")
        except ERRORS as problem:  # the boundary: a crash is a value for the supervisor
            exit = self._crashed(error_of(problem) or problem)
        except BaseExceptionGroup as group:  # cancelled from outside while it crashed
            error = error_of(group)
            if error is not None:
                exit = self._crashed(error)
            _, rest = group.split(ERRORS)
            if rest is not None:
                raise rest from None  # the cancellation goes its way, alone
        finally:
            exit = await self._clean_up(exit)
            self._task = self._scope = None
            self.exit = exit
            self.state = State.WAITING
            self.parent.child_ended(self, exit)

    async def _work(self) -> Exit:
        assert isinstance(self.spec, ActorSpec)
        behaviour = self.spec.make()
        if type(behaviour).on_start is not Behaviour.on_start:
            with trio.CancelScope(deadline=after(self.spec.start_within)) as limit:
                await behaviour.on_start(self)
            if limit.cancelled_caught:
                raise StartTimeoutError(self.path, self.spec.start_within)
        self._behaviour = behaviour
        self._ready()
        take, events = self.mailbox.take, self.tree.events
        while not self._ending:
            try:
                envelope = await take()
            except MailboxClosed:
                return Stopped(self._stop_reason or "its mailbox was closed")
            if envelope is STOP:
                if self._stop_reason is not None:
                    return Stopped(self._stop_reason)
                continue  # it was meant for an earlier life, which ended by itself
            if envelope.deadline is not math.inf and envelope.deadline <= trio.current_time():
                self._bury(envelope, DeadReason.EXPIRED, TimeoutError())
                continue
            if events.on_message:
                self._tell_taken(envelope)
            self._current = envelope
            answer = await behaviour.on_message(envelope.message, self)
            self.handled += 1
            if envelope.reply is not None:
                envelope.reply.give(answer)
            self._current = None
        return Ended()

    def _ready(self) -> None:
        if self._stop_reason is None:
            self.state = State.RUNNING
        if self.tree.events.on_life:
            self.tree.events.life(ActorStarted(trio.current_time(), self.path, self.life))
        self.parent.child_started(self)

    async def _clean_up(self, exit: Exit) -> Exit:
        """Answer whoever still waits, and let the behaviour give back what it holds."""
        envelope, self._current = self._current, None
        if envelope is not None and envelope.reply is not None:
            envelope.reply.fail(
                ActorCrashedError(self.path, exit.problem)
                if isinstance(exit, Crashed)
                else ActorStoppedError(self.path)
            )
        behaviour, self._behaviour = self._behaviour, None
        if behaviour is None or type(behaviour).on_stop is Behaviour.on_stop:
            return exit
        try:
            with trio.CancelScope(shield=True, deadline=after(CLEANUP_SECONDS)) as grace:
                await behaviour.on_stop(self, exit)
        except ERRORS as problem:  # a cleanup that fails is told, and hides nothing
            crash = self._crashed(error_of(problem) or problem)
            return crash if isinstance(exit, Ended) else exit
        if grace.cancelled_caught and not isinstance(exit, Crashed):
            return Cut(f"its cleanup was not done after {CLEANUP_SECONDS:g} s")
        return exit

    def _crashed(self, problem: BaseException) -> Crashed:
        if self.tree.events.on_life:
            self.tree.events.life(ActorCrashed(trio.current_time(), self.path, self.life, problem))
        return Crashed(problem)

    def _tell_taken(self, envelope: Envelope) -> None:
        now = trio.current_time()
        waited = now - self.mailbox.stamp if not isinstance(envelope.message, Down) else 0.0
        self.tree.events.message(MessageTaken(now, self.path, envelope.message, waited))

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    @property
    def is_gone(self) -> bool:
        """Has it ended for good?"""
        return self.state is State.GONE

    def leave(self, exit: Exit) -> None:
        """There will be no other life: what still waits becomes dead letters, watchers are told."""
        if self.state is State.GONE:
            return
        self.state, self.exit = State.GONE, exit
        self.tree.registry.leave(self, self.spec.register)
        for envelope in self.mailbox.drain():
            self._bury(envelope, DeadReason.LEFT, ActorStoppedError(self.path))
        if self.tree.events.on_life:
            self.tree.events.life(ActorStopped(trio.current_time(), self.path, exit))
        watchers, self._watchers = self._watchers, None
        for notify in watchers or ():
            notify(Down(self.reference, exit))
        if self._gone is not None:
            self._gone.set()

    def watch(self, notify: Callable[[Down], None]) -> None:
        """Call this once when the actor is gone; now, if it is."""
        if self.state is State.GONE:
            assert self.exit is not None
            notify(Down(self.reference, self.exit))
        elif self._watchers is None:
            self._watchers = [notify]
        else:
            self._watchers.append(notify)

    def unwatch(self, notify: Callable[[Down], None]) -> None:
        """Forget a watcher; one that is not known is no error."""
        if self._watchers is not None and notify in self._watchers:
            self._watchers.remove(notify)

    async def wait_gone(self) -> Exit:
        """Wait until it has ended for good."""
        if self.state is not State.GONE:
            if self._gone is None:
                self._gone = trio.Event()
            await self._gone.wait()
        assert self.exit is not None
        return self.exit
