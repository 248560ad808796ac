"""Broadcast channels: everybody who has subscribed gets everything, and nobody is held up by who has gone."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio

from etamil_actors.actors.channels import broadcast
from etamil_actors.actors.channels.base import BROADCAST, ChannelSettings
from etamil_actors.actors.channels.broadcast import BroadcastChannel, Subscription
from etamil_actors.actors.channels.choosing import choose
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.mailbox import TURN_MESSAGES, Overflow
from etamil_actors.errors import Fault
from tests.actors.helpers import Trace, settle


def channel_of(
    letters: MemoryLetters | None = None, events: EventStream | None = None, **options: Any
) -> BroadcastChannel:
    return BroadcastChannel("செய்திகள்", ChannelSettings(kind=BROADCAST, **options), "/c", events, letters)


def values_of(subscription: Subscription) -> list[Any]:
    values = []
    while (delivery := subscription.try_take()) is not None:
        values.append(delivery.value)
        delivery.ack()
    return values


async def test_everybody_gets_everything_that_is_sent_after_they_subscribed() -> None:
    channel = channel_of()
    assert channel.send_nowait("யாருக்கும் இல்லை") is True
    first = channel.subscribe()
    assert channel.send_nowait(1) is True
    second = channel.subscribe()
    assert await channel.send(2) is True
    assert channel.pending == 2
    assert values_of(first) == [1, 2]
    assert values_of(second) == [2]


async def test_a_subscription_as_people_see_it() -> None:
    subscription = channel_of().subscribe()
    assert subscription.text == "<சேனல் செய்திகள்>"
    assert subscription.kind == "a channel"


@pytest.mark.parametrize("how", ["try_take", "take", "watch", "choose"])
async def test_nobody_receives_from_the_channel_itself(how: str) -> None:
    channel = channel_of()
    with pytest.raises(Fault) as caught:
        match how:
            case "try_take":
                channel.try_take()
            case "take":
                await channel.take()
            case "watch":
                channel.watch(lambda: None)
            case "choose":
                await choose([channel])
    assert caught.value.code == "value.invalid"
    assert caught.value.message == (
        "‘சேனல்_பெறு’: ‘செய்திகள்’ பரப்புச் சேனல்; நேரடியாகப் பெற முடியாது; ‘சேனல்_சந்தா’ தரும் முனையிலிருந்து பெறவும்"
        "  (‘சேனல்_பெறு’: ‘செய்திகள்’ is a broadcast channel and cannot be received from directly;"
        " receive from what ‘சேனல்_சந்தா’ answers)"
    )


async def test_a_slow_subscription_holds_the_senders() -> None:
    channel = channel_of(capacity=1)
    slow, fast = channel.subscribe(), channel.subscribe()
    async with trio.open_nursery() as nursery:
        assert channel.send_nowait(1) is True
        for value in (2, 3):
            nursery.start_soon(channel.send, value)
            await settle()
        assert values_of(fast) == [1]
        assert (channel.waiting_senders, channel.send_nowait(4)) == (2, None)
        assert values_of(slow) == [1, 2]  # there was room for 2 at both, but 3 has to wait for the other one
        assert values_of(fast) == [2, 3]
        assert values_of(slow) == [3]
    assert values_of(fast) == []


async def test_a_cancelled_sender_has_sent_nothing_to_anybody() -> None:
    channel = channel_of(capacity=1)
    slow, fast = channel.subscribe(), channel.subscribe()
    assert channel.send_nowait(1)
    assert values_of(fast) == [1]
    with trio.move_on_after(1) as scope:
        await channel.send(2)
    assert scope.cancelled_caught
    assert (channel.waiting_senders, values_of(fast), values_of(slow)) == (0, [], [1])


@pytest.mark.parametrize("way", ["end", "forget"])
async def test_a_subscription_that_has_gone_holds_nobody(way: str) -> None:
    channel = channel_of(capacity=1)
    stays: Subscription = channel.subscribe()
    goes: Subscription | None = channel.subscribe()
    assert channel.send_nowait(1)
    assert values_of(stays) == [1]
    gc.disable()  # a forgotten one is freed at once, not when the collector comes by
    try:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(channel.send, 2)
                await settle()
                assert channel.waiting_senders == 1
                assert goes is not None
                if way == "end":
                    goes.end()
                    goes.end()
                    assert goes.is_over
                    assert await goes.take() is None
                goes = None
    finally:
        gc.enable()
    assert values_of(stays) == [2]
    assert channel.subscriptions == [stays]


async def test_who_waits_at_a_subscription_hears_that_it_ended() -> None:
    subscription = channel_of().subscribe()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscription.take)
            await settle()
            subscription.end()


async def test_rejecting_means_that_nobody_gets_it() -> None:
    channel = channel_of(capacity=1, overflow=Overflow.REJECT)
    slow, fast = channel.subscribe(), channel.subscribe()
    assert channel.send_nowait(1)
    assert values_of(fast) == [1]
    with pytest.raises(Fault) as caught:
        await channel.send(2, id="a")
    assert caught.value.code == "overloaded"
    assert values_of(fast) == []
    assert values_of(slow) == [1]
    assert channel.send_nowait(2, id="a") is True


async def test_only_the_slow_one_misses_the_oldest() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, capacity=1, overflow=Overflow.DROP_OLDEST)
    slow, fast = channel.subscribe(), channel.subscribe()
    assert channel.send_nowait(1)
    assert values_of(fast) == [1]
    assert channel.send_nowait(2) is True
    assert (values_of(fast), values_of(slow)) == ([2], [2])
    assert [letter.value for letter in await letters.listed()] == [1]
    assert channel.dropped == 1


async def test_a_send_that_everybody_dropped_was_dropped() -> None:
    channel = channel_of(capacity=1, overflow=Overflow.DROP_NEWEST)
    slow, fast = channel.subscribe(), channel.subscribe()
    assert channel.send_nowait(1)
    assert channel.send_nowait(2) is False
    assert values_of(fast) == [1]
    assert channel.send_nowait(3) is True
    assert (values_of(fast), values_of(slow)) == ([3], [1])


async def test_an_id_that_was_seen_is_not_sent_again() -> None:
    channel = channel_of()
    end = channel.subscribe()
    assert channel.send_nowait(1, id="a") is True
    assert channel.send_nowait(2, id="a") is False
    assert channel.duplicates == 1
    assert values_of(end) == [1]


async def test_of_two_senders_that_wait_with_one_id_only_one_sends() -> None:
    channel, answers = channel_of(capacity=1), []
    end = channel.subscribe()
    assert channel.send_nowait(0)

    async def send(value: int) -> None:
        answers.append((value, await channel.send(value, id="a")))

    async with trio.open_nursery() as nursery:
        for value in (1, 2):
            nursery.start_soon(send, value)
            await settle()
        assert values_of(end) == [0, 1]
    assert sorted(answers) == [(1, True), (2, False)]


async def test_a_delayed_message_goes_to_those_who_are_there_when_it_is_due() -> None:
    channel = channel_of(capacity=1)
    early = channel.subscribe()
    assert channel.send_nowait("பிறகு", delay=10) is True
    assert channel.send_nowait("இப்போது") is True
    await trio.sleep(5)
    late = channel.subscribe()
    assert channel.sleeping == 1
    await trio.sleep(6)
    assert values_of(early) == ["இப்போது", "பிறகு"]
    assert values_of(late) == ["பிறகு"]


async def test_only_so_many_messages_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MOST_SLEEPING", 1)
    channel = channel_of()
    assert channel.send_nowait(1, delay=9)
    with pytest.raises(Fault) as caught:
        channel.send_nowait(2, delay=9)
    assert caught.value.code == "overloaded"


async def test_closing_lets_everybody_finish() -> None:
    channel = channel_of(capacity=1)
    end = channel.subscribe()
    assert channel.send_nowait(1)
    assert channel.send_nowait(2, delay=10)
    codes = []

    async def send() -> None:
        with pytest.raises(Fault) as caught:
            await channel.send(3)
        codes.append(caught.value.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await settle()
        channel.close()
    assert codes == ["channel.closed"]
    assert (channel.is_closed, channel.is_over, end.is_over) == (True, False, False)
    got = []
    with trio.fail_after(20):
        while (delivery := await end.take()) is not None:
            got.append(delivery.value)
            delivery.ack()
    assert got == [1, 2]
    assert channel.is_over
    with pytest.raises(Fault):
        channel.send_nowait(4)
    assert channel.subscribe().is_over


async def test_what_is_given_back_comes_to_the_same_subscription() -> None:
    channel = channel_of()
    first, second = channel.subscribe(), channel.subscribe()
    assert channel.send_nowait(1)
    delivery = first.try_take()
    assert delivery is not None
    delivery.give_back()
    again = first.try_take()
    assert again is not None
    assert (again.value, again.attempt) == (1, 2)
    assert values_of(second) == [1]


async def test_messages_of_one_key_are_handled_one_after_the_other_at_each_subscription() -> None:
    channel = channel_of()
    first, second = channel.subscribe(), channel.subscribe()
    for value in (1, 2):
        assert channel.send_nowait(value, key="அ")
    delivery = first.try_take()
    assert delivery is not None
    assert first.try_take() is None
    assert values_of(second) == [1, 2]
    delivery.ack()
    assert values_of(first) == [2]


async def test_what_is_left_at_the_end_is_handed_out() -> None:
    letters = MemoryLetters()
    events, trace = EventStream(), Trace()
    channel = channel_of(letters, events, ttl=60)
    first, second = channel.subscribe(), channel.subscribe()
    assert channel.send_nowait(1)
    assert channel.send_nowait(2, delay=10)
    assert values_of(second) == [1]
    events.listen(trace)
    left = channel.drain()
    assert [(one.value, one.source) for one in left] == [(1, first), (2, channel)]
    for one in left:
        one.ack()
    assert [type(event).__name__ for event in trace.events] == ["MessageDead", "MessageDead"]
    assert letters.count() == 0
    assert first.is_over
    assert channel.is_over


async def test_a_sender_that_never_waits_lets_others_run() -> None:
    channel = channel_of()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for number in range(10 * TURN_MESSAGES):
            await channel.send(number)
        nursery.cancel_scope.cancel()
    assert turns >= 5


async def test_who_waits_for_room_is_let_in_when_the_last_lane_has_some() -> None:
    channel = channel_of(capacity=1)
    ends = [channel.subscribe() for _ in range(4)]
    await channel.send("முதல்")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, "அடுத்து")
        await settle()
        for end in (ends[3], ends[0]):
            assert end.try_take() is not None
            assert channel.waiting_senders == 1
        ends[2].end()
        late = channel.subscribe()
        assert channel.waiting_senders == 1
        assert ends[1].try_take() is not None
        assert channel.waiting_senders == 0
    assert [end.pending for end in ends] == [1, 1, 0, 1]
    assert late.pending == 1
    assert channel.subscriptions == [ends[0], ends[1], ends[3], late]


async def test_a_take_does_not_look_at_every_subscription_while_a_sender_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0

    def has_room(subscription: Subscription) -> bool:
        nonlocal looks
        looks += 1
        return subscription.pending < 1

    monkeypatch.setattr(Subscription, "has_room", property(has_room))
    channel = channel_of(capacity=1)
    ends = [channel.subscribe() for _ in range(100)]
    await channel.send("முதல்")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, "அடுத்து")
        await settle()
        looks = 0
        for end in ends:
            assert end.try_take() is not None
    assert [end.pending for end in ends] == [1] * 100
    assert looks < 1000


async def test_a_forgotten_subscription_ends_also_when_its_messages_grow_old() -> None:
    channel = channel_of(capacity=1, ttl=10.0)
    forgotten = channel.subscribe()
    await channel.send("ஒன்று")
    del forgotten
    gc.collect()
    await settle()
    assert channel.subscriptions == []
    assert channel.send_nowait("இரண்டு") is True
    await trio.sleep(11)  # its alarm rings, and nobody is there
