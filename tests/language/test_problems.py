"""Mistakes as data: the list is complete, every page has its example, and what people see."""

from __future__ import annotations

import re

import pytest

from etamil_actors.language.loader import load
from etamil_actors.language.problems import (
    PROBLEMS,
    LoadFailed,
    Problem,
    UnexpectedToken,
    UnterminatedText,
    did_you_mean,
    known_problems,
    render,
)
from etamil_actors.language.source import SourceMap

OURS = sorted(code for code in PROBLEMS if re.match(r"E01|E02|W01|E030[123]", code))
FILES: dict[str, str | bytes] = {
    "அ.qmz": "செயல் f() { }",
    "ஆ.qmz": "செயல் f() { }",
    "படம்.qmz": b"\x89PNG\r\n",
}


def test_the_codes_of_the_lexer_the_parser_and_the_loader() -> None:
    assert OURS == [
        *[f"E01{n:02}" for n in range(1, 7)], *[f"E02{n:02}" for n in range(1, 15)],
        "E0301", "E0302", "E0303", "W0101",
    ]  # fmt: skip


def test_all_problems_are_known_in_the_order_of_their_codes() -> None:
    codes = list(known_problems())
    assert codes == sorted(codes) and set(OURS) < set(codes)


@pytest.mark.parametrize("code", OURS)
def test_a_problem_has_a_page_and_both_languages(code: str) -> None:
    kind = PROBLEMS[code]
    assert kind.__doc__ and kind.__doc__ is not Problem.__doc__
    assert re.search("[\u0b80-\u0bff]", kind.tamil) and re.search("[a-z]", kind.english)
    assert not re.search("[a-z]{3}", re.sub(r"\{\w+\}", "", kind.tamil))

    def holes(text: str) -> set[str]:
        return {name.removesuffix("_ta").removesuffix("_en") for name in re.findall(r"\{(\w+)\}", text)}

    assert holes(kind.tamil) == holes(kind.english)


@pytest.mark.parametrize("code", [code for code in OURS if code != "E0106"])
def test_an_example_makes_its_mistake_and_no_other(code: str) -> None:
    loaded = load("எ.கா.qmz", PROBLEMS[code].example, read=FILES.get)
    assert {problem.code for problem in loaded.problems} == {code}
    assert all(render(problem, loaded.sources) for problem in loaded.problems)


def test_a_warning_is_no_error() -> None:
    assert PROBLEMS["W0101"](0, 1).severity == "warning"
    assert PROBLEMS["E0101"](0, 1).severity == "error"


def test_two_problems_cannot_share_a_code() -> None:
    with pytest.raises(AssertionError, match="E0201"):

        class _Again(Problem):
            code = "E0201"


# ---- what people see ------------------------------------------------------------------


def at(text: str, sought: str, suggestion: str | None = None) -> str:
    """How a problem is shown that concerns ``sought``."""
    sources = SourceMap()
    sources.add("முதல்.qmz", "எதோ")
    source = sources.add("கடை.qmz", text)
    start = source.base + text.index(sought)
    problem = UnexpectedToken(
        start, start + len(sought), suggestion=suggestion, expected_ta="அ", expected_en="b", found="இ"
    )
    return render(problem, sources)


def test_a_problem_shows_its_place_both_languages_the_line_and_the_hint() -> None:
    assert at("x = 1;\nஅச்சு மொத்தம் 2;", "மொத்தம்", did_you_mean("மொத்த")) == (
        "கடை.qmz: [E0201] வரி 2, நெடுவரிசை 5: அ எதிர்பார்க்கப்பட்டது; ‘இ’ வந்துள்ளது  "
        "(line 2, column 5: expected b, found ‘இ’)\n"
        "  2 | அச்சு மொத்தம் 2;\n"
        "    |     ^^^^\n"
        "    ‘மொத்த’ என எழுத எண்ணினீர்களா?  (did you mean ‘மொத்த’?)"
    )


@pytest.mark.parametrize(
    ("text", "sought", "line", "carets"),
    [
        ("x y", "y", "x y", "  ^"),
        ("x", "", "x", "^"),
        ("", "", "", "^"),
        ("\tx y", "y", "\tx y", "\t  ^"),
        ("変数 y", "y", "変数 y", "     ^"),
        ("x 変数", "変数", "x 変数", "  ^^^^"),
        ('"a\nb" c', '"a\nb"', '"a', "^^"),
        ("கி கொ", "கொ", "கி கொ", "  ^"),
        ("x \u202e y", "y", "x \ufffd y", "    ^"),
        ("x \x1b[31m y", "y", "x \ufffd[31m y", "        ^"),
    ],
)
def test_carets_stand_under_what_a_reader_sees(text: str, sought: str, line: str, carets: str) -> None:
    _, shown, below = at(text, sought).split("\n")
    assert shown == f"  1 | {line}"
    assert below == f"    | {carets}"


def test_of_a_long_line_the_part_around_the_place_is_shown() -> None:
    _, shown, below = at("அ" * 500 + "x" + "ஆ" * 500, "x").split("\n")
    assert shown == "  1 | …" + "அ" * 49 + "x" + "ஆ" * 50 + "…"
    assert below.index("^") == shown.index("x")


def test_the_line_number_moves_everything() -> None:
    _, shown, below = at("\n" * 99 + "x y", "y").split("\n")
    assert (shown, below) == ("  100 | x y", "      |   ^")


def test_loading_that_failed_tells_everything() -> None:
    sources = SourceMap()
    sources.add("a.qmz", '"')
    problem = UnterminatedText(0, 1)
    failed = LoadFailed([problem], sources)
    assert str(failed) == render(problem, sources)
    assert failed.problems == [problem] and failed.sources is sources
    assert repr(problem) == "<E0102 0–1: the text that begins here has no end; it needs a closing ‘\"’>"
