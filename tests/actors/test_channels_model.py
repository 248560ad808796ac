"""Channels against simple models: order, exactly one receiver, nothing lost or doubled, whoever is cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from math import inf
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.channels.base import ChannelSettings, Delivery
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.choosing import AFTER, choose
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.channels.memory import QueueChannel
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.errors import Fault
from tests.actors.helpers import run_virtually, settle

# ── one channel, everything that does not wait ───────────────────────────────────────────────────


@dataclass
class Entry:
    """What the model knows of a message. Its ``state`` is where it is."""

    value: int
    key: str | None
    state: str = ""
    number: int = 0
    attempt: int = 1
    due: float = inf
    expires: float = inf
    claims: bool = False


@dataclass
class Model:
    """What a channel promises, told as simply as possible: one list, and a search through it for everything."""

    settings: ChannelSettings
    now: float = 0.0
    closed: bool = False
    entries: list[Entry] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    dead: list[int] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: count(1))

    def of(self, state: str) -> list[Entry]:
        return sorted((e for e in self.entries if e.state == state), key=lambda e: e.number)

    def send(self, value: int, delay: float, key: str | None, id: str | None) -> bool | str | None:
        if self.closed:
            return "channel.closed"
        if id is not None and self.seen.get(id, -inf) > self.now - 600:
            return False
        entry = Entry(value, key)
        if delay:
            entry.state, entry.due = "sleeping", self.now + delay
        else:
            while len(self.of("waiting")) >= self.settings.capacity:
                match self.settings.overflow:
                    case Overflow.WAIT:
                        return None
                    case Overflow.REJECT:
                        return "overloaded"
                    case Overflow.DROP_NEWEST:
                        self.dead.append(value)
                        return False
                    case Overflow.DROP_OLDEST:
                        self.die(self.of("waiting")[0])
            self.enter(entry)
        self.entries.append(entry)
        if id is not None:
            self.seen[id] = self.now
        return True

    def enter(self, entry: Entry) -> None:
        entry.state = "waiting"
        if not entry.number:
            entry.number = next(self.numbers)
            entry.expires = self.now + (self.settings.ttl or inf)

    def die(self, entry: Entry) -> None:
        entry.state, entry.claims = "dead", False
        self.dead.append(entry.value)

    def take(self) -> Entry | None:
        for entry in self.of("waiting"):
            others = [e for e in self.entries if e.key == entry.key and e is not entry and e.claims]
            if entry.key is None or not others:
                entry.state, entry.claims = "unsettled", True
                return entry
        return None

    def ack(self, entry: Entry) -> None:
        entry.state, entry.claims = "done", False

    def give_back(self, entry: Entry, delay: float) -> None:
        if self.settings.attempts is not None and entry.attempt >= self.settings.attempts:
            self.die(entry)
            return
        entry.attempt += 1
        if delay:
            entry.state, entry.due = "sleeping", self.now + delay
        else:
            entry.state = "waiting"
            self.grow_old()

    def grow_old(self) -> None:
        for entry in self.of("waiting"):
            if entry.expires <= self.now:
                self.die(entry)

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            moments = [e.due for e in self.of("sleeping")] + [e.expires for e in self.of("waiting")]
            moment = min(moments, default=inf)
            if moment > end:
                break
            self.now = moment
            for entry in sorted(self.of("sleeping"), key=lambda e: e.due):
                if entry.due <= self.now:
                    self.enter(entry)
            self.grow_old()
        self.now = end

    @property
    def is_over(self) -> bool:
        return self.closed and all(entry.state in ("done", "dead") for entry in self.entries)


SETTINGS = st.builds(
    ChannelSettings,
    capacity=st.integers(1, 4),
    overflow=st.sampled_from(Overflow),
    attempts=st.sampled_from([None, None, 1, 2]),
    # Nothing is due or too old at a whole second, when the model looks.
    ttl=st.sampled_from([None, None, 2.6, 5.6]),
)
DELAYS = st.sampled_from([0.0, 0.0, 0.0, 1.25, 3.25])
KEYS = st.sampled_from([None, None, "a", "b"])
WHICH = st.integers(0, 5)

STEPS = st.one_of(
    st.tuples(st.just("send"), DELAYS, KEYS, st.sampled_from([None, None, None, "one", "two"])),
    st.just(("take",)),
    st.tuples(st.just("ack"), WHICH),
    st.tuples(st.just("give back"), WHICH, DELAYS),
    st.tuples(st.just("bury"), WHICH),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 700])),
    st.sampled_from([("close",), ("wait", 1), ("take",), ("take",)]),
)


async def follow(wanted: ChannelSettings, steps: Sequence[Any]) -> None:
    """Do the same to a channel and to the model, and compare everything that can be seen after each step."""
    letters = MemoryLetters()
    channel, model = QueueChannel("c", wanted, "/c", letters=letters), Model(wanted)
    taken: list[tuple[Delivery, Entry]] = []
    values = count(1)
    for step in steps:
        match step:
            case "send", float() as delay, key, id:
                value = next(values)
                expected = model.send(value, delay, key, id)
                try:
                    answer: bool | str | None = channel.send_nowait(value, delay=delay, key=key, id=id)
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
        assert sorted(letter.value for letter in await letters.listed()) == sorted(model.dead)
    left = [delivery.value for delivery in channel.drain()]
    sleeping = sorted(model.of("sleeping"), key=lambda entry: entry.due)
    assert sorted(left) == sorted(entry.value for entry in model.of("waiting") + sleeping)
    assert letters.count() == len(model.dead) + len(left)


@settings(max_examples=400, deadline=None)
@given(SETTINGS, st.lists(STEPS, max_size=40))
def test_a_channel_does_what_the_model_says(wanted: ChannelSettings, steps: list[Any]) -> None:
    run_virtually(follow, wanted, steps)


# ── many tasks, cancelled at any moment ──────────────────────────────────────────────────────────


@dataclass
class Traffic:
    """What happened to the messages of all tasks. A message is its sender's name and a number."""

    accepted: list[tuple[str, int]] = field(default_factory=list)
    refused: list[tuple[str, int]] = field(default_factory=list)
    taken: list[tuple[str, int]] = field(default_factory=list)
    settled: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class Plan:
    """A task: how many messages it handles, how long it pauses after each, and when it is cancelled."""

    messages: int
    pause: float
    cancelled: float


PLANS = st.builds(
    Plan,
    messages=st.integers(1, 12),
    pause=st.sampled_from([0.0, 0.0, 1.0, 2.0]),
    cancelled=st.sampled_from([inf, inf, 0.0, 1.0, 2.0, 3.0, 5.0]),
)


async def produce(traffic: Traffic, channel: Any, name: str, plan: Plan) -> None:
    for number in range(plan.messages):
        message = (name, number)
        is_in = None
        try:
            with trio.CancelScope(deadline=plan.cancelled):
                is_in = await channel.send(message)
        finally:
            (traffic.accepted if is_in else traffic.refused).append(message)
        if not is_in:
            return
        await trio.sleep(plan.pause)


async def consume(traffic: Traffic, channels: Sequence[Any], plan: Plan) -> None:
    with trio.CancelScope(deadline=plan.cancelled):
        for _ in range(plan.messages):
            if len(channels) == 1:
                delivery = await channels[0].take()
            else:
                chosen = await choose(channels, 1.0)
                delivery = chosen[1] if isinstance(chosen, tuple) else None
                if chosen == AFTER:
                    continue
            if delivery is None:
                return
            traffic.taken.append(delivery.value)
            traffic.settled.append(delivery.value)
            delivery.ack()
            if plan.pause:
                await trio.sleep(plan.pause)


async def rush_hour(
    capacity: int, producers: list[Plan], consumers: list[Plan], choosers: list[Plan]
) -> Traffic:
    wanted = ChannelSettings(capacity=capacity)
    channels = [QueueChannel("a", wanted, "/a"), QueueChannel("b", wanted, "/b")]
    traffic = Traffic()
    async with trio.open_nursery() as nursery:
        for number, plan in enumerate(producers):
            channel = channels[number % 2]
            nursery.start_soon(partial(produce, traffic, channel, f"{channel.name}{number}", plan))
        for number, plan in enumerate(consumers):
            nursery.start_soon(partial(consume, traffic, [channels[number % 2]], plan))
        for plan in choosers:
            nursery.start_soon(partial(consume, traffic, channels, plan))
        await trio.sleep(200)
        # Some senders may wait for ever now. What they wait with must not come in.
        nursery.cancel_scope.cancel()
    for channel in channels:
        assert channel.waiting_senders == 0
        assert not channel._watchers
        while (delivery := channel.try_take()) is not None:
            traffic.taken.append(delivery.value)
            delivery.ack()
        assert channel.pending == channel.unsettled == 0
    return traffic


@settings(max_examples=250, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(PLANS, min_size=1, max_size=5),
    st.lists(PLANS, max_size=4),
    st.lists(PLANS, max_size=3),
    st.integers(0, 1000),
)
def test_nothing_is_lost_or_doubled_whoever_is_cancelled(
    capacity: int, producers: list[Plan], consumers: list[Plan], choosers: list[Plan], seed: int
) -> None:
    traffic = run_virtually(rush_hour, capacity, producers, consumers, choosers, seed=seed)
    assert sorted(traffic.taken) == sorted(traffic.accepted)
    assert not set(traffic.taken) & set(traffic.refused)
    for sender in {name for name, _ in traffic.accepted}:
        numbers = [number for name, number in traffic.taken if name == sender]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("capacity", [1, 2, 100])
def test_who_waits_for_a_message_is_not_forgotten(capacity: int) -> None:
    """A message is taken at once as long as anybody waits, whoever was woken first and was cancelled."""

    async def scenario() -> None:
        for victim in range(3):
            channel = QueueChannel("c", ChannelSettings(capacity=capacity), "/c")
            other = QueueChannel("d", ChannelSettings(), "/d")
            got: list[int] = []
            scopes = [trio.CancelScope() for _ in range(3)]

            async def wait(
                scope: trio.CancelScope, channel: QueueChannel = channel, other: QueueChannel = other,
                got: list[int] = got,
            ) -> None:
                with scope:
                    chosen = await choose([other, channel])
                    assert isinstance(chosen, tuple)
                    got.append(chosen[1].value)

            async with trio.open_nursery() as nursery:
                for scope in scopes:
                    nursery.start_soon(wait, scope)
                    await settle()
                assert channel.send_nowait(1)
                scopes[victim].cancel()
                await settle()
                assert got == [1]
                nursery.cancel_scope.cancel()

    run_virtually(scenario)


# ── broadcast ────────────────────────────────────────────────────────────────────────────────────


async def broadcast(
    capacity: int, producers: list[Plan], consumers: list[Plan]
) -> tuple[Traffic, list[Traffic], list[bool]]:
    channel = BroadcastChannel("c", ChannelSettings(capacity=capacity), "/c")
    ends = [channel.subscribe() for _ in consumers]
    sent, got = Traffic(), [Traffic() for _ in consumers]

    async def read(number: int) -> None:
        await consume(got[number], [ends[number]], consumers[number])
        ends[number].end()

    async with trio.open_nursery() as nursery:
        for number, plan in enumerate(producers):
            nursery.start_soon(produce, sent, channel, f"p{number}", plan)
        for number in range(len(consumers)):
            nursery.start_soon(read, number)
        await trio.sleep(200)
        assert channel.waiting_senders == 0 or any(not end.is_ended for end in ends)
        nursery.cancel_scope.cancel()
    return sent, got, [plan.messages >= len(sent.accepted) and plan.cancelled == inf for plan in consumers]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(PLANS, min_size=1, max_size=4),
    st.lists(PLANS, min_size=1, max_size=4),
    st.integers(0, 1000),
)
def test_every_subscription_gets_everything_in_one_order(
    capacity: int, producers: list[Plan], consumers: list[Plan], seed: int
) -> None:
    sent, got, complete = run_virtually(broadcast, capacity, producers, consumers, seed=seed)
    assert not set(sent.accepted) & set(sent.refused)
    longest = max((traffic.taken for traffic in got), key=len)
    for traffic, is_complete in zip(got, complete, strict=True):
        assert traffic.taken == longest[: len(traffic.taken)]
        assert not set(traffic.taken) - set(sent.accepted)
        if is_complete:
            assert sorted(traffic.taken) == sorted(sent.accepted)
