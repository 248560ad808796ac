"""சுற்று_முறிப்பான் (EXTENSIONS §10); மீள்முயற்சி needs only the machine and stands in vm/blocks.py.

What counts as a failure is what மீள்முயற்சி would try again: an error, or a தவறு that leaves the block.
Errors that are answers — something does not exist, or was asked in a wrong way — say nothing about how the
other side is; nor does a cancellation, be it by a காலவரம்பு around the breaker. One *in* its block is a
failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

import trio

from etamil_actors.actors.moments import as_number
from etamil_actors.actors.programs.breakers import FAILURES, RESET_SECONDS, Breaker, Verdict
from etamil_actors.actors.programs.words import block
from etamil_actors.errors import Fault
from etamil_actors.vm.blocks import Turn, Word, failure
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import count_of, read_options, seconds_of
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

ANSWERS: Final = frozenset(("validation", "not_found", "conflict"))
"""Errors that are answers."""


@block("_breaker")
def breaker(activity: Activity, name: Value, options: Value = None) -> Word:
    """சுற்று_முறிப்பான். The options of the latest call hold."""
    given = read_options(options, "_breaker")
    found = activity.service.system.breakers.named(normalize("NFC", text_of(name)))
    found.failures = count_of(given, "failures", "_breaker", FAILURES)
    found.reset = seconds_of(given, "reset", "_breaker", RESET_SECONDS)
    return Guarded(activity, found)


class Guarded(Word):
    """A block behind a breaker."""

    def __init__(self, activity: Activity, breaker: Breaker) -> None:
        super().__init__()
        self.activity = activity
        self.breaker = breaker

    def __iter__(self) -> Iterator[Turn]:
        yield GuardedTurn(self)


class GuardedTurn(Turn):
    """The one run of the block."""

    __slots__ = ("_ticket",)

    word: Guarded

    def __enter__(self) -> Turn:
        breaker, now = self.word.breaker, trio.current_time()
        ticket = breaker.admit(now)
        if ticket is None:
            left = as_number(round(breaker.seconds_left(now), 3))
            raise Fault("breaker.open", name=breaker.name, seconds=left)
        self._ticket = ticket
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        breaker = self.word.breaker
        if breaker.ended(self._ticket, self._verdict(problem), trio.current_time()):
            _tell(self.word.activity, breaker)
        return self.word.ended(self, problem)

    def _verdict(self, problem: BaseException | None) -> Verdict:
        machine = self.word.activity.machine
        assert machine is not None
        code = failure(machine, problem, self.answer)
        if code is None:
            return Verdict.WELL if problem is None else Verdict.NONE
        return Verdict.NONE if code in ANSWERS else Verdict.BADLY


def _tell(activity: Activity, breaker: Breaker) -> None:
    if activity.service.as_script:  # who runs it sees what it prints
        return
    keeper = activity.service.system.keeper
    if breaker.is_untroubled:
        keeper.tell(f"சுற்று முறிப்பான் ‘{breaker.name}’ மூடியது", f"breaker ‘{breaker.name}’ is closed again")
    else:
        keeper.tell(
            f"சுற்று முறிப்பான் ‘{breaker.name}’ திறந்தது; {breaker.reset:g} நொடிகளுக்கு அழைப்புகள் இல்லை",
            f"breaker ‘{breaker.name}’ has opened; no calls for {breaker.reset:g} s",
        )
