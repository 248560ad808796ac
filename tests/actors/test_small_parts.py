"""The small parts: errors taken apart, deadlines that never tie, the words of reports."""

from __future__ import annotations

import math

import pytest
import trio

from etamil_actors.actors import moments
from etamil_actors.actors.errors import ActorStoppedError, TooManyRestartsError, describe
from etamil_actors.actors.leaves import error_of, leaves_of
from etamil_actors.actors.ledger import Account, Ledger
from etamil_actors.actors.restart import NO_BACKOFF, Backoff, Crashed, Ended
from etamil_actors.errors import BudgetSpent, Fault, Frame


async def caught_group() -> BaseException:
    """A cancellation, an interrupt and two errors, as nurseries wrap them."""
    group: BaseException | None = None
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            errors = ExceptionGroup("inner", [ValueError("one"), KeyError("two")])
            group = BaseExceptionGroup("outer", [errors, cancelled, KeyboardInterrupt()])
    assert group is not None
    return group


async def test_a_group_is_taken_apart() -> None:
    leaves = leaves_of(await caught_group())
    assert leaves.cancelled
    assert [type(problem) for problem in leaves.interrupts] == [KeyboardInterrupt]
    assert [type(problem) for problem in leaves.errors] == [ValueError, KeyError]


def test_one_error_stands_for_all() -> None:
    one, two = ValueError("one"), KeyError("two")
    assert error_of(ExceptionGroup("a", [ExceptionGroup("b", [one])])) is one
    assert error_of(KeyboardInterrupt()) is None
    several = error_of(ExceptionGroup("a", [ExceptionGroup("b", [one]), two]))
    assert isinstance(several, ExceptionGroup)
    assert several.exceptions == (one, two)


async def test_no_two_deadlines_are_equal() -> None:
    made = [moments.after(5.0) for _ in range(1000)]
    assert len(set(made)) == 1000
    assert made == sorted(made)
    assert made[-1] - trio.current_time() == pytest.approx(5.0, abs=2e-3)
    assert moments.after(math.inf) == moments.at(math.inf) == math.inf


def test_deadlines_can_be_counted_from_the_beginning() -> None:
    moments.start_over()
    first = moments.at(1.0)
    moments.start_over()
    assert moments.at(1.0) == first


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (ValueError("broken"), "ValueError: broken"),
        (ValueError(), "ValueError"),
        (ValueError("first line\nsecond"), "ValueError: first line"),
        (ExceptionGroup("g", [ValueError("a"), KeyError("b")]), "ValueError: a; KeyError: 'b'"),
        (ActorStoppedError("/a"), "‘/a’ நிறுத்தப்பட்டது  (‘/a’ has stopped)"),
        (Fault("not_found"), "கிடைக்கவில்லை  (not found)"),
        (BudgetSpent(Fault("not_found")), "கிடைக்கவில்லை  (not found)"),
    ],
)
def test_a_problem_is_one_line(problem: BaseException, expected: str) -> None:
    assert describe(problem) == expected


def test_an_error_of_a_program_is_told_with_its_place() -> None:
    fault = Fault("not_found")
    fault.trace = (Frame("கடை.qmz", 3, 7, "தேடு"), Frame("கடை.qmz", 9, 1, ""))
    assert describe(fault) == "கடை.qmz:3:7: கிடைக்கவில்லை  (not found)"


def test_a_ledger_tells_only_of_the_period() -> None:
    ledger = Ledger("/root", 2, 10.0)
    a, b = Account("/root/a", NO_BACKOFF), Account("/root/b", Backoff(1.0, jitter=0))
    assert ledger.enter(a, Ended(), 0.0, 0.5) == 0.0
    assert ledger.enter(b, Ended(), 20.0, 0.5) == 1.0
    assert ledger.enter(a, Ended(), 21.0, 0.5) == 0.0
    problem = ValueError("last")
    verdict = ledger.enter(b, Crashed(problem), 22.0, 0.5)
    assert isinstance(verdict, TooManyRestartsError)
    assert [(attempt.time, attempt.actor, attempt.delay) for attempt in verdict.attempts] == [
        (20.0, "/root/b", 1.0), (21.0, "/root/a", 0.0), (22.0, "/root/b", None),
    ]  # fmt: skip
    assert verdict.problem is problem
    assert verdict.attempts[0].problem == "முடிந்தது  (ended)"
