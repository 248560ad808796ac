"""The text of a program, and where in it something stands.

A *position* is one integer that names both the file and the place: every file of a program gets
a range of its own in a ``SourceMap``, as Go's file sets and Rust's source maps do. Nodes and
problems carry two positions instead of a file, a line and a column.

People are told lines and columns *as a reader sees them*: a column counts grapheme clusters, so
that கொ is one column although it is two code points. Editors and CPython want code points;
``code_column`` has them.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


class Source:
    """One file. ``text`` has no byte order mark, and its lines end in LF alone."""

    def __init__(self, name: str, text: str, base: int = 0) -> None:
        self.name = name
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self.base = base

    @property
    def end(self) -> int:
        """The position behind the last character, which still belongs to this file."""
        return self.base + len(self.text)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts, start = [0], self.text.find("\n") + 1
        while start:
            starts.append(start)
            start = self.text.find("\n", start) + 1
        return starts

    @property
    def line_count(self) -> int:
        return len(self._line_starts)

    def line_of(self, position: int) -> int:
        """The line a position stands in."""
        return bisect_right(self._line_starts, self._offset(position))

    def code_column(self, position: int) -> int:
        """The column in code points."""
        offset = self._offset(position)
        return offset - self._line_starts[bisect_right(self._line_starts, offset) - 1] + 1

    def place(self, position: int) -> Place:
        """Line and column as a reader counts them."""
        offset = self._offset(position)
        line = bisect_right(self._line_starts, offset)
        start = self._line_starts[line - 1]
        if self.text[start : offset + 1].isascii():
            return Place(line, offset - start + 1)
        # Inside a cluster its own column counts, so clusters are cut from the whole line.
        column = 1
        for cluster in clusters(self.line_text(line)):
            start += len(cluster)
            if start > offset:
                break
            column += 1
        return Place(line, column)

    def line_text(self, line: int) -> str:
        """One line without its end; lines are counted from 1."""
        start = self._line_starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]

    def word_at(self, position: int) -> str:
        """The word or sign that begins at a position."""
        start = end = self._offset(position)
        while end < len(self.text) and (
            self.text[end].isalnum() or self.text[end] in "_" or ord(self.text[end]) > 127
        ):
            end += 1
        return self.text[start : max(end, start + 1)]

    def _offset(self, position: int) -> int:
        return min(max(position - self.base, 0), len(self.text))


class SourceMap:
    """The files of one program, each with its own range of positions."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self._bases: list[int] = []

    def add(self, name: str, text: str) -> Source:
        """Give a file its range."""
        # One position more than characters: the end of one file is not the start of the next.
        base = self.sources[-1].end + 1 if self.sources else 0
        source = Source(name, text, base)
        self.sources.append(source)
        self._bases.append(base)
        return source

    def find(self, position: int) -> Source:
        """The file a position belongs to."""
        return self.sources[max(bisect_right(self._bases, position) - 1, 0)]


def clusters(text: str) -> Iterator[str]:
    """The letters of a text as a reader sees them."""
    if text.isascii() and "\r" not in text:
        yield from text
        return
    import regex

    for match in regex.finditer(r"\X", text):
        yield match.group()


def width(cluster: str) -> int:
    """How many cells a cluster takes in a terminal."""
    return 2 if unicodedata.east_asian_width(cluster[0]) in "WF" else 1
