"""Reads the golden programs: files of small cases with their expectations beside the lines.

A file holds cases, parted by lines ``---``. A case begins with a comment that names it. What
is expected stands in comments:

=====================  ====================================================================
``//> text``           one line of standard output, in the order of the source
``//~ E0201``          this problem is reported at this line (several: ``//~ E0401 W0310``)
``//~-2 E0103``        the same, two lines further up
``//! result.unwrap``  the run stops with this error code at this line
``//< text``           one line of standard input
``//@ file a.qmz``     from here on the lines are another file, which the program can open
``//@ env NAME=text``  an environment variable
``//@ status 3``       the exit status
``//@ seconds 0.2``    the budget of time
``//@ as X U+000D``    before the program is read, every X in it becomes these characters
``//@ bom``            the file begins with a byte order mark
``//@ check``          the program is loaded, checked and compiled, but not run
``//@ service``        it uses words that a script may not have without a running service
=====================  ====================================================================

``a/b`` means either: where the pages refuse a program but leave open which remark fits best.
A case that names neither problem nor error must load without any remark and end with status 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
MARK = re.compile(r"//([>~!<@])")


class Expected(NamedTuple):
    """Something that is expected at a line of a file."""

    file: str
    line: int
    codes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {'/'.join(sorted(self.codes))}"


class Case(NamedTuple):
    """One program with everything it expects."""

    source: str
    title: str
    text: str
    files: dict[str, str]
    output: list[str]
    stdin: list[str]
    problems: list[Expected]
    fault: Expected | None
    status: int | None
    seconds: float
    environment: dict[str, str]
    runs: bool
    service: bool

    @property
    def id(self) -> str:
        """What pytest shows, and what ``-k`` selects by."""
        return f"{self.source}: {self.title}"

    @property
    def expected_status(self) -> int:
        """The exit status, by what else is expected."""
        if self.status is not None:
            return self.status
        refused = any(code[0] == "E" for expected in self.problems for code in expected.codes)
        return 1 if refused or self.fault else 0


MAIN = "test.qmz"


def read_cases(path: Path) -> list[Case]:
    """All cases of one golden file."""
    source = path.relative_to(HERE).with_suffix("").as_posix()
    parts = re.split(r"^---\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    cases = [read_case(source, part) for part in parts]
    titles = [case.title for case in cases]
    assert len(set(titles)) == len(titles), f"two cases of {source} share a title"
    return cases


def read_case(source: str, part: str) -> Case:
    """One case, from its title to the line before ``---``."""
    files: dict[str, list[str]] = {MAIN: []}
    case = Case(source, _title(part), "", {}, [], [], [], None, None, 10.0, {}, True, False)
    current, swaps, bom = MAIN, [], False
    for line in part.rstrip("\n").split("\n"):
        for kind, words in _marks(line):
            here = (current, len(files[current]) + 1)
            if kind == ">":
                case.output.append(words)
            elif kind == "<":
                case.stdin.append(words)
            elif kind == "~":
                case.problems.extend(_problems(*here, words))
            elif kind == "!":
                case = case._replace(fault=Expected(*here, _codes(words.strip())))
            else:
                word, _, rest = words.partition(" ")
                if word == "file":
                    current = rest.strip()
                    files[current] = []
                elif word == "env":
                    name, _, value = rest.partition("=")
                    case.environment[name] = value
                elif word == "status":
                    case = case._replace(status=int(rest))
                elif word == "seconds":
                    case = case._replace(seconds=float(rest))
                elif word == "as":
                    sign, *points = rest.split()
                    swaps.append((sign, "".join(chr(int(point[2:], 16)) for point in points)))
                elif word == "bom":
                    bom = True
                elif word == "check":
                    case = case._replace(runs=False)
                elif word == "service":
                    case = case._replace(service=True)
                else:
                    raise AssertionError(f"{source}: what does //@ {word} mean?")
        if not (current != MAIN and line.startswith("//@ file")):
            files[current].append(line)
    texts = {
        name: "\n".join(line if line.startswith("//@") else _swapped(line, swaps) for line in lines)
        for name, lines in files.items()
    }
    main = texts.pop(MAIN)
    case.stdin[:] = [_swapped(line, swaps) for line in case.stdin]
    case.output[:] = [_swapped(line, swaps) for line in case.output]
    others = {name: text + "\n" for name, text in texts.items()}
    return case._replace(text="\ufeff" + main if bom else main, files=others)


def _title(part: str) -> str:
    first = part.split("\n", 1)[0]
    assert first.startswith("// "), f"a case begins with a comment that names it, not {first!r}"
    return first[3:].rstrip(".")


def _marks(line: str) -> list[tuple[str, str]]:
    found = []
    match = MARK.search(line)
    while match:
        kind, rest = match[1], line[match.end() :]
        if kind in "><@":
            return [*found, (kind, rest[1:])]
        following = MARK.search(line, match.end())
        found.append((kind, line[match.end() : following.start() if following else None].strip()))
        match = following
    return found


def _problems(file: str, line: int, words: str) -> list[Expected]:
    first, *rest = words.split()
    if first.startswith("-"):
        return [Expected(file, line + int(first), _codes(code)) for code in rest]
    return [Expected(file, line, _codes(code)) for code in (first, *rest)]


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split("/"))


def _swapped(text: str, swaps: list[tuple[str, str]]) -> str:
    for sign, characters in swaps:
        text = text.replace(sign, characters)
    return text


def all_cases() -> list[Case]:
    """Every case of every golden file, in the order of their names."""
    return [
        case
        for path in sorted(HERE.glob("**/*.qmz"))
        if path.parent.name != "founding"
        for case in read_cases(path)
    ]
