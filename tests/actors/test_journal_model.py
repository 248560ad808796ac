"""A journal channel against the same simple model as a channel in memory, and under cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.channels.base import ChannelSettings, Delivery
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal.channel import JournalChannel
from etamil_actors.actors.journal.store import open_journal
from etamil_actors.errors import Fault

from .helpers import run_virtually, settle
from .test_channels_model import PLANS, SETTINGS, STEPS, Entry, Model, Plan, Traffic, consume, produce


async def follow(wanted: ChannelSettings, steps: Sequence[Any]) -> None:
    """Do the same to a channel and to the model, and compare everything that can be seen after each step."""
    async with open_journal(":memory:") as journal:
        channel, model = journal.channel("c", wanted, "/c", EventStream()), Model(wanted)
        taken: list[tuple[Delivery, Entry]] = []
        values = count(1)
        for step in steps:
            match step:
                case "send", float() as delay, key, id:
                    value = next(values)
                    expected = model.send(value, delay, key, id)
                    try:
                        answer: bool | str | None = channel.send_nowait(value, delay=delay, key=key, id=id)
                        if answer is None and expected is not None:
                            answer = await channel.send(value, delay=delay, key=key, id=id)
                    except Fault as fault:
                        answer = fault.code
                    assert answer == expected
                case ("take",):
                    delivery, entry = channel.try_take(), model.take()
                    assert (delivery is None) == (entry is None)
                    if delivery is not None and entry is not None:
                        assert (delivery.value, delivery.attempt) == (entry.value, entry.attempt)
                        taken.append((delivery, entry))
                case "ack", int() as which if which < len(taken):
                    delivery, entry = taken.pop(which)
                    delivery.ack()
                    delivery.give_back()  # a second settlement changes nothing
                    model.ack(entry)
                case "give back", int() as which, float() as delay if which < len(taken):
                    delivery, entry = taken.pop(which)
                    delivery.give_back(delay)
                    model.give_back(entry, delay)
                case "bury", int() as which if which < len(taken):
                    delivery, entry = taken.pop(which)
                    delivery.bury(Fault("validation", problem_ta="x", problem_en="x"))
                    model.die(entry)
                case "wait", int() as seconds:
                    await trio.sleep(seconds)
                    await settle()
                    model.pass_time(seconds)
                case ("close",):
                    channel.close()
                    model.closed = True
            assert channel.pending == len(model.of("waiting"))
            assert channel.sleeping == len(model.of("sleeping"))
            assert channel.unsettled == len(model.of("unsettled"))
            assert channel.is_over == model.is_over
            assert sorted(letter.value for letter in await journal.letters.listed()) == sorted(model.dead)
        assert journal.letters.count("c") == len(model.dead)
        # What the file holds is what is not done: for whoever opens it next.
        await journal.flush()
        (kept,) = journal.read("SELECT count(*) FROM messages")
        assert kept[0] == sum(len(model.of(state)) for state in ("waiting", "sleeping", "unsettled"))


@settings(max_examples=300, deadline=None)
@given(SETTINGS, st.lists(STEPS, max_size=40))
def test_a_journal_channel_does_what_the_model_says(wanted: ChannelSettings, steps: list[Any]) -> None:
    run_virtually(follow, wanted, steps)


class Arrays:
    """A channel whose messages are arrays, because only values can be packed."""

    def __init__(self, channel: JournalChannel) -> None:
        self.name = channel.name
        self.channel = channel

    async def send(self, message: tuple[str, int]) -> bool:
        return await self.channel.send(list(message))


async def rush_hour(capacity: int, producers: list[Plan], consumers: list[Plan]) -> Traffic:
    traffic = Traffic()
    async with open_journal(":memory:") as journal:
        wanted = ChannelSettings(capacity=capacity)
        channel = journal.channel("c", wanted, "/c", EventStream())
        async with trio.open_nursery() as nursery:
            for number, plan in enumerate(producers):
                nursery.start_soon(partial(produce, traffic, Arrays(channel), f"c{number}", plan))
            for plan in consumers:
                nursery.start_soon(partial(consume, traffic, [channel], plan))
            await trio.sleep(200)
            nursery.cancel_scope.cancel()
        assert channel.waiting_senders == 0
        while (delivery := channel.try_take()) is not None:
            traffic.taken.append(delivery.value)
            delivery.ack()
        assert channel.pending == channel.unsettled == 0
        traffic.taken = [(sender, number) for sender, number in traffic.taken]
    return traffic


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(PLANS, min_size=1, max_size=5),
    st.lists(PLANS, max_size=4),
    st.integers(0, 1000),
)
def test_nothing_is_lost_or_doubled_whoever_is_cancelled(
    capacity: int, producers: list[Plan], consumers: list[Plan], seed: int
) -> None:
    traffic = run_virtually(rush_hour, capacity, producers, consumers, seed=seed)
    assert sorted(traffic.taken) == sorted(traffic.accepted)
    assert not set(traffic.taken) & set(traffic.refused)
    for sender in {name for name, _ in traffic.accepted}:
        numbers = [number for name, number in traffic.taken if name == sender]
        assert numbers == list(range(len(numbers)))
