"""The சோதனை blocks of one file, each run by itself in a fresh service (``etamil-actors test``).

A file runs its own tests. Those of a file that it imports belong to that file and run with it, so a test
file may import the service it is about, which keeps its own tests.

What comes of it is plain data: results travel from the process that ran a file to the one that tells of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple
from unicodedata import normalize

from etamil_actors.actors.events import Event
from etamil_actors.configuration import Setup
from etamil_actors.errors import Fault, Frame
from etamil_actors.language.problems import LoadFailed
from etamil_actors.language.program import unpack
from etamil_actors.observe.lines import Lines
from etamil_actors.resources.system import SystemEnvironment, SystemFiles
from etamil_actors.script import SOURCE_BYTES, fault_text, search_path
from etamil_actors.simulation import Case, Failure, Plan
from etamil_actors.testing import coverage
from etamil_actors.testing.coverage import Covered
from etamil_actors.testing.ports import OverlaidFiles
from etamil_actors.testing.requests import Answered
from etamil_actors.testing.service import Loaded, blocks_of, load
from etamil_actors.vm.convert import equal, text_of
from etamil_actors.vm.values import Value

SEED: Final = 0
"""Every run is the same: under which schedule it fails, ``sim`` looks for."""

LONGEST: Final = 400
"""So many letters of a value are shown."""

MOST_DIFFERENCES: Final = 6

NOTHING: Final = "—"

PASSED, FAILED, BROKEN = "passed", "failed", "broken"
"""How a file has ended; broken: it could not be run."""


class Wish(NamedTuple):
    """What is wanted of each file."""

    names: tuple[str, ...] = ()
    """Only tests whose name holds one of these; empty: all."""
    coverage: bool = False
    setup: Setup | None = None
    """What a configuration says, which holds for the services in it that are tested."""


Stamp = tuple[int, int] | None
"""When a file was changed last, and its size; nothing when it is not there."""


class CaseResult(NamedTuple):
    """How one test has ended."""

    name: str
    file: str
    line: int
    seconds: float
    failures: tuple[Failure, ...] = ()
    expected: str | None = None
    actual: str | None = None
    differences: tuple[str, ...] = ()
    """Where the two values differ, if they have parts."""
    source: str = ""
    """The line of the program where it failed."""
    log: tuple[str, ...] = ()
    """Its requests and what was logged, in order. Only of tests that failed, like the output."""
    output: str = ""

    @property
    def passed(self) -> bool:
        """Has it ended well?"""
        return not self.failures


class FileResult(NamedTuple):
    """What came of a file."""

    path: str
    kind: str
    seconds: float = 0.0
    cases: tuple[CaseResult, ...] = ()
    hidden: int = 0
    """Tests of the file that were not wanted."""
    problems: tuple[str, ...] = ()
    """What keeps it from running, as people read it."""
    rows: tuple[dict[str, object], ...] = ()
    """The same for other programs."""
    files: Mapping[str, Stamp] = {}
    """Whole paths of all files of the program, and when they were changed last before it ran."""
    coverage: dict[str, Covered] = {}


EVERYTHING: Final = Wish()


def run_file(path: str, wish: Wish = EVERYTHING) -> FileResult:
    """Run the tests of a file."""
    began = perf_counter()
    try:
        with open(path, "rb") as file:
            text = file.read(SOURCE_BYTES)
    except OSError as trouble:
        from etamil_actors.vm.builtins.files import words_of

        tamil, english = words_of(trouble)
        told = f"✗ ‘{path}’: {tamil}  (cannot read ‘{path}’: {english})"
        row: dict[str, object] = {"file": path, "severity": "error", "tamil": tamil, "english": english}
        return FileResult(path, BROKEN, problems=(told,), rows=(row,), files=stamps_of([path]))
    try:
        loaded = load(path, text, SystemFiles(), keep=False, search=search_path(SystemEnvironment()))
    except LoadFailed as failed:
        return _broken(path, failed)
    files = stamps_of(loaded.program.files)
    tests = _own_tests(loaded)
    wanted = [name for name in tests if _is_wanted(name, wish.names)]
    seen: set[int] = set()
    stem = os.path.splitext(os.path.basename(path))[0] or "service"
    plan = Plan(
        loaded,
        lambda: OverlaidFiles(SystemFiles()),
        stem,
        idle=0.0,
        options=_world_of(stem, list(files), wish.setup),
    )
    if wish.coverage:
        with coverage.watched() as seen:
            cases = tuple(_run(path, plan, name, tests[name]) for name in wanted)
        assert loaded.module is not None and loaded.sources is not None
        run = coverage.covered(loaded.program, loaded.module, loaded.sources, seen)
    else:
        cases, run = tuple(_run(path, plan, name, tests[name]) for name in wanted), {}
    kind = PASSED if all(case.passed for case in cases) else FAILED
    hidden = len(tests) - len(wanted)
    return FileResult(path, kind, perf_counter() - began, cases, hidden, files=files, coverage=run)


def _world_of(name: str, files: Sequence[str], setup: Setup | None) -> dict[str, Any]:
    """What ``up`` would make of the program, as the configuration says of the services in it."""
    if setup is None:
        return {}
    how: dict[str, Any] = {}
    parts = {os.path.realpath(file) for file in files}
    settings: dict[str, Value] = {}
    for one in setup.services:
        path = os.path.realpath(one.path)
        if path in parts:
            settings |= one.settings
            if one.is_per_request and path == os.path.realpath(files[0]):
                how["prelude_per_request"] = True
    # Databases are simulated, so each of them is empty; who may come in is as it is said.
    process = {
        "databases": setup.resources.databases,
        "auth": setup.auth,
        "envelope": setup.http.envelope,
    }
    return {"how": {name: how | {"settings": settings}}, "process": process, "channels": setup.channels}


def stamps_of(paths: Iterable[str]) -> dict[str, Stamp]:
    """When these files were changed last, by their whole paths."""
    stamps: dict[str, Stamp] = {}
    for path in map(os.path.abspath, paths):
        try:
            found = os.stat(path)
            stamps[path] = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamps[path] = None
    return stamps


def _broken(path: str, failed: LoadFailed) -> FileResult:
    from etamil_actors.commands.check import row_of
    from etamil_actors.language.problems import render

    errors = [problem for problem in failed.problems if problem.severity == "error"]
    return FileResult(
        path,
        BROKEN,
        problems=tuple(f"✗ {render(problem, failed.sources).rstrip()}" for problem in errors),
        rows=tuple(row_of(problem, failed.sources) for problem in errors),
        files=stamps_of(source.name for source in failed.sources.sources),
    )


def _own_tests(loaded: Loaded) -> dict[str, int]:
    """The lines of the tests that the file itself has, by name."""
    program = loaded.program
    places = ((name, program.declared[block.number].place) for name, block in blocks_of(program).items())
    return {name: unpack(place)[1] for name, place in places if unpack(place)[0] == 0}


def _is_wanted(name: str, parts: Sequence[str]) -> bool:
    shown = normalize("NFC", name).casefold()
    return not parts or any(normalize("NFC", part).casefold() in shown for part in parts)


# ---- one test -------------------------------------------------------------------------


class _Told(Case):
    """A run whose log is kept."""

    def __init__(self, plan: Plan, test: str) -> None:
        self.written: list[str] = []
        self.lines = Lines(self.written.append, fault_text=fault_text, level="debug", in_thread=False)
        super().__init__(plan, test, SEED, (self._hear,))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Answered):
            body = event.body.replace("\n", " ")
            self.lines.put(f"→ {event.method} {event.target} {event.status}  {body}".rstrip())
        else:
            self.lines.hear(event)

    async def _run(self) -> None:
        try:
            await super()._run()
        finally:
            await self.lines.flush()


def _run(path: str, plan: Plan, name: str, line: int) -> CaseResult:
    began = perf_counter()
    case = _Told(plan, name)
    failures = case.run().failures
    result = CaseResult(name, path, line, perf_counter() - began, failures)
    if not failures:
        return result
    fault = case.result.fault if case.result is not None else None
    return result._replace(
        failures=tuple(one._replace(trace=tuple(map(_plain, one.trace))) for one in failures),
        **_values(fault),
        source=_source_line(plan.program, failures[0].trace),
        log=tuple("".join(case.written).splitlines()),
        output=case.service.output if case.service is not None else "",
    )


def _plain(frame: Frame) -> Frame:
    """The same place, with the shortest path: an import may lead up and down again."""
    return Frame(os.path.normpath(frame.file), frame.line, frame.column, frame.function)


def _values(fault: Fault | None) -> dict[str, Any]:
    if fault is None or fault.code != "expectation" or "expected" not in fault.details:
        return {}
    if "actual" not in fault.details:  # no error came; the message says all
        return {}
    expected, actual = fault.details["expected"], fault.details["actual"]
    return {
        "expected": shown(expected),
        "actual": shown(actual),
        "differences": tuple(differences(expected, actual)),
    }


def shown(value: Value) -> str:
    """A value for people: texts in quotes, and never too much of it."""
    text = f"“{value}”" if type(value) is str else text_of(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def differences(expected: Value, actual: Value, place: str = "") -> list[str]:
    """Where two values differ, if both have parts; the first few places."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        one, other = dict(expected), dict(actual)
        names = {key: f"{place}.{key}" for key in (*one, *other)}
    elif isinstance(expected, list) and isinstance(actual, list):
        one, other = dict(enumerate(expected)), dict(enumerate(actual))
        names = {number: f"{place}[{number}]" for number in (*one, *other)}
    else:
        return []
    found: list[str] = []
    for key, name in names.items():
        if key not in one:
            found.append(f"{name}: {NOTHING} → {shown(other[key])}")
        elif key not in other:
            found.append(f"{name}: {shown(one[key])} → {NOTHING}")
        elif not equal(one[key], other[key]):
            inside = differences(one[key], other[key], name)
            found += inside or [f"{name}: {shown(one[key])} → {shown(other[key])}"]
        if len(found) >= MOST_DIFFERENCES:
            break
    return found[:MOST_DIFFERENCES]


def _source_line(loaded: Loaded, trace: Sequence[Frame]) -> str:
    if not trace or loaded.sources is None:
        return ""
    frame = trace[0]
    for source in loaded.sources.sources:
        if source.name == frame.file:
            return source.line_text(frame.line)
    return ""
