"""Words of time: ``உறங்கு``, ``காலவரம்பு``, and the end of a slice.

A time limit is a cancel scope of trio's, entered and left in the program's greenlet while its driver's task
runs. Its cancellation ends what the block waits for, runs its இறுதியில் blocks, and becomes the error
``timeout`` at the end of the block and not before, so a பிழை inside cannot take it for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.moments import after, as_number
from etamil_actors.actors.programs.slices import SLICE_SECONDS
from etamil_actors.actors.programs.words import block, deed, duration, word
from etamil_actors.errors import ActivityCancelled, BudgetSpent, Fault
from etamil_actors.vm.blocks import Turn, Word
from etamil_actors.vm.effects import Sleep
from etamil_actors.vm.machine import Grace, Slice
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity


@deed(Slice)
def end_slice(activity: Activity, effect: Slice) -> Any:
    """Let others run, unless the activity has computed for too long."""
    assert activity.machine is not None
    slicer, drive = activity.service.system.slicer, activity.drive
    assert drive is not None
    slicer.check()
    drive.slices += 1
    if drive.slices * SLICE_SECONDS > activity.budget and not drive.grace:
        raise BudgetSpent(Fault("budget.time", seconds=as_number(activity.budget)))
    return slicer.set_aside(activity.machine)


@deed(Grace)
async def give_grace(activity: Activity, effect: Grace) -> Callable[[BaseException | None], None]:
    """The activity is being ended, and an இறுதியில் block begins: it is shielded, but not for long.

    A coroutine, so that the shield is put up in the task that will take it down.
    """
    drive = activity.drive
    assert drive is not None
    if not drive.grace:
        drive.grace = after(effect.seconds)
    shield = trio.CancelScope(shield=True, deadline=drive.grace)
    shield.__enter__()

    def leave(problem: BaseException | None) -> None:
        leave_scope(shield, problem)

    return leave


def leave_scope(scope: trio.CancelScope, problem: BaseException | None) -> bool:
    """Leave a scope in program code, where a cancellation of trio's goes by another name: was it its own?"""
    cancelled = problem.args[0] if isinstance(problem, ActivityCancelled) and problem.args else None
    scope.__exit__(type(cancelled) if cancelled else None, cancelled, None)
    return scope.cancelled_caught


@deed(Sleep)
def wait(activity: Activity, effect: Sleep) -> Any:
    """Wait between two tries, say."""
    return trio.sleep_until(after(effect.seconds))


@word("_sleep")
def sleep(activity: Activity, seconds: Value) -> Any:
    """உறங்கு."""
    return trio.sleep_until(after(duration(seconds, "_sleep")))


@block("_timeout")
async def limit(activity: Activity, seconds: Value) -> Word:
    """காலவரம்பு. A coroutine, so that the scope is entered in the task that will leave it."""
    return Limit(activity, duration(seconds, "_timeout"))


class Limit(Word):
    """A block with a time limit."""

    def __init__(self, activity: Activity, seconds: float) -> None:
        super().__init__()
        self.activity = activity
        self.seconds = seconds

    def __iter__(self) -> Iterator[Turn]:
        yield LimitedTurn(self)


class LimitedTurn(Turn):
    """The one run of the block."""

    __slots__ = ("_grace", "_scope")

    word: Limit

    def __enter__(self) -> Turn:
        drive = self.word.activity.drive
        assert drive is not None
        self._grace = drive.grace
        self._scope = trio.CancelScope(deadline=after(self.word.seconds))
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        is_over = leave_scope(self._scope, problem)
        if is_over:
            # Only the block was ended. What comes after it is as it was before: perhaps in its last seconds.
            drive = self.word.activity.drive
            assert drive is not None
            drive.grace = self._grace
        if is_over or (problem is None and trio.current_time() >= self._scope.deadline):
            raise Fault("timeout", seconds=as_number(self.word.seconds)) from None
        return self.word.ended(self, problem)
