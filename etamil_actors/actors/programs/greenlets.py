"""Greenlets that run one program after another.

A new greenlet gets a stack of its own from CPython with its first frame, sixteen kilobytes that are mapped
and unmapped again: 12 µs, more than everything else that a short handler costs. So greenlets are kept.
Each waits for an *errand*, runs it, and hands over an ``Over`` in place of dying:

```
take ─▶ switch(errand) ─▶ program code … waits … goes on … ─▶ Over(value or problem) ─▶ kept, for the next
```

A greenlet begins as deep in CPython's calls as the one that made it, and stays so. Those of the stock are
therefore made where calls are shallow; one that is made in the middle of a program, because the stock is
empty, runs once and dies.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import setcontext
from typing import Final

from greenlet import GreenletExit, getcurrent, greenlet

from etamil_actors.vm.number import program_context
from etamil_actors.vm.values import Value

KEPT: Final = 64
"""So many wait for errands."""

MADE_BEFORE: Final = 4
"""So many are made at the start: handlers that are served in the turn of an asker nest that deep."""

Errand = tuple[Callable[..., Value], tuple[Value, ...]]


class Over:
    """The program has ended: with a value, or a problem."""

    __slots__ = ("_problem", "_value")

    def __init__(self, value: Value, problem: BaseException | None) -> None:
        self._value = value
        self._problem = problem

    def empty(self) -> tuple[Value, BaseException | None]:
        """What it holds, once. Its greenlet keeps hold of it while it waits for the next errand.

        Values know by their references whether they may be changed in place, so nothing may stay behind.
        """
        held = self._value, self._problem
        self._value = self._problem = None
        return held


class Stock:
    """The greenlets that wait for errands. One for the process."""

    __slots__ = ("_home", "_waiting")

    def __init__(self) -> None:
        self._home = getcurrent()
        """Where calls are shallow: that of trio's loop."""
        self._waiting: list[greenlet] = []
        for _ in range(MADE_BEFORE):
            self._make()

    def take(self) -> greenlet:
        """A greenlet that waits for an errand, and hands over to whoever called this."""
        here = getcurrent()
        if not self._waiting:
            if here is not self._home:
                return greenlet(_run_alone)
            self._make()
        taken = self._waiting.pop()
        taken.parent = here
        return taken

    def give_back(self, one: greenlet) -> None:
        """It has run its errand."""
        if not one.dead and len(self._waiting) < KEPT:
            self._waiting.append(one)

    def _make(self) -> None:
        made = greenlet(_run_errands)
        made.switch()
        self._waiting.append(made)


def _run_alone(errand: Errand) -> Over:
    setcontext(program_context())
    return _run_once(errand)


def _run_errands() -> None:
    # A greenlet has context variables of its own, so this is set once for all its programs.
    setcontext(program_context())
    answer: Over | None = None
    while True:
        answer = _run_once(getcurrent().parent.switch(answer))


def _run_once(errand: Errand) -> Over:
    entry, arguments = errand
    del errand
    try:
        return Over(entry(*arguments), None)
    except GreenletExit:
        raise
    except BaseException as problem:  # noqa: BLE001  raised again where the program was entered
        return Over(None, problem)
