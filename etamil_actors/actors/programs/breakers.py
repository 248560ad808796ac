"""Circuit breakers: when something has failed too often of late, it is left alone for a while.

Whoever calls a service that is down waits for nothing, holds what others need, and keeps the service from
getting up again. So calls go through a breaker, which looks at how they end:

```
           ``failures`` in a row                 ``reset`` seconds later, somebody asks
  CLOSED ────────────────────────▶ OPEN ───────────────────────────────────────▶ HALF_OPEN
    ▲  calls go through             ▲   refused at once                            │ │ │   one trial goes
    │  a success counts from 0      ├──────────────── it fails ────────────────────┘ │ │   through, others
    │                               └── it ends without a verdict: the next is one ──┘ │   are refused
    └─────────────────────────────────────────── it succeeds ──────────────────────────┘
```

A call ends well, badly, or without a verdict: one that was cancelled says nothing about the service. Calls
take time, and what they say is about the time in which they began. So each takes a *ticket* along, and what
comes back with a ticket of an earlier state is old news: a call from before the breaker opened neither closes
it nor keeps it open.

Everything here is pure: moments arrive as arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

FAILURES: Final = 5
RESET_SECONDS: Final = 30.0

MOST_BREAKERS: Final = 10_000
"""So many names are known at once, for a program may make names of what strangers send. Of breakers that are
closed and have seen no failure nothing is lost."""


class State(Enum):
    """See the top of the file. The values are the names by which metrics know them."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(Enum):
    """How a call has ended."""

    WELL = "well"
    BADLY = "badly"
    NONE = "none"


class Breaker:
    """One of them, by name."""

    __slots__ = (
        "_failed", "_opens_again", "_ticket", "failures", "name", "opened", "refused", "reset", "state",
    )  # fmt: skip

    def __init__(self, name: str, failures: int = FAILURES, reset: float = RESET_SECONDS) -> None:
        self.name = name
        self.failures = failures
        """So many in a row open it."""
        self.reset = reset
        """So many seconds it stays open before one is let through."""
        self.state = State.CLOSED
        self.opened = 0
        """How often it has opened."""
        self.refused = 0
        """How many calls it has refused."""
        self._failed = 0
        self._opens_again = 0.0
        self._ticket = 0

    def __repr__(self) -> str:
        return f"<breaker {self.name} {self.state.value}>"

    @property
    def is_untroubled(self) -> bool:
        """Would a new one do the same?"""
        return self.state is State.CLOSED and not self._failed

    def seconds_left(self, now: float) -> float:
        """How long nobody is let through; 0 when somebody may be."""
        return max(0.0, self._opens_again - now) if self.state is State.OPEN else 0.0

    def admit(self, now: float) -> int | None:
        """Let a call through, with a ticket to be shown at its end; None refuses it."""
        if self.state is State.OPEN and now >= self._opens_again:
            self._become(State.HALF_OPEN)
        elif self.state is not State.CLOSED:
            self.refused += 1
            return None
        return self._ticket

    def ended(self, ticket: int, verdict: Verdict, now: float) -> bool:
        """A call that was let through has ended. True says that the breaker has opened or closed by it."""
        if ticket != self._ticket:
            return False
        if self.state is State.HALF_OPEN:
            return self._tried(verdict, now)
        if verdict is Verdict.WELL:
            self._failed = 0
        elif verdict is Verdict.BADLY:
            self._failed += 1
            if self._failed >= self.failures:
                self._open(now)
                return True
        return False

    def _tried(self, verdict: Verdict, now: float) -> bool:
        if verdict is Verdict.WELL:
            self._failed = 0
            self._become(State.CLOSED)
        elif verdict is Verdict.BADLY:
            self._open(now)
        else:
            self._become(State.OPEN)  # since a moment that has passed: the next who asks is the trial
            return False
        return True

    def _open(self, now: float) -> None:
        self.opened += 1
        self._opens_again = now + self.reset
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self.state = state
        self._ticket += 1


class BreakerBook:
    """The breakers of a process."""

    __slots__ = ("_breakers", "_most")

    def __init__(self, most: int = MOST_BREAKERS) -> None:
        self._breakers: dict[str, Breaker] = {}
        self._most = most

    def named(self, name: str) -> Breaker:
        """The breaker of this name, made now if there is none."""
        breaker = self._breakers.get(name)
        if breaker is None:
            if len(self._breakers) >= self._most:
                self._forget()
            breaker = self._breakers[name] = Breaker(name)
        return breaker

    def _forget(self) -> None:
        kept = {name: one for name, one in self._breakers.items() if not one.is_untroubled}
        if len(kept) >= self._most:  # all of them in trouble: the oldest go
            kept = dict(list(kept.items())[self._most // 10 + 1 :])
        self._breakers = kept

    def __iter__(self) -> Iterator[Breaker]:
        return iter(list(self._breakers.values()))

    def __len__(self) -> int:
        return len(self._breakers)
