"""Writes the grammar with which editors colour eTamil, from the tables that the runtime itself uses.

    python tools/editor_files.py            writes editors/etamil.tmLanguage.json
    python tools/editor_files.py --check    compares only; status 1 when it is out of date

The rules are in ``etamil_actors/highlighting.py``; here is the form in which TextMate grammars have them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from etamil_actors.highlighting import ESCAPES, EXTENSION, TEXT, Kind, Letters, Rule, rules  # noqa: E402

GRAMMAR = REPOSITORY / "editors" / "etamil.tmLanguage.json"

LANGUAGE = "etamil"

MADE = "This file is made by tools/editor_files.py from the tables; change those instead."

LETTERS = Letters(r"\p{L}_\u0b80-\u0bff", r"\p{L}\p{M}\p{Nd}_\u0b80-\u0bff\u200c\u200d")


def grammar() -> dict[str, Any]:
    """The whole grammar."""
    return {
        "information_for_contributors": [MADE],
        "name": "eTamil",
        "scopeName": f"source.{LANGUAGE}",
        "fileTypes": [EXTENSION],
        "patterns": [
            {
                "name": _scope(TEXT),
                "begin": '"',
                "end": '"',
                "patterns": [
                    _pattern(ESCAPES),
                    {"match": r"\\.", "name": f"invalid.illegal.escape.{LANGUAGE}"},
                ],
            },
            *[_pattern(_in_oniguruma(rule)) for rule in rules(LETTERS)],
            {"match": r"\S", "name": f"invalid.illegal.character.{LANGUAGE}"},
        ],
    }


def _in_oniguruma(rule: Rule) -> Rule:
    # JSON carries the characters themselves, so that every engine reads them.
    for code in ("0b80", "0bff", "200c", "200d"):
        rule = rule._replace(pattern=rule.pattern.replace(rf"\u{code}", chr(int(code, 16))))
    return rule


def _pattern(rule: Rule) -> dict[str, Any]:
    if len(rule.kinds) == 1:
        (kind,) = rule.kinds
        assert kind is not None
        return {"match": rule.pattern, "name": _scope(kind)}
    captures = {
        str(number): {"name": _scope(kind)} for number, kind in enumerate(rule.kinds, 1) if kind is not None
    }
    return {"match": rule.pattern, "captures": captures}


def _scope(kind: Kind) -> str:
    return f"{kind.scope}.{LANGUAGE}"


def text() -> str:
    """The grammar as its file holds it."""
    return json.dumps(grammar(), ensure_ascii=False, indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or say whether it is out of date."""
    wanted = text()
    if "--check" in arguments:
        if GRAMMAR.exists() and GRAMMAR.read_text(encoding="utf-8") == wanted:
            return 0
        path = GRAMMAR.relative_to(REPOSITORY)
        sys.stderr.write(f"✗ {path}: ‘make docs’ தேவை  (is out of date; run ‘make docs’)\n")
        return 1
    GRAMMAR.parent.mkdir(exist_ok=True)
    GRAMMAR.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
