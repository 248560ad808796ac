"""Channels: how many messages a second go through, beside trio's own memory channels in the same run.

What is compared does the same on both sides: so many messages through a bounded channel, from tasks that
send to tasks that receive. Ours are acknowledged as well. Nobody drops, and both sides count what arrived.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import NamedTuple

import trio

from benchmarks.rounds import ratio_of, take_turns
from benchmarks.table import Bar, Line, times
from etamil_actors.actors.channels.base import ChannelSettings
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.choosing import choose
from etamil_actors.actors.channels.memory import QueueChannel

MESSAGES = 40_000
CAPACITY = 100

Pass = Callable[[int, int], Awaitable[float]]
"""Sends ``MESSAGES`` from so many tasks to so many others, and answers how long it took."""


class Traffic(NamedTuple):
    """Tasks that send and tasks that receive."""

    title: str
    ours: Pass
    theirs: Pass
    senders: int
    receivers: int
    bar: float | None = 1.0


async def through_ours(senders: int, receivers: int) -> float:
    """Through a queue channel of ours."""
    channel = QueueChannel("c", ChannelSettings(capacity=CAPACITY), "/c")

    async def send() -> None:
        for number in range(MESSAGES // senders):
            await channel.send(number)

    async def receive(counts: list[int]) -> None:
        count = 0
        while (delivery := await channel.take()) is not None:
            delivery.ack()
            count += 1
        counts.append(count)

    return await _pass(send, receive, channel.close, senders, receivers)


async def through_trios(senders: int, receivers: int) -> float:
    """Through a memory channel of trio's."""
    sending, receiving = trio.open_memory_channel[int](CAPACITY)

    async def send() -> None:
        for number in range(MESSAGES // senders):
            await sending.send(number)

    async def receive(counts: list[int]) -> None:
        count = 0
        async for _ in receiving:
            count += 1
        counts.append(count)

    return await _pass(send, receive, sending.close, senders, receivers)


async def chosen(senders: int, receivers: int) -> float:
    """Through two queue channels, of which every receiver chooses."""
    channels = [QueueChannel(name, ChannelSettings(capacity=CAPACITY), f"/{name}") for name in "ab"]

    async def send() -> None:
        for number in range(MESSAGES // senders):
            await channels[number % 2].send(number)

    async def receive(counts: list[int]) -> None:
        count = 0
        while isinstance(taken := await choose(channels), tuple):
            taken[1].ack()
            count += 1
        counts.append(count)

    def close() -> None:
        for channel in channels:
            channel.close()

    return await _pass(send, receive, close, senders, receivers)


async def to_everybody(senders: int, receivers: int) -> float:
    """Through a broadcast channel; what is counted are the messages that arrive."""
    channel = BroadcastChannel("c", ChannelSettings(capacity=CAPACITY), "/c")
    ends = [channel.subscribe() for _ in range(receivers)]

    async def send() -> None:
        for number in range(MESSAGES // senders // receivers):
            await channel.send(number)

    async def receive(counts: list[int]) -> None:
        end, count = ends.pop(), 0
        while (delivery := await end.take()) is not None:
            delivery.ack()
            count += 1
        counts.append(count)

    return await _pass(send, receive, channel.close, senders, receivers)


async def _pass(
    send: Callable[[], Awaitable[None]],
    receive: Callable[[list[int]], Awaitable[None]],
    close: Callable[[], object],
    senders: int,
    receivers: int,
) -> float:
    counts: list[int] = []
    begin = perf_counter()
    async with trio.open_nursery() as receiving:
        for _ in range(receivers):
            receiving.start_soon(receive, counts)
        async with trio.open_nursery() as sending:
            for _ in range(senders):
                sending.start_soon(send)
        close()
    seconds = perf_counter() - begin
    assert sum(counts) == MESSAGES, counts
    return seconds


TRAFFICS = (
    Traffic("one task sends, one receives", through_ours, through_trios, 1, 1),
    Traffic("4 tasks send, 4 receive", through_ours, through_trios, 4, 4),
    Traffic("one sends to two channels, one chooses", chosen, through_trios, 1, 1, None),
    Traffic("one broadcasts, 4 subscribe", to_everybody, through_trios, 1, 4, None),
)


def measure(rounds: int) -> list[Line]:
    """Measure everything."""
    return [compare(traffic, rounds) for traffic in TRAFFICS]


def compare(traffic: Traffic, rounds: int) -> Line:
    """Our channel beside trio's."""
    taken = take_turns(
        rounds,
        partial(trio.run, traffic.ours, traffic.senders, traffic.receivers),
        partial(trio.run, traffic.theirs, traffic.senders, traffic.receivers),
    )
    ours, theirs = (MESSAGES / median(seconds) for seconds in taken)
    ratio = 1 / ratio_of(*taken)
    bar = None if traffic.bar is None else Bar(traffic.bar, least=True)
    numbers: dict[str, object] = {"ours": ours, "trio": theirs, "messages": MESSAGES}
    return Line(
        f"memory channel of {CAPACITY}: {traffic.title}",
        _rate(ours), _rate(theirs), times(ratio), bar, [ratio],
        numbers,
    )


def _rate(messages: float) -> str:
    return f"{round(messages):,}/s".replace(",", " ")
