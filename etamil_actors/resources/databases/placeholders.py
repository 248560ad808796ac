"""SQL as far as placeholders and semicolons need it: what is a literal, what a comment, what a parameter.

Programs write ``?``, ``?2`` and ``$2`` on every kind of database, and ``??`` for a plain ``?``. A bare ``?``
is the parameter after the highest one so far, as SQLite counts. A text is cut into *pieces* that, put
together, are the text again; only what is a parameter changes, so nothing inside a literal, a quoted name
or a comment ever does. Values never become part of the text.

Where the kinds differ: PostgreSQL nests comments and knows ``$tag$ … $tag$`` and ``E'…'``; MySQL escapes by
backslash, quotes texts with ``"`` too, begins comments with ``#``, and takes ``--`` for one only before a
space; SQLite and MySQL quote names with `````, SQLite with ``[ ]`` as well. What is not closed runs to the
end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Final

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Datum, Kind, PoolSettings

MOST_PARAMETERS: Final = 32_766
"""What SQLite takes; the others take more."""
KEPT: Final = 1024
"""Translated texts that are kept."""
LONGEST_KEPT: Final = 16 * 1024
"""Letters of a text that is kept; longer ones are rare and made for once."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A text of SQL as its database wants it."""

    text: str
    """SQLite ``?N``, PostgreSQL ``$N``, MySQL ``?``."""
    count: int
    """How many parameters the program has to give."""
    order: tuple[int, ...] | None
    """For MySQL: which parameter each ``?`` takes, from 0. Nothing: all of them, as they are given."""


def translate(sql: str, kind: Kind) -> Translated:
    """The text with the placeholders of this kind of database.

    Raises:
        Fault: ``db.query``; a parameter with an impossible number.
    """
    return _kept(sql, kind) if len(sql) <= LONGEST_KEPT else _translate(sql, kind)


def arranged(translated: Translated, parameters: Sequence[Datum]) -> Sequence[Datum]:
    """The parameters in the order in which the translated text wants them.

    Raises:
        Fault: ``db.query``; too many or too few.
    """
    if len(parameters) != translated.count:
        raise wrong_count(translated.count, len(parameters))
    order = translated.order
    return parameters if order is None else [parameters[index] for index in order]


def wrong_count(wanted: int, given: int) -> Fault:
    """The error for too many or too few parameters."""
    return Fault(
        "db.query",
        tamil=f"SQL தோல்வி: {wanted} அளவுருக்கள் தேவை; {given} கொடுக்கப்பட்டன",
        english=f"SQL failed: {wanted} parameter(s) wanted, {given} given",
    )


def _translate(sql: str, kind: Kind) -> Translated:
    made: list[str] = []
    order: list[int] = []
    highest = 0
    for what, text in pieces(sql, kind):
        if what == "parameter":
            number = _number(text) or highest + 1
            highest = max(highest, number)
            order.append(number - 1)
            made.append({"sqlite": f"?{number}", "postgres": f"${number}", "mysql": "?"}[kind])
        elif what == "escaped":
            made.append("?")
        else:
            made.append(text)
    if kind != "mysql":
        return Translated("".join(made), highest, None)
    return Translated("".join(made), highest, tuple(order))


_kept = lru_cache(maxsize=KEPT)(_translate)


def _number(text: str) -> int:
    """The number of a placeholder; 0 for a bare ``?``."""
    if text == "?":
        return 0
    number = int(text[1:]) if len(text) < 8 else MOST_PARAMETERS + 1
    if 1 <= number <= MOST_PARAMETERS:
        return number
    raise Fault(
        "db.query",
        tamil=f"SQL தோல்வி: ‘{text}’ என்ற அளவுரு இருக்க முடியாது (1 முதல் {MOST_PARAMETERS} வரை)",
        english=f"SQL failed: there can be no parameter ‘{text}’ (1 to {MOST_PARAMETERS})",
    )


# ---- pieces ---------------------------------------------------------------------------------

_LETTER = r"A-Za-z_\u0080-\U0010ffff"
_SIMPLE = r"'(?:[^']++|'')*+'?"
_NAME = r'"(?:[^"]++|"")*+"?'
_BACKTICK = r"`(?:[^`]++|``)*+`?"
_PATTERNS: Final[dict[Kind, dict[str, str]]] = {
    "sqlite": {
        "comment": r"--[^\n]*|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?",
        "literal": rf"{_SIMPLE}|{_NAME}|{_BACKTICK}|\[[^\]]*\]?",
    },
    "postgres": {
        "comment": r"--[^\n\r]*",
        "nested": r"/\*",
        "dollar": rf"\$(?:[{_LETTER}][{_LETTER}0-9]*)?\$",
        "literal": rf"[eE]'(?:[^'\\]++|''|\\.)*+'?|{_SIMPLE}|{_NAME}",
    },
    "mysql": {
        "comment": r"\#[^\n]*|--(?=[\s\x00-\x1f]|\Z)[^\n]*|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?",
        "literal": rf"""'(?:[^'\\]++|''|\\.)*+'?|"(?:[^"\\]++|""|\\.)*+"?|{_BACKTICK}""",
    },
}
_COMMON: Final = {
    "word": rf"[{_LETTER}][{_LETTER}0-9$]*",
    "number": r"[0-9][0-9A-Za-z_.]*",
    "escaped": r"\?\?",
    "parameter": r"\?[0-9]*|\$[0-9]+",
    "semicolon": r";",
    "space": r"\s+",
    "other": r".",
}
_PIECE: Final = {
    kind: re.compile("|".join(f"(?P<{name}>{one})" for name, one in {**own, **_COMMON}.items()), re.DOTALL)
    for kind, own in _PATTERNS.items()
}
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


def pieces(sql: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """What the text is made of, each with its kind: ``literal`` (quoted names too), ``comment``, ``word``,
    ``number``, ``parameter``, ``escaped``, ``semicolon``, ``space`` and ``other``."""
    match = _PIECE[kind].match
    at = 0
    while found := match(sql, at):
        what, end = found.lastgroup or "other", found.end()
        if what == "nested":
            what, end = "comment", _end_of_nested(sql, at)
        elif what == "dollar":
            closing = sql.find(found[0], end)
            what, end = "literal", len(sql) if closing < 0 else closing + len(found[0])
        yield what, sql[at:end]
        at = end


def _end_of_nested(sql: str, at: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(sql)


# ---- statements -----------------------------------------------------------------------------

_HAS_BODY: Final = frozenset(("trigger", "procedure", "function", "event", "package"))
_MADE: Final = _HAS_BODY | {
    "table", "index", "view", "sequence", "type", "domain", "schema", "database", "user", "role", "extension",
}  # fmt: skip
"""What is created: the first of these words after CREATE."""
_ENDS_NO_BLOCK: Final = frozenset(("if", "loop", "while", "repeat", "for"))


def statements(sql: str, kind: Kind) -> list[str]:
    """The statements of a text that holds several, without the semicolons between them.

    A semicolon between BEGIN and END of a trigger, a function or a procedure parts nothing.
    """
    found: list[str] = []
    made: list[str] = []
    words: list[str] = []
    depth = 0
    is_empty = True
    before = ""
    """The last piece that is no space and no comment."""
    for what, text in pieces(sql, kind):
        if what == "semicolon" and not depth:
            if not is_empty:
                found.append("".join(made).strip())
            made, words, is_empty, before = [], [], True, ""
            continue
        made.append(text)
        if what in ("space", "comment"):
            continue
        is_empty = False
        if what == "word" and before != ".":  # new.end is a column
            words.append(text.lower())
            if kind != "sqlite":
                depth = _depth(words, depth)
            elif words[0] == "create" and words[-1] == "trigger" == _made(words):
                depth = 1
            elif depth and words[-1] == "end" and before == ";":
                depth = 0  # so SQLite itself finds the end
        before = text
    if not is_empty:
        found.append("".join(made).strip())
    return found


def _depth(words: list[str], depth: int) -> int:
    """How many blocks are open after the last of these words, with which a statement begins."""
    if words[0] != "create" or _made(words) not in _HAS_BODY:
        return 0
    last, before = words[-1], words[-2]
    if before == "end" and last == "case":
        return depth
    if before == "end" and last in _ENDS_NO_BLOCK:
        return depth + 1
    if last in ("begin", "case"):
        return depth + 1
    return max(0, depth - 1) if last == "end" else depth


def _made(words: list[str]) -> str:
    """What a statement creates, as far as its words so far tell."""
    return next((word for word in words if word in _MADE), "")


def is_blank(sql: str, kind: Kind) -> bool:
    """Is there no statement in it, only spaces, comments and semicolons?"""
    return all(what in ("space", "comment", "semicolon") for what, _ in pieces(sql, kind))


def limit_of(sql: str, settings: PoolSettings) -> float:
    """How many rows this may answer. What RETURNING brings is not counted: whoever is told that there are too
    many has to know that nothing is changed."""
    if "returning" in sql.lower():
        if any(what == "word" and text.lower() == "returning" for what, text in pieces(sql, settings.kind)):
            return inf
    return settings.max_rows or inf


def first_word(sql: str, kind: Kind) -> str:
    """The word with which the statement begins, in small letters."""
    for what, text in pieces(sql, kind):
        if what not in ("space", "comment", "semicolon") and text != "(":
            return text.lower() if what == "word" else ""
    return ""
