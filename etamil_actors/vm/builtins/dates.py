"""Dates as texts ``YYYY-MM-DD`` (REFERENCE §26), and what time it is.

The calendar is the proleptic Gregorian one, by whole numbers: a date is counted in days from
1970-01-01, and back. The arithmetic lets a year begin in March, so that the leap day is its
last one and the lengths of the months fall on a line, (153·m + 2) / 5 (Howard Hinnant,
"chrono-compatible low-level date algorithms"). Python's own ``date`` is of no use here: it ends
at the year 9999 and refuses 2026-02-31, which counts as 3 March.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.number import truncate
from etamil_actors.vm.values import Number

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine

DAY = 86_400
YEAR_DIGITS = 9
"""No year is longer; what would be later or before the year 0 is refused."""


@implements("_today", machine=True)
def today(machine: Machine) -> str:
    """``இன்று``: today in UTC."""
    return date_text(_milliseconds(machine) // (DAY * 1000), "இன்று")


@implements("_daysBetween")
def days_between(start: str, end: str) -> Number:
    """``நாள்_வேறுபாடு``: days from the first to the second."""
    return day_of(end, "நாள்_வேறுபாடு") - day_of(start, "நாள்_வேறுபாடு")


@implements("_addDays")
def add_days(date: str, days: Number) -> str:
    """``நாள்_கூட்டு``: the date that many days later."""
    return date_text(day_of(date, "நாள்_கூட்டு") + truncate(days), "நாள்_கூட்டு")


@implements("_nowSeconds", machine=True)
def now_seconds(machine: Machine) -> Number:
    """``இப்போதைய_நொடி``: whole seconds since 1970-01-01 UTC."""
    return _milliseconds(machine) // 1000


@implements("_now", machine=True)
def now(machine: Machine) -> str:
    """``இப்போது``: this moment, ISO 8601 with offset; the offset is that of UTC."""
    return moment_text(_milliseconds(machine))


def moment_text(milliseconds: int) -> str:
    """A moment, counted from 1970-01-01 UTC, as ISO 8601 with offset."""
    seconds, thousandths = divmod(milliseconds, 1000)
    day, second = divmod(seconds, DAY)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{thousandths:03}"
    return f"{date_text(day, 'இப்போது')}T{clock}+00:00"


def day_of(date: str, name: str) -> int:
    """The day that a date means, counted from 1970-01-01.

    Raises:
        Fault: it is no date; ``name`` is the builtin that wanted one.
    """
    parts = date.split("-")
    if len(parts) == 3 and all(map(_is_number, parts)):
        year, month, day = map(int, parts)
        if 1 <= month <= 12 and 1 <= day <= 31:
            return _day_number(year, month) + day - 1
    raise Fault(
        "value.invalid",
        name=name,
        problem_ta=f"‘{_shown(date)}’ ஒரு தேதி அல்ல (YYYY-MM-DD தேவை)",
        problem_en=f"‘{_shown(date)}’ is no date (YYYY-MM-DD is wanted)",
    )


def date_text(day: int, name: str) -> str:
    """The date of a day counted from 1970-01-01.

    Raises:
        Fault: it lies before the year 0 or unreasonably far away.
    """
    era, day_of_era = divmod(day + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    if not 0 <= year < 10**YEAR_DIGITS:
        raise Fault(
            "value.invalid",
            name=name,
            problem_ta="விடைத் தேதி எல்லைக்கு வெளியே உள்ளது",
            problem_en="the resulting date is out of range",
        )
    return f"{year:04}-{month:02}-{day_of_year - (153 * shifted + 2) // 5 + 1:02}"


def _day_number(year: int, month: int) -> int:
    """The first day of a month, counted from 1970-01-01."""
    shifted_year = year - (month <= 2)
    era, year_of_era = divmod(shifted_year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= YEAR_DIGITS


def _milliseconds(machine: Machine) -> int:
    # By whole numbers: the decimal context in force here is the program's, not ours.
    numerator, denominator = machine.world.wall_time().as_integer_ratio()
    return numerator * 1000 // denominator


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
