"""Where the parser stands in the tokens, and how it says that something else was expected.

The cursor knows brackets and names, no construct. ``Stop`` ends the statement at hand and is
caught by the loop over statements; ``GiveUp`` ends the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from etamil_actors.language import nodes
from etamil_actors.language.keywords import KEYWORD_NAMED, KEYWORD_OF, KEYWORDS, WORD_OF, WORDS
from etamil_actors.language.lexer import END, NAME, NUMBER, PERCENTAGE, TEXT, Token
from etamil_actors.language.nearby import nearest
from etamil_actors.language.problems import (
    InputEnded,
    Problem,
    ReservedWord,
    TooDeep,
    UnexpectedToken,
    did_you_mean,
)
from etamil_actors.language.source import Source

MAX_DEPTH = 100
"""Brackets and blocks inside each other; Python's own recursion limit lies far behind it."""

MOST_PROBLEMS = 50
"""Nobody reads more of them at once."""

CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
LITERALS = frozenset({TEXT, NUMBER, PERCENTAGE})
SLOT = frozenset({NAME, TEXT})
"""What may stand where a name is wanted: a text stands for its contents there."""

STRING_TYPE = frozenset([spelling for word in WORDS if word.word == "String" for spelling in word.spellings])
"""The spellings of சரம்."""

# Where a statement stands; agents and their parts may stand in few places.
TOP, AGENT, BLOCK = "top", "agent", "block"

Expected = tuple[str, str]
"""What was expected, in Tamil and in English."""

A_NAME: Expected = ("ஒரு பெயர்", "a name")
A_KEY: Expected = ("ஒரு புலத்தின் பெயர்", "the name of a field")
A_VALUE: Expected = ("ஒரு மதிப்பு", "a value")
A_STATEMENT: Expected = ("ஒரு கட்டளை", "a statement")
A_TYPE: Expected = ("ஒரு வகை", "a type")
A_BLOCK: Expected = ("கட்டளைகளின் தொகுதி", "a block of statements")
A_BRANCH: Expected = ("தேர்வின் ஒரு கிளை", "a branch")


def quoted(*symbols: str) -> Expected:
    """What was expected, when it is one of these symbols or words."""
    marked = [f"‘{symbol}’" for symbol in symbols]
    return " அல்லது ".join(marked), " or ".join(marked)


class Stop(Exception):
    """A statement cannot be read any further."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class GiveUp(Exception):
    """Nothing after this point can be trusted."""


class Parsed:
    """One file's tree, and what is needed to settle it with the other files of the program."""

    def __init__(self, source: Source, taken: frozenset[str] = frozenset()) -> None:
        self.taken = taken
        """Contextual words that are names in this program."""
        self.problems: list[Problem] = []
        self.module = nodes.Module(source.base, source.end, [])
        self.bound: set[str] = set()
        """Every name that the file gives a meaning to."""
        self.shapes: set[str] = set()
        self.functions: list[nodes.Identifier] = []
        """The names of functions, tasks and agents, from all depths."""
        self.words: set[str] = set()
        """``return``, ``nil`` and சரம், where they were read as words."""
        self.braced: list[nodes.Call | nodes.MethodCall | nodes.ShapeLiteral] = []
        """What is followed by braces."""
        self.alone: list[nodes.ShapeLiteral] = []
        """``Name {…}`` as a statement, which must be a call."""

    def only(self, problem: Problem) -> None:
        """The file's brackets do not match: what else was noticed may follow from that alone."""
        self.problems = [problem]
        self.braced.clear()
        self.alone.clear()


class Cursor:
    """A place in the tokens of one file, and what is known there."""

    def __init__(self, tokens: list[Token], source: Source, taken: frozenset[str]) -> None:
        self.tokens = tokens
        # One more than needed: looking two ahead at the end of the file is still an index.
        self.kinds = [token.kind for token in tokens] + [END, END, END]
        self.i = 0
        self.depth = 0
        self.place = TOP
        self.in_loop = False
        self.head = False
        """Directly in a head, where ``{`` opens the body."""
        self.type_values = False
        """In the options of a route, where a type is a value."""
        self.block_end = -1
        """The token behind the last block of a call: there a statement may end without ``;``."""
        self.matches: dict[int, int] | None = None
        self.source = source
        self.taken = taken
        self.parsed = Parsed(source, taken)
        self.bind = self.parsed.bound.add

    # ---- what is wrong ----

    def fail(self, problem: Problem) -> NoReturn:
        raise Stop(problem)

    def unexpected(self, expected: Expected, suggestion: str | None = None) -> NoReturn:
        """What stands here is not what was expected."""
        token = self.tokens[self.i]
        tamil, english = expected
        if token.kind == END:
            self.fail(self.input_ended(expected))
        found = short(token.text)
        self.fail(
            UnexpectedToken(
                token.start, token.end, suggestion=suggestion,
                expected_ta=tamil, expected_en=english, found=found,
            )
        )  # fmt: skip

    def input_ended(self, expected: Expected) -> Problem:
        tamil, english = expected
        opened_ta = opened_en = ""
        opener = unclosed(self.kinds)
        if opener is not None:
            token = self.tokens[opener]
            line = self.source.line_of(token.start)
            opened_ta = f" (வரி {line}-இல் உள்ள ‘{token.text}’ மூடப்படவில்லை)"
            opened_en = f" (the ‘{token.text}’ in line {line} is not closed)"
        end = self.tokens[-1].start
        return InputEnded(
            end, end, expected_ta=tamil, expected_en=english, opened_ta=opened_ta, opened_en=opened_en
        )

    def no_name(self, expected: Expected) -> NoReturn:
        """A name is wanted here; a reserved word deserves more words than others."""
        token = self.tokens[self.i]
        if token.value not in KEYWORD_OF or token.kind not in KEYWORD_NAMED:
            self.unexpected(expected)
        tamil, english = expected
        other = f"{token.text.lstrip('_')}_1"
        suggestion = f"வேறு பெயர்: ‘{other}’  (another name: ‘{other}’)"
        if expected is A_KEY:
            text = f'"{token.text}"'
            suggestion = f"மேற்கோள் குறிகளுக்குள் எழுதுங்கள்: {text}  (write it in quotes: {text})"
        self.fail(
            ReservedWord(
                token.start, token.end, suggestion=suggestion,
                expected_ta=tamil, expected_en=english, found=token.text,
            )
        )  # fmt: skip

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(self.too_deep())

    def too_deep(self) -> Problem:
        """Also what Python's own limit becomes, when whoever calls us stands deep already."""
        token = self.tokens[self.i]
        return TooDeep(token.start, token.end, limit=MAX_DEPTH)

    # ---- small parts ----

    def expect(self, kind: str) -> None:
        if self.kinds[self.i] != kind:
            self.unexpected(quoted(kind))
        self.i += 1

    def expect_word(self, kind: str) -> None:
        if self.kinds[self.i] != kind:
            word = KEYWORD_NAMED[kind]
            self.unexpected(quoted(word.tamil), near(self.tokens[self.i].text, word.spellings))
        self.i += 1

    def end_statement(self) -> None:
        """``;``, which a statement that ends with a block or body may leave out."""
        i = self.i
        if self.kinds[i] == ";":
            self.i = i + 1
        elif i != self.block_end:
            self.unexpected(quoted(";"), self.forgotten_semicolon())

    def forgotten_semicolon(self) -> str | None:
        line = self.source.line_of(self.tokens[self.i - 1].start)
        if line == self.source.line_of(self.tokens[self.i].start):
            return None
        return f"வரி {line}-இன் முடிவில் ‘;’ விடுபட்டதா?  (is ‘;’ missing at the end of line {line}?)"

    def name(self, expected: Expected = A_NAME) -> nodes.Identifier:
        token = self.tokens[self.i]
        if token.kind != NAME:
            self.no_name(expected)
        self.i += 1
        return nodes.Identifier(token.start, token.end, token.value)

    def slot_name(self, expected: Expected = A_NAME) -> nodes.Identifier:
        """A name, or a text that stands for its contents."""
        token = self.tokens[self.i]
        if token.kind != NAME and token.kind != TEXT:
            self.no_name(expected)
        self.i += 1
        return nodes.Identifier(token.start, token.end, token.value)

    def is_word(self, word: str) -> bool:
        """Whether a contextual word stands here."""
        token = self.tokens[self.i]
        if token.kind != NAME:
            return False
        found = WORD_OF.get(token.value)
        return found is not None and found.word == word

    def closing(self, i: int) -> int:
        """The bracket that closes the one here, or the end of the file."""
        kinds = self.kinds
        opener, closer = kinds[i], CLOSER_OF[kinds[i]]
        depth = 0
        while kinds[i] != END:
            if kinds[i] == opener:
                depth += 1
            elif kinds[i] == closer:
                depth -= 1
                if depth == 0:
                    break
            i += 1
        return i


# ---- brackets -------------------------------------------------------------------------


def unclosed(kinds: list[str]) -> int | None:
    """The first bracket that has no partner, or the innermost one that is still open at the end."""
    stack: list[int] = []
    for i, kind in enumerate(kinds):
        if kind in CLOSER_OF:
            stack.append(i)
        elif kind in (")", "]", "}"):
            if not stack or CLOSER_OF[kinds[stack[-1]]] != kind:
                return stack[-1] if stack else i
            stack.pop()
    return stack[-1] if stack else None


def matching(kinds: list[str]) -> dict[int, int]:
    """Each opening bracket with the one that closes it; empty when they do not match."""
    stack: list[int] = []
    matches: dict[int, int] = {}
    for i, kind in enumerate(kinds):
        if kind in CLOSER_OF:
            stack.append(i)
        elif kind in (")", "]", "}"):
            if not stack or CLOSER_OF[kinds[stack[-1]]] != kind:
                return {}
            matches[stack.pop()] = i
    return {} if stack else matches


def statement_word_near(word: str) -> str | None:
    """A word that begins or joins statements and was perhaps meant."""
    keywords = [one.spellings for one in KEYWORDS if one.family in ("statement", "contextual")]
    words = [one.spellings for one in WORDS]
    return near(word, [spelling for spellings in keywords + words for spelling in spellings])


def near(word: str, candidates: Iterable[str]) -> str | None:
    found = nearest(word, candidates)
    return None if found is None else did_you_mean(found)


def short(text: str) -> str:
    """The text of a token as it is quoted: in one line, and not too long."""
    text = text.replace("\n", "⏎")
    return text if len(text) <= 40 else text[:40] + "…"
