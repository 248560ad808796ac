"""An actor: one behaviour after the other at one place, one message at a time.

A nursery's rule is "one fails, all are cancelled". Supervision needs another: every actor catches
its errors at its own boundary, so that a crash is a *value* for its supervisor and nothing to its
siblings. The *place* of an actor (``place.py``) outlives its *lives*; each life has a behaviour of its own:

```
begin ─▶ on_start ─▶ on_message ─▶ … parked … ─▶ on_message ─▶ on_stop ─▶ parent.child_ended(exit)
                        │ mailbox, one at a time      under a shield, for a few seconds
                        └ crash ───────────────────────────────▶
```

Whoever has to wait needs a task, and nobody else: a worker (``workers.py``) comes for ``on_start``, for
messages until the mailbox is empty, and for ``on_stop``. In between, and without those, a life has no task:
begin, crash and stop are then plain function calls. A behaviour that follows no messages says what it
does in ``work``, and has a worker for the whole of it.

A message may even be handled without a worker, in the turn of whoever asks, when the actor is parked and
its behaviour offers it (``serve_now``). Nobody can tell the difference: nothing waits, so no message is
overtaken; the actor is at work meanwhile; a crash in it is the actor's and not the asker's.

Stopping is polite first: the behaviour sees ``stopping`` and finishes the message at hand. When its
shutdown time is over the scope of its worker is cancelled. The deadline sits on the scope itself, so it
holds even if whoever wanted the stop is gone. ``on_stop`` runs whatever the reason was, shielded but
bounded.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from unicodedata import normalize

import trio
from trio.lowlevel import Task, current_task

from etamil_actors.actors.behaviour import Behaviour, Parent, Spec
from etamil_actors.actors.errors import ActorCrashedError, ActorStoppedError, MailboxClosed, StartTimeoutError
from etamil_actors.actors.events import ActorCrashed, ActorStarted, DeadReason
from etamil_actors.actors.leaves import ERRORS, error_of
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.actors.moments import after
from etamil_actors.actors.place import STOP, Place, State
from etamil_actors.actors.reference import Answered, Envelope, Reference, Reply
from etamil_actors.actors.restart import Crashed, Cut, Ended, Exit, Stopped
from etamil_actors.actors.workers import Worker, Workers

__all__ = ["CLEANUP_SECONDS", "STOP", "Actor", "ActorSpec", "Behaviour", "Parent", "Spec", "State"]

CLEANUP_SECONDS: Final = 5.0
"""How long ``on_stop`` may take."""

Errand = Callable[[], Awaitable[Exit | None]]
"""What a worker does for an actor; it answers how the life ended, or nothing if it goes on."""


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


class Actor(Place):
    """See the top of the file."""

    __slots__ = (
        "_behaviour",
        "_current",
        "_ending",
        "_errand",
        "_for_good",
        "_scope",
        "_stop_at",
        "_stop_reason",
        "_stopping",
        "_task",
        "_workers",
        "handled",
        "life",
        "parent",
        "parked",
        "spec",
        "worker",
    )

    def __init__(
        self, spec: Spec, parent: Parent, capacity: int = 1000, overflow: Overflow = Overflow.WAIT
    ) -> None:
        super().__init__(normalize("NFC", f"{parent.path}/{spec.name}"), parent.tree, capacity, overflow)
        self.spec = spec
        self.parent = parent
        self.reference = Reference(self)
        self.life = 0
        self.handled = 0
        """How many messages it has handled in all its lives."""
        self._workers: Workers | None = None
        self.worker: Worker | None = None
        """The one that has served it last, when it waits here for the next call."""
        self.parked = False
        """Does a life run that has nothing to do? Nobody is at work, nothing waits, it is not to end."""
        self._errand: Errand | None = None
        """What the worker that was called does; if nothing is said, it serves."""
        self._behaviour: Behaviour | None = None
        """That of the present life, once it is ready."""
        self._current: Envelope | None = None
        self._scope: trio.CancelScope | None = None
        self._task: Task | None = None
        self._stop_reason: str | None = None
        self._stop_at = math.inf
        """When the shutdown time is over."""
        self._stopping: trio.Event | None = None
        self._ending = False
        self._for_good = False
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
    def behaviour(self) -> Behaviour | None:
        """That of the present life, once it is ready."""
        return self._behaviour

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

    async def take(self) -> Envelope | None:
        """For ``work``: wait for a message and take it, answer and all; nothing when it shall stop."""
        self._current = None
        while True:
            try:
                envelope = await self.mailbox.take()
            except MailboxClosed:
                return None
            if envelope is STOP:
                if self._stop_reason is not None:
                    return None
            elif self._is_timely(envelope):
                self._current = envelope
                return envelope

    # ── from above: what a supervisor does ───────────────────────────────────────────────────────

    def begin(self, workers: Workers) -> None:
        """Begin another life, with these workers to serve it. It may be ready, even over, at once."""
        self.life += 1
        self.state = State.STARTING
        self._workers = workers
        self._stop_reason = None
        self._stop_at = math.inf
        self._stopping = None
        self._for_good = False
        self._ending = False
        self._start()

    def request_stop(self, reason: str, *, for_good: bool) -> None:
        """Ask this life to stop, and cancel it when its shutdown time is over. May be said twice."""
        if self._stop_reason is not None or self.state in (State.WAITING, State.GONE):
            return
        self._stop_reason, self._for_good = reason, for_good
        was_running, self.state = self.state is State.RUNNING, State.STOPPING
        if self._stopping is not None:
            self._stopping.set()
        if self.parked:
            self.parked = False
            self._end(Stopped(reason))
            return
        self._stop_at = after(self.spec.shutdown)
        if self._scope is not None:
            self._scope.deadline = self._stop_at
        if for_good and was_running and isinstance(self.spec, ActorSpec) and self.spec.drain:
            self.mailbox.close()  # the life ends when the mailbox is empty
        else:
            self.mailbox.put_system(STOP)

    def stop_for_good(self, reason: str) -> None:
        """End for good, whatever the restart kind says."""
        if self.state is not State.GONE:
            self.parent.dismiss(self, reason)

    def cut(self, reason: str) -> None:
        """End for good, and do not let it finish what is at hand."""
        self.stop_for_good(reason)
        self._stop_at = -math.inf
        if self._scope is not None:
            self._scope.cancel(reason)

    def crash(self, problem: BaseException) -> bool:
        """Let this life end as if its behaviour had failed now: for tests. False if there is none to end."""
        if self.parked:
            self.parked = False
            self._end(self._crashed(problem))
        elif self._scope is not None and self.state is State.RUNNING:
            self.tree.injected[self] = problem
            self._scope.cancel("a failure was injected")
        else:
            return False
        return True

    def leave(self, exit: Exit) -> None:
        """There will be no other life: what still waits becomes dead letters, watchers are told."""
        if self.state is not State.GONE:
            self.tree.registry.leave(self, self.spec.register)
        super().leave(exit)

    # ── the beginning of a life ──────────────────────────────────────────────────────────────────

    def _start(self) -> None:
        assert isinstance(self.spec, ActorSpec)
        outer, self.tree.serving = self.tree.serving, self
        try:
            behaviour = self.spec.make()
            is_ready, rest = self._begin_to_start(behaviour)
        except ERRORS as problem:
            # Told by a worker like every failure to start, so that restarts do not pile up on the stack.
            self._call(partial(self._fail, problem))
            return
        finally:
            self.tree.serving = outer
        if not is_ready:
            self._call(partial(self._get_ready, behaviour, rest, self.spec.start_within))
            return
        self._be_ready(behaviour)
        if type(behaviour).work is not Behaviour.work:
            self._call(self._work)
        else:
            self._rest()

    def _begin_to_start(self, behaviour: Behaviour) -> Answered:
        if type(behaviour).start_now is not Behaviour.start_now:
            return behaviour.start_now(self)
        if type(behaviour).on_start is not Behaviour.on_start:
            return False, behaviour.on_start(self)
        return True, None

    async def _fail(self, problem: BaseException) -> Exit:
        raise problem

    async def _get_ready(
        self, behaviour: Behaviour, rest: Coroutine[Any, Any, Any], seconds: float
    ) -> Exit | None:
        with trio.CancelScope(deadline=after(seconds)) as limit:
            await rest
        if limit.cancelled_caught:
            raise StartTimeoutError(self.path, seconds)
        self._be_ready(behaviour)
        return None if type(behaviour).work is Behaviour.work else await self._work()

    def _be_ready(self, behaviour: Behaviour | None) -> None:
        self._behaviour = behaviour
        if self._stop_reason is None:
            self.state = State.RUNNING
        if self.tree.events.on_life:
            self.tree.events.life(ActorStarted(trio.current_time(), self.path, self.life))
        self.parent.child_started(self)

    # ── at work ──────────────────────────────────────────────────────────────────────────────────

    @property
    def is_current(self) -> bool:
        """Is it this actor that runs?"""
        serving = self.tree.serving
        if serving is not None:
            return serving is self
        return self._task is not None and self._task is current_task()

    def has_message(self) -> None:
        """Something was put into the mailbox."""
        if self.parked:
            self._call(None)

    def _call(self, errand: Errand | None) -> None:
        assert self._workers is not None
        self.parked = False
        self._errand = errand
        self._workers.call(self)

    def _rest(self) -> None:
        """Nobody is at work any more: what waits calls somebody, else the actor is parked."""
        self._task = self._scope = None
        if self.mailbox.is_quiet:
            self.mailbox.rest()
            self.parked = True
        else:
            self._call(None)

    async def run(self, worker: Worker) -> None:
        """What the worker that was called does: everything until the life is over or has to wait."""
        errand, self._errand = self._errand, None
        self._task = worker.task
        self._scope = trio.CancelScope(deadline=self._stop_at)
        exit: Exit | None = Cut("everything around it was cancelled")
        try:
            with self._scope as scope:
                exit = (await errand() if errand is not None else None) or await self._serve(worker)
            if scope.cancelled_caught:
                injected = self.tree.injected.pop(self, None)
                exit = Cut(self._stop_reason or "cancelled") if injected is None else self._crashed(injected)
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
            if self._task is not worker.task:
                pass  # it was left while it was parked, and what it does now is no business of this worker
            elif exit is not None:
                self._over(await self._clean_up(exit))
            else:
                self._rest()

    async def _serve(self, worker: Worker) -> Exit | None:
        """Handle what comes, until somebody else needs the worker more."""
        behaviour, mailbox = self._behaviour, self.mailbox
        assert behaviour is not None
        mailbox.begin_turn()
        while not self._ending:
            if mailbox.is_quiet and not await self._keep(worker, behaviour):
                return None
            envelope = await mailbox.take_waiting()
            if envelope is None:
                return Stopped(self._stop_reason or "its mailbox was closed")
            if envelope is STOP:
                if self._stop_reason is not None:
                    return Stopped(self._stop_reason)
                # Else it was meant for an earlier life, which ended by itself.
            elif self._is_timely(envelope):
                self._current = envelope
                answer = await behaviour.on_message(envelope.message, self)
                self._answered(envelope, answer)
        return Ended()

    async def _keep(self, worker: Worker, behaviour: Behaviour) -> bool:
        """Be parked, with the worker waiting here; has it come back to serve this very life?"""
        workers, scope = self._workers, self._scope
        assert workers is not None
        assert scope is not None
        if self.tree.injected:
            await trio.lowlevel.checkpoint_if_cancelled()
        if workers.has_enough:
            return False
        self._rest()
        await workers.wait(worker)
        if worker.called_by is not self or self._errand is not None or self._behaviour is not behaviour:
            return False
        worker.called_by = None
        self._task, self._scope = worker.task, scope
        if self._stop_at is not math.inf:
            scope.deadline = self._stop_at
        self.mailbox.begin_turn()
        return True

    def _is_timely(self, envelope: Envelope) -> bool:
        """Is it to be handled, now that it was taken? Nobody waits for it when it is late."""
        if envelope.deadline is not math.inf and envelope.deadline <= trio.current_time():
            self._bury(envelope, DeadReason.EXPIRED, TimeoutError())
            return False
        if self.tree.events.on_message:
            self._tell_taken(envelope, self.mailbox.stamp)
        return True

    def _answered(self, envelope: Envelope, answer: object) -> None:
        self.handled += 1
        if envelope.reply is not None:
            envelope.reply.give(answer)
        self._current = None

    async def _work(self) -> Exit:
        assert self._behaviour is not None
        await self._behaviour.work(self)
        return Ended() if self._stop_reason is None else Stopped(self._stop_reason)

    # ── in the turn of whoever asks ──────────────────────────────────────────────────────────────

    @property
    def may_serve_now(self) -> bool:
        """May a message be handled in the asker's turn?"""
        behaviour = self._behaviour
        return self.parked and behaviour is not None and type(behaviour).serve_now is not Behaviour.serve_now

    def serve_now(self, envelope: Envelope) -> Answered:
        """Handle a message in the asker's turn: the answer, or that it will be given to the envelope's reply.

        Raises:
            ActorCrashedError: the actor crashed over this message.
        """
        behaviour, tree = self._behaviour, self.tree
        assert behaviour is not None
        if tree.events.on_message:
            self._tell_sent(envelope)
            self._tell_taken(envelope, trio.current_time())
        self.parked = False
        self._current = envelope
        outer, tree.serving = tree.serving, self
        crash: Crashed | None = None
        try:
            is_done, answer = behaviour.serve_now(envelope.message, self)
        except ERRORS as problem:
            crash = self._crashed(error_of(problem) or problem)
        except BaseException:  # an interrupt: the asker's task ends with it, and then everything
            self._end(Cut("interrupted"))
            raise
        finally:
            tree.serving = outer
        if crash is None:
            return self._served(envelope, is_done, answer)
        self._end(crash)
        raise ActorCrashedError(self.path, crash.problem)

    def _served(self, envelope: Envelope, is_done: bool, answer: Any) -> Answered:
        if not is_done:
            self._call(partial(self._go_on, envelope, answer))
            return False, None
        self.handled += 1
        self._current = None
        if self._ending:
            self._end(Ended())
        else:
            self._rest()
        return envelope.reply is not None, answer

    async def _go_on(self, envelope: Envelope, rest: Coroutine[Any, Any, Any]) -> None:
        """Finish a message that was begun in the asker's turn."""
        self._answered(envelope, await rest)

    # ── the end of a life ────────────────────────────────────────────────────────────────────────

    def _end(self, exit: Exit) -> None:
        """End a life that nobody is at work for; a worker comes only when there is something to give back."""
        self._fail_asker(exit)
        if self._behaviour is not None and self._behaviour.has_cleanup(exit):
            self._call(partial(self._ended, exit))
        else:
            self._over(exit)

    async def _ended(self, exit: Exit) -> Exit:
        return exit

    async def _clean_up(self, exit: Exit) -> Exit:
        """Answer whoever still waits, and let the behaviour give back what it holds."""
        self._fail_asker(exit)
        behaviour = self._behaviour
        if behaviour is None or not behaviour.has_cleanup(exit):
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

    def _fail_asker(self, exit: Exit) -> None:
        envelope, self._current = self._current, None
        if envelope is not None and envelope.reply is not None:
            envelope.reply.fail(
                ActorCrashedError(self.path, exit.problem)
                if isinstance(exit, Crashed)
                else ActorStoppedError(self.path)
            )

    def _over(self, exit: Exit) -> None:
        """Hand the exit over. The next life may begin in here."""
        if self.tree.injected:
            self.tree.injected.pop(self, None)  # it came too late for this life, and is not for the next
        self._behaviour = self._task = self._scope = None
        self.exit = exit
        self.state = State.WAITING
        self.parent.child_ended(self, exit)

    def _crashed(self, problem: BaseException) -> Crashed:
        if self.tree.events.on_life:
            self.tree.events.life(ActorCrashed(trio.current_time(), self.path, self.life, problem))
        return Crashed(problem)
