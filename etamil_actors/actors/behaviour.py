"""What an actor does and how it is kept: what one writes to have one, and what a supervisor is to it.

Nothing here runs by itself; ``actor.py`` has the lives, ``supervisor.py`` those who begin them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from etamil_actors.actors.reference import Answered
from etamil_actors.actors.restart import NO_BACKOFF, Backoff, Exit, Restart

if TYPE_CHECKING:
    from etamil_actors.actors.actor import Actor
    from etamil_actors.actors.tree import Tree


class Behaviour:
    """What an actor does. Each life has one of its own; override what is needed, and only that."""

    __slots__ = ()

    async def on_start(self, actor: Actor) -> None:
        """Get ready; nobody's message is handled before this returns."""

    def start_now(self, actor: Actor) -> Answered:
        """Get ready without waiting, instead of ``on_start``.

        Answers ``(True, None)`` when it is ready. When it could only begin, it answers
        ``(False, coroutine)``: that one makes it ready; it has not been started, and a worker will await it.
        """
        raise NotImplementedError

    async def on_message(self, message: Any, actor: Actor) -> Any:
        """Handle one message. What it returns is the answer, if somebody asked."""

    def serve_now(self, message: Any, actor: Actor) -> Answered:
        """Handle one message without waiting, in the turn of whoever asks.

        Answers ``(True, answer)`` when it is handled, and raises what ``on_message`` would raise. When it
        could only begin, it answers ``(False, coroutine)``: that one finishes the message and returns the
        answer; it has not been started, and a worker will await it.
        """
        raise NotImplementedError

    async def work(self, actor: Actor) -> None:
        """Do without messages: the life is this coroutine, and ends when it returns.

        It looks at ``actor.stopping`` to know when it shall end, and may take messages by ``actor.take``.
        """

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        """Give back what ``on_start`` took. Runs after every life that became ready."""

    def has_cleanup(self, exit: Exit) -> bool:
        """Is there anything for ``on_stop`` to do? Without it, an actor with nothing to do ends at once."""
        return type(self).on_stop is not Behaviour.on_stop


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
        """A life of this child is over, and nothing of it runs any more."""
        ...

    def dismiss(self, child: Actor, reason: str) -> None:
        """End a child for good; it may need time to finish."""
        ...
