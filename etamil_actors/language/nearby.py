"""Which known word was perhaps meant.

Distance is counted in letters as a reader sees them, so that கி for கீ is one slip and not a
matter of code points. A word that reads the same in Latin letters is nearest of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etamil_actors.language.romanise import romanise
from etamil_actors.language.source import clusters

_LONGEST = 60
"""Longer words are not compared: nobody mistypes one, and the comparison is quadratic."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate a reader would take for the word, if there is one; none when the word is known."""
    candidates = list(candidates)
    if len(word) > 4 * _LONGEST or word in candidates:
        return None
    letters = list(clusters(word))
    plain = romanise(word)
    best, least = None, _slips_allowed(len(letters)) + 1
    for candidate in candidates:
        if _same_sound(plain, romanise(candidate)):
            return candidate
        # Sounds differ by at most as much as letters, and lengths alone rule most words out.
        if abs(len(candidate) - len(word)) <= 3 * least:
            slips = distance(letters, list(clusters(candidate)), least)
            if slips < least:
                best, least = candidate, slips
    return best


def _slips_allowed(letters: int) -> int:
    return 0 if letters < 2 else 1 if letters <= 4 else 2 if letters <= 9 else 3


def _same_sound(one: str, other: str) -> bool:
    return one.lower().replace("_", "") == other.lower().replace("_", "")


def distance(one: Sequence[str], other: Sequence[str], limit: int) -> int:
    """Letters to put in, take out, replace or swap to make one word of the other.

    From ``limit`` on the exact number does not matter.
    """
    if abs(len(one) - len(other)) >= limit or max(len(one), len(other)) > _LONGEST:
        return limit
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, against in enumerate(other, 1):
            cost = min(above[column] + 1, current[-1] + 1, above[column - 1] + (letter != against))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == against:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) >= limit:
            return limit
        before, above = above, current
    return above[-1]
