"""Words with a block that need nobody but the machine.

A block runs in the scope where it stands (EXTENSIONS §2), so compiled code keeps its statements
and asks the word for *turns*:

```
for turn in word:            # how often
    with turn:               # clean up on every way out
        குறி = turn.brought
        …statements…
        turn.answer = the value of the last one
x = word.answer
```

A ``Word`` gives the turns and in the end the answer; a ``Turn`` sees how its run ended and may
swallow an error, which makes the word give another turn. Words that need a clock or a shared
thing (time limits, locks, leases) are made by whoever performs ``OpenBlock``, in the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from etamil_actors.errors import Fault
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.effects import Sleep
from etamil_actors.vm.values import Err, Value

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine


class Turn:
    """One run of the block."""

    __slots__ = ("answer", "brought", "word")

    def __init__(self, word: Word, brought: Value = None) -> None:
        self.word = word
        self.brought = brought
        self.answer: Value = None

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.word.ended(self, problem)


class Word:
    """A word whose block runs once."""

    def __init__(self) -> None:
        self.answer: Value = None

    def __iter__(self) -> Iterator[Turn]:
        yield Turn(self)

    def ended(self, turn: Turn, problem: BaseException | None) -> bool:
        """A run is over; true swallows the problem."""
        self.answer = turn.answer
        return False


def failure(machine: Machine, problem: BaseException | None, answer: Value) -> str | None:
    """The code of the error with which a block has failed; None when it has not, or was ended from outside.

    A தவறு fails too, be it the value of the block or what ``?`` takes out of it: its code is ``result``.
    """
    if isinstance(problem, Fault):
        return problem.code
    if isinstance(problem, Exception):
        from etamil_actors.vm.traces import fault_of

        return fault_of(problem, machine.program.files, machine.depth).code
    return "result" if problem is None and type(answer) is Err else None


class Retry(Word):
    """``மீள்முயற்சி``: again, as long as there are attempts left and the error is worth it.

    The pauses double from one to the next. The error of the last attempt, or its தவறு, is that of the word.
    """

    def __init__(self, machine: Machine, attempts: int, pause: float, codes: list[str] | None) -> None:
        super().__init__()
        self._machine = machine
        self._left = attempts
        self._pause = pause
        self._codes = codes
        self._again = True

    def __iter__(self) -> Iterator[Turn]:
        pause = self._pause
        while self._again:
            self._left -= 1
            self._again = False
            yield Turn(self)
            if self._again:
                self._machine.perform(Sleep(self._jittered(pause)))
                pause = min(pause * 2, max(_LONGEST_PAUSE, self._pause))

    def _jittered(self, pause: float) -> float:
        """Half to all of the pause, so that many who failed together do not return together."""
        return pause * (0.5 + self._machine.world.random_bytes(1)[0] / 510)

    def ended(self, turn: Turn, problem: BaseException | None) -> bool:
        self.answer = turn.answer
        if self._left > 0:
            code = failure(self._machine, problem, turn.answer)
            self._again = code not in _NEVER if self._codes is None else code in self._codes
        return self._again


_NEVER = (None, "internal")
"""No failure, or a mistake of ours: another try would only hide it."""
_LONGEST_PAUSE = 60.0
_ATTEMPTS = 3
_FIRST_PAUSE = 1.0


def _once(machine: Machine, arguments: Sequence[Value]) -> Word:
    return Word()


def _retry(machine: Machine, arguments: Sequence[Value]) -> Word:
    from etamil_actors.vm.options import count_of, read_options, seconds_of

    options = read_options(arguments[0] if arguments else None, "_retry")
    attempts = count_of(options, "attempts", "_retry", _ATTEMPTS)
    pause = seconds_of(options, "backoff", "_retry", _FIRST_PAUSE)
    codes = options.get("codes")
    if codes is not None:
        codes = [text_of(code) for code in (codes if isinstance(codes, list) else [codes])]
    return Retry(machine, attempts, pause, codes)


def _require_role(machine: Machine, arguments: Sequence[Value]) -> Word:
    user, role = arguments
    # A service knows which roles include others.
    has: Callable[[Value, str], bool] = getattr(machine.world, "has_role", has_role)
    if not has(user, text_of(role)):
        raise Fault("auth.forbidden")
    return Word()


def has_role(user: Value, role: str) -> bool:
    """Does the user have it, where no role includes another?"""
    return role in roles_of(user)


def roles_of(user: Value) -> list[str]:
    """The roles that a user's record or claims name, in ``role`` and ``roles``."""
    if not isinstance(user, dict):
        return []
    roles: list[str] = []
    for key in ("role", "roles"):
        held = user.get(key)
        if isinstance(held, list):
            roles += [text_of(one) for one in held]
        elif held is not None:
            roles.append(text_of(held))
    return roles


BLOCKS: dict[str, Callable[[Machine, Sequence[Value]], Word]] = {
    "_dev": _once,
    "_retry": _retry,
    "_requireRole": _require_role,
}
"""By English alias: the words that are made here."""
