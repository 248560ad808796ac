"""Which lines of a program have run, and which could have.

The compiler packs the file and line of a program into the line numbers of the code objects it makes, so
Python's own tracing tells which lines of eTamil run. While nobody watches, this costs nothing: no code of a
program knows of it.

A line counts when it does something by itself: blank lines, comments and closing braces do not, nor do
the blocks of சோதனை, which run always, nor the files of the library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from etamil_actors.language import nodes
from etamil_actors.language.program import FILE_MARK, NO_PLACE, Program, unpack
from etamil_actors.language.source import SourceMap
from etamil_actors.script import LIBRARY

_OURS: Final = frozenset(("<module>", "machine", "save", "restore", "interrupt", "calm", "set_steps"))
"""Functions of compiled code that stand for nothing in the program."""


class Covered(NamedTuple):
    """What has run of one file."""

    lines: frozenset[int]
    """Those that could run."""
    run: frozenset[int]

    @property
    def missing(self) -> list[int]:
        """Those that did not."""
        return sorted(self.lines - self.run)

    @property
    def percent(self) -> float:
        """How much of it; all of nothing."""
        return 100.0 * len(self.run) / len(self.lines) if self.lines else 100.0


@contextmanager
def watched() -> Iterator[set[int]]:
    """The packed lines of programs that run in this block, in this thread."""
    seen: set[int] = set()
    add = seen.add

    def in_program(frame: FrameType, event: str, argument: object) -> Any:
        add(frame.f_lineno)
        return in_program

    def anywhere(frame: FrameType, event: str, argument: object) -> Any:
        return in_program(frame, event, argument) if frame.f_code.co_filename == FILE_MARK else None

    before = sys.gettrace()
    sys.settrace(anywhere)
    try:
        yield seen
    finally:
        sys.settrace(before)


def covered(program: Program, module: nodes.Module, sources: SourceMap, seen: set[int]) -> dict[str, Covered]:
    """What has run of each file of a program, by its whole path."""
    lines: dict[int, set[int]] = {}
    for packed in _lines_of(program.code):
        file, line = unpack(packed)
        lines.setdefault(file, set()).add(line)
    for file, first, last in _tests_in(module, sources):
        lines.get(file, set()).difference_update(range(first, last + 1))
    found = {}
    for file, could in lines.items():
        path = os.path.abspath(program.files[file])
        if could and not path.startswith(LIBRARY + os.sep):
            has_run = {unpack(packed)[1] for packed in seen if unpack(packed)[0] == file}
            found[path] = Covered(frozenset(could), frozenset(could & has_run))
    return found


def _lines_of(code: CodeType) -> Iterator[int]:
    if code.co_name not in _OURS:
        yield from (line for _, _, line in code.co_lines() if line and line != NO_PLACE)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _lines_of(constant)


def _tests_in(module: nodes.Module, sources: SourceMap) -> Iterator[tuple[int, int, int]]:
    numbers = {id(source): number for number, source in enumerate(sources.sources)}
    for statement in module.statements:
        if isinstance(statement, nodes.Test):
            source = sources.find(statement.start)
            last = source.line_of(max(statement.end - 1, statement.start))
            yield numbers[id(source)], source.line_of(statement.start), last
        elif isinstance(statement, nodes.Import) and statement.module is not None:
            yield from _tests_in(statement.module, sources)


def merged(parts: Iterable[Mapping[str, Covered]]) -> dict[str, Covered]:
    """What several runs have covered together, by path."""
    whole: dict[str, Covered] = {}
    for part in parts:
        for path, one in part.items():
            other = whole.get(path)
            if other is not None:
                one = Covered(one.lines | other.lines, one.run | other.run)
            whole[path] = one
    return dict(sorted(whole.items()))


def ranges_of(lines: Iterable[int]) -> str:
    """Lines as people read them: ``3, 7–9``."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)
