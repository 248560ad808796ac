"""Text in letters as a reader sees them: the extended grapheme clusters of Unicode (REFERENCE §6).

A letter begins at some code point and ends where the next one begins, so all that is needed of a
text is where its letters *start*. Three kinds of text are told apart, from the cheapest:

* ASCII without CR LF: every code point is a letter.
* Simple text — Tamil, ASCII, the signs of Latin-1, punctuation and currency: a code point starts a
  letter unless it is a Tamil vowel sign, pulli or anusvara that has something to join. A test
  compares this rule with Unicode's for every pair of such code points.
* Everything else is left to ``\\X`` of the ``regex`` package, which is imported when the first
  such text turns up: it takes longer to import than most scripts run.

Nothing in here builds a list of letters where positions do: a text may hold millions of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from etamil_actors.errors import Fault
from etamil_actors.vm import limits
from etamil_actors.vm.number import WHITE_SPACE

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final

_JOINING: Final = frozenset("ஂாிீுூெேைொோௌ்ௗ")
_CONTROLS: Final = frozenset("\n\t")
_SIMPLE: Final = frozenset(
    chr(code)
    for first, last in (
        (0x20, 0x7E),  # ASCII
        (0xA0, 0xAC),  # Latin-1, without the soft hyphen
        (0xAE, 0xFF),
        (0x0B80, 0x0BFF),  # Tamil
        (0x2010, 0x2027),  # dashes, quotation marks, dots
        (0x2030, 0x205E),
        (0x20A0, 0x20BF),  # currencies
    )
    for code in range(first, last + 1)
).union(_CONTROLS)


def length(text: str) -> int:
    """How many letters a text has."""
    if _one_each(text):
        return len(text)
    signs = set(text)
    if signs <= _SIMPLE and signs.isdisjoint(_CONTROLS) and text[0] not in _JOINING:
        return len(text) - sum(map(text.count, signs & _JOINING))
    return len(_starts(text))


def letter_at(text: str, index: int) -> str:
    """The letter at this place, counted from 0.

    Raises:
        Fault: ``index.range``, when there is none.
    """
    if _one_each(text):
        if 0 <= index < len(text):
            return text[index]
        raise Fault("index.range", index=index, length=len(text))
    starts = _starts(text)
    if 0 <= index < len(starts):
        return text[starts[index] : starts[index + 1] if index + 1 < len(starts) else None]
    raise Fault("index.range", index=index, length=len(starts))


def letters(text: str) -> list[str]:
    """All letters, in order.

    Raises:
        BudgetSpent: there are more of them than an array may hold.
    """
    if _one_each(text):
        limits.admit_array(len(text))
        return list(text)
    starts = _starts(text)
    limits.admit_array(len(starts))
    ends = starts[1:]
    ends.append(len(text))
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def slice_letters(text: str, start: int, end: int | None = None) -> str:
    """The letters from one place up to, not including, another; places outside are clipped."""
    start = max(0, start)
    if _one_each(text):
        return text[start : None if end is None else max(0, end)]
    starts = _starts(text)
    if end is None or end >= len(starts):
        return text[starts[start] :] if start < len(starts) else ""
    return text[starts[start] : starts[end]] if start < end else ""


# ---- searching --------------------------------------------------------------------------------


def replace(text: str, old: str, new: str) -> str:
    """Put ``new`` for every ``old`` that begins and ends between letters. Nothing replaces "".

    Raises:
        BudgetSpent: the text would be longer than a value may be.
    """
    if not old or old not in text:
        return text
    if _one_each(text):
        limits.admit_text(len(text) + text.count(old) * (len(new) - len(old)))
        return text.replace(old, new)
    places = list(_places(text, old))
    limits.admit_text(len(text) + len(places) * (len(new) - len(old)))
    return new.join(_between(text, places, len(old)))


def split(text: str, separator: str) -> list[str]:
    """The pieces between the separators; an empty separator leaves one piece.

    Raises:
        BudgetSpent: there are more of them than an array may hold.
    """
    if not separator or separator not in text:
        return [text]
    limits.admit_array(text.count(separator) + 1)
    if _one_each(text):
        return text.split(separator)
    return _between(text, list(_places(text, separator)), len(separator))


def contains(text: str, part: str) -> bool:
    """Do the letters of a part stand in the text, one after the other?"""
    if not part or part not in text or _one_each(text):
        return part in text
    between_letters = _boundary_test(text)
    place = text.find(part)
    while place >= 0:
        if between_letters(place) and between_letters(place + len(part)):
            return True
        place = text.find(part, place + 1)
    return False


def _places(text: str, part: str) -> Iterator[int]:
    """Where a part occurs, without overlaps from the left, and then only between letters."""
    between_letters = _boundary_test(text)
    place = text.find(part)
    while place >= 0:
        end = place + len(part)
        if between_letters(place) and between_letters(end):
            yield place
        place = text.find(part, end)


def _between(text: str, places: list[int], width: int) -> list[str]:
    """What stands before, between and after the places."""
    pieces = []
    end = 0
    for place in places:
        pieces.append(text[end:place])
        end = place + width
    pieces.append(text[end:])
    return pieces


# ---- whole texts -----------------------------------------------------------------------------


def upper(text: str) -> str:
    """In upper case."""
    return text.upper()


def lower(text: str) -> str:
    """In lower case."""
    return text.lower()


def trim(text: str) -> str:
    """Without the white space at both ends."""
    return text.strip(WHITE_SPACE)


# ---- where letters start ----------------------------------------------------------------------


def _one_each(text: str) -> bool:
    """Is every code point a letter of its own, as far as one sees at a glance?"""
    return text.isascii() and "\r\n" not in text


def _boundary_test(text: str) -> Callable[[int], bool]:
    """A question to ask of places in a text: is this one between two letters, or at an end?"""
    if _SIMPLE.issuperset(text):
        return lambda place: place in (0, len(text)) or _starts_simply(text, place)
    starts = frozenset(_starts(text))
    return lambda place: place in starts or place == len(text)


def _starts_simply(text: str, place: int) -> bool:
    return text[place] not in _JOINING or place == 0 or text[place - 1] in _CONTROLS


_KEPT_LENGTH: Final = 1_000_000
_kept: dict[str, array[int]] = {}
"""The starts of a few texts, so that a loop over the letters of one by index is no square of it."""


def _starts(text: str) -> array[int]:
    """The places at which letters begin."""
    starts = _kept.get(text)
    if starts is not None:
        return starts
    signs = set(text)
    if signs <= _SIMPLE and signs.isdisjoint(_CONTROLS) and text[0] not in _JOINING:
        starts = array("I", [place for place, sign in enumerate(text) if sign not in _JOINING])
    elif signs <= _SIMPLE:
        starts = array("I", [place for place in range(len(text)) if _starts_simply(text, place)])
    else:
        starts = array("I", [match.start() for match in _clusters(text)])
    if len(_kept) >= 4:
        _kept.clear()
    if len(text) <= _KEPT_LENGTH:
        _kept[text] = starts
    return starts


_cluster_pattern: Any = None


def _clusters(text: str) -> Iterator[Any]:
    global _cluster_pattern
    if _cluster_pattern is None:
        import regex

        _cluster_pattern = regex.compile(r"\X")
    matches: Iterator[Any] = _cluster_pattern.finditer(text)
    return matches
