"""``etamil-actors sim``: a service under many schedules, in virtual time.

Its own tests and an hour in which it is left alone are run once for each seed (``simulation.py``). What
fails is told once, with the first seed under which it did; that seed repeats it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from etamil_actors.commands import Usage, remark
from etamil_actors.commands.check import show
from etamil_actors.commands.files import complain_of_file
from etamil_actors.commands.progress import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.cli import Given
    from etamil_actors.simulation import Plan, Run
    from etamil_actors.testing import Loaded


def main(given: Given) -> int:
    """Run a service under as many seeds as wanted."""
    path = given.words[0]
    options = given.options
    if not options["seeds"] and options["seed"] < 0:
        raise Usage("--seeds: குறைந்தது 1", "--seeds: at least 1")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
        return 1
    program = load_program(path, text)
    if program is None:
        return 1
    plan = plan_of(path, program, given)
    seeds = range(options["seeds"]) if options["seed"] < 0 else [options["seed"]]
    if options["json"]:
        return as_json(plan, seeds)
    return told(plan, seeds)


def load_program(path: str, text: bytes) -> Loaded | None:
    """The program, or nothing when it has errors, which have been shown."""
    from etamil_actors.language.problems import LoadFailed
    from etamil_actors.resources.system import SystemEnvironment, SystemFiles
    from etamil_actors.script import search_path
    from etamil_actors.testing import load

    try:
        return load(path, text, SystemFiles(), keep=False, search=search_path(SystemEnvironment()))
    except LoadFailed as failed:
        show([problem for problem in failed.problems if problem.severity == "error"], failed.sources)
        return None


def plan_of(path: str, program: Loaded, given: Given) -> Plan:
    """What is to be run under each seed."""
    from etamil_actors.resources.system import SystemFiles
    from etamil_actors.simulation import Plan
    from etamil_actors.testing import FaultKinds, OverlaidFiles

    options = given.options
    every = bool(options["faults"])
    return Plan(
        program,
        lambda: OverlaidFiles(SystemFiles()),
        os.path.splitext(os.path.basename(path))[0].replace("/", "∕") or "service",
        FaultKinds(
            crashes=every or bool(options["crashes"]),
            delays=every or bool(options["delays"]),
            full=every or bool(options["full"]),
        ),
        float(options["idle"]),
    )


def as_json(plan: Plan, seeds: Sequence[int]) -> int:
    """Every run as one object of a list."""
    import json

    from etamil_actors.simulation import row_of, simulate

    runs = list(simulate(plan, seeds))
    sys.stdout.write(json.dumps([row_of(run) for run in runs], ensure_ascii=False, indent=2) + "\n")
    return int(any(run.failures for run in runs))


def told(plan: Plan, seeds: Sequence[int]) -> int:
    """Tell of each test that failed, once, and in the end how it was."""
    from etamil_actors.simulation import cases_of, simulate

    failed: dict[str, Run] = {}
    times: dict[str, int] = {}
    count = disturbed = 0
    bar = Bar(len(seeds) * len(cases_of(plan)))
    for run in simulate(plan, seeds):
        count += 1
        bar.step()
        disturbed += run.is_disturbed
        if run.failures:
            times[run.test] = times.get(run.test, 0) + 1
            if run.test not in failed:
                failed[run.test] = run
                bar.clear()
                sys.stdout.write(report_of(run))
                sys.stdout.flush()
    tamil = f"{len(seeds)} விதை, {count} ஓட்டம்"
    english = f"{len(seeds)} seed(s), {count} run(s)"
    if disturbed:
        tamil += f", {disturbed} புகுத்திய பிழையால் முடிந்தன"
        english += f", {disturbed} ended by a fault that was put in"
    if not failed:
        remark(f"✓ {tamil}: தோல்வி இல்லை", f"{english}: no failure")
        return 0
    listed = ", ".join(f"{title_of(test)} ×{number}" for test, number in times.items())
    remark(f"✗ {tamil}; தோல்விகள்: {listed}", f"{english}; failures: {listed}")
    return 1


def title_of(test: str) -> str:
    """What a run is called."""
    return f"‘{test}’" if test else "தனித்த ஓட்டம் / idle"


def report_of(run: Run) -> str:
    """A failed run as people read it."""
    lines = [f"✗ {title_of(run.test)}  --seed {run.seed}"]
    for failure in run.failures:
        lines.append(f"  {failure.message}")
        for frame in failure.trace:
            where = f"{frame.file}: வரி {frame.line}, நெடுவரிசை {frame.column}"
            inside = f"  {frame.function}()" if frame.function else ""
            lines.append(f"      {where}  (line {frame.line}, column {frame.column}){inside}")
    lines += _part("புகுத்திய பிழைகள்", "what was put out of order", run.faults)
    lines += _part("கடைசி நிகழ்வுகள்", "the last events", run.tail)
    return "\n".join(lines) + "\n\n"


def _part(tamil: str, english: str, rows: Sequence[str]) -> list[str]:
    return [f"  {tamil}  ({english}):", *(f"      {row}" for row in rows)] if rows else []


