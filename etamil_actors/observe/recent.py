"""The latest failures of a process, for whoever looks at it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import trio

from etamil_actors.actors.errors import describe
from etamil_actors.actors.events import ActorCrashed, ActorRestarted, Event
from etamil_actors.actors.programs.exchange import RequestFailed
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.errors import BudgetSpent, Fault

KEPT: Final = 50
TEXT: Final = 500
"""Of a reason so many letters are kept."""

WORDS: Final[dict[type[Event], tuple[str, str]]] = {
    ActorCrashed: ("பழுதடைந்தது", "crashed"),
    ActorRestarted: ("மறுதொடக்கம்", "started again"),
    RunFailed: ("ஓட்டம் தோல்வி", "a run failed"),
    RequestFailed: ("கோரிக்கை தோல்வி", "a request failed"),
}


class Kept(NamedTuple):
    """One of them. Its text is made when it happens, so that nothing of a program is held."""

    time: float
    actor: str
    kind: type[Event]
    problem: str


class Recent:
    """A listener of the event stream."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque(maxlen=KEPT)

    def hear(self, event: Event) -> None:
        """Keep it, if it tells of a failure."""
        kind = type(event)
        if kind in WORDS:
            problem = getattr(event, "problem", None)
            self._kept.append(Kept(event.time, event.actor, kind, _told(problem) if problem else ""))

    def told(self) -> Iterator[dict[str, Any]]:
        """The latest first."""
        now = trio.current_time()
        for one in reversed(self._kept):
            tamil, english = WORDS[one.kind]
            yield {
                "ago": round(now - one.time, 3),
                "actor": one.actor,
                "tamil": tamil,
                "english": english,
                "problem": one.problem,
            }


def _told(problem: BaseException) -> str:
    if isinstance(problem, BudgetSpent):
        problem = problem.fault
    text = problem.message if isinstance(problem, Fault) else describe(problem)
    return text if len(text) <= TEXT else text[:TEXT] + "…"
