"""``fmt``: every program in one layout.

Four spaces for each level, the opening brace at the end of its line, one statement a line,
spaces around operators, at most one empty line, lines of at most 100 columns where that is
possible. Texts, comments and the spelling of keywords are the author's and stay; look-alike
letters of other scripts inside Tamil words become the Tamil ones. Semicolons that do nothing
are taken out: alone, or behind a call that ends with a block.

The text is cut into pieces (``format_pieces.py``) and these are laid out (``format_layout.py``).
What comes out is read again and compared with the original before anybody sees it: a formatter
that changes what a program means is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence

from etamil_actors.errors import InternalError
from etamil_actors.language import nodes
from etamil_actors.language.format_facts import Facts
from etamil_actors.language.format_layout import write
from etamil_actors.language.format_pieces import lines_of, words_of
from etamil_actors.language.lexer import COMMENT, NUMBER, PERCENTAGE, TEXT, Token, lex
from etamil_actors.language.parser import parse
from etamil_actors.language.problems import LoadFailed, Problem
from etamil_actors.language.source import Source, SourceMap


def format_source(text: str, name: str = "<text>") -> str:
    """A program in its canonical layout.

    Raises ``LoadFailed`` when it does not parse: there is no layout for what has no structure.
    """
    source, tokens, module = _read(name, text)
    facts = Facts(module, _without_comments(tokens))
    words = words_of(tokens, source, facts)
    written = write(lines_of(words, facts), words[-1])
    _compare(_read(name, written), tokens, module)
    return written


def _read(name: str, text: str) -> tuple[Source, list[Token], nodes.Module]:
    sources = SourceMap()
    source = sources.add(name, text)
    tokens, problems = lex(source, comments=True)
    _refuse(problems, sources)
    module, problems = parse(_without_comments(tokens), source)
    _refuse(problems, sources)
    return source, tokens, module


def _refuse(problems: Sequence[Problem], sources: SourceMap) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise LoadFailed(errors, sources)


def _without_comments(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.kind != COMMENT]


# ---- the same program? ----------------------------------------------------------------


def _compare(
    written: tuple[Source, list[Token], nodes.Module],
    tokens: Sequence[Token],
    module: nodes.Module,
) -> None:
    if _meaning(written[1]) != _meaning(tokens) or not same_tree(written[2], module):
        raise InternalError(f"the layout of {written[0].name} would change what it means")


def _meaning(tokens: Sequence[Token]) -> list[tuple[str, object]]:
    """What must not change: all tokens but semicolons, in their order, then all comments."""
    kept = [
        (token.kind, token.text if token.kind in _LITERALS else token.value)
        for token in tokens
        if token.kind not in (";", COMMENT)
    ]
    return kept + [(COMMENT, token.text.rstrip()) for token in tokens if token.kind == COMMENT]


_LITERALS = frozenset({TEXT, NUMBER, PERCENTAGE})


_NOT_COMPARED = frozenset({"start", "end", "written", "word"})
"""Places, and the words as typed: these may have had a look-alike letter."""


def same_tree(one: nodes.Node, other: nodes.Node) -> bool:
    """Whether two trees are alike, places and empty statements aside."""
    pending: list[tuple[object, object]] = [(one, other)]
    while pending:
        left, right = pending.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, nodes.Node):
            slots = [slot for kind in type(left).__mro__ for slot in getattr(kind, "__slots__", ())]
            pending += [
                (getattr(left, slot), getattr(right, slot)) for slot in slots if slot not in _NOT_COMPARED
            ]
        elif isinstance(left, list) and isinstance(right, list):
            lefts, rights = _not_empty(left), _not_empty(right)
            if len(lefts) != len(rights):
                return False
            pending += zip(lefts, rights, strict=True)
        elif left != right:
            return False
    return True


def _not_empty(items: list[object]) -> list[object]:
    return [item for item in items if type(item) is not nodes.Empty]
