"""How eTamil is coloured: one list of rules, for the grammar of editors and for the lexer of Pygments.

The words are those of the tables; nothing about one is typed here but when a word that is a keyword only
at its place is taken for one. A rule is a regular expression in what Python's ``re`` and Oniguruma have in
common. How a name is written differs between the two, so ``Letters`` says it.

``tools/editor_files.py`` writes ``editors/etamil.tmLanguage.json`` from this; ``pygments_lexer.py`` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from unicodedata import normalize

from etamil_actors.language.builtins import BUILTINS
from etamil_actors.language.keywords import KEYWORDS, WORDS, Keyword, Word

EXTENSION: Final = "qmz"


class Letters(NamedTuple):
    """What a name is made of, as a regular expression has it between ``[`` and ``]``."""

    first: str
    more: str

    @property
    def name(self) -> str:
        """A whole name."""
        return f"[{self.first}][{self.more}]*"


class Kind(NamedTuple):
    """What something is, for an editor and for Pygments."""

    scope: str
    """Of TextMate, without the name of the language at its end."""
    token: str
    """The name of Pygments' token type."""


TYPE: Final = Kind("storage.type", "Keyword.Type")
CONSTANT: Final = Kind("constant.language", "Keyword.Constant")
METHOD: Final = Kind("constant.other.method", "Keyword.Constant")
BACKEND: Final = Kind("support.constant.backend", "Keyword.Constant")
WORD_OPERATOR: Final = Kind("keyword.operator.word", "Operator.Word")
CONTROL: Final = Kind("keyword.control", "Keyword")
IMPORT: Final = Kind("keyword.control.import", "Keyword.Namespace")
DECLARATION: Final = Kind("storage.type.declaration", "Keyword.Declaration")
STATEMENT: Final = Kind("keyword.other", "Keyword")
RESERVED: Final = Kind("keyword.other.reserved", "Keyword.Reserved")
VOCABULARY: Final = Kind("variable.other.vocabulary", "Name.Variable")
"""Words with a meaning of their own that programs use as names."""
SELF: Final = Kind("variable.language", "Name.Builtin.Pseudo")
BUILTIN: Final = Kind("support.function", "Name.Builtin")
FUNCTION_NAME: Final = Kind("entity.name.function", "Name.Function")
TYPE_NAME: Final = Kind("entity.name.type", "Name.Class")
MEMBER: Final = Kind("variable.other.member", "Name.Attribute")
CALLED: Final = Kind("entity.name.function.call", "Name.Function")
NAME: Final = Kind("variable.other", "Name")
COMMENT: Final = Kind("comment.line.double-slash", "Comment.Single")
TEXT: Final = Kind("string.quoted.double", "String.Double")
ESCAPE: Final = Kind("constant.character.escape", "String.Escape")
NUMBER: Final = Kind("constant.numeric", "Number")
OPERATOR: Final = Kind("keyword.operator", "Operator")
PUNCTUATION: Final = Kind("punctuation", "Punctuation")

SPACE: Final = "[ \\t]"


class Rule(NamedTuple):
    """What matches is of these kinds: the whole of it, or with several its groups, one after the other."""

    pattern: str
    kinds: tuple[Kind | None, ...]


ESCAPES: Final = Rule(r'\\[ntr"\\]', (ESCAPE,))

_BY_FAMILY: Final = {
    "type": TYPE,
    "literal": CONSTANT,
    "operator": WORD_OPERATOR,
    "contextual": DECLARATION,
    "plain_word": VOCABULARY,
    "financial": VOCABULARY,
    "statement": STATEMENT,
    "backend": BACKEND,
    "sql_clause": STATEMENT,
    "http_method": METHOD,
    "reserved_word": RESERVED,
}
_BY_TOKEN: Final = {
    **dict.fromkeys(("If", "Else", "Loop", "ForEach", "In", "Return"), CONTROL),
    "Function": DECLARATION,
    "Import": IMPORT,
}


def kind_of_keyword(keyword: Keyword) -> Kind:
    """What a keyword of eTamil 2.0 is."""
    return _BY_TOKEN.get(keyword.token) or _BY_FAMILY[keyword.family]


def _places(letters: Letters) -> dict[str, tuple[Kind, str]]:
    """By word: its kind, and what follows where it is a keyword."""
    name = letters.name
    block, call = r"(?=\s*\{)", rf"(?=\s+{name}\s*\()"
    return {
        "Try": (CONTROL, block),
        "Catch": (CONTROL, rf"(?=\s*\(\s*{name}\s*\)\s*\{{)"),
        "Finally": (CONTROL, block),
        "Choose": (CONTROL, block),
        "After": (CONTROL, rf"(?=[ \t]+(?!{_any(_spellings_of('In'))}\s)[^={{}};\n]*\{{)"),
        "Otherwise": (CONTROL, block),
        "OnStop": (DECLARATION, block),
        "Task": (DECLARATION, call),
        "Agent": (DECLARATION, call),
        "Message": (DECLARATION, call),
        "Class": (DECLARATION, rf"(?=\s+{name}\s*\{{)"),
        "Break": (CONTROL, r"(?=\s*;)"),
        "Continue": (CONTROL, r"(?=\s*;)"),
        "Test": (DECLARATION, r'(?=\s*")'),
        "Return": (CONTROL, r"(?!\s*(?:=(?!=)|[.:]))"),
        "Nil": (CONSTANT, ""),
        "String": (TYPE, rf"(?=\s+{name})"),
        "Function": (DECLARATION, ""),
        "Route": (STATEMENT, ""),
        "When": (CONTROL, ""),
        "Response": (STATEMENT, r"(?!\s*[=.\[:;])"),
        "Get": (METHOD, ""),
        "Post": (METHOD, ""),
        "Self": (SELF, ""),
    }


_LIVE: Final = ("Sse", "Stream", "WebSocket", "Static")
"""Words that are keywords behind the one that begins a route, and often names elsewhere."""

_AFTER_A_COLON: Final = frozenset(("String",))
"""Words that name a type where one stands, and are ordinary names elsewhere."""


def rules(letters: Letters) -> list[Rule]:
    """All rules but for texts, in the order in which they are tried."""
    name = letters.name
    end = f"(?![{letters.more}])"
    places = _places(letters)
    contextual = {word.word: word for word in WORDS}
    missing = {word.word for word in WORDS} - {*places, *_LIVE}
    assert not missing, f"it is not said when these are keywords: {missing}"
    routes = _any((*_spellings_of("Route"), *_written(contextual["Route"].spellings)))
    definers = (
        *_spellings_of("Function"),
        *_written(contextual["Function"].spellings),
        *_written(_of(contextual, ("Task", "Agent", "Message"))),
    )
    shapes = (*_spellings_of("Shape"), *_written(contextual["Class"].spellings))
    made = [
        Rule("//[^\\n]*", (COMMENT,)),
        Rule(r"[0-9]+(?:\.[0-9]+)?%?", (NUMBER,)),
        # What is named behind செயல், முகவர், வடிவம் …
        Rule(rf"({_any(definers)}{end})(\s+)({name})(?=\s*\()", (DECLARATION, None, FUNCTION_NAME)),
        Rule(rf"({_any(shapes)}{end})(\s+)({name})(?=\s*\{{)", (DECLARATION, None, TYPE_NAME)),
        Rule(
            rf"({routes}{end})(\s+)({_any(_written(_of(contextual, _LIVE)))}{end})(?=\s*,)",
            (STATEMENT, None, METHOD),
        ),
        # A colon makes a word the name of a field or variable, and a type stands behind it.
        Rule(
            rf"(:)({SPACE}*)({_any(_written(_of(contextual, _AFTER_A_COLON)))}{end})",
            (PUNCTUATION, None, TYPE),
        ),
        Rule(rf"(\.)({SPACE}*)({name})(?=\s*\()", (PUNCTUATION, None, CALLED)),
        Rule(rf"(\.)({SPACE}*)({name})", (PUNCTUATION, None, MEMBER)),
        Rule(rf"{name}(?={SPACE}*:)", (MEMBER,)),
    ]
    for word, (kind, place) in places.items():
        made.append(Rule(_any(_written(contextual[word].spellings)) + end + place, (kind,)))
    by_kind: dict[Kind, list[str]] = {}
    for keyword in KEYWORDS:
        by_kind.setdefault(kind_of_keyword(keyword), []).extend(_written(keyword.spellings))
    for kind, words in by_kind.items():
        made.append(Rule(_any(words) + end + (r"(?!\s*\()" if kind is VOCABULARY else ""), (kind,)))
    return [
        *made,
        Rule(rf"{_any(_builtins(named=True))}{end}", (BUILTIN,)),
        Rule(rf'{_any(_builtins(named=False))}{end}(?=\s*[({{"0-9])', (BUILTIN,)),
        Rule(rf"{name}(?=\s*\()", (CALLED,)),
        Rule(name, (NAME,)),
        Rule(r"==|!=|>=|<=|[><=+\-*/&?]", (OPERATOR,)),
        Rule(r"[\[\].(){}:,;]", (PUNCTUATION,)),
    ]


def _builtins(*, named: bool) -> list[str]:
    """Spellings of builtins; ``named``: of those that stand without a bracket."""
    rows = [row for row in BUILTINS if ("name" in row.takes.split()) == named]
    return [spelling for row in rows for spelling in _written(row.spellings)]


def _spellings_of(token: str) -> list[str]:
    return _written(next(keyword.spellings for keyword in KEYWORDS if keyword.token == token))


def _of(words: dict[str, Word], names: Iterable[str]) -> list[str]:
    return [spelling for name in names for spelling in words[name].spellings]


def _written(spellings: Iterable[str]) -> list[str]:
    """Spellings, and those with signs in two parts that mean the same."""
    return list(dict.fromkeys(form for one in spellings for form in (one, normalize("NFD", one))))


def _any(words: Sequence[str]) -> str:
    # The longest first: one spelling may begin another.
    return f"(?:{'|'.join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))})"
