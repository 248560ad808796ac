"""What a supervisor does next: the pure half of supervision.

A plan knows for every child in which condition it *is* and whether it is *wanted*. It is told what
has happened (``started``, ``ended``, ``stop``, ``close``) and answers, whenever it is asked, with the
steps that bring the two nearer together. It does nothing itself: ``supervisor.py`` carries the
steps out, and a test can play the world.

```
        Begin              ready               Halt              ended
DOWN ──────────▶ STARTING ───────▶ UP ──────────────────▶ STOPPING ──────▶ DOWN
  ▲                  │             │    (doomed, and everything after it DOWN)
  └──────────────────┴─────────────┘ ended by itself
```

Order is kept by two rules, and there is no other bookkeeping:

- **stopping**: of the doomed children the last is asked first, and the next only when it is down;
- **starting**: nobody starts while somebody doomed is not yet down, and a child starts when all wanted
  children before it are up. Under ``one_for_one`` children do not depend on each other, so after
  the first start neither rule holds a child back.

A child that fails during the *first* start makes the whole start fail; its supervisor's supervisor
is told. Later failures to start are crashes like any other. A child that has ended in peace stays
ended: a restart of its siblings does not run a finished job again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from etamil_actors.actors.errors import StartError
from etamil_actors.actors.ledger import Account, Ledger
from etamil_actors.actors.restart import (
    Backoff,
    Crashed,
    Exit,
    Restart,
    Strategy,
    affected,
    should_restart,
)
from etamil_actors.errors import EtamilError


class Condition(Enum):
    """How a child is."""

    DOWN = "down"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


class Post(Account):
    """A child's place in the plan."""

    __slots__ = ("cause", "condition", "delay", "doomed", "due", "finished", "lives", "restart", "wanted")

    def __init__(self, path: str, restart: Restart, backoff: Backoff) -> None:
        super().__init__(path, backoff)
        self.restart = restart
        self.condition = Condition.DOWN
        self.wanted = True
        """Shall it run?"""
        self.doomed = False
        """Must this life end first?"""
        self.finished = False
        """Will it have no other life, even if the supervisor has one?"""
        self.due = -math.inf
        """Not before this moment."""
        self.lives = 0
        self.delay = 0.0
        self.cause = path
        """Whose end made the next life necessary."""


class Begin(NamedTuple):
    """Start this child now; it is its first life when ``post.lives`` is 1."""

    post: Post


class Halt(NamedTuple):
    """Ask this child to stop."""

    post: Post


Step = Begin | Halt


class Plan:
    """The children of one supervisor during one of its lives."""

    def __init__(self, posts: Sequence[Post], strategy: Strategy, ledger: Ledger) -> None:
        self.posts = posts
        self.failure: EtamilError | None = None
        """Why the supervisor gives up."""
        self._strategy = strategy
        self._ledger = ledger
        self._first_start = True
        self._closing = False

    @property
    def is_ready(self) -> bool:
        """Is the first start done, with every child up?"""
        return not self._first_start

    @property
    def is_closing(self) -> bool:
        """Will nothing be started any more?"""
        return self._closing

    @property
    def is_over(self) -> bool:
        """Is it closed, and every child down?"""
        return self._closing and all(post.condition is Condition.DOWN for post in self.posts)

    def wakes_at(self, now: float) -> float:
        """The next moment when steps may be due although nothing has happened."""
        waiting = (post.due for post in self.posts if post.wanted and post.condition is Condition.DOWN)
        return min((due for due in waiting if due > now), default=math.inf)

    # ── what has happened ────────────────────────────────────────────────────────────────────────

    def started(self, post: Post, now: float) -> None:
        """A child is ready."""
        if post.condition is Condition.STARTING:
            post.condition = Condition.UP
        post.since = now

    def ended(self, post: Post, exit: Exit, now: float, chance: float) -> None:
        """A child is down."""
        was, post.condition = post.condition, Condition.DOWN
        if post.doomed:
            # However it ended, it was to end; whether it comes back was decided when it was doomed.
            post.doomed = False
        elif self._first_start and was is Condition.STARTING and isinstance(exit, Crashed):
            post.wanted = False
            self._give_up(StartError(post.path, exit.problem))
        elif not should_restart(post.restart, exit):
            post.wanted = False
            post.finished = True
        else:
            self._restart(post, exit, now, chance)

    def stop(self, post: Post) -> None:
        """Somebody wants this child to end for good."""
        post.finished = True
        self._dismiss(post)

    def close(self) -> None:
        """End everything, the last child first."""
        self._closing = True
        for post in self.posts:
            self._dismiss(post)

    def _dismiss(self, post: Post) -> None:
        post.wanted = False
        post.doomed = post.condition is not Condition.DOWN

    def _restart(self, post: Post, exit: Exit, now: float, chance: float) -> None:
        verdict = self._ledger.enter(post, exit, now, chance)
        if isinstance(verdict, EtamilError):
            self._give_up(verdict)
            return
        for member in affected(self._strategy, self.posts, post):
            member.doomed = member.condition is not Condition.DOWN
            member.cause = post.path
            member.due = now + verdict
            member.delay = verdict
            if member.restart is Restart.TEMPORARY:
                member.wanted = False
                member.finished = True

    def _give_up(self, failure: EtamilError) -> None:
        self.failure = self.failure or failure
        self.close()

    # ── what to do ───────────────────────────────────────────────────────────────────────────────

    def steps(self, now: float) -> list[Step]:
        """What is to be done now. Each step is handed out once and taken for done."""
        taken: list[Step] = [*self._halts(), *self._begins(now)]
        if self._first_start and not self._closing:
            self._first_start = any(p.wanted and p.condition is not Condition.UP for p in self.posts)
        return taken

    def _halts(self) -> Iterator[Halt]:
        for post in reversed(self.posts):
            if not post.doomed:
                continue
            if post.condition is not Condition.STOPPING:
                post.condition = Condition.STOPPING
                yield Halt(post)
            if not self._independent:
                break

    def _begins(self, now: float) -> Iterator[Begin]:
        if self._closing:
            return
        independent = self._independent
        if not independent and any(post.doomed for post in self.posts):
            return
        for post in self.posts:
            if not post.wanted or post.condition is Condition.UP:
                continue
            if post.condition is Condition.DOWN and post.due <= now:
                post.condition = Condition.STARTING
                post.lives += 1
                yield Begin(post)
            if not independent:
                break

    @property
    def _independent(self) -> bool:
        return self._strategy is Strategy.ONE_FOR_ONE and not self._first_start and not self._closing
