"""Programs as actors: asking, passing on, crashing, having nothing to do, computing without end.

The programs stand in ``programs/``. Each waits for a number on the channel தொடங்கு, does that much, and
answers on முடிந்தது; the time between the two counts. A hundred thousand agents are measured in a process
of their own (``python -m benchmarks.services``), because only there the memory is theirs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from statistics import median
from time import perf_counter

import trio
import trio.testing

from benchmarks.actors import (
    MESSAGES,
    QUESTIONS,
    ask_pair,
    ask_pykka,
    faster,
    pass_through_channel,
    resident,
    run_in_trio,
    spaced,
)
from benchmarks.programs import FOLDER, compiled, program_text
from benchmarks.rounds import take_turns
from benchmarks.table import Bar, Line
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.actors.programs.world import Ports
from etamil_actors.resources.system import (
    SystemClock,
    SystemConsole,
    SystemEnvironment,
    SystemFiles,
    SystemPrograms,
    SystemRandom,
)
from etamil_actors.vm.machine import Image

PROGRAMS = ("passing", "asking", "crashing", "many", "endless")
CRASHES = 300
IDLE = 100_000
STOPPED = 1_000
LOOPS = (1, 4, 16)
TICKS = 200
TICK = 0.010
"""Seconds: the timer of another actor, beside the endless loops."""


def measure(rounds: int) -> list[Line]:
    """Every line of the table."""
    return [_passing(rounds), *_asking(rounds), _crashing(rounds), *_idle(), *_endless()]


@asynccontextmanager
async def _service(name: str) -> AsyncIterator[System]:
    image = Image(compiled(program_text(name), f"{name}.qmz").program())
    ports = Ports(
        console=SystemConsole(),
        files=SystemFiles(),
        clock=SystemClock(),
        random=SystemRandom(),
        environment=SystemEnvironment(),
        programs=SystemPrograms(),
    )
    async with open_system(ports, [ServicePlan(name="b", image=image)]) as system:
        yield system


async def _timed(name: str, count: int) -> float:
    """Seconds that a program needs for so much."""
    async with _service(name) as system:
        await trio.testing.wait_all_tasks_blocked()
        return await _go(system, count)


async def _go(system: System, count: int) -> float:
    begun, ended = system.channels.find("தொடங்கு"), system.channels.find("முடிந்தது")
    assert begun is not None and ended is not None
    begin = perf_counter()
    await begun.send(count)
    delivery = await ended.take()
    seconds = perf_counter() - begin
    assert delivery is not None
    delivery.ack()
    return seconds


# ---- messages and questions -----------------------------------------------------------


def _passing(rounds: int) -> Line:
    title = f"{spaced(MESSAGES)} messages from job to job through a channel, beside a trio channel"
    ours = run_in_trio(partial(_timed, "passing", MESSAGES))
    return faster(title, MESSAGES, take_turns(rounds, ours, run_in_trio(pass_through_channel)), 0.5)


def _asking(rounds: int) -> list[Line]:
    title = f"{spaced(QUESTIONS)} questions of a job to an agent"
    with_pykka = find_spec("pykka") is not None
    theirs = [run_in_trio(ask_pair), *([ask_pykka] if with_pykka else [])]
    ours, *others = take_turns(rounds, run_in_trio(partial(_timed, "asking", QUESTIONS)), *theirs)
    lines = [faster(f"{title}, beside a hand-written trio pair", QUESTIONS, [ours, others[0]], 0.9)]
    if with_pykka:
        lines.append(faster(f"{title}, beside Pykka", QUESTIONS, [ours, others[1]], 0.9))
    return lines


def _crashing(rounds: int) -> Line:
    taken = take_turns(rounds, run_in_trio(partial(_timed, "crashing", CRASHES)))
    each = median(taken[0]) / CRASHES * 1000
    title = "an agent started, asked, crashed, restarted, asked and stopped"
    return Line(title, f"{each:.3f} ms", bar=Bar(1, "ms"), judged=[each], numbers={"ms": each})


# ---- many who have nothing to do ------------------------------------------------------


def _idle() -> list[Line]:
    command = [sys.executable, "-m", "benchmarks.services"]
    done = subprocess.run(command, check=True, capture_output=True, cwd=FOLDER.parent.parent)
    numbers: dict[str, float] = json.loads(done.stdout)
    title = f"{spaced(IDLE)} idle agents of a program"
    size, start, stop = numbers["bytes"] / 1024, numbers["start"], numbers["stop"] * 1000
    return [
        Line(f"{title}: memory of each", f"{size:.1f} KB", bar=Bar(8, "KB"), judged=[size]),
        Line(f"{title}: all started", f"{start:.1f} s", bar=Bar(15, "s"), judged=[start]),
        Line(f"{title}: one stopped", f"{stop:.3f} ms", bar=Bar(1, "ms"), judged=[stop]),
    ]


async def _measure_idle() -> dict[str, float]:
    async with _service("many") as system:
        await _go(system, 10)
        before = resident()
        started = await _go(system, IDLE)
        grown = resident() - before
        agents = system.services["b"].agents.children
        assert len(agents) == IDLE + 10
        begin = perf_counter()
        for agent in agents[:: IDLE // STOPPED]:
            await agent.stop()
        stopped = (perf_counter() - begin) / len(agents[:: IDLE // STOPPED])
        return {"bytes": grown / IDLE, "start": started, "stop": stopped}


# ---- computing without end ------------------------------------------------------------


def _endless() -> list[Line]:
    lines = []
    for loops in LOOPS:
        late = sorted(trio.run(_delays, loops))
        at_99 = late[int(len(late) * 0.99)] * 1000
        title = f"{loops} endless loop{'s' if loops > 1 else ''}: delay of another actor's 10 ms timer, p99"
        bar = Bar(20, "ms") if loops == 1 else None
        lines.append(
            Line(title, f"{at_99:.1f} ms", bar=bar, judged=[at_99], numbers={"median": median(late) * 1000})
        )
    return lines


async def _delays(loops: int) -> list[float]:
    """How late a timer is beside so many programs that compute and never wait."""
    late = []
    async with _service("endless") as system:
        begun = system.channels.find("தொடங்கு")
        assert begun is not None
        for number in range(loops):
            await begun.send(number)
        due = trio.current_time()
        for _ in range(TICKS):
            due = max(due, trio.current_time()) + TICK
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)
        for job in system.services["b"].jobs.children:
            job.cancel("measured")
    return late


if __name__ == "__main__":
    print(json.dumps(trio.run(_measure_idle)))
