"""The lexer for Pygments, which colours eTamil on pages and in terminals; only Pygments imports this.

It is found by its entry point: ``pygmentize -l etamil kadai.qmz``, or ``code-block:: etamil`` in Sphinx.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Error, String, Whitespace, string_to_tokentype
from pygments.unistring import xid_continue, xid_start

from etamil_actors.highlighting import ESCAPES, EXTENSION, Kind, Letters, Rule, rules

_TAMIL = "\u0b80-\u0bff"
_JOINERS = "\u200c\u200d"


def _token(kind: Kind | None) -> Any:
    return Whitespace if kind is None else string_to_tokentype(kind.token)


def _as_row(rule: Rule) -> tuple[str, Any]:
    tokens = [_token(kind) for kind in rule.kinds]
    return rule.pattern, tokens[0] if len(tokens) == 1 else bygroups(*tokens)


class EtamilLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """eTamil: Tamil keywords, ``.qmz`` files."""

    name = "eTamil"
    aliases: ClassVar[list[str]] = ["etamil", EXTENSION]
    filenames: ClassVar[list[str]] = [f"*.{EXTENSION}"]
    mimetypes: ClassVar[list[str]] = ["text/x-etamil"]
    url = "https://pypi.org/project/etamil-actors/"

    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"\s+", Whitespace),
            (r'"', String.Double, "text"),
            *map(_as_row, rules(Letters(f"_{_TAMIL}{xid_start}", f"{_TAMIL}{_JOINERS}{xid_continue}"))),
        ],
        "text": [
            (r'[^"\\]+', String.Double),
            _as_row(ESCAPES),
            (r'"', String.Double, "#pop"),
            (r"\\", Error),
        ],
    }
