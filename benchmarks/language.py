"""The language: how quickly programs run, start and are read, beside Python that does the same.

``WORKS`` are the lines that compare a program with a function of ``counterparts``; the others — growth,
the start of a process, the front end — have a function each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks import counterparts
from benchmarks.programs import (
    FOLDER,
    Counterpart,
    large_program,
    prepared,
    program_text,
    run_counterpart,
    run_program,
    warm_up,
)
from benchmarks.rounds import doublings, ratio_of, take_turns
from benchmarks.table import Bar, Line, milliseconds, times

REPOSITORY = FOLDER.parent.parent
LARGE = 5000
START_ROUNDS = 20
FRONT_ROUNDS = 5


class Work(NamedTuple):
    """A program of ``programs/`` and its counterpart."""

    title: str
    program: str
    counterpart: Counterpart
    size: int
    bar: float


WORKS = (
    Work("decimal loop, 300 000 turns", "decimal_loop", counterparts.decimal_loop, 300_000, 1.3),
    Work("empty counting loop, 1 000 000 turns", "counting_loop", counterparts.counting_loop, 1_000_000, 1.4),
    Work("recursive fib(25), untyped", "fib", counterparts.fib, 25, 1.6),
    Work("100 000 updates of a field", "record_update", counterparts.record_update, 100_000, 1.6),
    Work("two fields of 100 000 records added up", "record_read", counterparts.record_read, 100_000, 1.6),
    Work("a field of 100 000 records compared", "record_compare", counterparts.record_compare, 100_000, 1.6),
    Work("100 000 records copied with one change", "record_copy", counterparts.record_copy, 100_000, 1.6),
    Work("100 000 records sorted, whole numbers", "record_sort", counterparts.record_sort, 100_000, 1.6),
    Work(
        "100 000 records sorted, decimals", "record_sort_decimal", counterparts.record_sort_decimal,
        100_000, 1.6,
    ),
)


class Growth(NamedTuple):
    """A program that builds something turn by turn; time must grow no faster than what it builds."""

    title: str
    program: str
    counterpart: Counterpart


GROWTHS = (
    Growth("array by இணை, top level", "array_top", counterparts.array),
    Growth("array by இணை, in a function", "array_function", counterparts.array),
    Growth("array by இணை, a function reads it", "array_shared", counterparts.array),
    Growth("text by &, top level", "text_top", counterparts.text),
    Growth("text by &, in a function", "text_function", counterparts.text),
    Growth("text by &, a function reads it", "text_shared", counterparts.text),
)
GROWTH_SIZES = (16_000, 32_000, 64_000, 128_000)
GROWTH_BAR = Bar(2.3, "× each doubling")


def measure(rounds: int) -> list[Line]:
    """Measure everything."""
    with tempfile.TemporaryDirectory(prefix="etamil-benchmark-") as folder:
        return [
            *[compare(work, rounds) for work in WORKS],
            *[grow(growth, rounds) for growth in GROWTHS],
            *start(Path(folder), max(rounds, START_ROUNDS)),
            *front_end(Path(folder), max(rounds, FRONT_ROUNDS)),
        ]


def agreed(kept: bytes, counterpart: Counterpart, size: int) -> None:
    """Insist that both sides do the same work."""
    ours, theirs = run_program(kept).lines, run_counterpart(counterpart, size).lines
    assert ours == theirs, f"{ours} is not {theirs}"


def compare(work: Work, rounds: int) -> Line:
    """A program beside its counterpart."""
    kept = prepared(program_text(work.program, work.size))
    agreed(kept, work.counterpart, work.size)
    warm_up(work.counterpart)
    taken = take_turns(
        rounds, partial(_run_time, kept), partial(_counterpart_time, work.counterpart, work.size)
    )
    return _beside(work.title, taken, work.bar)


def _beside(title: str, taken: Sequence[Sequence[float]], bar: float) -> Line:
    ours, theirs = (median(seconds) for seconds in taken)
    ratio = ratio_of(*taken)
    numbers: dict[str, object] = {"ours": ours, "python": theirs}
    return Line(title, milliseconds(ours), milliseconds(theirs), times(ratio), Bar(bar), [ratio], numbers)


def grow(growth: Growth, rounds: int) -> Line:
    """A program at each size, the times of one round taken one after the other."""
    programs = {size: prepared(program_text(growth.program, size)) for size in GROWTH_SIZES}
    for size, kept in programs.items():
        agreed(kept, growth.counterpart, size)
    warm_up(growth.counterpart)
    taken = take_turns(
        rounds,
        *[partial(_run_time, kept) for kept in programs.values()],
        *[partial(_counterpart_time, growth.counterpart, size) for size in programs],
    )
    seconds = [median(each) for each in taken]
    ours, theirs = seconds[: len(programs)], seconds[len(programs) :]
    factors = doublings(taken[: len(programs)])
    return Line(
        growth.title, milliseconds(ours[-1]), milliseconds(theirs[-1]),
        " ".join(f"{factor:.2f}" for factor in factors), GROWTH_BAR, factors,
        {"sizes": list(GROWTH_SIZES), "ours": ours, "python": theirs},
    )


def _run_time(kept: bytes) -> float:
    return run_program(kept).seconds


def _counterpart_time(counterpart: Counterpart, size: int) -> float:
    return run_counterpart(counterpart, size).seconds


# ---- whole processes ------------------------------------------------------------------


def start(folder: Path, rounds: int) -> list[Line]:
    """``etamil-actors run hello.qmz`` from a warm cache, beside ``python -c pass``."""
    hello = folder / "hello.qmz"
    shutil.copy(FOLDER / "hello.qmz", hello)
    command = _command()
    ours = [*command, "run", str(hello)]
    # Once beforehand, so that our modules and the program are there in their compiled form.
    printed = subprocess.run(ours, check=True, capture_output=True, cwd=REPOSITORY, env=_environment())
    assert printed.stdout.decode() == "வணக்கம், உலகம்!\n", printed
    taken = take_turns(rounds, lambda: _wall(ours), lambda: _wall([sys.executable, "-c", "pass"]))
    whole = median(taken[0])
    called = "etamil-actors" if len(command) == 1 else "python -m etamil_actors"
    title = f"`{called} run hello.qmz`, warm cache"
    return [
        _beside(f"{title}, beside `python -c pass`", taken, 3.5),
        Line(f"{title}, whole process", milliseconds(whole), bar=Bar(100, "ms"), judged=[whole * 1000]),
    ]


def _command() -> list[str]:
    installed = Path(sys.executable).with_name("etamil-actors")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "etamil_actors"]


def _environment() -> dict[str, str]:
    # A start is measured as users have it: with the compiled form of our modules kept.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _wall(command: Sequence[str]) -> float:
    environment = _environment()
    begin = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY, env=environment)
    return perf_counter() - begin


def front_end(folder: Path, rounds: int) -> list[Line]:
    """A large program, read and checked in a fresh process each time, and loaded from the cache."""
    large = folder / "large.qmz"
    text = large_program(LARGE)
    large.write_text(text, encoding="utf-8")
    lines = text.count("\n")
    fronts, loads = [], []
    for turn in range(rounds + 1):  # the first leaves compiled modules behind
        cold, warm = _fresh("front", large), _fresh("cached", large)
        if turn:
            fronts.append(cold)
            loads.append(warm)
    check, build, load = (median(cold[part] for cold in fronts) for part in ("check", "compile", "load"))
    ready = median(warm["ready"] for warm in loads)
    read = median(warm["read"] for warm in loads)
    title = f"front end, {_spaced(lines)} lines"
    return [
        Line(
            f"{title}: lex, parse, resolve, check", _speed(lines, check),
            bar=Bar(10_000, "lines/s", least=True), judged=[lines / check],
            numbers={"lines": lines, "check": check},
        ),
        Line(
            f"{title}: the same with loading our modules", _speed(lines, check + load), numbers={"load": load}
        ),
        Line(f"{title}: compiling them afterwards", _speed(lines, build), numbers={"compile": build}),
        Line(
            f"{title}: ready to run from the cache", milliseconds(ready), bar=Bar(10, "ms"),
            judged=[ready * 1000], numbers={"read": read, "ready": ready},
        ),
    ]


def _fresh(action: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.fresh", action, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY, env=_environment())
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def _speed(lines: int, seconds: float) -> str:
    return f"{_spaced(round(lines / seconds))} lines/s"


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
