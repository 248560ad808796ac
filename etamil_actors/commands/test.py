"""``etamil-actors test``: the சோதனை blocks of programs, each in a fresh service and in virtual time.

Each file runs in a process of its own, several side by side; what comes of them is told in the order of
the files. How a test runs is in ``testing/suite.py``; here is which files are meant, who runs them, and
what people are told.
"""

from __future__ import annotations

import os
import pickle
import re
import selectors
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final, NoReturn

from etamil_actors.commands import Usage, remark
from etamil_actors.commands.files import SUFFIX, complain_of_file
from etamil_actors.commands.progress import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.cli import Given
    from etamil_actors.configuration import Setup
    from etamil_actors.testing.coverage import Covered
    from etamil_actors.testing.suite import CaseResult, FileResult, Wish

SKIPPED_FOLDERS: Final = frozenset(("__pycache__", "__qmc__", "node_modules", "build", "dist", "venv"))
"""Folders in which nobody looks for tests, beside those whose names begin with a dot."""

IGNORED: Final = ".etamil-ignore"
"""A folder that holds a file of this name is left out, with all below it."""

SHOWN_LINES: Final = 20
"""So many lines of the log and of the output of a failed test are shown."""


def main(given: Given) -> int:
    """Run the tests of every file that is meant."""
    options = given.options
    if options["watch"] and (options["json"] or given.texts.get("junit")):
        raise Usage("--watch உடன் --json, --junit பயன்படாது", "--watch goes without --json and --junit")
    if options["jobs"] == 0:
        raise Usage("--jobs: குறைந்தது 1", "--jobs: at least 1")
    words = given.words or ["."]
    paths = files_of(words)
    from etamil_actors.testing.suite import Wish

    if not paths:
        raise nothing_to_run(words, Wish())
    setup = setup_for_tests(given.texts.get("config", ())[-1:])
    wish = Wish(tuple(given.texts.get("k", ())), bool(options["coverage"]), setup)
    jobs = options["jobs"] if options["jobs"] > 0 else _cores()
    if options["watch"]:
        from etamil_actors.commands.test_watch import watch

        return watch(words, wish, jobs, bool(options["verbose"]))
    report = Report(len(paths), is_verbose=bool(options["verbose"]), is_quiet=bool(options["json"]))
    run_and_tell(paths, wish, jobs, report)
    if not report.count and not report.broken:
        raise nothing_to_run(words, wish)
    if options["json"]:
        _print_json(report)
    for path in given.texts.get("junit", ())[-1:]:
        if not write_junit(path, report.files):
            return 1
    return report.status


def nothing_to_run(words: Sequence[str], wish: Wish) -> Usage:
    """There is no test, or none of that name."""
    if wish.names:
        asked = ", ".join(wish.names)
        return Usage(f"-k {asked}: இந்தப் பெயரில் சோதனை இல்லை", f"-k {asked}: no test has such a name")
    where = ", ".join(f"‘{word}’" for word in words)
    return Usage(f"{where}-இல் சோதனை எதுவும் இல்லை", f"there are no tests in {where}")


def run_and_tell(paths: Sequence[str], wish: Wish, jobs: int, report: Report) -> None:
    """Run files, and tell of each as soon as those before it have been told of."""
    for result in run_files(paths, wish, jobs):
        report.add(result)
    report.end()


def setup_for_tests(named: Sequence[str]) -> Setup | None:
    """The configuration that is named, or that of this folder if it can be used.

    Raises: Usage, when the one that is named cannot be used.
    """
    from etamil_actors.commands.setups import DEFAULT, made_up
    from etamil_actors.configuration import read_setup
    from etamil_actors.configuration_table import ConfigError

    path = named[0] if named else DEFAULT
    if not named and not os.path.exists(path):
        return None
    try:
        return read_setup(path, missing=made_up)
    except OSError as error:
        tamil = english = error.strerror or str(error)
    except ConfigError as wrong:
        path, tamil, english = wrong.place, wrong.tamil, wrong.english
    if named:
        raise Usage(f"{path}: {tamil}", f"{path}: {english}")
    remark(
        f"⚠ {path}: {tamil}; சோதனைகள் இந்த அமைப்பு இல்லாமல் ஓடும்",
        f"{path}: {english}; the tests run without this configuration",
    )
    return None


# ---- which files ----------------------------------------------------------------------


def files_of(words: Iterable[str]) -> list[str]:
    """The files that are meant: those named, and of a folder every program below it that has tests.

    Raises: Usage, when something named is not there or has no tests.
    """
    found: dict[str, str] = {}
    for word in words:
        if os.path.isdir(word):
            named = [path for path in _walk(word) if _has_tests(path)]
        elif not os.path.exists(word):
            raise Usage(f"‘{word}’ என்ற கோப்பு இல்லை", f"there is no file ‘{word}’")
        elif not _has_tests(word):
            raise Usage(f"‘{word}’ கோப்பில் சோதனை இல்லை", f"there is no test in ‘{word}’")
        else:
            named = [word]
        for path in named:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _walk(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        if IGNORED in files:
            folders.clear()
            continue
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS
        )
        for name in sorted(files):
            if name.endswith(SUFFIX):
                yield os.path.normpath(os.path.join(place, name))


def _has_tests(path: str) -> bool:
    """May this file have tests? Only the parser knows for certain; this looks for the word before a text."""
    try:
        with open(path, "rb") as file:
            return _test_pattern().search(file.read()) is not None
    except OSError:
        return True  # whoever runs it says why it cannot be read


@cache
def _test_pattern() -> re.Pattern[bytes]:
    from etamil_actors.language.keywords import WORDS

    spellings = next(word.spellings for word in WORDS if word.word == "Test")
    return re.compile(f"(?:{'|'.join(map(re.escape, spellings))})\\s*[\"(]".encode())


# ---- who runs them --------------------------------------------------------------------


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has none
        return os.cpu_count() or 1


def run_files(paths: Sequence[str], wish: Wish, jobs: int) -> Iterator[FileResult]:
    """Run each file in a child of this process, so many at once; their results in the order of the files."""
    import etamil_actors.testing.suite  # noqa: F401  once, and not in each of the children

    waiting = list(enumerate(paths))[::-1]
    done: dict[int, FileResult] = {}
    told = 0
    with selectors.DefaultSelector() as selector:
        running: dict[int, _Child] = {}
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    number, path = waiting.pop()
                    child = _Child(number, path, wish)
                    running[child.pipe] = child
                    selector.register(child.pipe, selectors.EVENT_READ)
                for key, _ in selector.select():
                    child = running[key.fd]
                    if child.has_ended():
                        selector.unregister(key.fd)
                        del running[key.fd]
                        done[child.number] = child.result()
                while told in done:
                    yield done.pop(told)
                    told += 1
        finally:
            for child in running.values():
                child.kill()


class _Child:
    """A process that runs one file and writes into a pipe what came of it."""

    def __init__(self, number: int, path: str, wish: Wish) -> None:
        self.number = number
        self.path = path
        self._told: list[bytes] = []
        sys.stdout.flush()
        sys.stderr.flush()
        self.pipe, out = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.pipe)
            _run_in_child(path, wish, out)
        os.close(out)

    def has_ended(self) -> bool:
        """Take what it has written; is that all?"""
        piece = os.read(self.pipe, 1 << 20)
        self._told.append(piece)
        return not piece

    def result(self) -> FileResult:
        """What came of its file."""
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        told = b"".join(self._told)
        if told and not status:
            result: FileResult = pickle.loads(told)  # our own child has written it
            return result
        from etamil_actors.testing.suite import BROKEN, FileResult

        code = os.waitstatus_to_exitcode(status)
        tamil = f"‘{self.path}’-ஐ ஓட்டிய செயல்முறை எதிர்பாராமல் முடிந்தது: {code}"
        english = f"the process that ran ‘{self.path}’ ended unexpectedly: {code}"
        row: dict[str, object] = {"file": self.path, "severity": "error", "tamil": tamil, "english": english}
        return FileResult(self.path, BROKEN, problems=(f"✗ {tamil}  ({english})",), rows=(row,))

    def kill(self) -> None:
        """Nobody wants to know any more."""
        os.close(self.pipe)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _run_in_child(path: str, wish: Wish, out: int) -> NoReturn:
    status = 1
    try:
        from etamil_actors.testing.suite import run_file

        told = memoryview(pickle.dumps(run_file(path, wish)))
        while told:
            told = told[os.write(out, told) :]
        status = 0
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001  this process ends here, whatever happens
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)  # nothing of the parent's is to be flushed or ended twice


# ---- what people are told -------------------------------------------------------------

_RED, _GREEN, _DIM, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


class Report:
    """Tells of files as they end, and sums up."""

    def __init__(self, total: int = 0, *, is_verbose: bool = False, is_quiet: bool = False) -> None:
        """``total``: how many files there are."""
        self.files: list[FileResult] = []
        self.count = self.failed = self.hidden = self.broken = 0
        self._is_verbose = is_verbose
        self._is_quiet = is_quiet
        self._began = time.perf_counter()
        self._has_colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._bar = Bar(total, is_wanted=not is_quiet)

    @property
    def status(self) -> int:
        """The exit status."""
        return 2 if self.broken else int(self.failed > 0)

    @property
    def coverage(self) -> dict[str, Covered]:
        """What all files have covered together."""
        from etamil_actors.testing.coverage import merged

        return merged(file.coverage for file in self.files)

    def add(self, file: FileResult) -> None:
        """A file has been run."""
        self.files.append(file)
        failed = [case for case in file.cases if not case.passed]
        self.count += len(file.cases)
        self.failed += len(failed)
        self.hidden += file.hidden
        self.broken += bool(file.problems)
        if file.problems:
            self._say(self._in(_RED, f"✗ {file.path}") + "  சோதிக்க முடியவில்லை  (could not be tested)")
            self._say(*[f"  {line}" for problem in file.problems for line in problem.splitlines()])
        elif file.cases:
            count, mark = len(file.cases), self._in(_RED, "✗") if failed else self._in(_GREEN, "✓")
            tamil, english = f"{count} சோதனை", _tests(count)
            if failed:
                tamil, english = f"{tamil}, {len(failed)} தோல்வி", f"{english}, {len(failed)} failed"
            self._say(f"{mark} {file.path}  {tamil}  ({english})  {self._in(_DIM, _time(file.seconds))}")
            for case in file.cases:
                if not case.passed:
                    self._say(*self._failure(case), "")
                elif self._is_verbose:
                    self._say(f"  {self._in(_GREEN, '✓')} {case.name}  {self._in(_DIM, _time(case.seconds))}")
        self._bar.step()

    def _failure(self, case: CaseResult) -> Iterator[str]:
        yield f"  {self._in(_RED, '✗')} {self._in(_BOLD, case.name)}"
        for number, failure in enumerate(case.failures):
            if number == 0 and case.expected is not None:
                yield f"      எதிர்பார்த்தது  (expected): {_indented(case.expected)}"
                yield f"      கிடைத்தது       (got):      {_indented(case.actual or '')}"
                for difference in case.differences:
                    yield f"        {difference}"
            else:
                yield f"      {_indented(failure.message)}"
            for place, frame in enumerate(failure.trace):
                inside = f"  {frame.function}()" if frame.function else ""
                yield f"      {frame.file}:{frame.line}:{frame.column}{inside}"
                if not number and not place and case.source:
                    yield f"        {self._in(_DIM, case.source.strip())}"
            if not failure.trace:
                yield f"      {case.file}:{case.line}"
        yield from self._part("கோரிக்கைகளும் பதிவும்", "requests and log", case.log)
        yield from self._part("வெளியீடு", "output", case.output.splitlines())

    def _part(self, tamil: str, english: str, lines: Sequence[str]) -> Iterator[str]:
        if lines:
            yield f"      {tamil}  ({english}):"
            if len(lines) > SHOWN_LINES:
                yield f"        … +{len(lines) - SHOWN_LINES}"
            for line in lines[-SHOWN_LINES:]:
                yield f"        {line}"

    def end(self) -> None:
        """All files have been run."""
        coverage = self.coverage
        if coverage:
            self._say("", *_coverage_table(coverage))
        if not self.count and not self.broken:
            return
        seconds = _time(time.perf_counter() - self._began)
        tamil, english = f"{self.count} சோதனை", _tests(self.count)
        if self.failed:
            tamil, english = f"{tamil}, {self.failed} தோல்வி", f"{english}, {self.failed} failed"
        if self.broken:
            tamil += f", {self.broken} கோப்பைச் சோதிக்க முடியவில்லை"
            english += f", {self.broken} file(s) could not be tested"
        if not self.failed and not self.broken:
            tamil, english = f"{tamil}, தோல்வி இல்லை", f"{english}, no failure"
        mark, colour = ("✗", _RED) if self.status else ("✓", _GREEN)
        self._say(self._in(colour, f"{mark} {tamil}  ({english})  {seconds}"))

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._has_colours else text

    def _say(self, *lines: str) -> None:
        self._bar.clear()
        if not self._is_quiet:
            sys.stdout.write("".join([f"{line}\n" for line in lines]))
            sys.stdout.flush()


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _indented(text: str) -> str:
    return text.replace("\n", "\n        ")


def _coverage_table(coverage: dict[str, Covered]) -> Iterator[str]:
    from etamil_actors.testing.coverage import ranges_of

    rows = [(_short(path), one) for path, one in coverage.items()]
    width = max(len(path) for path, _ in rows)
    yield "ஓடிய வரிகள்  (lines that ran):"
    for path, one in rows:
        missing = f"  ஓடாதவை  (not run): {ranges_of(one.missing)}" if one.missing else ""
        yield f"  {path:<{width}}  {one.percent:5.1f} %  {len(one.run)}/{len(one.lines)}{missing}"
    run = sum(len(one.run) for _, one in rows)
    lines = sum(len(one.lines) for _, one in rows)
    if len(rows) > 1:
        share = 100.0 * run / lines if lines else 100.0
        yield f"  {'மொத்தம் (total)':<{width}}  {share:5.1f} %  {run}/{lines}"
    yield ""


def _short(path: str) -> str:
    short = os.path.relpath(path)
    return path if short.startswith("..") else short


# ---- what programs are told -----------------------------------------------------------


def _print_json(report: Report) -> None:
    import json

    told = {
        "tests": report.count,
        "failed": report.failed,
        "broken": report.broken,
        "files": [
            {
                "file": file.path,
                "result": file.kind,
                "seconds": round(file.seconds, 6),
                "problems": list(file.rows),
                "tests": [_case_row(case) for case in file.cases],
            }
            for file in report.files
        ],
    }
    coverage = report.coverage
    if coverage:
        told["coverage"] = {
            _short(path): {
                "lines": len(one.lines),
                "run": len(one.run),
                "percent": round(one.percent, 1),
                "missing": one.missing,
            }
            for path, one in coverage.items()
        }
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")


_FRAME: Final = ("file", "line", "column", "function")


def _case_row(case: CaseResult) -> dict[str, object]:
    row: dict[str, object] = {
        "name": case.name,
        "file": case.file,
        "line": case.line,
        "result": "passed" if case.passed else case.failures[0].kind,
        "seconds": round(case.seconds, 6),
    }
    if not case.passed:
        row["failures"] = [
            {
                "kind": failure.kind,
                "tamil": failure.tamil,
                "english": failure.english,
                "trace": [dict(zip(_FRAME, frame, strict=True)) for frame in failure.trace],
            }
            for failure in case.failures
        ]
        row |= {"expected": case.expected, "actual": case.actual, "differences": list(case.differences)}
        row |= {"log": list(case.log), "output": case.output}
    return row


def write_junit(path: str, files: Sequence[FileResult]) -> bool:
    """Write the results where a build server reads them; says so when that fails."""
    from etamil_actors.testing.junit import junit_text

    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(junit_text(files))
    except OSError as error:
        complain_of_file(error, path, "கோப்பை எழுத முடியவில்லை", "write")
        return False
    return True
