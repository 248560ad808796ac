"""Waiting for several sources at once: one message is taken from one of them.

``choose_now`` looks once and never waits; ``choose`` waits as long as it may. Nothing is taken from the
sources that were not chosen, and whoever is cancelled here has taken nothing at all: a wake that came
for it is passed on to the next who waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import trio
from trio.lowlevel import checkpoint

from etamil_actors.actors.channels.base import Delivery, Source
from etamil_actors.actors.moments import after as moment_after

AFTER: Final = "after"
OTHERWISE: Final = "otherwise"

Taken: TypeAlias = tuple[int, Delivery]
"""Which source it was, and what was taken from it."""


def choose_now(sources: Sequence[Source]) -> Taken | Literal["otherwise"] | None:
    """The message of the first source that has one; ``OTHERWISE`` when none has one now.

    Nothing when all sources are over: then none will ever have one.
    """
    for index, source in enumerate(sources):
        delivery = source.try_take()
        if delivery is not None:
            return index, delivery
    if all(source.is_over for source in sources):
        return None
    return OTHERWISE


async def choose(
    sources: Sequence[Source], after: float | None = None, otherwise: bool = False
) -> Taken | Literal["after", "otherwise"] | None:
    """The message of the first source that has one, else of the first that gets one.

    ``AFTER`` when none came within so many seconds; ``OTHERWISE``, where that is asked for, at once when
    none is there; nothing when all sources are over, whatever else was asked for.
    """
    # Others get their turn before anything is taken, so what is taken is there at once.
    await checkpoint()
    chosen = choose_now(sources)
    if chosen != OTHERWISE or otherwise:
        return chosen
    with trio.CancelScope(deadline=float("inf") if after is None else moment_after(after)) as waiting:
        chosen = await _wait(sources)
    return AFTER if waiting.cancelled_caught else chosen


async def _wait(sources: Sequence[Source]) -> Taken | None:
    while True:
        event = trio.Event()
        wake = event.set
        watched = [source for source in sources if not source.is_over]
        for source in watched:
            source.watch(wake)
        try:
            await event.wait()
            chosen = choose_now(sources)
        finally:
            # After the choice: who was woken and leaves a message behind passes the wake on.
            for source in watched:
                source.unwatch(wake)
        if chosen != OTHERWISE:
            return chosen
