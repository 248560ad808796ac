"""The HTTP edge: requests a second beside what one would use instead, many connections, idle ones.

``programs/http.qmz`` is served as a person would serve it. Beside it stand the same answers on FastAPI and
on Quart-Trio, and a loop that only reads and answers a constant. All run at the same time, each loaded in
its turn by wrk; the servers keep to one core and the load to another.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from time import sleep

from benchmarks.http import load
from benchmarks.http.load import ERRORS, Load, may_open, on_cores, order, run_wrk
from benchmarks.http.servers import (
    BARE,
    FASTAPI,
    FILES,
    HELLO,
    ORDER,
    OURS,
    OURS_TWICE,
    QUART,
    TAKEN,
    Running,
    Server,
    started,
)
from benchmarks.programs import FOLDER
from benchmarks.rounds import ratio_of, take_turns
from benchmarks.table import Bar, Line, times

PROGRAMS = ("http",)
SECONDS = 5.0
"""How long each server is under load in each round."""

CONNECTIONS = 32
BUSY = 1_000
IDLE = 10_000
SETTLE = 0.3
"""Seconds between two loads, for the connections of the first to be closed."""

GREETED = "`/hello`, a record as JSON"
ORDERED = "an order of 1 KB checked against its shape"
CROWDED = "`/hello`, 1 000 connections busy"
WAITING = "10 000 idle keep-alive connections"
TITLES = (GREETED, ORDERED, CROWDED, WAITING)


def measure(rounds: int, seconds: float = SECONDS) -> list[Line]:
    """Every line of the table."""
    if not load.is_there():
        return [refused("wrk", "apt-get install wrk · brew install wrk")]
    missing = [package for server in (FASTAPI, QUART, BARE) for package in server.missing]
    if missing:
        return [refused(", ".join(missing), "pip install 'etamil-actors[bench]'")]
    with tempfile.TemporaryDirectory(prefix="etamil-benchmark-") as name:
        folder = Path(name)
        return [*_rates(rounds, seconds, folder), *_idle(folder), _processes(rounds, seconds, folder)]


def refused(what: str, how: str, subject: str = "HTTP") -> Line:
    """The line for what cannot be measured here, and why, on standard error too."""
    text = f"{subject} அளக்கப்படவில்லை: {what} தேவை  ({subject} is not measured: {what} is needed): {how}"
    print(text, file=sys.stderr)
    return Line(f"{subject}: not measured, {what} is needed", "—")


# ---- under load -----------------------------------------------------------------------


class Turn:
    """One server under one kind of load, as something that takes turns with others."""

    def __init__(
        self,
        running: Running,
        seconds: float,
        connections: int = CONNECTIONS,
        body: Path | None = None,
        path: str = "",
    ) -> None:
        self.running = running
        self.seconds = seconds
        self.connections = connections
        self.body = body
        self.path = path or (HELLO if body is None else ORDER)
        self.loads: list[Load] = []

    def __call__(self) -> float:
        """Load it once; the seconds that each request took."""
        self.running.forget_log()
        seen = run_wrk(self.running.url(self.path), self.connections, self.seconds, self.body)
        self.loads.append(seen)
        sleep(SETTLE)
        return 1 / seen.rate if seen.rate else float("inf")

    @property
    def errors(self) -> int:
        """How often something went wrong in all rounds, the first one too."""
        return sum(sum(seen.errors.values()) for seen in self.loads)

    def told_errors(self) -> str:
        """What went wrong, and where."""
        kinds = {kind: sum(seen.errors[kind] for seen in self.loads) for kind in ERRORS}
        what = ", ".join(f"{kind} {count}" for kind, count in kinds.items() if count)
        return f"{self.running.server.name}, {self.connections} connections: {what}"


def _rates(rounds: int, seconds: float, folder: Path) -> list[Line]:
    body = folder / "order.json"
    body.write_bytes(order())
    with ExitStack() as stack:
        ours, fastapi, quart, bare = (
            stack.enter_context(started(server, folder)) for server in (OURS, FASTAPI, QUART, BARE)
        )
        for running in (ours, fastapi):
            running.expect("POST", ORDER, 201, TAKEN)
        greeted = [Turn(running, seconds) for running in (ours, fastapi, quart, bare)]
        ordered = [Turn(running, seconds, body=body) for running in (ours, fastapi)]
        crowded = Turn(ours, seconds, BUSY)
        turns = [*greeted, *ordered, crowded]
        taken = dict(zip(turns, take_turns(rounds, *turns), strict=True))
        own, *others = (taken[turn] for turn in greeted)
        return [
            faster(f"{GREETED}, beside FastAPI on uvicorn", own, others[0], 2),
            faster(f"{GREETED}, beside Quart-Trio on Hypercorn", own, others[1], 8),
            faster(f"{GREETED}, beside a bare trio loop", own, others[2], 0.45),
            faster(f"{ORDERED}, beside FastAPI with pydantic", taken[ordered[0]], taken[ordered[1]], 1.5),
            *_crowd(crowded, taken[crowded], own),
            _errors(turns, ours),
        ]


def faster(title: str, ours: Sequence[float], theirs: Sequence[float], bar: float) -> Line:
    """Our requests a second beside theirs; both are given as seconds for each request."""
    rates = [1 / median(ours), 1 / median(theirs)]
    ratio = ratio_of(theirs, ours)
    return Line(
        title, rate_text(rates[0]), rate_text(rates[1]), times(ratio), Bar(bar, least=True), [ratio],
        {"ours": rates[0], "python": rates[1]},
    )  # fmt: skip


def _crowd(crowded: Turn, many: Sequence[float], few: Sequence[float]) -> list[Line]:
    ratio = ratio_of(few, many)
    seen = crowded.loads[1:]
    p50, p99 = (median(getattr(one, name) for one in seen) * 1000 for name in ("p50", "p99"))
    spread = median(one.p99 / one.p50 for one in seen)
    return [
        Line(
            f"{CROWDED}: rate, beside that at 32", rate_text(1 / median(many)), ratio=times(ratio),
            bar=Bar(0.8, least=True), judged=[ratio],
            numbers={"ours": 1 / median(many), "at32": 1 / median(few)},
        ),
        Line(
            f"{CROWDED}: p99, beside p50 ({p50:.0f} ms)", f"{p99:.0f} ms", ratio=times(spread),
            bar=Bar(5), judged=[spread], numbers={"p50": p50, "p99": p99},
        ),
    ]  # fmt: skip


def _errors(turns: Sequence[Turn], ours: Running) -> Line:
    """Refused, cut and late answers, and those that are not 2xx, in every run above."""
    for turn in turns:
        if turn.errors:
            print(f"✗ {turn.told_errors()}", file=sys.stderr)
    own = sum(turn.errors for turn in turns if turn.running is ours)
    others = sum(turn.errors for turn in turns if turn.running is not ours)
    return Line(
        "errors in all of these runs", str(own), str(others), bar=Bar(0, "errors"), judged=[own, others],
        numbers={"ours": own, "python": others},
    )  # fmt: skip


def _processes(rounds: int, seconds: float, folder: Path) -> Line:
    with started(OURS_TWICE, folder) as running:
        turn = Turn(running, seconds)
        (taken,) = take_turns(rounds, turn)
    rate = 1 / median(taken)
    title = f"{GREETED}, `processes: 2`, the load beside them on the same two cores"
    return Line(title, rate_text(rate), numbers={"ours": rate, "errors": turn.errors})


# ---- connections that have nothing to say ---------------------------------------------


def _idle(folder: Path) -> list[Line]:
    if not Path("/proc/self/status").exists():
        return [refused("/proc", "Linux")]
    if not may_open(FILES):
        return [refused(f"RLIMIT_NOFILE ≥ {FILES}", f"ulimit -n {FILES}")]
    ours, theirs = _idle_of(OURS, folder), _idle_of(FASTAPI, folder)
    size, late = ours["bytes"] / 1024, ours["p99"] * 1000
    return [
        Line(
            f"{WAITING}: memory of each", f"{size:.1f} KB", f"{theirs['bytes'] / 1024:.1f} KB",
            bar=Bar(20, "KB"), judged=[size], numbers={"ours": size, "python": theirs["bytes"] / 1024},
        ),
        Line(
            f"{WAITING}: a fresh request answered, p99", f"{late:.1f} ms", f"{theirs['p99'] * 1000:.1f} ms",
            bar=Bar(50, "ms"), judged=[late], numbers={"p50": ours["p50"] * 1000, "p99": late},
        ),
    ]  # fmt: skip


def _idle_of(server: Server, folder: Path) -> dict[str, float]:
    with started(server, folder) as running:
        command = [
            *on_cores(0, files=FILES), sys.executable, "-m", "benchmarks.http.idle",
            str(running.port), HELLO, str(running.process.pid), str(IDLE),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=FOLDER.parent.parent)
    told = json.loads(done.stdout)
    at = quantiles(told["fresh"], n=100)
    return {"bytes": told["bytes"], "p50": at[49], "p99": at[98]}


def rate_text(each_second: float) -> str:
    """As people read it."""
    return f"{round(each_second):,}/s".replace(",", " ")
