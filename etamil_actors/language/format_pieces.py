"""A program cut into pieces for layout: words, brackets with entries, braces with statements.

A ``Word`` is one token with the comments around it; a ``Group`` is a pair of brackets whose
entries are parted by commas; a ``Body`` is a pair of braces that holds statements. A ``Line`` is
a run of pieces — a statement or an entry — that stands in one line when it fits.

Comments belong to words: those on lines of their own to the word behind them, one that trails
on a line to the word in front of it; and never is a comma or semicolon parted from its value by
one. So a comment stays where it was, whatever the layout does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from etamil_actors.language.format_facts import Facts
from etamil_actors.language.lexer import COMMENT, END, NAME, TEXT, Token
from etamil_actors.language.source import Source

OPENING = {"(": ")", "[": "]", "{": "}"}
_LEVELS = {
    "Or": 1, "And": 2, "<": 3, "<=": 3, ">": 3, ">=": 3, "==": 3, "!=": 3, "+": 4, "-": 4,
    "&": 4, "*": 5, "/": 5,
}  # fmt: skip
"""How loosely an operator binds; a long chain is parted at its loosest."""


class Comment:
    """A comment on a line of its own."""

    __slots__ = ("blank", "text")

    def __init__(self, text: str, blank: bool) -> None:
        self.text = text
        self.blank = blank
        """Whether an empty line stands before it."""


class Word:
    """One token: its text, whether a space precedes it, and its comments."""

    def __init__(self, token: Token, text: str) -> None:
        self.kind = token.kind
        self.start = token.start
        self.text = text
        self.space = False
        self.level = 0
        """For an operator between two operands how loosely it binds, else 0."""
        self.own: list[Comment] = []
        self.trail: str | None = None
        self.blank = False
        """Whether an empty line stands before it, behind its own comments."""

    @property
    def first(self) -> Word:
        return self

    @property
    def last(self) -> Word:
        return self

    @property
    def flat(self) -> str | None:
        return self.text


class Line:
    """A statement or an entry."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    @property
    def first(self) -> Word:
        return self.pieces[0].first

    @property
    def last(self) -> Word:
        return self.pieces[-1].last

    @cached_property
    def flat(self) -> str | None:
        """The whole on one line, or ``None`` when something in it needs several."""
        return flat(self.pieces)

    @property
    def is_bare(self) -> bool:
        """Whether no comment stands directly before or behind it."""
        return not self.first.own and self.last.trail is None


class Group:
    """Brackets with entries."""

    def __init__(self, opening: Word, entries: list[Line], closing: Word) -> None:
        self.first = opening
        self.entries = entries
        self.last = closing

    @cached_property
    def ends_in_comma(self) -> bool:
        """An author who ends with a comma wants one entry a line."""
        return bool(self.entries) and self.entries[-1].last.kind == ","

    @cached_property
    def flat(self) -> str | None:
        if self.first.trail is not None or self.last.own or self.ends_in_comma:
            return None
        texts = []
        for entry in self.entries:
            if entry.flat is None or not entry.is_bare:
                return None
            texts.append(entry.flat)
        return f"{self.first.text}{' '.join(texts)}{self.last.text}"


class Body:
    """Braces with statements."""

    def __init__(self, opening: Word, lines: list[Line], closing: Word, is_value: bool) -> None:
        self.first = opening
        self.lines = lines
        self.last = closing
        self.is_value = is_value
        """Whether it is the body of a function written as a value."""

    @cached_property
    def flat(self) -> str | None:
        """A function value with one plain statement may stand on a line; other bodies do not."""
        if self.first.trail is not None or self.last.own:
            return None
        if not self.lines:
            return "{}"
        line = self.lines[0]
        if not self.is_value or len(self.lines) > 1 or not line.is_bare or line.flat is None:
            return None
        return f"{{ {line.flat} }}" if not _has_block(line) else None


Piece = Word | Group | Body


def flat(pieces: Sequence[Piece]) -> str | None:
    """Pieces on one line, or ``None`` when a comment or a block forbids it."""
    texts: list[str] = []
    previous: Word | None = None
    for piece in pieces:
        text = piece.flat
        if text is None:
            return None
        if previous is not None:
            if previous.trail is not None or piece.first.own:
                return None
            if piece.first.space:
                texts.append(" ")
        texts.append(text)
        previous = piece.last
    return "".join(texts)


def _has_block(line: Line) -> bool:
    return any([type(piece) is Body and not piece.is_value for piece in line.pieces])


# ---- from tokens to words -------------------------------------------------------------


def words_of(tokens: Sequence[Token], source: Source, facts: Facts) -> list[Word]:
    """The tokens with their comments and spaces; the last one stands for the end of the file."""
    words: list[Word] = []
    waiting: list[Comment] = []
    blank = False
    behind = source.base  # where the token or comment before ends
    for token in tokens:
        ends = source.text.count("\n", behind - source.base, token.start - source.base)
        blank = blank or ends > 1
        behind = token.end
        if token.kind != COMMENT:
            word = Word(token, repaired(token))
            word.own, word.blank, waiting = waiting, blank, []
            words.append(word)
        elif ends == 0 and words and not waiting and words[-1].trail is None:
            words[-1].trail = token.text.rstrip()
        else:
            waiting.append(Comment(token.text.rstrip(), blank))
        blank = False
    _settle_semicolons(words, facts)
    words = [word for word in words if word.text]
    _settle_comments(words)
    _set_levels(words, facts)
    _set_spaces(words, facts)
    return words


def repaired(token: Token) -> str:
    """The text of a token as it should stand: as typed, but with Tamil signs in Tamil words."""
    if token.kind == TEXT or type(token.value) is not str or token.text.isascii():
        return token.text or "\n" * (token.kind == END)
    plain = token.text.replace("\u200c", "").replace("\u200d", "")
    same = unicodedata.normalize("NFC", plain) == token.value
    return token.text if same else str(token.value)


def _settle_semicolons(words: list[Word], facts: Facts) -> None:
    """Take out semicolons that stand alone. What is left of one is the comments around it."""
    for index, word in enumerate(words):
        if word.start in facts.empty:
            word.text = ""
            behind = words[index + 1]
            if word.trail is not None and index and words[index - 1].trail is None and not word.own:
                words[index - 1].trail, word.trail = word.trail, None
            _hand_on(word, behind)


def _settle_comments(words: list[Word]) -> None:
    """A comma or semicolon goes in front of the comments that part it from its value."""
    for before, word, behind in zip(words, words[1:], words[2:], strict=False):
        if word.kind in ",;" and (before.trail is not None or word.own):
            trail, before.trail = before.trail, None
            if trail is not None and not word.own and word.trail is None:
                word.trail = trail
            elif trail is not None:
                _hand_on(word, behind)
                word.trail = trail
            else:
                _hand_on(word, behind)


def _hand_on(word: Word, behind: Word) -> None:
    """The comments of a word go in front of the next one."""
    trail = [Comment(word.trail, False)] if word.trail is not None else []
    behind.own = [*word.own, *trail, *behind.own]
    word.own, word.trail = [], None


# ---- spaces ---------------------------------------------------------------------------


def _set_levels(words: list[Word], facts: Facts) -> None:
    in_types = {place for start, end in facts.types for place in range(start, end)}
    for word in words:
        if word.start not in facts.negatives and word.start not in in_types:
            word.level = _LEVELS.get(word.kind, 0)


def _set_spaces(words: list[Word], facts: Facts) -> None:
    for before, word in pairwise(words):
        word.space = _is_apart(before, word, facts)


def _is_apart(before: Word, word: Word, facts: Facts) -> bool:
    """Whether a space stands between two words on one line."""
    if word.level or before.level:
        return True
    if before.kind in _TIGHT_BEHIND or word.kind in _TIGHT_BEFORE:
        return False
    if word.kind == ".":
        return before.kind == ","
    if word.kind == "(":
        return before.kind != "Function" and not _ends_value(before, facts)
    if word.kind == "[":
        return not _ends_value(before, facts)
    return word.kind != "{" or before.start not in facts.literals


def _ends_value(word: Word, facts: Facts) -> bool:
    """Whether a bracket behind this word goes on with its value."""
    return word.kind in _VALUE_ENDS and word.start not in facts.words


_VALUE_ENDS = frozenset({NAME, TEXT, "Request", ")", "]", "}", "?"})
# A minus without a level has one operand, < and > without one enclose an element type.
_TIGHT_BEHIND = frozenset("([{.-<")
_TIGHT_BEFORE = frozenset(")]},;:?<>")


# ---- from words to pieces -------------------------------------------------------------


def lines_of(words: Sequence[Word], facts: Facts) -> list[Line]:
    """The statements of a file."""
    return _Builder(words, facts).lines()


class _Builder:
    """Finds brackets, entries and statements in a row of words."""

    def __init__(self, words: Sequence[Word], facts: Facts) -> None:
        self.words = words
        self.facts = facts
        self.index = 0

    @property
    def word(self) -> Word:
        return self.words[self.index]

    def lines(self) -> list[Line]:
        """Statements up to a closing brace or the end."""
        found = []
        while self.word.kind not in ("}", END):
            found.append(self.statement())
        return found

    def statement(self) -> Line:
        start = self.word.start
        pieces = [self.piece()]
        while self.word.kind not in ("}", END) and self.word.start not in self.facts.statements:
            pieces.append(self.piece())
        if start in self.facts.calls_with_block:
            self._leave_semicolon(pieces)
        elif start in self.facts.end_with_value and pieces[-1].last.kind != ";":
            _add_semicolon(pieces)
        return Line(pieces)

    def _leave_semicolon(self, pieces: list[Piece]) -> None:
        """A call with a block ends at its brace — unless a bracket follows and would go on."""
        last = pieces[-1]
        body = pieces[-2] if len(pieces) > 1 else last
        if last.last.kind == ";" and type(body) is Body and self.word.kind not in _GO_ON:
            body.last.trail = last.last.trail
            pieces.pop()

    def piece(self) -> Piece:
        word = self.take()
        if word.kind not in OPENING:
            return word
        if word.start in self.facts.blocks:
            lines = self.lines()
            return Body(word, lines, self.take(), word.start in self.facts.lambdas)
        entries = []
        while self.word.kind not in _CLOSING:
            entries.append(self.entry())
        return Group(word, entries, self.take())

    def entry(self) -> Line:
        pieces: list[Piece] = []
        while self.word.kind not in _CLOSING:
            pieces.append(self.piece())
            if pieces[-1].last.kind == ",":
                break
        return Line(pieces)

    def take(self) -> Word:
        self.index += 1
        return self.words[self.index - 1]


_CLOSING = frozenset(OPENING.values())
_GO_ON = frozenset("([.?")


def _add_semicolon(pieces: list[Piece]) -> None:
    before = pieces[-1].last
    semicolon = Word(Token(";", ";", ";", before.start, before.start), ";")
    semicolon.trail, before.trail = before.trail, None
    pieces.append(semicolon)
