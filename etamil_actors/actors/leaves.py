"""What is inside an exception: trio wraps everything that leaves a nursery into groups.

``except SomeError`` around a nursery never matches, and a group may hold a cancellation, an
interrupt and real errors side by side. Whoever decides about an error decides on the leaves, and
this is the one function that finds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import trio

from etamil_actors.errors import ProgramEnd

ERRORS: Final = (Exception, ProgramEnd)
"""What is caught at the boundary of an actor. That a program has ended in the middle of a message, its
budget spent perhaps, concerns its actor and nobody else."""


class Leaves(NamedTuple):
    """An exception taken apart."""

    cancelled: bool
    """Is a cancellation of trio's among them? It is never ours to keep."""
    interrupts: tuple[BaseException, ...]
    """What ends the process: an interrupt from the keyboard, an exit."""
    errors: tuple[BaseException, ...]
    """What somebody has to answer for, in the order in which it was raised."""


def leaves_of(problem: BaseException) -> Leaves:
    """Take an exception apart, however deeply groups are nested."""
    members = tuple(_members(problem))
    return Leaves(
        cancelled=any(isinstance(member, trio.Cancelled) for member in members),
        interrupts=tuple(m for m in members if not isinstance(m, (*ERRORS, trio.Cancelled))),
        errors=tuple(member for member in members if isinstance(member, ERRORS)),
    )


def error_of(problem: BaseException) -> BaseException | None:
    """The one error that stands for all: itself when it is alone, else a flat group."""
    errors = leaves_of(problem).errors
    if len(errors) > 1:
        return BaseExceptionGroup("several errors at once", errors)
    return errors[0] if errors else None


def _members(problem: BaseException) -> Iterator[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        for member in problem.exceptions:
            yield from _members(member)
    else:
        yield problem
