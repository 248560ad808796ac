"""What the words of a cache in memory cost a program.

``programs/caching.qmz`` runs the same loop with each word, one after the other, and first of all with none;
the difference is the word's. Times are those that the process computes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import median
from time import process_time

import trio

from benchmarks.programs import compiled, program_text
from benchmarks.rounds import take_turns
from benchmarks.table import Bar, Line
from etamil_actors.actors.programs.system import ServicePlan, open_system
from etamil_actors.app import system_ports
from etamil_actors.resources.system import SystemConsole
from etamil_actors.vm.machine import Image

PROGRAMS = ("caching",)
TURNS = 20_000
HIT_MICROSECONDS = 3.0

WORKS: tuple[tuple[str, str, float | None], ...] = (
    ("a value from a cache in memory, with a time to live", "hit", HIT_MICROSECONDS),
    ("a value from a cache in memory, kept for ever", "hit for ever", HIT_MICROSECONDS),
    ("a value that need not be computed, from a cache in memory", "computed", HIT_MICROSECONDS),
    ("a value that is not there", "miss", None),
    ("a small record put into a cache in memory", "set", None),
)
TITLES = tuple(title for title, _, _ in WORKS)


class Watch(SystemConsole):
    """A console that takes the time at every line."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[tuple[str, float]] = []

    def write(self, text: str) -> None:
        """Take a line."""
        self.marks.append((text.strip(), process_time()))


def measure(rounds: int) -> list[Line]:
    """Every line of the table."""
    image = Image(compiled(program_text("caching")).program())
    seconds: dict[str, list[float]] = {}

    def run() -> float:
        marks = trio.run(_marks, image)
        for (_, begin), (name, end) in pairwise(marks):
            seconds.setdefault(name, []).append(end - begin)
        return marks[-1][1] - marks[0][1]

    take_turns(rounds, run)
    lines = []
    for title, name, most in WORKS:
        # The first round warms up.
        pairs = list(zip(seconds[name], seconds["nothing"], strict=True))[1:]
        each = median((own - idle) / TURNS for own, idle in pairs) * 1e6
        lines.append(
            Line(
                title,
                f"{each:.2f} µs",
                bar=None if most is None else Bar(most, "µs"),
                judged=() if most is None else (each,),
                numbers={"microseconds": each},
            )
        )
    return lines


async def _marks(image: Image) -> list[tuple[str, float]]:
    watch = Watch()
    plan = ServicePlan(name="caching", image=image)
    async with open_system(replace(system_ports(), console=watch), [plan]):
        pass
    assert watch.marks[-1][0] == str(TURNS), watch.marks
    return watch.marks
