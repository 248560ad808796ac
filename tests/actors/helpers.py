"""What the tests of actors share: small behaviours, a way to run a scenario, and the simple model."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
import trio._core._run as trio_run
import trio.testing

from etamil_actors.actors import moments
from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.events import Event
from etamil_actors.actors.reference import Answered
from etamil_actors.actors.restart import Exit, Restart, Strategy

T = TypeVar("T")


def run_virtually(scenario: Callable[..., Awaitable[T]], *arguments: Any, seed: int = 0) -> T:
    """Run a scenario by itself in virtual time, scheduled by a seed and nothing else."""
    assert isinstance(trio_run._r, random.Random)
    assert trio_run._ALLOW_DETERMINISTIC_SCHEDULING in (False, True)
    before = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True
    trio_run._r.seed(seed)
    moments.start_over()
    try:
        return trio.run(scenario, *arguments, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = before


async def settle() -> None:
    """Let everything happen that happens at this moment."""
    await trio.testing.wait_all_tasks_blocked()


class Crash(Exception):
    """An error of a behaviour, ordered by the test."""


class Worker(Behaviour):
    """Does what it is told: answers, crashes, ends, sleeps."""

    def __init__(self, notes: list[str] | None = None, cleanup: float = 0.0) -> None:
        self.notes = notes if notes is not None else []
        self.cleanup = cleanup
        self.total = 0

    async def on_start(self, actor: Actor) -> None:
        self.notes.append(f"start {actor.spec.name}")

    async def on_message(self, message: Any, actor: Actor) -> Any:
        match message:
            case int():
                self.total += message
                return self.total
            case "crash":
                raise Crash(f"life {actor.life}")
            case "end":
                actor.end()
            case ("sleep", float() as seconds):
                await trio.sleep(seconds)
                return "slept"
            case "life":
                return actor.life
            case _:
                self.notes.append(f"{actor.spec.name}: {message}")
                return message
        return None

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        if self.cleanup:
            await trio.sleep(self.cleanup)
        self.notes.append(f"stop {actor.spec.name} {type(exit).__name__}")


def worker(name: str, notes: list[str] | None = None, cleanup: float = 0.0, **options: Any) -> ActorSpec:
    """A child that does what it is told."""
    return ActorSpec(name=name, make=lambda: Worker(notes, cleanup), **options)


class Counter(Behaviour):
    """Adds, and does nothing before or after."""

    def __init__(self) -> None:
        self.total = 0

    async def on_message(self, message: Any, actor: Actor) -> Any:
        match message:
            case "crash":
                raise Crash(f"life {actor.life}")
            case "end":
                actor.end()
            case ("sleep", seconds):
                await trio.sleep(seconds)
            case "life":
                return actor.life
            case int():
                self.total += message
        return self.total


class Prompt(Counter):
    """The same, in the asker's turn wherever that can be."""

    def serve_now(self, message: Any, actor: Actor) -> Answered:
        match message:
            case ("sleep", _):
                return False, self.on_message(message, actor)
            case "crash":
                raise Crash(f"life {actor.life}")
            case "end":
                actor.end()
            case "life":
                return True, actor.life
            case int():
                self.total += message
        return True, self.total


def actor_at(tree: Any, path: str) -> Any:
    """The actor itself, where a test looks behind the reference."""
    return tree.at(path)._actor


class Trace:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def kinds(self) -> list[tuple[str, str]]:
        return [(type(event).__name__, event.actor) for event in self.events]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Model:
    """What supervision promises, told as simply as possible and without any order of events.

    ``lives`` counts the lives of each child; a child is up unless it is over. There is no back-off
    and no time here: all restarts fall into one period.
    """

    def __init__(self, kinds: list[Restart], strategy: Strategy, intensity: int) -> None:
        self.kinds = kinds
        self.strategy = strategy
        self.left = intensity
        self.lives = [1] * len(kinds)
        self.over = [False] * len(kinds)
        self.failed = False

    def end(self, child: int, crashed: bool) -> None:
        """This child's life has ended by itself."""
        kind = self.kinds[child]
        if kind is Restart.TEMPORARY or (kind is Restart.TRANSIENT and not crashed):
            self.over[child] = True
            return
        if self.left == 0:
            self.failed = True
            self.over = [True] * len(self.kinds)
            return
        self.left -= 1
        for member in self.group(child):
            if self.kinds[member] is Restart.TEMPORARY:
                self.over[member] = True
            elif not self.over[member]:
                self.lives[member] += 1

    def stop(self, child: int) -> None:
        """Somebody stops this child for good."""
        self.over[child] = True

    def group(self, child: int) -> range:
        everybody = len(self.kinds)
        return {
            Strategy.ONE_FOR_ONE: range(child, child + 1),
            Strategy.ONE_FOR_ALL: range(everybody),
            Strategy.REST_FOR_ONE: range(child, everybody),
        }[self.strategy]
