"""A message takes the trace context of its sender along, whatever carries it and whatever happens to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from etamil_actors.actors.channels.base import BROADCAST, Channel, ChannelSettings, Delivery, Source
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.memory import QueueChannel
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal.store import open_journal
from etamil_actors.vm.packing import TRACE_LENGTH, packed, trace_of, unpacked, with_trace
from tests.actors.helpers import run_virtually

CONTEXT = f"00-{'a' * 32}-{'b' * 16}-01"

Open = Callable[[], Any]


@asynccontextmanager
async def queue() -> AsyncIterator[tuple[Channel, Source]]:
    channel = QueueChannel("q", ChannelSettings(capacity=2), "/q")
    yield channel, channel


@asynccontextmanager
async def broadcast() -> AsyncIterator[tuple[Channel, Source]]:
    channel = BroadcastChannel("q", ChannelSettings(capacity=2, kind=BROADCAST), "/q")
    yield channel, channel.subscribe()


@asynccontextmanager
async def journal() -> AsyncIterator[tuple[Channel, Source]]:
    async with open_journal(":memory:", wall=trio.current_time) as one:
        channel = one.channel("q", ChannelSettings(capacity=2), "/q", EventStream())
        yield channel, channel


def with_each(open: Open, scenario: Callable[[Channel, Source], Awaitable[Any]]) -> None:
    async def run() -> None:
        async with open() as (channel, source):
            await scenario(channel, source)

    run_virtually(run)


EACH = pytest.mark.parametrize("open", [queue, broadcast, journal])


async def sent(channel: Channel, value: Any, **options: Any) -> None:
    """Send, as the word of the language does."""
    if channel.send_nowait(value, trace=CONTEXT, **options) is None:
        await channel.send(value, trace=CONTEXT, **options)


async def taken(source: Source) -> Delivery:
    delivery = await source.take(1000)
    assert delivery is not None
    return delivery


@EACH
def test_it_comes_with_the_message(open: Open) -> None:
    async def scenario(channel: Channel, source: Source) -> None:
        await sent(channel, 1)
        delivery = await taken(source)
        assert (delivery.value, delivery.trace) == (1, CONTEXT)
        delivery.ack()

    with_each(open, scenario)


@EACH
def test_it_stays_when_a_message_is_given_back_and_when_it_comes_late(open: Open) -> None:
    async def scenario(channel: Channel, source: Source) -> None:
        await sent(channel, 1, delay=5)
        for attempt in (1, 2, 3):
            delivery = await taken(source)
            assert (delivery.value, delivery.trace, delivery.attempt) == (1, CONTEXT, attempt)
            delivery.give_back(attempt - 1)
        (await taken(source)).ack()

    with_each(open, scenario)


@EACH
def test_it_stays_with_a_sender_that_waits_for_room(open: Open) -> None:
    async def scenario(channel: Channel, source: Source) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(sent, channel, number)
            for _ in range(5):
                delivery = await taken(source)
                assert delivery.trace == CONTEXT
                delivery.ack()

    with_each(open, scenario)


@EACH
def test_a_message_without_one_has_none(open: Open) -> None:
    async def scenario(channel: Channel, source: Source) -> None:
        await channel.send("x")
        delivery = await taken(source)
        assert (delivery.value, delivery.trace) == ("x", "")
        delivery.ack()

    with_each(open, scenario)


def test_the_journal_keeps_it_for_the_next_process_and_for_dead_letters(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.sqlite")

    async def first() -> None:
        async with open_journal(path) as one:
            await one.channel("q", ChannelSettings(), "/q", EventStream()).send({"அ": [1, "x"]}, trace=CONTEXT)

    async def second() -> None:
        async with open_journal(path) as one:
            channel = one.channel("q", ChannelSettings(attempts=1), "/q", EventStream())
            delivery = await taken(channel)
            assert (delivery.value, delivery.trace) == ({"அ": [1, "x"]}, CONTEXT)
            delivery.give_back()
            (letter,) = await one.letters.listed()
            assert letter.value == {"அ": [1, "x"]}
            assert await one.letters.requeue(letter.number)
            again = await taken(channel)
            assert (again.value, again.trace) == ({"அ": [1, "x"]}, CONTEXT)
            again.ack()

    trio.run(first)
    trio.run(second)


@pytest.mark.parametrize("value", [1, "x", [1, {"a": None}], {"a": 2**80}])
def test_a_packed_value_is_the_same_with_and_without_a_context(value: Any) -> None:
    data = with_trace(packed(value), CONTEXT)
    assert (unpacked(data), trace_of(data)) == (value, CONTEXT)
    assert len(CONTEXT) == TRACE_LENGTH
    for nothing in ("", "nonsense", "அ" * TRACE_LENGTH):
        plain = with_trace(packed(value), nothing)
        assert (plain, trace_of(plain)) == (packed(value), "")
