"""What it costs an activity to log, to count and to trace.

The same loop of ``programs/watching.qmz`` runs in a service with each word, and once with none; the
difference is the word's. What happens to a line afterwards — it is made and written, beside the activity — is
measured by itself. Times are those that the process computes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import median
from time import process_time

import trio

from benchmarks.programs import compiled, program_text
from benchmarks.rounds import take_turns
from benchmarks.table import Bar, Line
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.programs.log import Logged
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.app import system_ports
from etamil_actors.observe.lines import Lines
from etamil_actors.resources.telemetry.numbers import ProgramNumbers
from etamil_actors.resources.telemetry.simulated import SimulatedTracer
from etamil_actors.vm.machine import Image

PROGRAMS = ("watching",)
TURNS = 5_000

LINE_MICROSECONDS = 15.0
COUNT_MICROSECONDS = 2.0

WORKS: tuple[tuple[str, str, float | None], ...] = (
    ("a line at info with three fields, to the activity", "line", LINE_MICROSECONDS),
    ("a line at info without fields, to the activity", "plain line", LINE_MICROSECONDS),
    ("a line below the level of its service", "unwanted line", None),
    ("a count", "count", COUNT_MICROSECONDS),
    ("a count with two labels", "labels", None),
    ("a time", "timing", None),
    ("a block as a span, of a trace that is kept", "span", None),
    ("a block as a span, where no traces are followed", "span, off", None),
)


def measure(rounds: int) -> list[Line]:
    """Every line of the table."""
    image = Image(compiled(program_text("watching")).program())
    names = [work for _, work, _ in WORKS]
    taken = take_turns(rounds, *[partial(_seconds, image, one) for one in ("nothing", *names)])
    empty, *others = taken
    lines = []
    for (title, _, bar), seconds in zip(WORKS, others, strict=True):
        each = median((own - idle) / TURNS for own, idle in zip(seconds, empty, strict=True))
        lines.append(_line(title, each, bar))
    written = take_turns(rounds, partial(_written, "json"), partial(_written, "text"))
    for form, times in zip(("JSON", "text"), written, strict=True):
        title = f"the same line made and written as {form}, beside the activity"
        lines.append(_line(title, median(times) / TURNS, None))
    return lines


def _line(title: str, seconds: float, bar: float | None) -> Line:
    microseconds = seconds * 1e6
    kept = None if bar is None else Bar(bar, "µs")
    return Line(
        title, f"{microseconds:.2f} µs", bar=kept, judged=() if bar is None else (microseconds,),
        numbers={"microseconds": microseconds},
    )  # fmt: skip


class Watch:
    """A console that looks at the watch: the first line starts it, the second stops it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._marks: list[float] = []

    def write(self, text: str) -> None:
        """Take a line."""
        if len(self._marks) < 2:
            self._marks.append(process_time())
        self.lines.append(text.strip())

    def write_error(self, text: str) -> None:
        """Nobody reads it."""

    def flush(self) -> None:
        """Nothing is kept back."""

    def read_line(self) -> str:
        """Nobody types."""
        return ""

    @property
    def seconds(self) -> float:
        """What the loop has computed."""
        begin, end = self._marks
        return end - begin


class Variables:
    """An environment with one variable."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get(self, name: str) -> str | None:
        """Its value."""
        return self._value if name == "WATCHING" else None


def _seconds(image: Image, work: str) -> float:
    return trio.run(_run, image, work)


async def _run(image: Image, work: str) -> float:
    watch, events = Watch(), EventStream()
    # Lines gather and are not written: what counts here is what the program waits for.
    lines = Lines(_nowhere, as_json=True, most=2 * TURNS)
    events.listen(lines.hear, messages=False)
    ports = replace(system_ports(), console=watch, environment=Variables(work.partition(",")[0]))

    def opening(system: System) -> None:
        system.numbers = ProgramNumbers()
        if not work.endswith(", off"):
            system.tracer = SimulatedTracer()
        for service in system.services.values():
            service.least_logged = 1

    plans = [ServicePlan(name="watching", image=image)]
    async with open_system(ports, plans, events=events, opening=opening):
        pass
    assert watch.lines[-1] == str(TURNS), watch.lines
    return watch.seconds


def _written(form: str) -> float:
    """What is done for the lines afterwards."""
    return trio.run(_write, form == "json")


async def _write(as_json: bool) -> float:
    lines = Lines(_nowhere, as_json=as_json, most=2 * TURNS, in_thread=False)
    fields = {"எண்": 7, "நகர்": "மதுரை", "தொகை": 12}
    for _ in range(TURNS):
        now = trio.current_time()
        lines.hear(Logged(now, "/root/a", "a", "info", "பணி ஒன்று", "விற்பனை", fields, "", ""))
    begin = process_time()
    await lines.flush()
    return process_time() - begin


def _nowhere(text: str) -> None:
    """Where the lines go."""


