"""Letters as a reader sees them, and searching between them (REFERENCE §6)."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.vm import limits, text

FAMILY = "👨‍👩‍👧"
CLUSTER = regex.compile(r"\X")

EXAMPLES = [
    ("வணக்கம்", ["வ", "ண", "க்", "க", "ம்"]),
    ("க்ஷ", ["க்", "ஷ"]),
    ("a\r\nb", ["a", "\r\n", "b"]),
    ("\r\r\n\n", ["\r", "\r\n", "\n"]),
    (f"அ{FAMILY}!", ["அ", FAMILY, "!"]),
    ("é=é", ["é", "=", "é"]),
    ("கொ", ["கொ"]),
    ("ா", ["ா"]),
    ("\nா", ["\n", "ா"]),
    ("₹5 – “சரி”…", ["₹", "5", " ", "–", " ", "“", "ச", "ரி", "”", "…"]),
    ("क्षि", ["क्षि"]),
    ("🇮🇳🇱🇰", ["🇮🇳", "🇱🇰"]),
    ("", []),
    ("plain", list("plain")),
]


@pytest.mark.parametrize(("whole", "expected"), EXAMPLES)
def test_letters_are_grapheme_clusters(whole: str, expected: list[str]) -> None:
    assert text.letters(whole) == expected
    assert text.length(whole) == len(expected)
    assert [text.letter_at(whole, place) for place in range(len(expected))] == expected


@pytest.mark.parametrize(("whole", "_letters"), EXAMPLES)
@pytest.mark.parametrize("index", [-1, 100])
def test_an_index_outside_is_a_fault(whole: str, _letters: list[str], index: int) -> None:
    with pytest.raises(Fault) as caught:
        text.letter_at(whole, index)
    assert caught.value.code == "index.range"
    assert caught.value.details == {"index": index, "length": len(_letters)}


def test_the_rule_for_simple_text_is_the_one_of_unicode() -> None:
    simple = sorted(text._SIMPLE)
    for first in simple:
        for second in simple:
            joined = len(CLUSTER.findall(first + second)) == 1
            assert joined == (not text._starts_simply(first + second, 1)), (first, second)


MIXED = st.text(st.sampled_from("aZ \n\t\rகஷா்ிஃ0௧₹é\u0301\u200d\u200c👩👧🇮🇳क्षि\u00ad—"), max_size=12)


@given(MIXED)
@settings(deadline=None)
def test_letters_agree_with_unicode(whole: str) -> None:
    expected = CLUSTER.findall(whole)
    assert text.letters(whole) == expected
    assert text.length(whole) == len(expected)


@given(MIXED, st.integers(-3, 14), st.none() | st.integers(-3, 14))
@settings(deadline=None)
def test_slices_are_clipped(whole: str, start: int, end: int | None) -> None:
    expected = text.letters(whole)[max(0, start) : None if end is None else max(0, end)]
    assert text.slice_letters(whole, start, end) == "".join(expected)


# ---- searching --------------------------------------------------------------------------------


def places(whole: str, part: str) -> list[int]:
    """Occurrences by code point from the left, then those on letter boundaries, word for word."""
    boundaries = {0, len(whole), *(match.start() for match in CLUSTER.finditer(whole))}
    found, place = [], whole.find(part)
    while place >= 0:
        found.append(place)
        place = whole.find(part, place + len(part))
    return [place for place in found if {place, place + len(part)} <= boundaries]


@given(MIXED, st.text(st.sampled_from("aகா்\r\n👩\u200d"), min_size=1, max_size=2), MIXED)
@settings(deadline=None)
def test_splitting_and_replacing_respect_letters(whole: str, part: str, new: str) -> None:
    found = places(whole, part)
    starts = [0, *(place + len(part) for place in found)]
    pieces = [whole[start:end] for start, end in zip(starts, [*found, len(whole)], strict=True)]
    assert text.split(whole, part) == pieces
    assert text.replace(whole, part, new) == new.join(pieces)


@pytest.mark.parametrize(
    ("whole", "separator", "expected"),
    [
        ("கா", "ா", ["கா"]),
        ("அ,", ",", ["அ", ""]),
        ("", ",", [""]),
        ("அ,ஆ", "", ["அ,ஆ"]),
        (",,", ",", ["", "", ""]),
        ("க்க", "க", ["க்", ""]),
        ("a\r\nb", "\n", ["a\r\nb"]),
        ("a\r\nb", "\r\n", ["a", "b"]),
        ("aaa", "aa", ["", "a"]),
    ],
)
def test_splitting(whole: str, separator: str, expected: list[str]) -> None:
    assert text.split(whole, separator) == expected


@pytest.mark.parametrize(
    ("whole", "old", "new", "expected"),
    [
        ("கா க க்", "க", "ச", "கா ச க்"),
        ("வணக்கம்", "க்கம்", "!", "வண!"),
        ("abcabc", "b", "", "acac"),
        ("abc", "", "x", "abc"),
        ("👩‍👧", "👩", "x", "👩‍👧"),
    ],
)
def test_replacing(whole: str, old: str, new: str, expected: str) -> None:
    assert text.replace(whole, old, new) == expected


@pytest.mark.parametrize(
    ("whole", "part", "expected"),
    [
        ("வணக்கம்", "ணக்", True), ("வணக்கம்", "ணக", False), ("வணக்கம்", "", True), ("", "", True), ("", "x", False),
        ("கா", "க", False), ("காக", "க", True), ("abc", "bc", True), ("👩‍👧", "👧", False),
        # The first occurrence ends inside a letter, an overlapping one does not.
        ("aaa\u0301aa", "aa", True), ("aa\u0301", "aa", False),
    ],
)  # fmt: skip
def test_containing(whole: str, part: str, expected: bool) -> None:
    assert text.contains(whole, part) is expected


def test_trimming_takes_the_white_space_of_unicode() -> None:
    assert text.trim(" \t\n\u00a0\u3000 அ ஆ \u2028\r\n") == "அ ஆ"
    assert text.trim("\x1cஅ\u200b") == "\x1cஅ\u200b"


def test_case() -> None:
    assert text.upper("straße அ") == "STRASSE அ"
    assert text.lower("ΟΔΟΣ") == "οδος"


# ---- large ------------------------------------------------------------------------------------


def test_a_loop_over_letters_by_index_is_no_square() -> None:
    whole = "வணக்கம் " * 20_000
    assert "".join(text.letter_at(whole, place) for place in range(text.length(whole))) == whole


def test_what_grows_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VALUE_BYTES", 1000)
    monkeypatch.setattr(limits, "ELEMENTS", 1000)
    for whole in ("a" * 900, "க" * 900):
        with pytest.raises(BudgetSpent):
            text.replace(whole, whole[0], "xy")
        with pytest.raises(BudgetSpent):
            text.split(whole + whole, whole[0])
        with pytest.raises(BudgetSpent):
            text.letters(whole + whole)
