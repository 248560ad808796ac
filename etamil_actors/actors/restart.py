"""When a child has ended: is it started again, with whom, how soon, and when is it too often?

Only decisions live here, as tables and arithmetic; time and randomness arrive as arguments. The
deeds are in ``supervisor.py``. The ideas are those of Erlang's supervisors:

- the *restart kind* of a child says which ends call for another life;
- the *strategy* says which siblings are taken along;
- the *intensity* — restarts within a period — says when the supervisor gives up and its own
  supervisor is asked instead. A fault that a fresh start does not cure travels upwards until
  somebody restarts enough of the world to be rid of it;
- the *back-off* spaces the attempts, so that what is broken outside has time to heal.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

C = TypeVar("C")


class Restart(Enum):
    """Which ends of a child call for another life."""

    PERMANENT = "permanent"
    """Every one."""
    TRANSIENT = "transient"
    """Only a crash."""
    TEMPORARY = "temporary"
    """None."""


class Strategy(Enum):
    """Who is restarted together with a child."""

    ONE_FOR_ONE = "one_for_one"
    """Nobody else: the children do not depend on each other."""
    ONE_FOR_ALL = "one_for_all"
    """All: each depends on each."""
    REST_FOR_ONE = "rest_for_one"
    """Those that were started after it: each may depend on what stands before it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The actor had nothing more to do."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The actor was ended by an error."""

    problem: BaseException


@dataclass(frozen=True, slots=True)
class Stopped:
    """The actor was asked to stop, and did."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The actor had to be cancelled: its time to stop was over, or everything around it ended."""

    reason: str


Exit = Ended | Crashed | Stopped | Cut


def should_restart(kind: Restart, exit: Exit) -> bool:
    """Does this end call for another life? Not when somebody wanted it."""
    match kind, exit:
        case _, Stopped() | Cut():
            return False
        case Restart.PERMANENT, _:
            return True
        case Restart.TRANSIENT, Crashed():
            return True
        case _:
            return False


def affected(strategy: Strategy, children: Sequence[C], child: C) -> Sequence[C]:
    """The children that are restarted when this one is, itself included, in the order of start."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [child]
        case Strategy.ONE_FOR_ALL:
            return list(children)
        case Strategy.REST_FOR_ONE:
            return list(children[children.index(child) :])


class RestartWindow:
    """Counts restarts within a period that slides along with the clock."""

    __slots__ = ("_times", "intensity", "period")

    def __init__(self, intensity: int, period: float) -> None:
        if intensity < 0:
            raise ValueError(f"an intensity is not negative, as {intensity} is")
        if not period > 0:
            raise ValueError(f"a period is longer than {period} s")
        self.intensity = intensity
        self.period = period
        # Whether the limit is exceeded depends only on the moment so many restarts ago.
        self._times: deque[float] = deque(maxlen=intensity + 1)

    def admit(self, now: float) -> bool:
        """Count a restart, and say whether it is still one of the allowed.

        A restart exactly one period ago still counts. The one that is refused counts too: a child
        that dies while starting must use up its allowance.
        """
        self._times.append(now)
        return self.count(now) <= self.intensity

    def count(self, now: float) -> int:
        """Restarts within the period, of which at most one more than the intensity is remembered."""
        return sum(now - moment <= self.period for moment in self._times)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a restart.

    The first ``free`` failures in a row do not wait at all. The n-th after them waits ``initial × factorⁿ⁻¹``
    seconds, never more than ``cap``, less up to ``jitter`` of that by chance, so that what fell together
    does not rise together. Who has lived for ``reset`` seconds is forgiven: its next failure is a first one.
    """

    initial: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: float = 0.2
    reset: float = 60.0
    free: int = 0

    def __post_init__(self) -> None:
        if self.free < 0:
            raise ValueError(f"{self.free} failures cannot be free")
        if not (0 <= self.initial <= self.cap < math.inf):
            raise ValueError(f"waiting goes from {self.initial} to {self.cap} s, which is no range")
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"waiting does not shrink, as with the factor {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"a jitter of {self.jitter} is not a part of the whole")
        if not self.reset >= 0:
            raise ValueError(f"{self.reset} s is no length of a life")

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row; ``chance`` is from 0 up to 1."""
        failures -= self.free
        if self.initial == 0 or failures <= 0:
            return 0.0
        try:
            longest = min(self.initial * self.factor ** (failures - 1), self.cap)
        except OverflowError:  # after some hundred failures
            longest = self.cap
        return longest * (1 - self.jitter * chance)

    def failures_after(self, failures: int, lived: float) -> int:
        """How many failures in a row it is now, when a life of so many seconds has failed."""
        return 1 if lived >= self.reset else failures + 1


NO_BACKOFF: Final = Backoff(initial=0.0, jitter=0.0)
"""Restart at once; only the supervisor's intensity holds it back."""
