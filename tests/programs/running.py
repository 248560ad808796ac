"""Programs of the tests as running services: in virtual time, scheduled by a seed, with everything they did.

```python
done = run_program('உறங்கு(2); அச்சு "முடிந்தது";')
assert done.lines == ["முடிந்தது"]
```

A program runs as a service does: its top level first, then its jobs and agents, until ``seconds`` of virtual
time are over or it asks to leave. Then the tree is stopped in order. What must be true after every run is
looked at after every run (``Result.left_over``): no task, no lock and no delivery outlives the service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import trio

from etamil_actors.actors.errors import StartError
from etamil_actors.actors.events import ActorCrashed, Event, EventStream
from etamil_actors.actors.programs import agents, channels, jobs, sharing, tasks, times, world  # noqa: F401
from etamil_actors.actors.programs.service import RunningService
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.actors.programs.world import Ports
from etamil_actors.errors import Fault
from etamil_actors.ports.web import Web
from etamil_actors.resources.databases.simulated import SimulatedDatabases
from etamil_actors.resources.redis.simulated import SimulatedRedisServers
from etamil_actors.resources.system import (
    SimulatedConsole,
    SimulatedEnvironment,
    SimulatedFiles,
    SimulatedPrograms,
    SimulatedRandom,
)
from etamil_actors.resources.web.simulated import SimulatedWeb
from etamil_actors.script import read_and_check
from etamil_actors.vm.machine import Image
from tests.actors.helpers import run_virtually

START = 1_767_225_600
"""The wall clock begins at 2026-01-01 00:00 UTC."""

During = Callable[[System], Awaitable[Any]]


class VirtualClock:
    """A wall clock that goes with trio's, and so in virtual time."""

    def wall(self) -> Decimal:
        """Seconds since 1970-01-01 UTC."""
        return START + Decimal(round(trio.current_time() * 1_000_000)) / 1_000_000

    def monotonic(self) -> float:
        """Seconds since the start."""
        return trio.current_time()

    def sleep(self, seconds: float) -> None:
        """Nobody may block the whole process."""
        raise AssertionError("the clock of a service does not block")


@dataclass
class Result:
    """What a program did."""

    lines: list[str] = field(default_factory=list)
    """Its standard output."""
    errors: str = ""
    """Its standard error."""
    events: list[Event] = field(default_factory=list)
    problem: BaseException | None = None
    """Why the service did not start, or gave up; nothing when it ran and was stopped."""
    status: int | None = None
    """What it said with வெளியேறு; nothing when it did not."""
    time: float = 0.0
    """When it was told to stop, in virtual seconds."""
    ended: float = 0.0
    """When everything had stopped."""
    system: System = None  # type: ignore[assignment]
    """The system after its end, to look inside; also if it did not start."""

    @property
    def service(self) -> RunningService:
        """The only service, or the first."""
        return next(iter(self.system.services.values()))

    @property
    def crashes(self) -> list[tuple[str, str]]:
        """Who crashed, by the last part of its path, with the code of the error."""
        return [
            (event.actor.rpartition("/")[2], code_of(event.problem))
            for event in self.events
            if isinstance(event, ActorCrashed)
        ]

    @property
    def fault(self) -> Fault | None:
        """The program's error for which it did not start."""
        problem = self.problem
        while problem is not None and not isinstance(problem, Fault):
            problem = problem.__cause__ or getattr(problem, "problem", None)
        return problem

    @property
    def left_over(self) -> list[str]:
        """What should have ended and has not."""
        return left_over(self.system)


def code_of(problem: BaseException | None) -> str:
    """The code of a program's error, or the name of anything else."""
    return problem.code if isinstance(problem, Fault) else type(problem).__name__


def left_over(system: System) -> list[str]:
    """Machines in the pool that are not clean or are there twice, and named locks that are held."""
    found = [f"{lock.text} is held by {lock.holders}" for lock in system.locks.locks() if lock.holders]
    found += [f"{lock.text} is waited for" for lock in system.locks.locks() if lock.waiting]
    for service in system.services.values():
        pool = service._pool
        if len({id(machine) for machine in pool}) != len(pool):
            found.append("a machine is in the pool twice")
        found += [f"one-time job {job.text} goes on" for job in service.one_time]
    if system.slicer.running is not None:
        found.append("a machine is still running")
    if system.slicer.granted is not None or system.slicer._line:
        found.append("somebody still has or wants a slice")
    return found


def image_of(text: str, files: SimulatedFiles | None = None) -> Image:
    """A program made ready; one with load errors fails the test."""
    compiled = read_and_check("சோதனை.qmz", text, files or SimulatedFiles({}))
    assert compiled.is_sound, "\n".join(str(problem) for problem in compiled.problems)
    return Image(compiled.program())


def ports_of(
    console: SimulatedConsole,
    *,
    seed: int = 0,
    environment: dict[str, str] | None = None,
    web: Web | None = None,
) -> Ports:
    """A world in which nothing is real."""
    return Ports(
        console=console,
        files=SimulatedFiles({}),
        clock=VirtualClock(),
        random=SimulatedRandom(seed),
        environment=SimulatedEnvironment(environment or {}),
        programs=SimulatedPrograms(),
        databases=SimulatedDatabases(),
        redis=SimulatedRedisServers(),
        web=web if web is not None else SimulatedWeb(),
        is_simulated=True,
    )


def run_program(
    text: str,
    *more: str,
    seconds: float = 60.0,
    during: During | None = None,
    seed: int = 0,
    as_script: bool = False,
    limit: float = 10.0,
    environment: dict[str, str] | None = None,
    settings: dict[str, Any] | None = None,
    web: Web | None = None,
    ports: Callable[[Ports], Ports] = lambda ports: ports,
    **options: Any,
) -> Result:
    """Run a program (and others beside it) as services for so many virtual seconds, then stop them.

    Args:
        during: awaited with the system, once everything has started, instead of the ``seconds``.
        ports: changes the world that the program gets.
        environment, settings, web: the variables of the environment, what the configuration says for
            அமைப்பு, and who answers for other servers.
        limit: computing time after which an endless loop ends in the simulation, in real seconds.
        options: go to ``open_system``.
    """
    result = Result()
    console = SimulatedConsole()
    events = options.pop("events", None) or EventStream()
    events.listen(result.events.append, messages=False)
    plans = [
        ServicePlan(
            name=f"சேவை{number}" if number else "சேவை",
            image=image_of(one),
            as_script=as_script,
            settings=settings or {},
        )
        for number, one in enumerate((text, *more))
    ]

    def opening(system: System) -> None:
        result.system = system
        system.slicer.limit = limit

    async def scenario() -> None:
        try:
            async with open_system(
                ports(ports_of(console, seed=seed, environment=environment, web=web)),
                plans,
                events=events,
                random=lambda: 0.5,
                opening=opening,
                **options,
            ) as system:
                if during is not None:
                    await during(system)
                else:
                    with trio.move_on_after(seconds):
                        await system.leaving.wait()
                result.time = trio.current_time()
        except Exception as problem:  # noqa: BLE001  the test looks at it
            result.problem = problem
        result.ended = trio.current_time()

    run_virtually(scenario, seed=seed)
    result.lines = console.output.splitlines()
    result.errors = console.errors
    if result.system.leaving.is_set():
        result.status = result.system.status
    return result


def output_of(text: str, *, crashes: bool = False, **options: Any) -> list[str]:
    """What a sound run of a program prints: it starts, nobody crashes, nothing is left over.

    With ``crashes`` tasks and jobs may fail, as in programs about their errors.
    """
    done = run_program(text, **options)
    if done.problem is not None:
        raise AssertionError(f"it failed: {done.problem!r} after {done.lines}") from done.problem
    assert crashes or not done.crashes, f"{done.crashes} after {done.lines}"
    assert not done.left_over
    return done.lines


def failure_of(text: str, **options: Any) -> Fault:
    """The error for which a program does not start."""
    done = run_program(text, **options)
    assert isinstance(done.problem, StartError), f"{done.problem!r} after {done.lines}"
    fault = done.fault
    assert fault is not None, repr(done.problem)
    assert not done.left_over
    return fault
