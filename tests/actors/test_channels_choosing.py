"""Choosing among several sources: which one it is, and that the others keep what they have."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import trio

from etamil_actors.actors.channels.base import ChannelSettings
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.choosing import AFTER, OTHERWISE, choose, choose_now
from etamil_actors.actors.channels.memory import QueueChannel
from tests.actors.helpers import settle

STATES = ("empty", "full", "over", "closed and full", "in hands")


def channel_in(state: str, number: int) -> QueueChannel:
    """A channel in one of the states that a chooser may meet."""
    channel = QueueChannel(f"c{number}", ChannelSettings(), f"/c{number}")
    if state in ("full", "closed and full", "in hands"):
        assert channel.send_nowait(number)
    if state == "in hands":
        assert channel.try_take() is not None
    if state in ("over", "closed and full", "in hands"):
        channel.close()
    return channel


def has_message(state: str) -> bool:
    return state in ("full", "closed and full")


@pytest.mark.parametrize("states", list(product(STATES, repeat=3)), ids="|".join)
async def test_the_first_in_the_source_that_has_a_message_is_chosen(states: tuple[str, ...]) -> None:
    for way in ("now", "otherwise", "after", "wait"):
        channels = [channel_in(state, number) for number, state in enumerate(states)]
        ready = [number for number, state in enumerate(states) if has_message(state)]
        before = [channel.pending for channel in channels]
        chosen: Any
        with trio.move_on_after(100) as scope:
            match way:
                case "now":
                    chosen = choose_now(channels)
                case "otherwise":
                    chosen = await choose(channels, otherwise=True)
                case "after":
                    chosen = await choose(channels, 5)
                case "wait":
                    chosen = await choose(channels)
        if ready:
            assert (chosen[0], chosen[1].value) == (ready[0], ready[0])
            before[ready[0]] -= 1
        elif all(state == "over" for state in states):
            assert chosen is None
        elif way in ("now", "otherwise"):
            assert chosen == OTHERWISE
        elif way == "after":
            assert chosen == AFTER
            assert trio.current_time() % 100 == pytest.approx(5, abs=0.01)
        else:
            assert scope.cancelled_caught
        assert [channel.pending for channel in channels] == before
        assert not any(channel._watchers for channel in channels)
        await trio.sleep(100 - trio.current_time() % 100)


async def test_else_the_first_that_gets_one_is_chosen() -> None:
    channels = [channel_in("empty", number) for number in range(3)]
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channels[1].send, "செய்தி")
            chosen = await choose(channels, 5)
    assert isinstance(chosen, tuple)
    assert (chosen[0], chosen[1].value) == (1, "செய்தி")
    assert not any(channel._watchers for channel in channels)


async def test_of_several_that_get_one_at_a_moment_the_first_in_the_source_is_chosen() -> None:
    channels = [channel_in("empty", number) for number in range(3)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_all, [channels[2], channels[1]])
        chosen = await choose(channels)
    assert isinstance(chosen, tuple)
    assert chosen[0] == 1
    assert [channel.pending for channel in channels] == [0, 0, 1]


async def send_all(channels: list[QueueChannel]) -> None:
    for channel in channels:
        assert channel.send_nowait(channel.name)


async def test_a_chooser_that_leaves_a_message_wakes_the_next_who_waits() -> None:
    first, second = channel_in("empty", 1), channel_in("empty", 2)
    got = []

    async def receive() -> None:
        delivery = await second.take()
        assert delivery is not None
        got.append(delivery.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(choose, [first, second])
        await settle()
        nursery.start_soon(receive)
        await settle()
        await send_all([second, first])
        with trio.fail_after(5):
            await settle()
        assert got == ["c2"]


@pytest.mark.parametrize("first", ["message", "cancellation"])
async def test_a_cancelled_chooser_takes_nothing_and_passes_its_wake_on(first: str) -> None:
    channel = channel_in("empty", 1)
    scope = trio.CancelScope()
    got: list[Any] = []

    async def give_up() -> None:
        with scope:
            chosen = await choose([channel, channel_in("empty", 2)])
            assert isinstance(chosen, tuple)
            got.append(("chooser", chosen[1].value))

    async def receive() -> None:
        delivery = await channel.take()
        assert delivery is not None
        got.append(("receiver", delivery.value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        await settle()
        nursery.start_soon(receive)
        await settle()
        if first == "message":  # then the chooser has it, and whoever called it is cancelled later
            assert channel.send_nowait(1)
            scope.cancel()
        else:
            scope.cancel()
            assert channel.send_nowait(1)
        await settle()
        assert got == [("chooser" if first == "message" else "receiver", 1)]
        nursery.cancel_scope.cancel()


async def test_a_cancelled_choice_among_full_channels_takes_nothing() -> None:
    channel = channel_in("full", 1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await choose([channel])
    assert scope.cancelled_caught
    assert channel.pending == 1


async def test_who_waits_hears_that_all_are_over() -> None:
    channels = [channel_in("empty", 1), channel_in("full", 2), channel_in("over", 3)]
    delivery = channels[1].try_take()
    assert delivery is not None
    answers: list[object] = []

    async def wait() -> None:
        answers.append(await choose(channels, 60))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await settle()
        channels[0].close()
        channels[1].close()
        await settle()
        assert answers == []
        delivery.ack()
    assert answers == [None]


async def test_a_source_may_stand_twice() -> None:
    channel = channel_in("empty", 1)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.send, 1)
            chosen = await choose([channel, channel])
    assert isinstance(chosen, tuple)
    assert chosen[0] == 0


async def test_subscriptions_and_what_sleeps_are_waited_for() -> None:
    queue = channel_in("empty", 1)
    news = BroadcastChannel("செய்திகள்", ChannelSettings(), "/n")
    end = news.subscribe()
    assert queue.send_nowait("ஆணை", delay=10)
    assert news.send_nowait("செய்தி", delay=5)
    for index, value in [(1, "செய்தி"), (0, "ஆணை")]:
        chosen = await choose([queue, end], 60)
        assert isinstance(chosen, tuple)
        assert (chosen[0], chosen[1].value) == (index, value)


async def test_nothing_to_choose_from_is_over_at_once() -> None:
    assert choose_now([]) is None
    assert await choose([], 60, otherwise=False) is None


async def test_who_never_has_to_wait_lets_others_run() -> None:
    channel = channel_in("empty", 1)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for number in range(100):
            assert channel.send_nowait(number)
            await choose([channel])
        nursery.cancel_scope.cancel()
    assert turns >= 50
