"""Restart decisions: which ends call for another life, whose, when, and how often."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.actors.restart import (
    NO_BACKOFF,
    Backoff,
    Crashed,
    Cut,
    Ended,
    Exit,
    Restart,
    RestartWindow,
    Stopped,
    Strategy,
    affected,
    should_restart,
)

CRASHED = Crashed(ValueError())


@pytest.mark.parametrize(
    ("kind", "exit", "expected"),
    [
        (Restart.PERMANENT, Ended(), True),
        (Restart.PERMANENT, CRASHED, True),
        (Restart.PERMANENT, Stopped("asked"), False),
        (Restart.PERMANENT, Cut("late"), False),
        (Restart.TRANSIENT, Ended(), False),
        (Restart.TRANSIENT, CRASHED, True),
        (Restart.TRANSIENT, Stopped("asked"), False),
        (Restart.TRANSIENT, Cut("late"), False),
        (Restart.TEMPORARY, Ended(), False),
        (Restart.TEMPORARY, CRASHED, False),
        (Restart.TEMPORARY, Stopped("asked"), False),
        (Restart.TEMPORARY, Cut("late"), False),
    ],
)
def test_the_kind_and_the_end_decide(kind: Restart, exit: Exit, expected: bool) -> None:
    assert should_restart(kind, exit) is expected


@pytest.mark.parametrize(
    ("strategy", "child", "expected"),
    [
        (Strategy.ONE_FOR_ONE, "a", "a"),
        (Strategy.ONE_FOR_ONE, "b", "b"),
        (Strategy.ONE_FOR_ONE, "c", "c"),
        (Strategy.ONE_FOR_ALL, "a", "abc"),
        (Strategy.ONE_FOR_ALL, "b", "abc"),
        (Strategy.ONE_FOR_ALL, "c", "abc"),
        (Strategy.REST_FOR_ONE, "a", "abc"),
        (Strategy.REST_FOR_ONE, "b", "bc"),
        (Strategy.REST_FOR_ONE, "c", "c"),
    ],
)
def test_the_strategy_says_who_is_taken_along(strategy: Strategy, child: str, expected: str) -> None:
    assert "".join(affected(strategy, "abc", child)) == expected


def test_restarts_slide_out_of_the_window() -> None:
    window = RestartWindow(2, 5.0)
    assert [window.admit(now) for now in (0.0, 1.0, 5.0, 6.5, 7.0)] == [True, True, False, True, False]


def test_a_restart_exactly_one_period_ago_still_counts() -> None:
    window = RestartWindow(1, 5.0)
    assert [window.admit(now) for now in (0.0, 5.0, 10.000001)] == [True, False, True]


def test_no_intensity_means_no_restart() -> None:
    assert RestartWindow(0, 5.0).admit(0.0) is False


@given(
    intensity=st.integers(0, 6),
    period=st.floats(0.5, 10),
    gaps=st.lists(st.floats(0, 5), max_size=40),
)
def test_the_window_counts_like_a_list_of_all_times(intensity: int, period: float, gaps: list[float]) -> None:
    window, now, times = RestartWindow(intensity, period), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        expected = sum(now - time <= period for time in times) <= intensity
        assert window.admit(now) is expected


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (NO_BACKOFF, [0, 0, 0, 0, 0]),
        (Backoff(initial=1, factor=2, cap=60, jitter=0), [1, 2, 4, 8, 16]),
        (Backoff(initial=1, factor=2, cap=5, jitter=0), [1, 2, 4, 5, 5]),
        (Backoff(initial=3, factor=1, cap=3, jitter=0), [3, 3, 3, 3, 3]),
        (Backoff(initial=1, factor=2, cap=60, jitter=0, free=3), [0, 0, 0, 1, 2]),
    ],
)
def test_waiting_grows_up_to_the_cap(backoff: Backoff, expected: list[float]) -> None:
    assert [backoff.delay(failures, 0.5) for failures in range(1, 6)] == pytest.approx(expected)


def test_jitter_takes_away_by_chance() -> None:
    backoff = Backoff(initial=10, factor=2, cap=10, jitter=0.5)
    assert [backoff.delay(1, chance) for chance in (0.0, 0.5, 1.0)] == [10, 7.5, 5]


@given(
    initial=st.floats(0, 10),
    factor=st.floats(1, 10),
    more=st.floats(0, 1000),
    jitter=st.floats(0, 1),
    failures=st.integers(1, 10**9),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_waiting_never_leaves_its_bounds(
    initial: float, factor: float, more: float, jitter: float, failures: int, chance: float
) -> None:
    backoff = Backoff(initial, factor, initial + more, jitter)
    delay = backoff.delay(failures, chance)
    assert 0 <= delay <= backoff.cap
    assert delay >= (1 - jitter) * initial * 0.999999
    assert backoff.delay(failures + 1, chance) >= delay * 0.999999


def test_a_long_life_is_forgiven() -> None:
    backoff = Backoff(reset=60)
    assert backoff.failures_after(5, lived=59.9) == 6
    assert backoff.failures_after(5, lived=60) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"initial": -1},
        {"initial": 2, "cap": 1},
        {"cap": math.inf},
        {"factor": 0.5},
        {"factor": math.nan},
        {"jitter": 1.5},
        {"jitter": -0.1},
        {"reset": -1},
        {"initial": math.nan},
        {"free": -1},
    ],
)
def test_an_impossible_backoff_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**options)


@pytest.mark.parametrize(("intensity", "period"), [(-1, 5.0), (3, 0.0), (3, -1.0), (3, math.nan)])
def test_an_impossible_window_is_refused(intensity: int, period: float) -> None:
    with pytest.raises(ValueError):
        RestartWindow(intensity, period)
