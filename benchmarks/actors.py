"""Actors: messages, questions, restarts, and many who have nothing to do.

Messages and questions stand beside what one would write by hand on trio, and questions beside Pykka too, if
it is installed (``pip install pykka``). A hundred thousand idle actors are measured in a process of their
own (``python -m benchmarks.actors``), because only there the memory is theirs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import trio

from benchmarks.programs import FOLDER
from benchmarks.rounds import ratio_of, take_turns
from benchmarks.table import Bar, Line, times
from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.errors import ActorCrashedError
from etamil_actors.actors.reference import Answered, Reference
from etamil_actors.actors.supervisor import DynamicSpec, DynamicSupervisor, SupervisorSpec
from etamil_actors.actors.tree import Tree, open_tree

MESSAGES = 20_000
QUESTIONS = 10_000
CRASHES = 500
IDLE = 100_000
STOPPED = 1_000
ROOM = 1000
"""What fits into a mailbox, and into the channel beside it."""


def measure(rounds: int) -> list[Line]:
    """Every line of the table."""
    return [_messages(rounds), *_questions(rounds), _restarts(rounds), *_idle()]


# ---- what the actors do ---------------------------------------------------------------


class Adder(Behaviour):
    """Adds what it gets; some messages crash it."""

    def __init__(self) -> None:
        self.total = 0

    async def on_message(self, message: Any, actor: Actor) -> int:
        """Handle a message in its own turn."""
        return self._add(message)

    def _add(self, message: Any) -> int:
        if message is None:
            raise ValueError("as ordered")
        self.total += message
        return self.total


class PromptAdder(Adder):
    """The same in the asker's turn."""

    def serve_now(self, message: Any, actor: Actor) -> Answered:
        """Handle a message at once."""
        return True, self._add(message)


class Sink(Behaviour):
    """Counts messages, and says when all are there."""

    def __init__(self, expected: int, all_there: trio.Event) -> None:
        self.left = expected
        self.all_there = all_there

    async def on_message(self, message: Any, actor: Actor) -> None:
        """Count one."""
        self.left -= 1
        if not self.left:
            self.all_there.set()


class Source(Behaviour):
    """Sends so many messages."""

    def __init__(self, count: int, target: Reference) -> None:
        self.count = count
        self.target = target

    async def work(self, actor: Actor) -> None:
        """Send, as fast as there is room."""
        for number in range(self.count):
            await self.target.tell(number)


def _open() -> AbstractAsyncContextManager[Tree]:
    branch = DynamicSpec(name="many", intensity=10 * CRASHES)
    return open_tree(SupervisorSpec(name="root", children=(branch,)))


def _start(tree: Tree, name: str, make: Callable[[], Behaviour]) -> Reference:
    return _branch(tree).start_child_nowait(_spec(name, make))


def _spec(name: str, make: Callable[[], Behaviour]) -> ActorSpec:
    return ActorSpec(name=name, make=make, capacity=ROOM)


def _branch(tree: Tree) -> DynamicSupervisor:
    branch = next(actor for actor in tree.registry if actor.path == "/root/many")
    assert isinstance(branch, DynamicSupervisor)
    return branch


# ---- messages -------------------------------------------------------------------------


def _messages(rounds: int) -> Line:
    title = f"{spaced(MESSAGES)} messages from actor to actor, beside a memory channel"
    taken = take_turns(rounds, run_in_trio(_tell), run_in_trio(pass_through_channel))
    return faster(title, MESSAGES, taken, 1.0)


async def _tell() -> float:
    async with _open() as tree:
        all_there = trio.Event()
        begin = perf_counter()
        sink = _start(tree, "sink", lambda: Sink(MESSAGES, all_there))
        _start(tree, "source", lambda: Source(MESSAGES, sink))
        await all_there.wait()
        return perf_counter() - begin


async def pass_through_channel() -> float:
    """The same number through a memory channel of trio's."""
    send, receive = trio.open_memory_channel[int](ROOM)

    async def source() -> None:
        async with send:
            for number in range(MESSAGES):
                await send.send(number)

    async def sink() -> None:
        left = MESSAGES
        async for _ in receive:
            left -= 1
        assert not left, left

    begin = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source)
        nursery.start_soon(sink)
    return perf_counter() - begin


# ---- questions ------------------------------------------------------------------------


def _questions(rounds: int) -> list[Line]:
    pykka = ask_pykka if find_spec("pykka") is not None else None
    counterparts = [run_in_trio(ask_pair), *([pykka] if pykka else [])]
    prompt, worker, *theirs = take_turns(
        rounds, run_in_trio(partial(_ask, PromptAdder)), run_in_trio(partial(_ask, Adder)), *counterparts
    )
    title = f"{spaced(QUESTIONS)} questions and answers"
    lines = [
        faster(f"{title}, beside a hand-written trio pair", QUESTIONS, [prompt, theirs[0]], 0.9),
        faster(f"{title}, each by a worker, beside the same pair", QUESTIONS, [worker, theirs[0]], 0.9),
    ]
    if pykka is not None:
        return [*lines, faster(f"{title}, beside Pykka", QUESTIONS, [prompt, theirs[1]], 0.9)]
    print("Pykka நிறுவப்படவில்லை; ஒப்பிடவில்லை  (Pykka is not installed; not compared)", file=sys.stderr)
    rate = _rate(QUESTIONS / median(prompt))
    return [*lines, Line(f"{title}, beside Pykka", rate, "not installed")]


async def _ask(make: Callable[[], Behaviour]) -> float:
    async with _open() as tree:
        adder = _start(tree, "adder", make)
        begin = perf_counter()
        for _ in range(QUESTIONS):
            total = await adder.ask(1)
        seconds = perf_counter() - begin
    assert total == QUESTIONS, total
    return seconds


async def ask_pair() -> float:
    """The same questions, by hand."""
    ask, asked = trio.open_memory_channel[int](0)
    answer, answered = trio.open_memory_channel[int](0)

    async def adder() -> None:
        total = 0
        async for number in asked:
            total += number
            await answer.send(total)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(adder)
        begin = perf_counter()
        for _ in range(QUESTIONS):
            await ask.send(1)
            total = await answered.receive()
        seconds = perf_counter() - begin
        await ask.aclose()
    assert total == QUESTIONS, total
    return seconds


def ask_pykka() -> float:
    """The same questions to an actor of Pykka's."""
    pykka = import_module("pykka")

    class PykkaAdder(pykka.ThreadingActor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.total = 0

        def on_receive(self, message: int) -> int:
            self.total += message
            return self.total

    adder = PykkaAdder.start()
    try:
        begin = perf_counter()
        for _ in range(QUESTIONS):
            total = adder.ask(1)
        seconds = perf_counter() - begin
    finally:
        adder.stop()
    assert total == QUESTIONS, total
    return seconds


# ---- restarts -------------------------------------------------------------------------


def _restarts(rounds: int) -> Line:
    taken = take_turns(rounds, run_in_trio(partial(_crash, Adder)), run_in_trio(partial(_crash, PromptAdder)))
    each = [median(seconds) / CRASHES * 1000 for seconds in taken]
    return Line(
        "a crash, the restart without back-off, and the next answer",
        f"{each[0]:.3f} ms", bar=Bar(1, "ms"), judged=each, numbers={"worker": each[0], "prompt": each[1]},
    )


async def _crash(make: Callable[[], Behaviour]) -> float:
    async with _open() as tree:
        adder = _start(tree, "adder", make)
        begin = perf_counter()
        for _ in range(CRASHES):
            try:
                await adder.ask(None)
            except ActorCrashedError:
                assert await adder.ask(0) == 0
        seconds = perf_counter() - begin
        assert _branch(tree).children == (adder,)
    return seconds


# ---- many who have nothing to do ------------------------------------------------------


def _idle() -> list[Line]:
    command = [sys.executable, "-m", "benchmarks.actors"]
    done = subprocess.run(command, check=True, capture_output=True, cwd=FOLDER.parent.parent)
    numbers: dict[str, float] = json.loads(done.stdout)
    title = f"{spaced(IDLE)} idle actors"
    size, start, stop = numbers["bytes"] / 1024, numbers["start"], numbers["stop"] * 1000
    return [
        Line(
            f"{title}: memory of each", f"{size:.1f} KB", bar=Bar(8, "KB"), judged=[size],
            numbers=dict(numbers),
        ),
        Line(f"{title}: all started", f"{start:.1f} s", bar=Bar(15, "s"), judged=[start]),
        Line(f"{title}: one stopped", f"{stop:.3f} ms", bar=Bar(1, "ms"), judged=[stop]),
    ]


async def _measure_idle() -> dict[str, float]:
    async with _open() as tree:
        branch = _branch(tree)
        before, begin = resident(), perf_counter()
        actors = [branch.start_child_nowait(_spec(f"idle#{number}", PromptAdder)) for number in range(IDLE)]
        started, grown = perf_counter() - begin, resident() - before
        begin = perf_counter()
        for actor in actors[:: IDLE // STOPPED]:
            await actor.stop()
        stopped = (perf_counter() - begin) / STOPPED
        assert len(branch.children) == IDLE - STOPPED
        assert await actors[-1].ask(1) == 1
    return {"bytes": grown / IDLE, "start": started, "stop": stopped}


def resident() -> int:
    """Bytes of memory that this process has now; Linux says so."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# ---- how it is shown ------------------------------------------------------------------


def run_in_trio(scenario: Callable[[], Any]) -> Callable[[], float]:
    """A scenario as something to measure."""
    def run() -> float:
        seconds: float = trio.run(scenario)
        return seconds

    return run


def faster(title: str, count: int, taken: list[list[float]], bar: float) -> Line:
    """A line about rates: ours, theirs, and how many times theirs ours is."""
    ours, theirs = (median(seconds) for seconds in taken)
    ratio = 1 / ratio_of(*taken)
    numbers: dict[str, object] = {"ours": count / ours, "python": count / theirs}
    return Line(
        title, _rate(count / ours), _rate(count / theirs), times(ratio),
        Bar(bar, least=True), [ratio], numbers,
    )


def _rate(each_second: float) -> str:
    return f"{spaced(round(each_second))}/s"


def spaced(number: int) -> str:
    """A number as people write it."""
    return f"{number:,}".replace(",", " ")


if __name__ == "__main__":
    print(json.dumps(trio.run(_measure_idle)))
