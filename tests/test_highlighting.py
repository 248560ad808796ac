"""Colours of eTamil: the lexer for Pygments and the grammar for editors, on every program that we have."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import regex
from pygments import highlight
from pygments.formatters import NullFormatter
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Error, Keyword, Name, Operator, Token

from etamil_actors import __version__
from etamil_actors.language.builtins import BUILTINS
from etamil_actors.language.keywords import KEYWORDS, WORDS
from etamil_actors.pygments_lexer import EtamilLexer

REPOSITORY = Path(__file__).resolve().parent.parent
EDITORS = REPOSITORY / "editors"
PROGRAMS = sorted(
    path
    for folder in ("examples", "services", "etamil_actors/nUlakam")
    for path in (REPOSITORY / folder).rglob("*.qmz")
)

PLACES = {
    "Try": "{0} {{ x = 1; }}",
    "Catch": "}} {0}(e) {{",
    "Finally": "}} {0} {{",
    "Choose": "{0} {{",
    "After": "{0} 5 {{ x = 1; }}",
    "Otherwise": "{0} {{",
    "OnStop": "{0} {{",
    "Task": "{0} வேலை(x) {{",
    "Agent": "{0} வங்கி() {{",
    "Message": "{0} போடு(அளவு: எண்) {{",
    "Class": "{0} பயனர் {{",
    "Break": "{0};",
    "Continue": "{0};",
    "Test": '{0} "வணக்கம்" {{',
    "Return": "{0} x;",
    "Nil": "x = {0};",
    "String": "செயல் f(பெயர்: {0}) {{",
    "Function": "{0} f(x) {{",
    "Route": '{0} பெறு, "/" {{',
    "When": "{0} x == 1 {{",
    "Response": "{0} 200, x;",
    "Get": 'வழி {0}, "/" {{',
    "Post": 'வழி {0}, "/" {{',
    "Sse": 'வழி {0}, "/" {{',
    "Stream": 'வழி {0}, "/" {{',
    "WebSocket": 'வழி {0}, "/" {{',
    "Static": 'வழி {0}, "/a", "b";',
    "Self": "செயல் f({0}) {{",
}
"""A line in which each contextual word is a keyword."""

NAMES = [
    "{0} = 5;",
    "அச்சு x & {0};",
]
"""Lines in which most of them are ordinary names."""

NEVER_NAMES = {"Nil", "Function", "Route", "When", "Response", "Get", "Post", "Self", "Return"}


def contextual() -> Iterator[tuple[str, str]]:
    for word in WORDS:
        for spelling in word.spellings:
            yield word.word, spelling


# ---- a small reader of TextMate grammars ----------------------------------------------


class Grammar:
    """Reads what our grammar uses: match, captures, begin and end, and patterns inside."""

    def __init__(self, grammar: dict[str, Any]) -> None:
        self.rules = [self._rule(pattern) for pattern in grammar["patterns"]]

    def _rule(self, pattern: dict[str, Any]) -> dict[str, Any]:
        rule = dict(pattern)
        for key in ("match", "begin", "end"):
            if key in rule:
                rule[key] = regex.compile(rule[key])
        rule["patterns"] = [self._rule(inner) for inner in rule.get("patterns", ())]
        return rule

    def pieces(self, text: str) -> list[tuple[str, str]]:
        """Pieces of a text and their scopes, line by line as editors go."""
        found: list[tuple[str, str]] = []
        inside: list[dict[str, Any]] = []
        for line in text.split("\n"):
            at = 0
            while at < len(line):
                block = inside[-1] if inside else None
                rules = block["patterns"] if block else self.rules
                best: tuple[int, Any, dict[str, Any]] | None = None
                if block and (end := block["end"].search(line, at)):
                    best = (end.start(), end, block)
                for rule in rules:
                    match = rule["match" if "match" in rule else "begin"].search(line, at)
                    if match and (best is None or match.start() < best[0]):
                        best = (match.start(), match, rule)
                name = block["name"] if block else ""
                if best is None:
                    found.append((line[at:], name))
                    break
                start, match, rule = best
                if start > at:
                    found.append((line[at:start], name))
                at = match.end()
                if rule is block:
                    inside.pop()
                    found.append((match.group(), rule["name"]))
                elif "begin" in rule:
                    inside.append(rule)
                    found.append((match.group(), rule["name"]))
                elif "captures" in rule:
                    for number in range(1, match.re.groups + 1):
                        found.append((match.group(number), rule["captures"].get(str(number), {}).get("name", "")))
                else:
                    found.append((match.group(), rule["name"]))
        return [(piece, scope) for piece, scope in found if piece.strip()]


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar(json.loads((EDITORS / "etamil.tmLanguage.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("editor_files", REPOSITORY / "tools" / "editor_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- nothing is unknown ---------------------------------------------------------------


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_pygments_knows_every_piece_of_a_program(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [value for token, value in EtamilLexer().get_tokens(text) if token is Error] == []
    assert highlight(text, EtamilLexer(stripnl=False, ensurenl=False), NullFormatter()) == text


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_an_editor_knows_every_piece_of_a_program(grammar: Grammar, path: Path) -> None:
    pieces = grammar.pieces(path.read_text(encoding="utf-8"))
    assert [piece for piece, scope in pieces if not scope or scope.startswith("invalid")] == []


def test_what_is_no_eTamil_is_shown_as_wrong(grammar: Grammar) -> None:
    assert (Error, "#") in list(EtamilLexer().get_tokens("# x"))
    assert ("#", "invalid.illegal.character.etamil") in grammar.pieces("# x")
    assert ("\\q", "invalid.illegal.escape.etamil") in grammar.pieces('அச்சு "\\q";')


# ---- every word is known --------------------------------------------------------------


def in_pygments(line: str, word: str) -> Any:
    return next(token for token, value in EtamilLexer().get_tokens(line) if value == word)


def in_editor(grammar: Grammar, line: str, word: str) -> str:
    return next(scope for piece, scope in grammar.pieces(line) if piece == word)


def test_every_spelling_of_every_keyword_is_known(grammar: Grammar) -> None:
    ordinary = (Name, Name.Function, Token)
    for keyword in KEYWORDS:
        for spelling in keyword.spellings:
            token = in_pygments(f"{spelling} ", spelling)
            assert token not in ordinary, spelling
            assert (token in Keyword or token in Operator) is not keyword.name_ok or keyword.family == "contextual"
            assert in_editor(grammar, f"{spelling} ", spelling) != "variable.other.etamil", spelling


@pytest.mark.parametrize(("word", "spelling"), list(contextual()))
def test_every_spelling_of_a_contextual_word_is_known_at_its_place(
    grammar: Grammar, word: str, spelling: str
) -> None:
    line = PLACES[word].format(spelling)
    token, scope = in_pygments(line, spelling), in_editor(grammar, line, spelling)
    assert token in Keyword or token in Name.Builtin
    assert scope.split(".")[0] in ("keyword", "storage", "constant") or scope == "variable.language.etamil"


@pytest.mark.parametrize("line", NAMES)
def test_a_contextual_word_is_a_name_everywhere_else(grammar: Grammar, line: str) -> None:
    for word, spelling in contextual():
        if word not in NEVER_NAMES and not (word in ("Break", "Continue") and line.endswith("{0};")):
            text = line.format(spelling)
            assert in_pygments(text, spelling) in Name, text
            assert in_editor(grammar, text, spelling).startswith(("variable", "support")), text


def test_every_spelling_of_every_builtin_is_known(grammar: Grammar) -> None:
    for builtin in BUILTINS:
        for spelling in builtin.spellings:
            if not any(spelling in keyword.spellings for keyword in KEYWORDS):
                assert in_pygments(f"{spelling}(x)", spelling) in Name.Builtin or spelling in (
                    known for word in WORDS for known in word.spellings
                ), spelling
                assert in_editor(grammar, f"{spelling}(x)", spelling) != "variable.other.etamil", spelling


def test_words_that_only_begin_like_keywords_are_names(grammar: Grammar) -> None:
    for word in ("எண்ணிக்கை", "செயல்முறை", "_integer", "எனில்லை", "சொல்\u200cலு"):
        assert in_pygments(f"x = {word} + 1;", word) is Name
        assert in_editor(grammar, f"x = {word} + 1;", word) == "variable.other.etamil"


def test_signs_in_two_parts_are_the_same_word(grammar: Grammar) -> None:
    assert in_pygments("ப\u0bc6\u0bbeய்;", "ப\u0bc6\u0bbeய்") in Keyword.Constant
    assert in_editor(grammar, "ப\u0bc6\u0bbeய்;", "ப\u0bc6\u0bbeய்") == "constant.language.etamil"


def test_parts_of_a_program_have_the_colours_that_people_expect(grammar: Grammar) -> None:
    text = 'செயல் வாழ்த்து(பெயர்: சொல்) சொல் { திரும்பு பெயர்.நீளம் & "\\n" & விலை(12.5%); } // முடிவு'
    assert grammar.pieces(text) == [
        (piece, f"{scope}.etamil")
        for piece, scope in (
            ("செயல்", "storage.type.declaration"),
            ("வாழ்த்து", "entity.name.function"),
            ("(", "punctuation"),
            ("பெயர்", "variable.other.member"),
            (":", "punctuation"),
            ("சொல்", "storage.type"),
            (")", "punctuation"),
            ("சொல்", "storage.type"),
            ("{", "punctuation"),
            ("திரும்பு", "keyword.control"),
            ("பெயர்", "variable.other"),
            (".", "punctuation"),
            ("நீளம்", "variable.other.member"),
            ("&", "keyword.operator"),
            ('"', "string.quoted.double"),
            ("\\n", "constant.character.escape"),
            ('"', "string.quoted.double"),
            ("&", "keyword.operator"),
            ("விலை", "entity.name.function.call"),
            ("(", "punctuation"),
            ("12.5%", "constant.numeric"),
            (")", "punctuation"),
            (";", "punctuation"),
            ("}", "punctuation"),
            ("// முடிவு", "comment.line.double-slash"),
        )
    ]


# ---- where they are found -------------------------------------------------------------


def test_pygments_finds_the_lexer_by_name_and_by_file() -> None:
    assert isinstance(get_lexer_by_name("etamil"), EtamilLexer)
    assert isinstance(get_lexer_for_filename("கடை.qmz"), EtamilLexer)


def test_the_grammar_is_what_the_tables_say(tool: ModuleType) -> None:
    assert (EDITORS / "etamil.tmLanguage.json").read_text(encoding="utf-8") == tool.text(), "run ‘make docs’"


def test_a_grammar_that_is_out_of_date_is_noticed(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "REPOSITORY", tmp_path)
    monkeypatch.setattr(tool, "GRAMMAR", tmp_path / "editors" / "etamil.tmLanguage.json")
    assert tool.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert (tool.main([]), tool.main(["--check"])) == (0, 0)


def test_the_extension_for_vs_code_names_files_that_are_there() -> None:
    package = json.loads((EDITORS / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    (language,), (grammar,) = package["contributes"]["languages"], package["contributes"]["grammars"]
    assert json.loads((EDITORS / language["configuration"]).read_text(encoding="utf-8"))["comments"]
    assert json.loads((EDITORS / grammar["path"]).read_text(encoding="utf-8"))["scopeName"] == grammar["scopeName"]
    regex.compile(json.loads((EDITORS / language["configuration"]).read_text(encoding="utf-8"))["wordPattern"])


def test_only_pygments_loads_the_lexer() -> None:
    code = "import sys, etamil_actors.cli; sys.exit('pygments' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
