"""Dates by whole numbers, and what time it is (REFERENCE §26)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.dates import date_text, day_of, moment_text
from etamil_actors.vm.number import CONTEXT

Call = Callable[..., Any]


def fails(code: str) -> Any:
    """An error with this code is raised inside."""
    return pytest.raises(Fault, check=lambda fault: fault.code == code)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-01-01", "2026-01-01", 0),
        ("2026-01-01", "2026-12-31", 364),
        ("2024-02-28", "2024-03-01", 2),
        ("2026-12-31", "2026-01-01", -364),
        ("2026-02-31", "2026-03-03", 0),
        ("2026-2-3", "2026-02-04", 1),
        ("1582-10-04", "1582-10-15", 11),
        ("0000-01-01", "0001-01-01", 366),
        ("0-3-1", "400-3-1", 146_097),
    ],
)
def test_days_between_two_dates(call: Call, start: str, end: str, days: int) -> None:
    assert call("நாள்_வேறுபாடு", start, end) == days


@pytest.mark.parametrize(
    ("date", "days", "result"),
    [
        ("2026-01-31", 1, "2026-02-01"),
        ("2026-02-31", 0, "2026-03-03"),
        ("2024-02-29", 365, "2025-02-28"),
        ("2026-01-01", -1, "2025-12-31"),
        ("2026-01-01", Decimal("1.9"), "2026-01-02"),
        ("2026-01-01", Decimal("-1.9"), "2025-12-31"),
        ("2026-01-01", "3", "2026-01-04"),
        ("9999-12-31", 1, "10000-01-01"),
        ("0000-01-01", 59, "0000-02-29"),
    ],
)
def test_a_date_some_days_later(call: Call, date: str, days: object, result: str) -> None:
    assert call("நாள்_கூட்டு", date, days) == result


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-01", "2026-01-01-01", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32",
     "-1-01-01", "2026-01-1x", " 2026-01-01", "2026/01/01", "௨௦௨௬-01-01", "+2026-01-01", "2026-01-",
      "9" * 5000 + "-01-01", 5],
)  # fmt: skip
def test_what_is_no_date_is_an_error(call: Call, text: object) -> None:
    for name in ("நாள்_வேறுபாடு", "நாள்_கூட்டு"):
        with pytest.raises(Fault) as caught:
            call(name, text, text)
        assert caught.value.code == "value.invalid"
        assert "is no date" in caught.value.english
        assert "தேதி அல்ல" in caught.value.tamil


@pytest.mark.parametrize("days", [-(10**6), 10**20, -(2**96) + 1, 2**96 - 1])
def test_a_date_out_of_range_is_an_error(call: Call, days: int) -> None:
    with fails("value.invalid"):
        call("நாள்_கூட்டு", "2026-01-01", days)


@settings(max_examples=300)
@given(st.dates())
def test_the_calendar_is_that_of_python_where_that_has_one(date: datetime.date) -> None:
    day = (date - datetime.date(1970, 1, 1)).days
    assert date_text(day, "") == date.isoformat()
    assert day_of(date.isoformat(), "") == day


@given(st.integers(-719_528, 300_000_000_000))
def test_counting_days_goes_there_and_back(day: int) -> None:
    assert day_of(date_text(day, ""), "") == day


def test_the_clock(machine: Any) -> None:
    assert machine.call("இன்று") == "2026-01-01"
    assert machine.call("இப்போதைய_நொடி") == 1_767_225_600
    assert machine.call("இப்போது") == "2026-01-01T00:00:00.000+00:00"
    machine.world.clock.advance(86_399.9876)
    with localcontext(CONTEXT):
        assert machine.call("_today") == "2026-01-01"
        assert machine.call("_nowSeconds") == 1_767_311_999
        assert machine.call("நிலை_நேரம்") == "2026-01-01T23:59:59.987+00:00"
    machine.world.clock.advance(0.1)
    assert machine.call("இன்று") == "2026-01-02"


def test_a_moment_is_readable_by_others() -> None:
    assert datetime.datetime.fromisoformat(moment_text(1_772_409_845_250)) == datetime.datetime(
        2026, 3, 2, 0, 4, 5, 250_000, datetime.UTC
    )
