"""Measuring side by side.

What is compared takes turns within one run — ours, Python, Python, ours … — so that whatever else the
machine does meets both alike. A ratio is taken within each round, and the median of the rounds counts;
a first round is thrown away.
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


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times as long ours takes: the median of what each round says."""
    return median(own / other for own, other in zip(ours, theirs, strict=True))


def doublings(taken: Sequence[Sequence[float]]) -> list[float]:
    """How many times as long each takes as the one before."""
    return [ratio_of(longer, shorter) for shorter, longer in pairwise(taken)]
