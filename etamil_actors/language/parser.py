"""Tokens into a tree (REFERENCE §3, EXTENSIONS §1–§13).

``parse_cursor``, ``parse_expressions`` and ``parse_statements`` have one method per construct, in
the order of the grammar; here stand the entrances, and what is settled when a file has been read.

Looking at the first token of a statement, and rarely at some more, is enough to know what it is;
operators are a table and a loop. Three things are settled only at the end of a file, because they
hang on names it may define further down — or another file of the program may, so the loader
settles them again: whether ``return`` and ``nil`` are words, whether சரம் is a type, and what the
braces behind a call are when they are empty.

All parse errors of a file are reported that can be told apart without guessing. After an error
the rest of the statement is skipped, which is known exactly as long as all brackets of the file
match; when they do not, the first error is the only one. What nests deeper than ``MAX_DEPTH`` is
an error of its own, long chains of operators are not deep.
"""

from __future__ import annotations

from bisect import bisect_right

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.keywords import WORD_OF
from etamil_actors.language.lexer import Token
from etamil_actors.language.parse_cursor import MOST_PROBLEMS, STRING_TYPE, Parsed
from etamil_actors.language.parse_expressions import called
from etamil_actors.language.parse_statements import Statements
from etamil_actors.language.problems import NotAllowedHere, NotAStatement, Problem, WrongBraces
from etamil_actors.language.source import Source


def parse(tokens: list[Token], source: Source) -> tuple[nodes.Module, list[Problem]]:
    """The tree of a file that stands alone, and what is wrong with it."""
    parsed = parse_file(tokens, source)
    if clash := clashes(parsed, parsed.bound, parsed.shapes):
        parsed = parse_file(tokens, source, clash)
    settle_braces(parsed, {name.text for name in parsed.functions}, parsed.shapes)
    return parsed.module, parsed.problems


def parse_file(tokens: list[Token], source: Source, taken: frozenset[str] = frozenset()) -> Parsed:
    """Parse one file, with the words in ``taken`` being ordinary names."""
    parser = Statements(tokens, source, taken)
    parser.module()
    return parser.parsed


def parse_expression(tokens: list[Token], source: Source) -> tuple[nodes.Expression | None, list[Problem]]:
    """The tree of one expression, with or without a ``;`` behind it: what the shell is given."""
    parser = Statements(tokens, source, frozenset())
    value = parser.whole_expression()
    settle_braces(parser.parsed, set(), set())
    return value, parser.parsed.problems


def clashes(parsed: Parsed, bound: set[str], shapes: set[str]) -> frozenset[str]:
    """The words of a file that are names after all, given what the whole program defines."""
    names = {word for word in parsed.words if word in (shapes if word in STRING_TYPE else bound)}
    return frozenset(names) - parsed.taken


# ---- braces ---------------------------------------------------------------------------


def settle_braces(parsed: Parsed, functions: set[str], shapes: set[str]) -> None:
    """Decide what empty braces are, and refuse a block for a record and the reverse."""
    found: list[Problem] = []
    blocks: list[nodes.Block] = []
    for node in parsed.braced:
        name = called(node)
        builtin = BUILTIN_OF.get(name) if name not in functions else None
        wants_block = builtin is not None and builtin.takes in ("block", "body")
        if isinstance(node, nodes.ShapeLiteral):
            if wants_block and name not in shapes:
                found.append(_wrong_braces(node, name, "record"))
        elif node.block is not None:
            if not wants_block and (not blocks or node.block.start >= blocks[-1].end):
                blocks.append(node.block)
                found.append(_wrong_block(node, name, functions))
        elif node.options is not None and wants_block:
            if node.options.pairs:
                found.append(_wrong_braces(node, name, "record"))
            else:
                node.block = nodes.Block(node.options.start, node.options.end, [])
                node.options = None
    parsed.problems = _outside(blocks, parsed.problems) + found[:MOST_PROBLEMS]
    for literal in parsed.alone:
        if literal.name.text in shapes:
            parsed.problems.append(NotAStatement(literal.start, literal.end))
    parsed.problems.sort(key=_by_start)


def _outside(blocks: list[nodes.Block], problems: list[Problem]) -> list[Problem]:
    """The problems that do not stand in a misplaced block, where they may follow from its place."""
    starts = [block.start for block in blocks]
    kept = []
    for problem in problems:
        i = bisect_right(starts, problem.start) - 1
        if i < 0 or problem.start >= blocks[i].end:
            kept.append(problem)
    return kept


def _by_start(problem: Problem) -> int:
    return problem.start


def _wrong_block(node: nodes.Call | nodes.MethodCall, name: str, functions: set[str]) -> Problem:
    word = WORD_OF.get(name)
    if word is None or word.word != "Catch" or name in functions:
        return _wrong_braces(node, name, "block")
    return NotAllowedHere(
        node.start, node.start + len(name), found=name,
        reason_ta="இது முயல் தொகுதியை அடுத்து மட்டுமே வரலாம்",
        reason_en="it stands directly behind the block of முயல் (try)",
    )  # fmt: skip


def _wrong_braces(node: nodes.Call | nodes.MethodCall | nodes.ShapeLiteral, name: str, given: str) -> Problem:
    place = node if isinstance(node, nodes.ShapeLiteral) else node.block or node.options or node
    if given == "record":
        given_ta, given_en = "ஒரு பொருள்", "a record"
        wanted_ta, wanted_en = "சொல்லுக்குப் பிறகு ஒரு தொகுதி தேவை", "takes a block"
    else:
        given_ta, given_en = "ஒரு தொகுதி", "a block"
        wanted_ta, wanted_en = "சொல்லுக்குப் பிறகு ஒரு பொருள் மட்டுமே வரலாம்", "takes no block, only a record"
    return WrongBraces(
        place.start, place.start + 1, name=name,
        wanted_ta=wanted_ta, wanted_en=wanted_en, given_ta=given_ta, given_en=given_en,
    )  # fmt: skip
