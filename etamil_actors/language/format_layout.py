"""Pieces onto lines: the one layout of a program.

A statement or an entry stands on one line when it fits; if not, it is opened at the place that
keeps most of it together. Decisions look at widths only, never at how the author had broken the
lines, so programs that differ in spaces alone come out the same — but for empty lines, of which
one is kept, and comments, which stay where they are.

Columns are counted as a reader sees them. Nothing may be indented once it is written: a text
can span lines, and its inside belongs to the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from etamil_actors.language.format_pieces import Body, Group, Line, Piece, Word, flat
from etamil_actors.language.lexer import NUMBER, PERCENTAGE
from etamil_actors.language.source import clusters, width

COLUMNS = 100
INDENT = 4
BEFORE_COMMENT = "  "


def write(lines: Sequence[Line], end: Word) -> str:
    """The text of a file. ``end`` has the comments behind the last statement."""
    layout = _Layout()
    layout.statements(lines, 0)
    layout.own_comments(end, 0, is_first=not lines)
    return "".join(layout.parts) + ("\n" if layout.parts else "")


def columns(text: str) -> int:
    """How wide a text is for a reader."""
    return len(text) if text.isascii() else sum(map(width, clusters(text)))


class _Layout:
    """What is written so far, and how many columns of the line at hand are used."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.column = 0

    def put(self, text: str) -> None:
        self.parts.append(text)
        if "\n" in text:
            self.column = columns(text.rpartition("\n")[2])
        else:
            self.column += columns(text)

    def start_line(self, indent: int, after_empty: bool = False) -> None:
        if self.parts:
            self.parts.append("\n\n" if after_empty else "\n")
        self.column = 0
        if indent:
            self.put(" " * indent)

    def fits(self, text: str, reserve: int = 0) -> bool:
        """Whether a text fits the line at hand and leaves room for what must follow it."""
        first, line_end, rest = text.partition("\n")
        if not line_end:
            return self.column + columns(text) + reserve <= COLUMNS
        # Only the ends of a text that spans lines share a line with something of ours.
        last = columns(rest.rpartition("\n")[2])
        return self.column + columns(first) <= COLUMNS and last + reserve <= COLUMNS

    # ---- statements -------------------------------------------------------------------

    def statements(self, lines: Sequence[Line], indent: int) -> None:
        for index, line in enumerate(lines):
            word = line.first
            self.own_comments(word, indent, is_first=index == 0)
            self.start_line(indent, word.blank and bool(index or word.own))
            self.line(line, indent)

    def own_comments(self, word: Word, indent: int, is_first: bool = False) -> None:
        """The comments that stand on lines of their own before a word."""
        for comment in word.own:
            self.start_line(indent, comment.blank and not is_first)
            self.put(comment.text)
            is_first = False

    def trailing_comment(self, word: Word) -> None:
        if word.trail is not None:
            self.put(BEFORE_COMMENT + word.trail)

    def line(self, line: Line, indent: int) -> None:
        """A statement or an entry, from its first word to the comment behind it."""
        if _has_comment_inside(line.pieces):
            self.commented_run(line.pieces, indent)
        else:
            self.run(line.pieces, indent)
        self.trailing_comment(line.last)

    def run(self, pieces: Sequence[Piece], indent: int) -> None:
        """Pieces of one statement. Blocks stand open; what is between them is laid out alone."""
        start = 0
        for index, piece in enumerate(pieces):
            if type(piece) is Body and piece.flat is None:
                self.segment(pieces[start:index], indent, reserve=len(" {"))
                self.space(piece, index)
                self.body(piece, indent)
                start = index + 1
                if start < len(pieces):
                    self.space(pieces[start], start)
        self.segment(pieces[start:], indent, reserve=0)

    def space(self, piece: Piece, index: int) -> None:
        if index and piece.first.space:
            self.put(" ")

    def commented_run(self, pieces: Sequence[Piece], indent: int) -> None:
        """Pieces with comments among them: each comment ends its line."""
        level = indent
        for index, piece in enumerate(pieces):
            after_body = index > 0 and type(pieces[index - 1]) is Body
            if index and (piece.first.own or pieces[index - 1].last.trail is not None):
                level = indent if after_body else indent + INDENT
                self.trailing_comment(pieces[index - 1].last)
                self.own_comments(piece.first, level)
                self.start_line(level)
            else:
                self.space(piece, index)
            self.piece(piece, level)

    # ---- what does not fit on a line --------------------------------------------------

    def segment(self, pieces: Sequence[Piece], indent: int, reserve: int) -> None:
        """A run of pieces: on the line at hand, or opened where it hurts least."""
        text = flat(pieces)
        if text is not None and self.fits(text, reserve):
            self.put(text)
            return
        parts = _parts(pieces)
        opened = self.opened_at(pieces, indent, reserve, len(parts) > 1)
        if opened is not None:
            self.segment_opened_at(opened, pieces, indent)
        elif len(parts) > 1 and len(_forced(pieces)) < 2:
            self.parted(parts, indent, reserve)
        else:
            for index, piece in enumerate(pieces):
                self.space(piece, index)
                self.piece(piece, indent)

    def opened_at(self, pieces: Sequence[Piece], indent: int, reserve: int, has_parts: bool) -> int | None:
        """The one bracket to be opened, if the rest then fits around it."""
        forced = _forced(pieces)
        at = forced[0] if len(forced) == 1 else None if forced else _last_bracket(pieces)
        if at is None or (has_parts and not forced and not _ends_in_data(pieces, at)):
            return None
        before, behind = flat(pieces[:at]), flat(pieces[at + 1 :])
        if before is None or behind is None or not self.fits(before, len(" {")):
            return None
        return at if indent + 1 + columns(behind) + reserve <= COLUMNS else None

    def segment_opened_at(self, at: int, pieces: Sequence[Piece], indent: int) -> None:
        for index, piece in enumerate(pieces):
            self.space(piece, index)
            if index == at:
                self.opened(piece, indent)
            else:
                self.put(piece.flat or "")

    def parted(self, parts: Sequence[Sequence[Piece]], indent: int, reserve: int) -> None:
        """Each operand or argument on a line of its own."""
        last = len(parts) - 1
        for index, part in enumerate(parts):
            if index:
                self.start_line(indent + INDENT)
            deeper = indent + INDENT if index else indent
            self.segment(part, deeper, reserve if index == last else 0)

    # ---- pieces -----------------------------------------------------------------------

    def piece(self, piece: Piece, indent: int) -> None:
        text = piece.flat
        if text is not None and (self.fits(text, 1) or not _can_open(piece)):
            self.put(text)
        else:
            self.opened(piece, indent)

    def opened(self, piece: Piece, indent: int) -> None:
        if type(piece) is Body:
            self.body(piece, indent)
        elif type(piece) is Group:
            self.group(piece, indent)

    def body(self, body: Body, indent: int) -> None:
        self.put(body.first.text)
        self.trailing_comment(body.first)
        self.statements(body.lines, indent + INDENT)
        self.own_comments(body.last, indent + INDENT, is_first=not body.lines)
        self.start_line(indent)
        self.put(body.last.text)

    def group(self, group: Group, indent: int) -> None:
        if self.hugs(group):
            self.put(group.first.text)
            for entry in group.entries[:-1]:
                self.put(f"{entry.flat} ")
            pieces = group.entries[-1].pieces
            self.segment_opened_at(len(pieces) - 1, pieces, indent)
            self.put(group.last.text)
            return
        self.put(group.first.text)
        self.trailing_comment(group.first)
        if all([_is_number(entry) for entry in group.entries]):
            self.filled(group.entries, indent + INDENT)
        else:
            self.entries(group.entries, indent + INDENT)
        self.own_comments(group.last, indent + INDENT, is_first=not group.entries)
        self.start_line(indent)
        self.put(group.last.text)

    def entries(self, entries: Sequence[Line], indent: int) -> None:
        """One entry a line."""
        self.statements(entries, indent)

    def filled(self, entries: Sequence[Line], indent: int) -> None:
        """Numbers, as many as fit in a line."""
        for index, entry in enumerate(entries):
            text = entry.flat or ""
            if index == 0 or not self.fits(" " + text):
                self.start_line(indent)
            else:
                self.put(" ")
            self.put(text)

    def hugs(self, group: Group) -> bool:
        """Whether only the last entry opens: ``f("x", {`` … ``})``."""
        if not group.entries or group.first.trail is not None or group.last.own:
            return False
        *others, last = group.entries
        if group.first.text != "(" and (others or group.first.text == "{"):
            return False
        piece = last.pieces[-1]
        if not _can_open(piece) or piece.first.text == "(" or not last.is_bare:
            return False
        before = flat(last.pieces[:-1])
        texts = [entry.flat for entry in others if entry.is_bare]
        if before is None or len(texts) < len(others) or None in texts:
            return False
        return self.fits(" ".join(["(", *[text or "" for text in texts], before]), len(" {"))


def _has_comment_inside(pieces: Sequence[Piece]) -> bool:
    return any([piece.first.own for piece in pieces[1:]]) or any(
        [piece.last.trail is not None for piece in pieces[:-1]]
    )


def _can_open(piece: Piece) -> bool:
    if type(piece) is Group:
        return bool(piece.entries) or piece.flat is None
    return type(piece) is Body and (bool(piece.lines) or piece.flat is None)


def _forced(pieces: Sequence[Piece]) -> list[int]:
    """Where pieces stand that no line can hold."""
    return [index for index, piece in enumerate(pieces) if piece.flat is None]


def _last_bracket(pieces: Sequence[Piece]) -> int | None:
    found = [index for index, piece in enumerate(pieces) if _can_open(piece)]
    return found[-1] if found else None


def _ends_in_data(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a record, array or function value ends the run: it opens well even in a sum."""
    behind = pieces[at + 1 :]
    return pieces[at].first.text != "(" and all([piece.first.kind in ",;" for piece in behind])


def _parts(pieces: Sequence[Piece]) -> list[Sequence[Piece]]:
    """A run cut behind its commas, or else before its loosest operators."""
    commas = [
        index + 1 for index, piece in enumerate(pieces[:-1]) if type(piece) is Word and piece.kind == ","
    ]
    # A part of a part begins with the operator before which it was cut; it is not cut there again.
    levels = [piece.level if index and type(piece) is Word else 0 for index, piece in enumerate(pieces)]
    loosest = min([level for level in levels if level], default=0)
    operators = [index for index, level in enumerate(levels) if level and level == loosest]
    cuts = [0, *(commas or operators), len(pieces)]
    return [pieces[start:end] for start, end in pairwise(cuts)]


def _is_number(entry: Line) -> bool:
    """Whether an entry is a number alone, perhaps with a minus, and without comments."""
    words = [piece for piece in entry.pieces if piece.first.kind not in ("-", ",")]
    return (
        len(words) == 1
        and words[0].first.kind in (NUMBER, PERCENTAGE)
        and len(entry.pieces) <= 3
        and entry.is_bare
        and entry.flat is not None
        and not entry.first.blank
    )
