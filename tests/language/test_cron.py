"""What is said about cron texts, against the library that will run them."""

from __future__ import annotations

from datetime import datetime

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import example, given, settings
from hypothesis import strategies as some

from etamil_actors.language.cron import LONGEST_TEXT, mistake_in


def is_accepted(text: str) -> bool:
    """Whether the library takes the five fields, and ever finds a day."""
    if len(text.split()) != 5:
        return False
    try:
        next(CronSim(text, datetime(2024, 1, 1)))
    except (CronSimError, StopIteration):
        return False
    return True


TERM = some.one_of(
    some.sampled_from(
        "* L LW 5L 7L MON#2 SUN#5 MON#6 JAN-MAR FRI JAN 0 7 31 59 60 */5 1-5/2 5/0 6-2 - / *-2 L-2 LW/2".split()
    ),
    some.integers(0, 70).map(str),
    some.tuples(some.integers(0, 32), some.integers(0, 32)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    some.text("0159*/-,#LWMON ", max_size=5),
)
FIELD = some.lists(TERM, min_size=1, max_size=2).map(",".join)


@given(some.lists(FIELD, min_size=4, max_size=6).map(" ".join))
@settings(max_examples=400)
@example("0 0 31 2 *")
@example("0 0 30 2 MON")
@example("0 0 31 4,6 *")
@example("0 0 L 2 *")
@example("0 0 * * FRIL")
@example("0 0 * * L")
@example("0 0 1-2-3 * *")
@example("0 0 * * 5L/2")
@example("0 0 * * *#2")
@example("*/5 */0 * * *")
@example("0 0 L/2 * *")
@example("0 0 5,L 2 *")
@example("٣ 0 * * *")
def test_a_text_is_accepted_when_the_library_takes_it(text: str) -> None:
    assert (mistake_in(text) is None) is is_accepted(text)


@pytest.mark.parametrize(
    ("text", "marked", "english"),
    [
        ("0 24 * * *", "24", "hour: ‘24’ does not fit here (0–23)"),
        (
            "0 2 * *",
            "0 2 * *",
            "five fields are needed (minute, hour, day of the month, month, day of the week), there are 4",
        ),
        (
            "",
            "",
            "five fields are needed (minute, hour, day of the month, month, day of the week), there are 0",
        ),
        ("*/0 2 * * *", "*/0", "minute: ‘*/0’ needs a whole number from 1 after ‘/’"),
        ("5 5-1 * * *", "5-1", "hour: ‘5-1’ begins after it ends"),
        ("5 5 * * 1,MUN", "1,MUN", "day of the week: ‘MUN’ does not fit here (0–7, SUN–SAT, 5L, MON#2)"),
        ("5 5 * * MON#9", "MON#9", "day of the week: ‘MON#9’ needs a number from 1 to 5 after ‘#’"),
        ("5 5 1, * *", "1,", "day of the month: ‘’ is not complete"),
        ("0 0 31 2 *", "0 0 31 2 *", "there is no such day, ever"),
    ],
)
def test_a_mistake_tells_its_place_and_field(text: str, marked: str, english: str) -> None:
    mistake = mistake_in(text)
    assert mistake is not None
    assert text[mistake.start : mistake.end] == marked
    assert mistake.english == english
    assert any("\u0b80" <= letter <= "\u0bff" for letter in mistake.tamil)


def test_names_that_might_be_meant_come_along() -> None:
    mistake = mistake_in("0 0 * JAM *")
    assert mistake is not None
    assert mistake.found == "JAM"
    assert "JAN" in mistake.words


def test_a_text_without_end_is_not_read() -> None:
    mistake = mistake_in("1," * LONGEST_TEXT + "1 * * * *")
    assert mistake is not None
    assert str(LONGEST_TEXT) in mistake.english
