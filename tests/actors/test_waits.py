"""Deadlocks are found when they close, never before, and everybody in them is named.

The graph is tested against a simulation that plays out what can happen; then whole programs of real
tasks run with locks in virtual time, and either all of them end or a fault told why not.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import pairwise

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.locks import Lock, release_all
from etamil_actors.actors.waits import (
    AllOf,
    AnyOf,
    Wait,
    begin_waiting,
    cycle,
    deadlock,
    wait_for_children,
)
from etamil_actors.errors import Fault, InternalError
from tests.actors.helpers import run_virtually

TAMIL = "அ ஆ இ ஈ உ ஊ எ ஏ ஐ ஒ".split()


class Someone:
    """A party of the tests."""

    def __init__(self, name: str, waiting: Wait | None = None) -> None:
        self.name = name
        self.waiting = waiting
        self.locks: list[Lock] | None = None

    def __repr__(self) -> str:
        return self.name


def names(ring: Collection[Someone] | None) -> str | None:
    return None if ring is None else "".join(party.name for party in ring)


def crowd(text: str) -> list[Someone]:
    return [Someone(name) for name in text]


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", range(1, 11))
@pytest.mark.parametrize("kind", [AnyOf, AllOf])
def test_a_ring_is_found_in_the_one_that_closes_it(size: int, kind: type[Wait]) -> None:
    parties = [Someone(name) for name in TAMIL[:size]]
    for party, following in pairwise(parties):
        assert cycle(party, kind([following])) is None
        party.waiting = kind([following])
    last = parties[-1]
    assert cycle(last, kind([parties[0]])) == [last, *parties[:-1]]
    assert last.waiting is None


def test_who_waits_for_somebody_that_runs_is_in_no_ring() -> None:
    a, b, c = crowd("abc")
    b.waiting = AllOf([c])
    assert cycle(a, AnyOf([b])) is None


def test_who_waits_for_nobody_is_in_no_ring() -> None:
    (a,) = crowd("a")
    assert cycle(a, AllOf([])) is None


def test_a_permit_may_come_from_any_holder() -> None:
    a, b, c = crowd("abc")
    b.waiting = AnyOf([a])
    assert cycle(a, AnyOf([b, c])) is None
    c.waiting = AnyOf([b])
    assert names(cycle(a, AnyOf([b, c]))) == "abacb"


def test_children_are_awaited_to_the_last() -> None:
    a, b, c = crowd("abc")
    b.waiting = AnyOf([a])
    assert names(cycle(a, AllOf([c, b]))) == "ab"


def test_a_holder_that_wants_one_more_permit_waits_for_the_others() -> None:
    a, b = crowd("ab")
    assert cycle(a, AnyOf([a, b])) is None
    b.waiting = AnyOf([a, b])
    assert names(cycle(a, AnyOf([a, b]))) == "ab"


def test_a_child_that_wants_a_lock_of_its_waiting_parent() -> None:
    parent, child = Someone("தாய்"), Someone("சேய்")
    parent.waiting = AllOf([child])
    ring = cycle(child, AnyOf([parent]))
    assert ring == [child, parent]
    fault = deadlock(list(ring))
    assert fault.code == "lock.deadlock"
    assert fault.message == (
        "பூட்டுகள் ஒன்றுக்காக ஒன்று காத்திருக்கின்றன: சேய் → தாய் → சேய்  (a deadlock: சேய் → தாய் → சேய்)"
    )
    assert fault.details == {"who": "சேய் → தாய் → சேய்"}


def test_long_names_are_not_shortened() -> None:
    parties = [Someone(f"{name * 50}") for name in TAMIL]
    assert all(party.name in deadlock(parties).message for party in parties)


def test_everybody_stuck_is_named_in_rings_through_the_one_that_closed_them() -> None:
    a, b, c, d = crowd("abcd")
    b.waiting, c.waiting, d.waiting = AnyOf([a]), AnyOf([b]), AllOf([a])
    assert names(cycle(a, AnyOf([b, c, d]))) == "abacbad"


def test_who_only_waits_behind_a_ring_of_others_closes_none() -> None:
    a, b, c = crowd("abc")
    b.waiting, c.waiting = AnyOf([c]), AnyOf([b])
    assert cycle(a, AnyOf([b])) is None


def test_those_who_wait_in_vain_for_another_reason_are_not_in_the_ring() -> None:
    a, b, c = crowd("abc")
    c.waiting = AnyOf([c])
    b.waiting = AnyOf([a])
    assert names(cycle(a, AllOf([c, b]))) == "ab"


def test_a_refused_wait_changes_nothing() -> None:
    a, b = crowd("ab")
    b.waiting = AnyOf([a])
    with pytest.raises(Fault) as caught:
        begin_waiting(a, AnyOf([b]))
    assert caught.value.code == "lock.deadlock"
    assert a.waiting is None


def test_a_party_waits_for_one_thing_at_a_time() -> None:
    a, b = crowd("ab")
    begin_waiting(a, AnyOf([b]))
    with pytest.raises(InternalError, match="a begins to wait while it waits"):
        begin_waiting(a, AnyOf([b]))


def test_waiting_for_children_lasts_as_long_as_the_block() -> None:
    a, b, c = crowd("abc")
    children = [b]
    with wait_for_children(a, children):
        assert isinstance(a.waiting, AllOf)
        assert cycle(c, AnyOf([a])) is None
        children.append(c)
        assert names(cycle(c, AnyOf([a]))) == "ca"
    assert a.waiting is None
    with pytest.raises(ZeroDivisionError), wait_for_children(a, children):
        raise ZeroDivisionError
    assert a.waiting is None


def test_waiting_for_a_child_that_waits_for_us_is_refused() -> None:
    a, b = crowd("ab")
    b.waiting = AnyOf([a])
    with pytest.raises(Fault) as caught, wait_for_children(a, [b]):
        raise AssertionError("the block must not begin")
    assert caught.value.details["who"] == "a → b → a"
    assert a.waiting is None


def test_a_long_chain_is_looked_at_without_recursion() -> None:
    parties = [Someone(str(number)) for number in range(20_000)]
    for party, following in pairwise(parties):
        party.waiting = AnyOf([following])
    assert cycle(parties[-1], AnyOf([Someone("free")])) is None
    ring = cycle(parties[-1], AnyOf([parties[0]]))
    assert ring is not None and len(ring) == len(parties)


# ── against a simulation ─────────────────────────────────────────────────────────────────────────

Want = tuple[type[Wait], list[int]] | None

WAITS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from([AnyOf, AllOf]), st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True)),
)


def plays_out(waits: list[Want]) -> set[int]:
    """Let everybody who can go on end, one after the other, until nobody can; who has ended?"""
    over: set[int] = set()
    while True:
        for number, wait in enumerate(waits):
            kind, others = wait or (AllOf, [])
            ended = [other in over for other in others]
            if number not in over and (any(ended) if kind is AnyOf else all(ended)):
                over.add(number)
                break
        else:
            return over


def caught_with(party: int, waits: list[Want]) -> set[int]:
    """Of those who wait for ever, the ones that the party depends on, itself included."""
    stuck = set(range(len(waits))) - plays_out(waits)
    found: set[int] = set()
    todo = {party} & stuck
    while todo:
        found |= todo
        todo = {other for one in todo for other in (waits[one] or (AllOf, []))[1]} & stuck - found
    return found


@settings(deadline=None, max_examples=400)
@given(st.lists(WAITS, min_size=7, max_size=7), st.permutations(range(7)))
def test_a_deadlock_is_found_exactly_when_it_closes(
    waits: list[Want], order: list[int]
) -> None:
    parties = crowd("abcdefg")
    taken: list[Want] = [None] * 7
    for number in order:
        wanted = waits[number]
        if wanted is None:
            continue
        wait = wanted[0]([parties[other] for other in wanted[1]])
        taken[number] = wanted
        stuck = caught_with(number, taken)
        ring = cycle(parties[number], wait)
        assert (ring is not None) == bool(stuck) == (len(plays_out(taken)) < 7)
        if ring is None:
            parties[number].waiting = wait
            continue
        # Everybody caught is named, and each one really waits for the next.
        assert {parties.index(party) for party in ring} == stuck
        assert ring[0] is parties[number]
        for party, following in pairwise([*ring, ring[0]]):
            behind = wait if party is ring[0] else party.waiting
            assert behind is not None and following in behind.parties
        taken[number] = None
    assert len(plays_out(taken)) == 7


# ── whole programs ───────────────────────────────────────────────────────────────────────────────
# A program is a list of steps. It takes locks, gives back the last one, sleeps, awaits a task.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 2)),
        st.tuples(st.just("give"), st.just(0)),
        st.tuples(st.just("sleep"), st.integers(0, 3)),
        st.tuples(st.just("await"), st.integers(0, 3)),
    ),
    max_size=8,
)
Step = tuple[str, int]


class Runner(Someone):
    """A task that does its steps and keeps what the locks said."""

    def __init__(self, number: int, steps: list[Step]) -> None:
        super().__init__(TAMIL[number])
        self.steps = steps
        self.over = trio.Event()
        self.known: list[Runner] = []
        self.wanted: Wait | None = None

    async def run(self, locks: list[Lock], others: list[Runner], notes: list[str]) -> None:
        try:
            for step, number in self.steps:
                await self.do(step, number, locks, others)
        except Fault as fault:
            assert fault.code == "lock.deadlock"
            self.judge(fault, notes)
        finally:
            release_all(self)
            notes.append(f"{trio.current_time():.3f} {self.name} ends")
            self.over.set()

    async def do(self, step: str, number: int, locks: list[Lock], others: list[Runner]) -> None:
        if step == "take":
            self.wanted = AnyOf(locks[number].holders)
            await locks[number].acquire(self)
        elif step == "give" and self.locks:
            self.locks[-1].release(self)
        elif step == "sleep":
            await trio.sleep(number)
        elif step == "await":
            other = others[number % len(others)]
            if not other.over.is_set():
                self.wanted = AllOf([other])
                with wait_for_children(self, [other]):
                    await other.over.wait()

    def judge(self, fault: Fault, notes: list[str]) -> None:
        """The simulation, too, must find that this wait could not end; and then that all others can."""
        everybody = self.known
        taken: list[Want] = [
            None
            if (wait := self.wanted if one is self else one.waiting) is None
            else (type(wait), [everybody.index(other) for other in wait.parties])
            for one in everybody
        ]
        named = set(str(fault.details["who"]).split(" → "))
        caught = caught_with(everybody.index(self), taken)
        assert named == {everybody[number].name for number in caught} != set()
        taken[everybody.index(self)] = None
        assert len(plays_out(taken)) == len(everybody)
        notes.append(f"{trio.current_time():.3f} {fault.details['who']}")


async def scenario(programs: list[list[Step]], permits: list[int]) -> list[str]:
    notes: list[str] = []
    locks = [Lock(f"பூட்டு{number}", count) for number, count in enumerate(permits)]
    runners = [Runner(number, steps) for number, steps in enumerate(programs)]
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            for runner in runners:
                runner.known = runners
                nursery.start_soon(runner.run, locks, runners, notes)
    assert all(lock.free == lock.permits and not lock.holders and not lock.waiting for lock in locks)
    assert all(runner.waiting is None and not runner.locks for runner in runners)
    return notes


@settings(deadline=None, max_examples=200)
@given(
    programs=st.lists(STEPS, min_size=1, max_size=4),
    permits=st.lists(st.integers(1, 2), min_size=3, max_size=3),
    seed=st.integers(0, 2**16),
)
def test_all_tasks_end_or_a_deadlock_was_told(programs: list[list[Step]], permits: list[int], seed: int) -> None:
    notes = run_virtually(scenario, programs, permits, seed=seed)
    assert sum(note.endswith("ends") for note in notes) == len(programs)
    assert run_virtually(scenario, programs, permits, seed=seed) == notes


def test_the_random_programs_do_meet_deadlocks() -> None:
    """What the test above looks for must happen often enough to be found."""
    chance = random.Random(5)
    steps: list[Step] = [("take", 0), ("take", 1), ("take", 2), ("give", 0), ("sleep", 1), ("await", 1)]
    deadlocks = 0
    for seed in range(40):
        programs = [chance.choices(steps, k=5) for _ in range(4)]
        notes = run_virtually(scenario, programs, [1, 1, 2], seed=seed)
        deadlocks += any("→" in note for note in notes)
    assert deadlocks >= 10


def test_parties_of_one_name_are_numbered() -> None:
    first, second, third = (Someone("ப") for _ in range(3))
    other = Someone("வேறு")
    assert deadlock([first, other, second, third]).details["who"] == "ப #1 → வேறு → ப #2 → ப #3 → ப #1"
    assert deadlock([first, other]).details["who"] == "ப → வேறு → ப"
