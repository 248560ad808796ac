"""The place of an actor in the tree: what outlives its lives.

An actor crashes and is started again; its path, its mailbox, the references to it and those who watch it
stay. Messages wait here between two lives. Only when the place is ``gone`` — its supervisor has decided
that there will be no other life — what is left becomes dead letters, and watchers are told.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final

import trio

from etamil_actors.actors.errors import ActorStoppedError, MailboxFull
from etamil_actors.actors.events import ActorStopped, DeadReason, MessageSent, MessageTaken
from etamil_actors.actors.mailbox import Mailbox, Overflow
from etamil_actors.actors.reference import Down, Envelope, Monitor, Reference
from etamil_actors.actors.restart import Exit

if TYPE_CHECKING:
    from etamil_actors.actors.tree import Tree


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


class Place:
    """See the top of the file. ``Actor`` puts lives into it."""

    __slots__ = ("_gone", "_watchers", "exit", "mailbox", "path", "reference", "state", "tree")

    reference: Reference
    """What everybody else holds."""

    def __init__(self, path: str, tree: Tree, capacity: int, overflow: Overflow) -> None:
        self.path = path
        self.tree = tree
        self.mailbox: Mailbox[Envelope] = Mailbox(capacity, overflow, self._dropped)
        self.state = State.WAITING
        self.exit: Exit | None = None
        """How the last life ended."""
        # Events cost as much as everything else here together, and few actors are ever waited for.
        self._gone: trio.Event | None = None
        self._watchers: list[Callable[[Down], None]] | None = None

    def has_message(self) -> None:
        """Something was put into the mailbox."""

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    async def receive(self, envelope: Envelope) -> bool:
        """Accept a message, waiting for room where the overflow rule says so."""
        # Nothing else runs between here and the mailbox, so "sent" is told before "taken". Only a sender
        # that has to wait for room tells it when it goes on, which may be later.
        await trio.lowlevel.checkpoint_if_cancelled()
        mailbox = self.mailbox
        if mailbox.overflow is Overflow.WAIT and not mailbox.has_room:
            await mailbox.put(envelope)
            self._tell_sent(envelope)
            return True
        accepted = self.receive_nowait(envelope)
        if mailbox.is_turn_over():
            await trio.lowlevel.cancel_shielded_checkpoint()
        return accepted

    def receive_nowait(self, envelope: Envelope) -> bool:
        """Accept a message, or raise ``MailboxFull``."""
        accepted = self.mailbox.put_nowait(envelope)
        if self.tree.events.on_message and accepted:
            self._tell_sent(envelope)
        self.has_message()
        return accepted

    def receive_system(self, envelope: Envelope) -> None:
        """Accept a word of the runtime, which is served first."""
        self.mailbox.put_system(envelope)
        self.has_message()

    def _tell_sent(self, envelope: Envelope) -> None:
        if self.tree.events.on_message:
            self.tree.events.message(MessageSent(trio.current_time(), self.path, envelope.message))

    def _tell_taken(self, envelope: Envelope, put: float) -> None:
        now = trio.current_time()
        waited = now - put if not isinstance(envelope.message, Down) else 0.0
        self.tree.events.message(MessageTaken(now, self.path, envelope.message, waited))

    def _dropped(self, envelope: Envelope) -> None:
        self._bury(envelope, DeadReason.DROPPED, MailboxFull())

    def _bury(self, envelope: Envelope, reason: DeadReason, problem: BaseException) -> None:
        if envelope is STOP or isinstance(envelope.message, Down):
            return
        self.tree.dead_letters.add(self.path, envelope.message, reason)
        if envelope.reply is not None:
            envelope.reply.fail(problem)

    # ── those who watch ──────────────────────────────────────────────────────────────────────────

    def monitor(self, other: Reference) -> Monitor:
        """Get one ``Down`` as a message, before others, when that actor has ended for good."""

        def notify(down: Down) -> None:
            self.receive_system(Envelope(down))

        return other.monitor(notify)

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
        for envelope in self.mailbox.drain():
            self._bury(envelope, DeadReason.LEFT, ActorStoppedError(self.path))
        if self.tree.events.on_life:
            self.tree.events.life(ActorStopped(trio.current_time(), self.path, exit))
        watchers, self._watchers = self._watchers, None
        for notify in watchers or ():
            notify(Down(self.reference, exit))
        if self._gone is not None:
            self._gone.set()

    async def wait_gone(self) -> Exit:
        """Wait until it has ended for good."""
        if self.state is not State.GONE:
            if self._gone is None:
                self._gone = trio.Event()
            await self._gone.wait()
        assert self.exit is not None
        return self.exit
