"""What is wrong with a cron text (EXTENSIONS §5), found before the program runs.

Five fields: minute, hour, day of the month, month, day of the week. A field is ``*`` or a list of
values, ranges and steps; months and weekdays have English names; Sunday is 0 and 7. Four things more
are understood: ``L``, the last day of the month, and ``LW``, its last working day; ``5L``, the last
Friday, and ``MON#2``, the second Monday. When a job runs is not known here: that needs a calendar and
a clock.
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST_TEXT = 500
"""Letters; a list of every minute and every hour has 240."""

_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LAST_WEEK = 5


class Field(NamedTuple):
    """One of the five fields: its names, its values, and words that stand for them."""

    tamil: str
    english: str
    low: int
    high: int
    words: tuple[str, ...]
    shown: str


FIELDS = (
    Field("நிமிடம்", "minute", 0, 59, (), "0–59"),
    Field("மணி", "hour", 0, 23, (), "0–23"),
    Field("நாள்", "day of the month", 1, 31, (), "1–31, L, LW"),
    Field(
        "மாதம்",
        "month",
        1,
        12,
        tuple("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()),
        "1–12, JAN–DEC",
    ),
    Field(
        "கிழமை",
        "day of the week",
        0,
        7,
        tuple("SUN MON TUE WED THU FRI SAT".split()),
        "0–7, SUN–SAT, 5L, MON#2",
    ),
)
_DAY, _MONTH, _WEEKDAY = FIELDS[2:]


class Mistake(NamedTuple):
    """What is wrong, and where in the text it stands; ``words`` might be meant by ``found``."""

    start: int
    end: int
    tamil: str
    english: str
    found: str = ""
    words: tuple[str, ...] = ()


class _Wrong(Exception):
    def __init__(self, tamil: str, english: str, found: str = "", words: tuple[str, ...] = ()) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english
        self.found = found
        self.words = words


def mistake_in(text: str) -> Mistake | None:
    """What is wrong with a cron text, if anything is."""
    if len(text) > LONGEST_TEXT:
        many = f"{LONGEST_TEXT} எழுத்துகளை விட நீளமானது", f"it is longer than {LONGEST_TEXT} letters"
        return Mistake(0, len(text), *many)
    parts = text.split()
    if len(parts) != len(FIELDS):
        order_ta, order = [", ".join(names) for names in zip(*[field[:2] for field in FIELDS], strict=True)]
        return Mistake(
            0,
            len(text),
            f"ஐந்து புலங்கள் தேவை ({order_ta}); {len(parts)} உள்ளன",
            f"five fields are needed ({order}), there are {len(parts)}",
        )
    values: list[set[int]] = []
    start = 0
    for field, part in zip(FIELDS, parts, strict=True):
        start = text.index(part, start)
        try:
            values.append(_of_field(field, part.upper()))
        except _Wrong as wrong:
            tamil, english = f"{field.tamil}: {wrong.tamil}", f"{field.english}: {wrong.english}"
            return Mistake(start, start + len(part), tamil, english, wrong.found, wrong.words)
        start += len(part)
    return _impossible_day(text, parts, values)


def _impossible_day(text: str, parts: list[str], values: list[set[int]]) -> Mistake | None:
    """The 31st of February. Where the weekday may fit instead, a day is found."""
    _, _, days, months, _ = values
    either = not parts[2].startswith("*") and not parts[4].startswith("*")
    if either or not days or min(days) <= max([_DAYS_IN_MONTH[month - 1] for month in months]):
        return None
    return Mistake(0, len(text), "இப்படி ஒரு நாள் ஒருபோதும் வராது", "there is no such day, ever")


def _of_field(field: Field, part: str) -> set[int]:
    """The values that a field means; none for days that only a calendar knows."""
    values: set[int] = set()
    for term in part.split(","):
        values |= _of_term(field, term)
    return values


def _of_term(field: Field, term: str) -> set[int]:
    if field is _WEEKDAY and term.endswith("L") and term != "L":
        _value(field, term[:-1], names=False)
        return set()
    if field is _WEEKDAY and "#" in term:
        day, _, week = term.partition("#")
        _value(field, day)
        if not (_is_number(week) and 1 <= int(week) <= _LAST_WEEK):
            raise _Wrong(
                f"‘{term}’: ‘#’-க்குப் பின் 1 முதல் {_LAST_WEEK} வரை ஓர் எண் தேவை",
                f"‘{term}’ needs a number from 1 to {_LAST_WEEK} after ‘#’",
            )
        return set()
    base, slash, step = term.partition("/")
    if not slash:
        return _of_range(field, term)
    if not (_is_number(step) and int(step)):
        raise _Wrong(
            f"‘{term}’: ‘/’-க்குப் பின் 1 முதல் ஒரு முழு எண் தேவை",
            f"‘{term}’ needs a whole number from 1 after ‘/’",
        )
    values = sorted(_of_range(field, base))
    if len(values) == 1:
        values = list(range(values[0], field.high + 1))
    return set(values[:: int(step)])


def _of_range(field: Field, term: str) -> set[int]:
    if term == "*":
        return set(range(field.low, field.high + 1))
    if field is _DAY and term in ("L", "LW"):
        return set()
    first, dash, last = term.partition("-")
    if not first or (dash and not last):
        raise _Wrong(f"‘{term}’ முழுமையற்றது", f"‘{term}’ is not complete")
    low = _value(field, first)
    high = _value(field, last) if dash else low
    if high < low:
        raise _Wrong(f"‘{term}’ முடிவதற்குப் பின் தொடங்குகிறது", f"‘{term}’ begins after it ends")
    return set(range(low, high + 1))


def _value(field: Field, word: str, names: bool = True) -> int:
    if names and word in field.words:
        return field.words.index(word) + field.low
    if _is_number(word) and field.low <= int(word) <= field.high:
        return int(word)
    raise _Wrong(
        f"‘{word}’ இங்கே பொருந்தாது ({field.shown})",
        f"‘{word}’ does not fit here ({field.shown})",
        word,
        field.words if names else (),
    )


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()
