"""Locks: first come, first served; nobody waits for ever; what is held is always given back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from etamil_actors.actors.locks import Lock, LockBook, permits_of, release_all, wait_for_children
from etamil_actors.actors.waits import Wait
from etamil_actors.errors import Fault, InternalError
from etamil_actors.vm.convert import kind_of, text_of
from tests.actors.helpers import run_virtually, settle

TAMIL = "அ ஆ இ ஈ உ ஊ எ ஏ ஐ ஒ".split()


class Someone:
    """A party of the tests."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: Wait | None = None
        self.locks: list[Lock] | None = None


def crowd(text: str) -> list[Someone]:
    return [Someone(name) for name in text]


async def fault_of(awaitable: Awaitable[Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        await awaitable
    return caught.value


# ── one lock ─────────────────────────────────────────────────────────────────────────────────────


def test_a_lock_is_a_handle() -> None:
    assert kind_of(Lock("கணக்கு")) == "a lock"
    assert text_of(Lock("கணக்கு")) == "<பூட்டு கணக்கு>"
    assert text_of([Lock()]) == "[<பூட்டு>]"
    assert repr(Lock("கணக்கு")) == "<lock கணக்கு>"


def test_a_free_permit_is_taken_at_once() -> None:
    a, b, c = crowd("abc")
    lock = Lock("l", 2)
    assert lock.try_acquire(a) and lock.try_acquire(b)
    assert not lock.try_acquire(c)
    assert lock.holders == [a, b] and lock.free == 0
    lock.release(a)
    assert lock.try_acquire(c)
    assert lock.holders == [b, c]


def test_what_is_not_held_is_not_given_back() -> None:
    a, b = crowd("ab")
    lock = Lock("l")
    with pytest.raises(InternalError, match="a gives back <பூட்டு l>, which it does not hold"):
        lock.release(a)
    assert lock.try_acquire(a)
    with pytest.raises(InternalError):
        lock.release(b)
    lock.release(a)
    with pytest.raises(InternalError):
        lock.release(a)
    assert lock.free == 1


@pytest.mark.parametrize("permits", [0, -1])
def test_a_lock_has_at_least_one_permit(permits: int) -> None:
    with pytest.raises(Fault) as caught:
        Lock("l", permits)
    assert caught.value.message == (
        f"‘பூட்டு_உருவாக்கு’: அனுமதிகள் 1 அல்லது அதற்கு மேல்; {permits} அல்ல"
        f"  (‘பூட்டு_உருவாக்கு’: permits must be 1 or more, not {permits})"
    )


async def test_first_come_first_served_and_nobody_overtakes() -> None:
    lock, order = Lock("l"), []
    first, *others = parties = crowd("abcdef")

    async def work(party: Someone) -> None:
        await lock.acquire(party)
        order.append(party.name)
        await trio.sleep(1)
        lock.release(party)

    await lock.acquire(first)
    async with trio.open_nursery() as nursery:
        for party in others:
            nursery.start_soon(work, party)
            await settle()
        assert lock.waiting == others
        lock.release(first)
        # The permit has been handed on already: a newcomer finds none.
        assert lock.holders == [parties[1]] and not lock.try_acquire(first)
        await lock.acquire(first)
        order.append("a again")
    assert order == ["b", "c", "d", "e", "f", "a again"]


async def test_a_semaphore_lets_in_as_many_as_it_has_permits() -> None:
    lock, inside, most = Lock("l", 3), 0, 0

    async def work(party: Someone) -> None:
        nonlocal inside, most
        await lock.acquire(party)
        inside += 1
        most = max(most, inside)
        await trio.sleep(1)
        inside -= 1
        lock.release(party)

    async with trio.open_nursery() as nursery:
        for party in crowd("abcdefgh"):
            nursery.start_soon(work, party)
    assert most == 3 and trio.current_time() == pytest.approx(3)
    assert lock.free == 3


# ── limits and cancellation ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("seconds", "shown"), [(2.0, "2"), (0.5, "0.5"), (0, "0"), (1e-9, "0")])
async def test_past_its_limit_a_wait_ends(seconds: float, shown: str) -> None:
    a, b = crowd("ab")
    lock = Lock("l")
    await lock.acquire(a)
    started = trio.current_time()
    fault = await fault_of(lock.acquire(b, seconds))
    assert trio.current_time() - started == pytest.approx(seconds, abs=1e-4)
    assert fault.message == f"கால வரம்பு ({shown} நொடி) முடிந்தது  (the time limit of {shown} s is over)"
    assert text_of(fault.details["seconds"]) == shown
    assert b.waiting is None and not b.locks and lock.waiting == [] and lock.holders == [a]


async def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    a, b = crowd("ab")
    lock = Lock("l")
    await lock.acquire(a, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lock.acquire, b, 5)
        await trio.sleep(4)
        lock.release(a)
    assert lock.holders == [b] and b.waiting is None and b.locks == [lock]
    await trio.sleep(10)
    assert lock.holders == [b]


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    a, b, c = crowd("abc")
    lock = Lock("l")
    await lock.acquire(a)
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def give_up() -> None:
            with scope:
                await lock.acquire(b)

        nursery.start_soon(give_up)
        await settle()
        nursery.start_soon(lock.acquire, c)
        await settle()
        assert lock.waiting == [b, c]
        scope.cancel()
        await settle()
        assert lock.waiting == [c] and b.waiting is None
        lock.release(a)
    assert lock.holders == [c] and not b.locks


async def test_who_is_cancelled_in_the_moment_of_success_has_the_permit_and_gives_it_back() -> None:
    a, b, c = crowd("abc")
    lock = Lock("l")
    await lock.acquire(a)
    scope, notes = trio.CancelScope(), []

    async def work() -> None:
        with scope:
            await lock.acquire(b)
            try:
                notes.append("has it")
                await trio.sleep(1)
                notes.append("never")
            finally:
                lock.release(b)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await settle()
        nursery.start_soon(lock.acquire, c)
        await settle()
        lock.release(a)
        scope.cancel()
    assert notes == ["has it"] and scope.cancelled_caught
    assert lock.holders == [c] and lock.waiting == []


async def test_the_limit_passes_in_the_moment_of_success() -> None:
    a, b = crowd("ab")
    lock = Lock("l")
    await lock.acquire(a)

    async def release_late() -> None:
        await trio.sleep(1)
        lock.release(a)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(release_late)
        await settle()
        # Both timers are due in one turn, the one of the release first.
        await lock.acquire(b, 1)
    assert lock.holders == [b]


async def test_who_is_cancelled_already_takes_nothing() -> None:
    (a,) = crowd("a")
    lock = Lock("l")
    with trio.CancelScope() as scope:
        scope.cancel()
        await lock.acquire(a)
    assert scope.cancelled_caught and lock.free == 1


async def test_cancelled_at_every_moment_of_a_program_nothing_stays_held() -> None:
    """The moment goes on by half a second until the program ends by itself."""

    async def program(party: Someone, one: Lock, two: Lock) -> None:
        try:
            await one.acquire(party)
            await trio.sleep(1)
            await two.acquire(party, 5)
            await trio.sleep(1)
            two.release(party)
            await two.acquire(party)
        finally:
            release_all(party)

    async def other(party: Someone, two: Lock) -> None:
        for _ in range(2):
            await two.acquire(party)
            await trio.sleep(2)
            two.release(party)

    for moment in range(100):
        one, two = Lock("1"), Lock("2", 1)
        a, b, c = crowd("abc")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other, b, two)
            nursery.start_soon(other, c, two)
            with trio.move_on_after(moment / 2) as scope:
                await program(a, one, two)
        for lock in (one, two):
            assert lock.free == 1 and lock.holders == [] and lock.waiting == []
        assert a.waiting is None and a.locks in (None, [])
        if not scope.cancelled_caught:
            break
    assert 4 < moment < 99


def test_who_ends_gives_back_everything() -> None:
    a, b = crowd("ab")
    one, two = Lock("1", 3), Lock("2")
    for lock in (one, two, one):
        assert lock.try_acquire(a)
    assert one.try_acquire(b)
    assert a.locks == [one, two, one]
    release_all(a)
    release_all(a)
    assert a.locks == [] and one.free == 2 and two.free == 1 and one.holders == [b]


# ── deadlocks ────────────────────────────────────────────────────────────────────────────────────


async def test_taking_what_one_has_is_a_deadlock_at_once() -> None:
    a = Someone("பணி அஞ்சல்")
    lock = Lock("l")
    await lock.acquire(a)
    for seconds in (float("inf"), 5, 0):
        fault = await fault_of(lock.acquire(a, seconds))
        assert fault.code == "lock.deadlock"
        assert fault.message == (
            "பூட்டுகள் ஒன்றுக்காக ஒன்று காத்திருக்கின்றன: பணி அஞ்சல் → பணி அஞ்சல்"
            "  (a deadlock: பணி அஞ்சல் → பணி அஞ்சல்)"
        )
    assert lock.holders == [a] and lock.waiting == []
    lock.release(a)
    assert lock.free == 1


async def test_a_further_permit_is_a_deadlock_only_when_none_is_left() -> None:
    (a,) = crowd("a")
    lock = Lock("l", 2)
    await lock.acquire(a)
    await lock.acquire(a)
    assert lock.free == 0
    assert (await fault_of(lock.acquire(a))).details == {"who": "a → a"}
    lock.release(a)
    await lock.acquire(a)
    assert a.locks == [lock, lock]


async def test_a_further_permit_may_come_from_another_holder() -> None:
    a, b = crowd("ab")
    lock = Lock("l", 2)
    await lock.acquire(a)
    await lock.acquire(b)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lock.acquire, a)
        await settle()
        assert (await fault_of(lock.acquire(b))).details == {"who": "b → a → b"}
        lock.release(b)
    assert lock.holders == [a] and lock.free == 0


@pytest.mark.parametrize("size", range(2, 11))
async def test_the_last_of_a_ring_is_told_and_all_others_go_on(size: int) -> None:
    locks = [Lock(str(number)) for number in range(size)]
    parties = [Someone(f"பணி {name}") for name in TAMIL[:size]]
    faults: list[Fault] = []

    async def work(number: int) -> None:
        party = parties[number]
        try:
            await locks[number].acquire(party)
            await trio.sleep(1 + number)
            await locks[(number + 1) % size].acquire(party)
        except Fault as fault:
            faults.append(fault)
            assert number == size - 1, "the one that closed the ring is told, and nobody else"
        finally:
            release_all(party)

    async with trio.open_nursery() as nursery:
        for number in range(size):
            nursery.start_soon(work, number)
    ring = [parties[-1], *parties]
    assert [fault.details["who"] for fault in faults] == [" → ".join(party.name for party in ring)]
    assert all(party.name in faults[0].message for party in parties)
    assert all(lock.free == 1 for lock in locks)


async def test_a_ring_through_a_child_is_found_by_the_child() -> None:
    parent, child = Someone("தாய்"), Someone("சேய்")
    lock = Lock("l")
    await lock.acquire(parent)
    with wait_for_children(parent, [child]):
        fault = await fault_of(lock.acquire(child))
    assert fault.details == {"who": "சேய் → தாய் → சேய்"}


async def test_a_ring_through_a_child_is_found_by_the_parent() -> None:
    parent, child = Someone("தாய்"), Someone("சேய்")
    lock = Lock("l")
    await lock.acquire(parent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lock.acquire, child)
        await settle()
        with pytest.raises(Fault) as caught, wait_for_children(parent, [child]):
            raise AssertionError("the block must not begin")
        assert caught.value.details == {"who": "தாய் → சேய் → தாய்"}
        lock.release(parent)
    assert lock.holders == [child]


async def test_a_party_that_waits_may_not_wait_for_a_second_lock() -> None:
    a, b = crowd("ab")
    lock = Lock("l")
    await lock.acquire(a)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lock.acquire, b)
        await settle()
        with pytest.raises(InternalError):
            await lock.acquire(b)
        assert lock.waiting == [b]
        lock.release(a)
    assert lock.holders == [b]


# ── named locks ──────────────────────────────────────────────────────────────────────────────────


def test_one_name_is_one_lock_however_it_is_written() -> None:
    book = LockBook()
    lock = book.named("கொ")
    assert book.named("க\u0bc6\u0bbe") is lock
    assert lock.name == "கொ" and lock.permits == 1
    assert book.named("அ", 2) is not lock
    assert [one.name for one in book.locks()] == ["அ", "கொ"]
    assert LockBook().named("கொ") is not lock


def test_those_who_name_one_lock_agree_on_its_permits() -> None:
    book = LockBook()
    lock = book.named("கணக்கு", 3)
    with pytest.raises(Fault) as caught:
        book.named("கணக்கு")
    assert caught.value.code == "config"
    assert caught.value.message == (
        "அமைப்பு: பூட்டு ‘கணக்கு’: அனுமதிகள் 1 எனக் கேட்கப்பட்டது; ஏற்கெனவே 3"
        "  (configuration: the lock ‘கணக்கு’ is wanted with 1 permit(s), but has 3)"
    )
    assert book.named("கணக்கு", 3) is lock
    with pytest.raises(Fault) as caught:
        book.named("புதியது", 0)
    assert caught.value.code == "value.invalid"
    assert book.locks() == [lock]


@pytest.mark.parametrize(("value", "permits"), [(1, 1), (7, 7), (Decimal("2.0"), 2)])
def test_permits_are_a_whole_number(value: Any, permits: int) -> None:
    assert permits_of(value) == permits


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0, "value.invalid", "0"),
        (-3, "value.invalid", "-3"),
        (Decimal("1.5"), "value.invalid", "1.5"),
        ("2", "value.kind", "உரை"),
        (True, "value.kind", "ஈர்ம மதிப்பு"),
        (None, "value.kind", "இன்மை"),
    ],
)
def test_what_is_no_number_of_permits_is_refused(value: Any, code: str, shown: str) -> None:
    with pytest.raises(Fault) as caught:
        permits_of(value)
    assert caught.value.code == code
    assert "‘பூட்டு_உருவாக்கு’" in caught.value.tamil and shown in caught.value.tamil
    assert "permits" in caught.value.english


# ── against a model ──────────────────────────────────────────────────────────────────────────────


class LockMachine(RuleBasedStateMachine):
    """One lock, five parties and a list of who queues. Every wait is a real task of trio."""

    @initialize(permits=st.integers(1, 3))
    def make(self, permits: int) -> None:
        self.script: list[Callable[[Play], Awaitable[None]]] = []
        self.permits = permits
        self.held: list[int] = []
        self.queue: list[int] = []

    @rule(number=st.integers(0, 4), limited=st.booleans())
    def take(self, number: int, limited: bool) -> None:
        if number in self.queue:
            return
        if len(self.held) < self.permits:
            self.held.append(number)
        elif set(self.held) - {number} - set(self.queue):
            # Somebody else holds a permit and runs, so it may come free.
            self.queue.append(number)
        self.script.append(lambda play: play.take(number, 1e6 if limited else float("inf")))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        running = sorted(set(self.held) - set(self.queue))
        if not running:
            return
        number = data.draw(st.sampled_from(running))
        self.held.remove(number)
        if self.queue:
            self.held.append(self.queue.pop(0))
        self.script.append(lambda play: play.give(number))

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.queue))
        self.queue.remove(number)
        self.script.append(lambda play: play.cancel(number))

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        running = sorted(set(range(5)) - set(self.queue))
        if not running:
            return
        number = data.draw(st.sampled_from(running))
        free = self.permits - len(self.held) + self.held.count(number)
        self.held = [holder for holder in self.held if holder != number]
        while self.queue and free:
            self.held.append(self.queue.pop(0))
            free -= 1
        self.script.append(lambda play: play.end(number))

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "script"):
            return
        play = Play(self.permits)
        run_virtually(play.perform, self.script)
        assert play.held == sorted(self.held)
        assert play.queue == self.queue


class Play:
    """The same steps with a real lock."""

    def __init__(self, permits: int) -> None:
        self.lock = Lock("l", permits)
        self.parties = crowd("01234")
        self.scopes: dict[int, trio.CancelScope] = {}

    async def perform(self, script: list[Callable[[Play], Awaitable[None]]]) -> None:
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            for step in script:
                await step(self)
                await settle()
            self.held = sorted(int(party.name) for party in self.parties for _ in party.locks or ())
            self.queue = [int(party.name) for party in self.lock.waiting]
            assert len(self.held) + self.lock.free == self.lock.permits
            assert not (self.queue and self.lock.free)
            assert [party for party in self.parties if party.waiting] == [
                party for party in self.parties if party in self.lock.waiting
            ]
            nursery.cancel_scope.cancel()
        assert self.lock.waiting == []

    async def take(self, number: int, seconds: float) -> None:
        async def wait() -> None:
            with trio.CancelScope() as scope:
                self.scopes[number] = scope
                try:
                    await self.lock.acquire(self.parties[number], seconds)
                except Fault as fault:
                    assert fault.code == "lock.deadlock"

        self.nursery.start_soon(wait)

    async def give(self, number: int) -> None:
        self.lock.release(self.parties[number])

    async def cancel(self, number: int) -> None:
        self.scopes[number].cancel()

    async def end(self, number: int) -> None:
        release_all(self.parties[number])


TestLockMachine = LockMachine.TestCase
TestLockMachine.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
