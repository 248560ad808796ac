"""The measured programs: finding them, giving them a size, and running them with a watch.

A program says its size in the one line that ends with ``// size``. What it prints works the watch: its
first line starts it and its second stops it, so making the data that the work needs is not counted. The
lines after that are the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import NoReturn

from etamil_actors.language.program import keep, open_kept
from etamil_actors.resources.system import SystemFiles
from etamil_actors.script import Compiled, read_and_check
from etamil_actors.vm.machine import Image, Machine

FOLDER = Path(__file__).resolve().parent / "programs"

_SIZED = re.compile(r"(\d+)(?=\D*// size$)", re.MULTILINE)

_WARM = 50
_SMALL = 10

Counterpart = Callable[[int, Callable[[str], object]], None]


class Stopwatch:
    """The world of a measured program: a console that looks at the watch.

    The watch counts the seconds that this process computed, so neighbours on the machine do not count.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._marks: list[float] = []

    def write(self, text: str) -> None:
        """Take a line."""
        if len(self._marks) < 2:
            self._marks.append(process_time())
        self.lines.append(text.removesuffix("\n"))

    @property
    def seconds(self) -> float:
        """The seconds between the first line and the second."""
        begin, end = self._marks
        return end - begin


def program_text(name: str, size: int | None = None) -> str:
    """The text of a program, with another size where one is given."""
    text = (FOLDER / f"{name}.qmz").read_text(encoding="utf-8")
    if size is None:
        return text
    text, count = _SIZED.subn(str(size), text)
    assert count == 1, f"{name}.qmz must have one line that ends with ‘// size’"
    return text


def large_program(lines: int) -> str:
    """A program of at least so many lines: copies of ``department.qmz``, each with its own names."""
    part = program_text("department") + "\n"
    copies = -(-lines // part.count("\n"))
    return "".join(re.sub(r"_0\b", f"_{copy}", part) for copy in range(copies))


def compiled(text: str, name: str = "benchmark.qmz") -> Compiled:
    """A program, read and checked; it must have no problems."""
    made = read_and_check(name, text, SystemFiles())
    assert not made.problems, made.problems
    return made


def prepared(text: str) -> bytes:
    """A compiled program, as the cache keeps it."""
    return keep(compiled(text).program(), ())


def run_program(kept: bytes) -> Stopwatch:
    """Run a program once, as a new process does.

    CPython rewrites the code of what has run before into quicker, specialised instructions. The top level
    of a program runs once, so it gets a new code object each time and has to warm up while it is measured.
    """
    found = open_kept(kept)
    assert found is not None
    watch = Stopwatch()
    Machine(Image(found[1]), watch, _refuse).run_top()  # type: ignore[arg-type]
    return watch


def run_counterpart(counterpart: Counterpart, size: int) -> Stopwatch:
    """Run the work that was written by hand."""
    watch = Stopwatch()
    counterpart(size, watch.write)
    return watch


def warm_up(counterpart: Counterpart) -> None:
    """Run it on something small until CPython has specialised it."""
    for _ in range(_WARM):
        run_counterpart(counterpart, _SMALL)


def _refuse(effect: object) -> NoReturn:
    raise AssertionError(f"a measured program asked for {effect!r}")
