"""Tries: how many, how far apart, and what the options of a job may say about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.actors.attempts import Attempts, Dead, Retry, read_attempts, read_restart
from etamil_actors.actors.restart import Backoff, Restart
from etamil_actors.errors import Fault, InternalError


def verdicts(attempts: Attempts, chance: float = 0.0) -> list[Retry | Dead]:
    """One failure after the other, until there is no other try."""
    found: list[Retry | Dead] = []
    while not found or isinstance(found[-1], Retry):
        found.append(attempts.verdict(len(found) + 1, chance))
    return found


def test_by_default_it_is_three_tries_with_growing_pauses() -> None:
    assert verdicts(Attempts()) == [Retry(1), Retry(2), Dead(3)]


def test_pauses_double_up_to_a_minute() -> None:
    delays = [verdict[0] for verdict in verdicts(Attempts(9))]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 9]


def test_chance_shortens_a_pause_by_a_fifth_at_most() -> None:
    assert verdicts(Attempts(3), 0.5) == [Retry(0.9), Retry(1.8), Dead(3)]
    assert Attempts().verdict(1, 1) == Retry(0.8)


def test_one_try_is_the_last() -> None:
    assert verdicts(Attempts(1)) == [Dead(1)]


def test_a_try_beyond_the_last_is_dead_too() -> None:
    """After a crash of the process there may have been more tries than are allowed now."""
    assert Attempts(2).verdict(7, 0) == Dead(7)


def test_without_a_first_pause_there_is_none() -> None:
    assert verdicts(read_attempts({"backoff": 0})) == [Retry(0), Retry(0), Dead(3)]


def test_nobody_tries_less_than_once() -> None:
    with pytest.raises(ValueError, match="tried 0 times"):
        Attempts(0)
    with pytest.raises(InternalError, match="try number 0"):
        Attempts().verdict(0, 0)


@given(
    st.integers(1, 40),
    st.floats(0, 1000),
    st.floats(0, 1, exclude_max=True),
)
def test_every_pause_is_within_its_bounds(most: int, first: float, chance: float) -> None:
    attempts = read_attempts({"attempts": most, "backoff": Decimal(repr(first))})
    *retries, last = verdicts(attempts, chance)
    assert last == Dead(most) and len(retries) == most - 1
    for number, retry in enumerate(retries):
        longest = min(first * 2**number, max(first, 60))
        assert isinstance(retry, Retry)
        assert longest * 0.8 - 1e-9 <= retry.delay <= longest


# ── options ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "scheduled", "expected"),
    [
        ({}, False, Attempts(3)),
        ({}, True, Attempts(1)),
        ({"attempts": 5}, False, Attempts(5)),
        ({"attempts": Decimal("2.0")}, True, Attempts(2)),
        ({"backoff": 5}, False, Attempts(3, Backoff(initial=5, cap=60))),
        ({"backoff": Decimal("0.25")}, True, Attempts(1, Backoff(initial=0.25, cap=60))),
        ({"backoff": 120}, False, Attempts(3, Backoff(initial=120, cap=120))),
        ({"attempts": 10**20, "other": "no matter"}, False, Attempts(10**20)),
    ],
)
def test_what_the_options_say(options: dict[str, Any], scheduled: bool, expected: Attempts) -> None:
    assert read_attempts(options, scheduled=scheduled) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"attempts": 0},
            "‘பணி_உருவாக்கு’: ‘தடவை’ விருப்பத்தில் 1 முதல் ஒரு முழு எண் தேவை; ‘0’ கிடைத்தது"
            "  (‘பணி_உருவாக்கு’: ‘attempts’ wants a whole number from 1, not ‘0’)",
        ),
        (
            {"attempts": Decimal("1.50")},
            "‘பணி_உருவாக்கு’: ‘தடவை’ விருப்பத்தில் 1 முதல் ஒரு முழு எண் தேவை; ‘1.5’ கிடைத்தது"
            "  (‘பணி_உருவாக்கு’: ‘attempts’ wants a whole number from 1, not ‘1.5’)",
        ),
        (
            {"attempts": "3"},
            "‘பணி_உருவாக்கு’: ‘தடவை’ விருப்பத்தில் ஓர் எண் தேவை; உரை கிடைத்தது"
            "  (‘பணி_உருவாக்கு’ wants a number as ‘attempts’, not a string)",
        ),
        (
            {"attempts": True},
            "‘பணி_உருவாக்கு’: ‘தடவை’ விருப்பத்தில் ஓர் எண் தேவை; ஈர்ம மதிப்பு கிடைத்தது"
            "  (‘பணி_உருவாக்கு’ wants a number as ‘attempts’, not a boolean)",
        ),
        (
            {"backoff": -1},
            "‘பணி_உருவாக்கு’: ‘பின்வாங்கு’ விருப்பத்தில் 0 முதல் நொடிகள் தேவை; ‘-1’ கிடைத்தது"
            "  (‘பணி_உருவாக்கு’: ‘backoff’ wants seconds from 0, not ‘-1’)",
        ),
        (
            {"backoff": None},
            "‘பணி_உருவாக்கு’: ‘பின்வாங்கு’ விருப்பத்தில் ஓர் எண் தேவை; இன்மை கிடைத்தது"
            "  (‘பணி_உருவாக்கு’ wants a number as ‘backoff’, not nil)",
        ),
    ],
)
def test_options_without_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(Fault) as caught:
        read_attempts(options)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("options", "lasting", "expected"),
    [
        ({}, False, Restart.TRANSIENT),
        ({}, True, Restart.PERMANENT),
        ({"restart": "permanent"}, False, Restart.PERMANENT),
        ({"restart": "transient"}, True, Restart.TRANSIENT),
        ({"restart": "temporary"}, True, Restart.TEMPORARY),
    ],
)
def test_kinds_of_restart(options: dict[str, Any], lasting: bool, expected: Restart) -> None:
    assert read_restart(options, lasting=lasting) is expected


def test_what_is_no_kind_of_restart_is_refused() -> None:
    with pytest.raises(Fault) as caught:
        read_restart({"restart": "sometimes"})
    assert caught.value.message == (
        "‘பணி_உருவாக்கு’: ‘மறுதொடக்கம்’ விருப்பத்தில் எப்போதும் / பிழையானால் / வேண்டாம் தேவை; ‘sometimes’ கிடைத்தது"
        "  (‘பணி_உருவாக்கு’: ‘restart’ wants permanent / transient / temporary, not ‘sometimes’)"
    )
    with pytest.raises(Fault) as caught:
        read_restart({"restart": 1})
    assert caught.value.code == "value.kind" and "‘மறுதொடக்கம்’" in caught.value.tamil
