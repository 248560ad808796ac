"""Measuring side by side.

What is compared takes turns within one run — ours, Python, Python, ours … — so that whatever else the
machine does meets both alike. The median of the rounds counts; a first round of each is thrown away.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

Measure = Callable[[], float]


def take_turns(rounds: int, *measures: Measure) -> list[list[float]]:
    """The seconds of every round, for each of the measures."""
    taken: list[list[float]] = [[] for _ in measures]
    order = list(enumerate(measures))
    for turn in range(rounds + 1):
        for place, measure in order:
            gc.collect()
            seconds = measure()
            if turn:
                taken[place].append(seconds)
        order.reverse()
    return taken


def medians(rounds: int, *measures: Measure) -> list[float]:
    """The median of each measure, in seconds."""
    return [median(taken) for taken in take_turns(rounds, *measures)]


def doublings(seconds: Sequence[float]) -> list[float]:
    """How much longer each takes than the one before."""
    return [longer / shorter for shorter, longer in pairwise(seconds)]
