"""A handle on an actor: what everybody outside it holds.

A reference stays good over restarts, because the mailbox belongs to the actor's place and not to
one of its lives. When the actor has ended for good, the reference says so to whoever uses it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.errors import ActorStoppedError, AskSelfError, AskTimeoutError, MailboxClosed
from etamil_actors.actors.moments import after
from etamil_actors.actors.restart import Exit

if TYPE_CHECKING:
    from etamil_actors.actors.actor import Actor

ASK_SECONDS: Final = 5.0
"""How long an answer may take if nothing else is said."""

STOPPED: Final = "stopped by request"

Answered = tuple[bool, Any]
"""``(True, answer)``, or ``(False, what is to be awaited for it)``."""


class Reply:
    """The place where one asker waits for one answer. The first answer counts."""

    __slots__ = ("_done", "_problem", "_task", "_value")

    def __init__(self) -> None:
        self._task: Task | None = None
        self._done = False
        self._value: Any = None
        self._problem: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Has it been answered, or has the asker gone?"""
        return self._done

    def give(self, value: Any) -> bool:
        """Answer; False when nobody waits any more."""
        if self._done:
            return False
        self._value = value
        self._finish()
        return True

    def fail(self, problem: BaseException) -> bool:
        """Raise this where the answer was expected; False when nobody waits any more."""
        if self._done:
            return False
        self._problem = problem
        self._finish()
        return True

    def _finish(self) -> None:
        self._done = True
        if self._task is not None:
            reschedule(self._task)
            self._task = None

    async def wait(self) -> Any:
        """The answer, when it has come. Asked for once."""
        if not self._done:
            self._task = current_task()
            await wait_task_rescheduled(self._leave)
        # Whoever has answered may keep this for long, and the asker alone shall have the answer.
        value, problem = self._value, self._problem
        self._value = self._problem = None
        if problem is not None:
            try:
                raise problem
            finally:
                del problem
        return value

    def _leave(self, _: object) -> Abort:
        self._task = None
        self._done = True
        return Abort.SUCCEEDED


class Envelope:
    """A message on its way, with what travels along."""

    __slots__ = ("deadline", "message", "reply", "trace")

    def __init__(
        self, message: Any, reply: Reply | None = None, deadline: float = math.inf, trace: object = None
    ) -> None:
        self.message = message
        self.reply = reply
        self.deadline = deadline
        """When the asker stops waiting, by trio's clock."""
        self.trace = trace
        """The trace context of the sender, which nobody here looks into."""


class Down(NamedTuple):
    """A watched actor has ended for good."""

    actor: Reference
    exit: Exit


class Monitor:
    """A watch on an actor, good for one ``Down``."""

    __slots__ = ("_actor", "_notify")

    def __init__(self, actor: Actor, notify: Callable[[Down], None]) -> None:
        self._actor = actor
        self._notify = notify

    def end(self) -> None:
        """Watch no more. May be said twice, and when it is too late."""
        self._actor.unwatch(self._notify)


class Reference:
    """See the top of the file. Two references are equal only when they are the same."""

    __slots__ = ("_actor",)

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    @property
    def path(self) -> str:
        """The actor's place in the tree."""
        return self._actor.path

    @property
    def is_alive(self) -> bool:
        """Has it not ended for good? True while it waits for a restart."""
        return not self._actor.is_gone

    def __repr__(self) -> str:
        return f"<reference to {self._actor.path}>"

    async def tell(self, message: Any, *, trace: object = None) -> bool:
        """Put a message into the mailbox; False when the mailbox was full and dropped it.

        Raises:
            ActorStoppedError: the actor has ended, also while the sender waited for room.
            MailboxFull: there is no room, and the mailbox rejects.
        """
        try:
            return await self._actor.receive(Envelope(message, trace=trace))
        except MailboxClosed:
            raise ActorStoppedError(self.path) from None

    def tell_nowait(self, message: Any, *, trace: object = None) -> bool:
        """Like ``tell``, but a full mailbox raises ``MailboxFull`` instead of letting the sender wait."""
        try:
            return self._actor.receive_nowait(Envelope(message, trace=trace))
        except MailboxClosed:
            raise ActorStoppedError(self.path) from None

    async def ask(self, message: Any, seconds: float = ASK_SECONDS, *, trace: object = None) -> Any:
        """Send a message and wait for the answer.

        Raises:
            AskTimeoutError: there was none in time. The work may still be done.
            ActorCrashedError: the actor crashed over this message.
            ActorStoppedError: the actor has ended, or ended before it came to this message.
            AskSelfError: an actor asked itself.
            MailboxFull: there is no room, and the mailbox rejects or has dropped the message.
        """
        actor = self._actor
        if actor.is_current:
            raise AskSelfError(self.path)
        reply = Reply()
        envelope = Envelope(message, reply, after(seconds), trace)
        if actor.may_serve_now and seconds > 0:
            await checkpoint_if_cancelled()  # nothing else runs in it, so the actor still may
            is_done, answer = actor.serve_now(envelope)
            if is_done:
                turn = actor.tree.turn
                if turn.is_over():
                    await cancel_shielded_checkpoint()
                    turn.begin()
                return answer
        else:
            await self._send(envelope, seconds)
        return await self._wait(reply, envelope.deadline, seconds)

    def try_ask(self, message: Any, seconds: float = ASK_SECONDS, *, trace: object = None) -> Answered:
        """Ask, for those that are in no coroutine: ``(True, answer)`` if it can be had without waiting.

        Else ``(False, coroutine)``, to be awaited soon: the message may not be sent before. Raises what
        ``ask`` raises. Whoever uses it sees to it that other tasks have their turns.
        """
        actor = self._actor
        if actor.is_current:
            raise AskSelfError(self.path)
        if not actor.may_serve_now or seconds <= 0:
            return False, self.ask(message, seconds, trace=trace)
        reply = Reply()
        envelope = Envelope(message, reply, after(seconds), trace)
        is_done, answer = actor.serve_now(envelope)
        return (True, answer) if is_done else (False, self._wait(reply, envelope.deadline, seconds))

    async def _send(self, envelope: Envelope, seconds: float) -> None:
        actor = self._actor
        try:
            if actor.mailbox.has_room and seconds > 0:
                await actor.receive(envelope)
                return
            with trio.CancelScope(deadline=envelope.deadline) as waiting:
                await actor.receive(envelope)
        except MailboxClosed:
            raise ActorStoppedError(self.path) from None
        if waiting.cancelled_caught:
            raise AskTimeoutError(self.path, seconds)

    def _wait(self, reply: Reply, deadline: float, seconds: float) -> Awaitable[Any]:
        if deadline < math.inf:
            self._actor.tree.timeouts.add(deadline, reply, self.path, seconds)
        return reply.wait()

    def monitor(self, notify: Callable[[Down], None]) -> Monitor:
        """Call this plain function once when the actor has ended for good; now, if it already has."""
        self._actor.watch(notify)
        return Monitor(self._actor, notify)

    def request_stop(self, reason: str = STOPPED) -> None:
        """End the actor for good, without waiting for it. An actor that has nothing to do ends at once."""
        self._actor.stop_for_good(reason)

    def cancel(self, reason: str = STOPPED) -> None:
        """Like ``request_stop``, but it does not finish the message at hand. It still cleans up."""
        self._actor.cut(reason)

    async def stop(self, reason: str = STOPPED) -> None:
        """End the actor for good and wait until it has: it may finish the message at hand."""
        self._actor.stop_for_good(reason)
        await self._actor.wait_gone()

    async def wait_gone(self) -> Exit:
        """Wait until the actor has ended for good, and learn how."""
        return await self._actor.wait_gone()
