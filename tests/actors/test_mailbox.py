"""The mailbox against a simple model: order per sender, exactly once, nothing lost in silence."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from etamil_actors.actors.errors import MailboxClosed, MailboxFull
from etamil_actors.actors.mailbox import TURN_MESSAGES, TURN_SECONDS, Mailbox, Overflow, Turn
from etamil_actors.errors import InternalError
from tests.actors.helpers import run_virtually, settle


class MailboxMachine(RuleBasedStateMachine):
    """Everything that does not wait, against two lists."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.dropped: list[int] = []
        self.mailbox: Mailbox[int] | None = None

    @precondition(lambda self: self.mailbox is None)
    @rule(capacity=st.integers(1, 4), overflow=st.sampled_from(Overflow))
    def make(self, capacity: int, overflow: Overflow) -> None:
        self.mailbox = Mailbox(capacity, overflow, self.dropped.append, lambda: self.now)
        self.capacity, self.overflow = capacity, overflow
        self.lane: list[tuple[float, int]] = []
        self.system: list[int] = []
        self.lost: list[int] = []
        self.closed = False

    @precondition(lambda self: self.mailbox)
    @rule()
    def put(self) -> None:
        assert self.mailbox is not None
        self.number += 1
        full = len(self.lane) == self.capacity
        if self.closed:
            with pytest.raises(MailboxClosed):
                self.mailbox.put_nowait(self.number)
        elif full and self.overflow in (Overflow.WAIT, Overflow.REJECT):
            with pytest.raises(MailboxFull):
                self.mailbox.put_nowait(self.number)
        elif full and self.overflow is Overflow.DROP_NEWEST:
            assert self.mailbox.put_nowait(self.number) is False
            self.lost.append(self.number)
        else:
            assert self.mailbox.put_nowait(self.number) is True
            self.lane.append((self.now, self.number))
            if full:
                self.lost.append(self.lane.pop(0)[1])

    @precondition(lambda self: self.mailbox)
    @rule()
    def put_system(self) -> None:
        assert self.mailbox is not None
        self.number += 1
        assert self.mailbox.put_system(self.number) is not self.closed
        if not self.closed:
            self.system.append(self.number)

    @precondition(lambda self: self.mailbox)
    @rule()
    def take(self) -> None:
        assert self.mailbox is not None
        expected: int | None = None
        if self.system:
            expected = self.system.pop(0)
        elif self.lane:
            _, expected = self.lane.pop(0)
        assert self.mailbox.try_take() == expected

    @precondition(lambda self: self.mailbox)
    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.mailbox)
    @rule()
    def close(self) -> None:
        assert self.mailbox is not None
        self.mailbox.close()
        self.closed = True

    @precondition(lambda self: self.mailbox)
    @rule()
    def rest(self) -> None:
        assert self.mailbox is not None
        self.mailbox.rest()

    @precondition(lambda self: self.mailbox and self.closed)
    @rule()
    def drain(self) -> None:
        assert self.mailbox is not None
        assert self.mailbox.drain() == self.system + [message for _, message in self.lane]
        self.system, self.lane = [], []

    @invariant()
    def agrees(self) -> None:
        if self.mailbox is not None:
            assert self.mailbox.depth == len(self.lane)
            assert self.mailbox.has_room is (len(self.lane) < self.capacity)
            assert self.mailbox.is_quiet is (not self.lane and not self.system and not self.closed)
            assert self.mailbox.oldest_age == (self.now - self.lane[0][0] if self.lane else 0.0)
            assert self.mailbox.is_closed is self.closed
            assert self.mailbox.dropped == len(self.lost)
            assert self.dropped == self.lost


TestMailboxMachine = MailboxMachine.TestCase


@settings(max_examples=150, deadline=None)
@given(
    capacity=st.integers(1, 5),
    overflow=st.sampled_from(Overflow),
    senders=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    takes=st.integers(0, 60),
    cancelled=st.sets(st.integers(0, 4)),
    seed=st.integers(0, 1000),
)
def test_every_message_is_in_exactly_one_place(
    capacity: int, overflow: Overflow, senders: list[int], takes: int, cancelled: set[int], seed: int
) -> None:
    run_virtually(_senders_and_taker, capacity, overflow, senders, takes, cancelled, seed=seed)


async def _senders_and_taker(
    capacity: int, overflow: Overflow, senders: list[int], takes: int, cancelled: set[int]
) -> None:
    dropped: list[tuple[int, int]] = []
    mailbox: Mailbox[tuple[int, int]] = Mailbox(capacity, overflow, dropped.append)
    accepted: list[tuple[int, int]] = []
    refused: list[tuple[int, int]] = []
    taken: list[tuple[int, int]] = []

    async def send(sender: int, count: int, scope: trio.CancelScope) -> None:
        with scope:
            for number in range(count):
                message = (sender, number)
                outcome = refused
                try:
                    await mailbox.put(message)
                    outcome = accepted
                except (MailboxFull, MailboxClosed):
                    pass
                finally:
                    outcome.append(message)

    async def take() -> None:
        for _ in range(takes):
            try:
                taken.append(await mailbox.take())
            except MailboxClosed:
                return
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        scopes = [trio.CancelScope() for _ in senders]
        for sender, count in enumerate(senders):
            nursery.start_soon(send, sender, count, scopes[sender])
        nursery.start_soon(take)
        for sender in sorted(cancelled):
            await trio.lowlevel.checkpoint()
            if sender < len(scopes):
                scopes[sender].cancel()
        await settle()
        assert mailbox.waiting_senders == 0 or mailbox.depth == capacity
        left = mailbox.drain()

    # DROP_NEWEST "accepts" a message only to drop it, so dropped ones are among the accepted.
    assert Counter(taken) + Counter(left) + Counter(dropped) == Counter(accepted)
    assert len(set(accepted) | set(refused)) == len(accepted) + len(refused)
    assert mailbox.dropped == len(dropped)
    for sender in range(len(senders)):
        kept = [number for origin, number in [*taken, *left] if origin == sender]
        assert kept == sorted(kept)


async def test_system_messages_are_served_first() -> None:
    mailbox: Mailbox[str] = Mailbox()
    await mailbox.put("one")
    mailbox.put_system("stop")
    await mailbox.put("two")
    assert [await mailbox.take() for _ in range(3)] == ["stop", "one", "two"]


async def test_a_system_message_has_room_in_a_full_mailbox() -> None:
    mailbox: Mailbox[str] = Mailbox(1, Overflow.REJECT)
    await mailbox.put("one")
    with pytest.raises(MailboxFull, match="the mailbox is full"):
        await mailbox.put("two")
    assert mailbox.put_system("stop")
    assert await mailbox.take() == "stop"


async def test_waiting_senders_are_served_in_order_and_nobody_overtakes() -> None:
    mailbox: Mailbox[int] = Mailbox(1)
    await mailbox.put(0)
    async with trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            nursery.start_soon(mailbox.put, number)
            await settle()
        assert mailbox.waiting_senders == 3
        taken = [await mailbox.take()]
        with pytest.raises(MailboxFull):
            mailbox.put_nowait(99)
        taken += [await mailbox.take() for _ in range(3)]
    assert taken == [0, 1, 2, 3]


async def test_a_cancelled_sender_leaves_nothing_behind() -> None:
    mailbox: Mailbox[str] = Mailbox(1)
    await mailbox.put("one")
    with trio.move_on_after(1) as scope:
        await mailbox.put("two")
    assert scope.cancelled_caught
    assert await mailbox.take() == "one"
    assert (mailbox.try_take(), mailbox.waiting_senders) == (None, 0)


async def test_a_taker_cancelled_just_when_it_is_woken_loses_nothing() -> None:
    mailbox: Mailbox[str] = Mailbox()
    taken: list[str] = []
    async with trio.open_nursery() as nursery:

        async def take() -> None:
            taken.append(await mailbox.take())

        nursery.start_soon(take)
        await settle()
        mailbox.put_nowait("one")
        nursery.cancel_scope.cancel()
    assert taken + mailbox.drain() == ["one"]


async def test_a_cancelled_take_can_be_tried_again() -> None:
    mailbox: Mailbox[str] = Mailbox()
    with trio.move_on_after(1):
        await mailbox.take()
    assert not mailbox.is_waiting
    await mailbox.put("one")
    assert await mailbox.take() == "one"


async def test_closing_lets_the_rest_be_taken_and_refuses_who_waits() -> None:
    mailbox: Mailbox[str] = Mailbox(1)
    await mailbox.put("one")
    refused: list[bool] = []

    async def send() -> None:
        with pytest.raises(MailboxClosed):
            await mailbox.put("two")
        refused.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await settle()
        mailbox.close()
    assert refused == [True]
    assert await mailbox.take() == "one"
    with pytest.raises(MailboxClosed, match="the mailbox is closed"):
        await mailbox.take()


async def test_closing_wakes_the_taker() -> None:
    mailbox: Mailbox[str] = Mailbox()
    ended: list[bool] = []

    async def take() -> None:
        with pytest.raises(MailboxClosed):
            await mailbox.take()
        ended.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await settle()
        mailbox.close()
    assert ended == [True]


async def test_age_is_that_of_the_oldest_and_counts_waiting_for_room() -> None:
    mailbox: Mailbox[str] = Mailbox(1)
    assert mailbox.oldest_age == 0
    await mailbox.put("one")
    async with trio.open_nursery() as nursery:
        await trio.sleep(2)
        nursery.start_soon(mailbox.put, "two")
        await trio.sleep(3)
        assert mailbox.oldest_age == 5
        await mailbox.take()
        assert mailbox.oldest_age == 3


async def test_others_get_a_turn_while_a_full_mailbox_is_emptied() -> None:
    mailbox: Mailbox[int] = Mailbox(10 * TURN_MESSAGES)
    turns: list[int] = []
    done = trio.Event()

    async def neighbour() -> None:
        while not done.is_set():
            turns.append(mailbox.depth)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(neighbour)
        for number in range(10 * TURN_MESSAGES):
            await mailbox.put(number)
        while mailbox.depth:
            await mailbox.take()
        done.set()
    # Trio may run one of two ready tasks last in this batch and first in the next.
    assert len(turns) >= 10
    assert max(abs(a - b) for a, b in pairwise(turns)) <= 2 * TURN_MESSAGES


async def test_what_waits_is_taken_without_waiting_for_more() -> None:
    mailbox: Mailbox[str] = Mailbox()
    assert await mailbox.take_waiting() is None
    mailbox.put_nowait("one")
    mailbox.put_system("stop")
    assert [await mailbox.take_waiting() for _ in range(3)] == ["stop", "one", None]
    mailbox.put_nowait("two")
    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.take_waiting()
    assert (scope.cancelled_caught, mailbox.depth) == (True, 1)


async def test_a_turn_ends_with_its_number_of_things_or_its_time() -> None:
    turn = Turn()
    turn.begin()
    assert [turn.is_over() for _ in range(TURN_MESSAGES)] == [False] * (TURN_MESSAGES - 1) + [True]
    turn.begin()
    assert not turn.is_over()
    await trio.sleep(2 * TURN_SECONDS)
    assert turn.is_over()


async def test_two_takers_are_our_own_mistake() -> None:
    mailbox: Mailbox[int] = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.take)
        await settle()
        with pytest.raises(InternalError, match="two tasks"):
            await mailbox.take()
        mailbox.put_nowait(1)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_mailbox_holds_at_least_one_message(capacity: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Mailbox[Any](capacity)


@pytest.mark.parametrize(
    ("overflow", "left", "dropped", "answers"),
    [
        (Overflow.DROP_OLDEST, [2, 3], [1], [True, True, True]),
        (Overflow.DROP_NEWEST, [1, 2], [3], [True, True, False]),
    ],
)
async def test_what_is_dropped_is_told(
    overflow: Overflow, left: list[int], dropped: list[int], answers: list[bool]
) -> None:
    told: list[int] = []
    mailbox: Mailbox[int] = Mailbox(2, overflow, told.append)
    assert [await mailbox.put(number) for number in (1, 2, 3)] == answers
    assert (mailbox.drain(), told, mailbox.dropped) == (left, dropped, 1)
