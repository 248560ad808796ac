"""A cache in memory beside the simplest one that does the same, under random use."""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from etamil_actors.actors.caches.memory import ENTRY_BYTES, MemoryCache, weigh

KEYS = st.sampled_from("அஆஇஈஉ")
MOST = 3
MOST_BYTES = 3 * (ENTRY_BYTES + 1_000)


class OneProgram:
    """As much of a machine as a cache of plain values looks at."""

    image = None


class Caching(RuleBasedStateMachine):
    """The model is a list of keys with their values, used last at the end, and no cleverness at all."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.machine: Any = OneProgram()
        self.cache = MemoryCache(
            "க", lambda: self.time, ttl=10.0, most_entries=MOST, most_bytes=MOST_BYTES
        )
        self.model: list[tuple[str, Any, float]] = []
        self.hits = self.misses = 0

    @rule(key=KEYS, value=st.integers() | st.text(max_size=900) | st.lists(st.integers(), max_size=20),
          ttl=st.sampled_from([None, 0.0, 1.0, 5.0, inf]))  # fmt: skip
    def keep(self, key: str, value: Any, ttl: float | None) -> None:
        self.cache.keep(key, value, ttl, None)
        self.model = [row for row in self.model if row[0] != key]
        lasts = 10.0 if ttl is None else ttl
        if lasts > 0:
            self.model.append((key, value, self.time + lasts))
            while len(self.model) > MOST or self.room() > MOST_BYTES:
                self.model.pop(0)

    @rule(key=KEYS)
    def keep_what_has_no_room(self, key: str) -> None:
        self.cache.keep(key, "x" * (MOST_BYTES + 1), None, None)
        self.model = [row for row in self.model if row[0] != key]

    def room(self) -> int:
        from sys import getsizeof

        return sum(ENTRY_BYTES + getsizeof(key) + weigh(value)[0] for key, value, _ in self.model)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        found = self.cache.get(key, self.machine, "இல்லை")
        row = next((row for row in self.model if row[0] == key), None)
        if row is not None:
            self.model.remove(row)
        if row is None or row[2] <= self.time:
            assert found == "இல்லை"
            self.misses += 1
        else:
            assert found is row[1]
            self.model.append(row)
            self.hits += 1

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        row = next((row for row in self.model if row[0] == key), None)
        assert self.cache.remove(key) == (row is not None and row[2] > self.time)
        self.model = [row for row in self.model if row[0] != key]

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 4.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.time += seconds

    @precondition(lambda self: len(self.model) > 1)
    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.model = []

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert self.cache.keys() == [key for key, _, until in self.model if until > self.time]
        facts = self.cache.facts()
        assert (facts.entries, facts.bytes) == (len(self.model), self.room())
        assert (facts.hits, facts.misses) == (self.hits, self.misses)


Caching.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCaching = Caching.TestCase
