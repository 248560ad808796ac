"""Which word was perhaps meant."""

import pytest

from etamil_actors.language.nearby import distance, nearest


@pytest.mark.parametrize(
    ("word", "candidates", "meant"),
    [
        ("எனல்", ["எனில்", "சுற்று"], "எனில்"),
        ("செயள்", ["செயல்", "பெயர்"], "செயல்"),
        ("moqqam", ["மொத்தம்"], "மொத்தம்"),
        ("மொத்தம்", ["moqqam"], "moqqam"),
        ("timeot", ["timeout", "time"], "timeout"),
        ("tiemout", ["timeout"], "timeout"),
        ("Timeout", ["timeout"], "timeout"),
        ("max_size", ["maxsize"], "maxsize"),
        ("பெயர்", ["விலை", "அளவு"], None),
        ("x", ["y", "z"], None),
        ("", ["a"], None),
        ("அளவு", [], None),
        ("அளவு", ["அளவு", "அளவுகள்"], None),
    ],
)
def test_the_nearest_word(word: str, candidates: list[str], meant: str | None) -> None:
    assert nearest(word, candidates) == meant


def test_of_equally_near_words_the_first() -> None:
    assert nearest("abcde", ["abcdx", "abcdy"]) == "abcdx"


def test_a_nearer_word_wins_over_an_earlier_one() -> None:
    assert nearest("abcdefgh", ["abcdefxy", "abcdefgx"]) == "abcdefgx"


def test_long_words_are_not_compared() -> None:
    assert nearest("a" * 10_000, ["a" * 9_999]) is None


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ab", 1), ("abc", "acb", 1), ("abc", "xyz", 3)],
)
def test_a_swap_is_one_slip(one: str, other: str, slips: int) -> None:
    assert distance(one, other, 10) == slips
