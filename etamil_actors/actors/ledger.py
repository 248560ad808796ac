"""What a supervisor remembers of the ends of its children, and the report when they are too many.

Pure: time and chance are arguments. One ledger belongs to one life of one supervisor.
"""

from __future__ import annotations

from collections import deque

from etamil_actors.actors.errors import Attempt, TooManyRestartsError, describe
from etamil_actors.actors.restart import Backoff, Crashed, Exit, RestartWindow


class Account:
    """What is remembered of one child."""

    __slots__ = ("backoff", "failures", "path", "since")

    def __init__(self, path: str, backoff: Backoff) -> None:
        self.path = path
        self.backoff = backoff
        self.failures = 0
        """Failures in a row."""
        self.since: float | None = None
        """When its present life became ready; nothing while it is starting."""


class Ledger:
    """Restarts of the children of one supervisor."""

    __slots__ = ("_attempts", "_supervisor", "_window")

    def __init__(self, supervisor: str, intensity: int, period: float) -> None:
        self._supervisor = supervisor
        self._window = RestartWindow(intensity, period)
        self._attempts: deque[Attempt] = deque(maxlen=intensity + 1)

    def enter(self, child: Account, exit: Exit, now: float, chance: float) -> float | TooManyRestartsError:
        """Count the end of a child that calls for a restart: how long to wait, or why there is none."""
        # Count before the check: a child that dies while starting must also use up its allowance.
        allowed = self._window.admit(now)
        lived = now - child.since if child.since is not None else 0.0
        child.failures = child.backoff.failures_after(child.failures, lived)
        child.since = None
        delay = child.backoff.delay(child.failures, chance)
        self._attempts.append(Attempt(now, child.path, _why(exit), delay if allowed else None))
        return delay if allowed else self._too_many(child, exit, now)

    def _too_many(self, child: Account, exit: Exit, now: float) -> TooManyRestartsError:
        period = self._window.period
        recent = [attempt for attempt in self._attempts if now - attempt.time <= period]
        problem = exit.problem if isinstance(exit, Crashed) else None
        return TooManyRestartsError(
            self._supervisor, child.path, self._window.intensity, period, recent, problem
        )


def _why(exit: Exit) -> str:
    return describe(exit.problem) if isinstance(exit, Crashed) else "முடிந்தது  (ended)"
