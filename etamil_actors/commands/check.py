"""``etamil-actors check``: what is wrong with programs, without running them.

Problems go to standard error as people read them, or with ``--json`` to standard output as one
list for other programs. Warnings do not change the exit status.
"""

from __future__ import annotations

import sys

from etamil_actors.commands import remark
from etamil_actors.commands.files import complain_of_file, programs_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from etamil_actors.cli import Given
    from etamil_actors.language.problems import Problem
    from etamil_actors.language.program import ChannelRow, Program
    from etamil_actors.language.source import SourceMap


def main(given: Given) -> int:
    """Check every file that is meant."""
    from etamil_actors.script import load_program

    paths = programs_in(given.words)
    as_json = bool(given.options["json"])
    rows: list[dict[str, object]] = []
    mistakes = False
    for path in paths:
        try:
            problems, sources, program = load_program(path)
        except OSError as error:
            complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
            mistakes = True
            continue
        mistakes = mistakes or any(problem.severity == "error" for problem in problems)
        if as_json:
            rows += [row_of(problem, sources) for problem in problems]
        else:
            show(problems, sources)
            if program is not None and program.channels:
                show_promises(program)
    if as_json:
        import json

        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif not mistakes and sys.stderr.isatty():
        remark(f"✓ {len(paths)} கோப்பு: பிழை இல்லை", f"{len(paths)} file(s): no errors")
    return 1 if mistakes else 0


def show(
    problems: list[Problem], sources: SourceMap, write: Callable[[str], object] | None = None
) -> None:
    """Print problems as people read them, on standard error if nothing else is said."""
    from etamil_actors.language.problems import render

    write = write or sys.stderr.write
    for problem in problems:
        mark = "✗" if problem.severity == "error" else "⚠"
        write(f"{mark} {render(problem, sources).rstrip()}\n")


def show_promises(program: Program) -> None:
    """Print what the channels of a program promise, by what carries their messages."""
    from etamil_actors.language.transports import TRANSPORTS

    for transport in TRANSPORTS:
        made = [row for row in program.channels if row.transport == transport.word]
        if made:
            names = list(dict.fromkeys(f"‘{row.name}’" if row.name else _place(program, row) for row in made))
            remark(
                f"· சேனல்கள் {', '.join(names)} · {transport.word}: {transport.tamil}",
                f"{transport.word}: {transport.english}",
            )


def _place(program: Program, row: ChannelRow) -> str:
    file, line = program.place_of(row.place)
    return f"{file}:{line}"


def row_of(problem: Problem, sources: SourceMap) -> dict[str, object]:
    """A problem as editors and other programs take it."""
    source = sources.find(problem.start)
    start, end = source.place(problem.start), source.place(problem.end)
    return {
        "file": source.name,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "code": problem.code,
        "severity": problem.severity,
        "tamil": problem.tamil_text,
        "english": problem.english_text,
        "suggestion": problem.suggestion,
    }
