"""Queue channels in memory: each option and each rule by itself. All of it against a model: ``test_channels_model``."""

from __future__ import annotations

import time
from typing import Any

import pytest
import trio

from etamil_actors.actors.channels import lane
from etamil_actors.actors.channels.base import SEEN_SECONDS, Channel, ChannelSettings
from etamil_actors.actors.channels.letters import KEPT, MemoryLetters
from etamil_actors.actors.channels.memory import QueueChannel
from etamil_actors.actors.events import DeadReason, EventStream, MessageDead, MessageSent, MessageTaken
from etamil_actors.actors.mailbox import TURN_MESSAGES, Overflow
from etamil_actors.errors import Fault, Frame
from tests.actors.helpers import Trace, settle


def channel_of(letters: MemoryLetters | None = None, events: EventStream | None = None, **options: Any) -> QueueChannel:
    return QueueChannel("அஞ்சல்", ChannelSettings(**options), "/kadai/channels/அஞ்சல்", events, letters)


def values_of(channel: QueueChannel) -> list[Any]:
    """Take and acknowledge everything that can be taken now."""
    values = []
    while (delivery := channel.try_take()) is not None:
        values.append(delivery.value)
        delivery.ack()
    return values


def fill(channel: Channel, *values: Any) -> None:
    for value in values:
        assert channel.send_nowait(value) is True


# ── the whole of it ──────────────────────────────────────────────────────────────────────────────


async def test_what_is_sent_is_taken_in_order() -> None:
    channel = channel_of()
    fill(channel, 1, [2], {"மூன்று": 3})
    assert channel.pending == 3
    first = channel.try_take()
    assert first is not None
    assert (first.value, first.attempt, first.source) == (1, 1, channel)
    assert values_of(channel) == [[2], {"மூன்று": 3}]
    assert channel.try_take() is None


async def test_a_channel_as_people_see_it() -> None:
    channel = channel_of()
    assert channel.text == "<சேனல் அஞ்சல்>"
    assert channel.kind == "a channel"


async def test_a_receiver_waits_for_a_message() -> None:
    channel = channel_of()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.send, "வணக்கம்")
            delivery = await channel.take()
    assert delivery is not None
    assert delivery.value == "வணக்கம்"


async def test_receivers_wait_first_come_first_served() -> None:
    channel, got = channel_of(), []

    async def receive(name: str) -> None:
        delivery = await channel.take()
        assert delivery is not None
        got.append((name, delivery.value))

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(receive, name)
            await settle()
        for value in (1, 2, 3):
            fill(channel, value)
            await settle()
    assert got == [("a", 1), ("b", 2), ("c", 3)]


async def test_a_receiver_does_not_wait_longer_than_it_may() -> None:
    channel = channel_of()
    begin = trio.current_time()
    with pytest.raises(Fault) as caught:
        await channel.take(3)
    assert caught.value.code == "timeout"
    assert caught.value.details == {"seconds": 3}
    assert trio.current_time() - begin == pytest.approx(3, abs=2e-3)  # see ``moments``
    fill(channel, 1)
    delivery = await channel.take(0)
    assert delivery is not None


async def test_a_cancelled_receiver_takes_nothing() -> None:
    channel = channel_of()
    fill(channel, 1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.take()
    assert scope.cancelled_caught
    assert values_of(channel) == [1]


async def test_a_cancelled_sender_has_sent_nothing() -> None:
    channel = channel_of(capacity=1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.send(1)
    assert channel.pending == 0
    fill(channel, 1)
    with trio.move_on_after(1) as scope:
        await channel.send(2)
    assert scope.cancelled_caught
    assert channel.waiting_senders == 0
    assert values_of(channel) == [1]


@pytest.mark.parametrize("work", ["send", "take"])
async def test_who_never_has_to_wait_lets_others_run(work: str) -> None:
    channel = channel_of(capacity=10 * TURN_MESSAGES)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    if work == "take":
        fill(channel, *range(1, 10 * TURN_MESSAGES))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for number in range(1, 10 * TURN_MESSAGES):
            if work == "send":
                await channel.send(number)
            else:
                await channel.take()
        nursery.cancel_scope.cancel()
    assert turns >= 5


# ── when it is full ──────────────────────────────────────────────────────────────────────────────


async def test_a_full_channel_lets_senders_wait_in_order() -> None:
    channel, answers = channel_of(capacity=1), []
    fill(channel, 0)

    async def send(value: int) -> None:
        answers.append((value, await channel.send(value)))

    async with trio.open_nursery() as nursery:
        for value in (1, 2, 3):
            nursery.start_soon(send, value)
            await settle()
        assert channel.send_nowait(4) is None
        assert (channel.pending, channel.waiting_senders) == (1, 3)
        assert values_of(channel) == [0, 1, 2, 3]
    assert sorted(answers) == [(1, True), (2, True), (3, True)]


async def test_nobody_overtakes_a_sender_that_waits() -> None:
    channel = channel_of(capacity=1)
    fill(channel, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, 1)
        await settle()
        delivery = channel.try_take()
        # The sender that waited has not run yet, and its message is in already.
        assert channel.send_nowait(2) is None
        assert delivery is not None
        assert values_of(channel) == [1]


async def test_a_full_channel_may_reject() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, capacity=1, overflow=Overflow.REJECT)
    fill(channel, 1)
    for send in (channel.send_nowait, None):
        with pytest.raises(Fault) as caught:
            send(2) if send else await channel.send(2)
        assert caught.value.code == "overloaded"
    assert values_of(channel) == [1]
    assert letters.count() == 0  # whoever sent it knows


async def test_a_full_channel_may_drop_the_newest() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, capacity=1, overflow=Overflow.DROP_NEWEST)
    fill(channel, 1)
    assert channel.send_nowait(2) is False
    assert await channel.send(3) is False
    assert values_of(channel) == [1]
    assert [(letter.value, letter.code) for letter in await letters.listed()] == [(2, "overloaded"), (3, "overloaded")]
    assert channel.dropped == 2


async def test_a_full_channel_may_drop_the_oldest() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, capacity=2, overflow=Overflow.DROP_OLDEST)
    fill(channel, 1, 2, 3)
    assert await channel.send(4) is True
    assert values_of(channel) == [3, 4]
    assert [letter.value for letter in await letters.listed()] == [1, 2]


async def test_a_held_message_may_be_the_oldest() -> None:
    channel = channel_of(capacity=2, overflow=Overflow.DROP_OLDEST)
    assert channel.send_nowait(1, key="அ")
    first = channel.try_take()
    assert channel.send_nowait(2, key="அ")
    assert channel.try_take() is None  # it is held now
    fill(channel, 3, 4)
    assert first is not None
    first.ack()
    assert values_of(channel) == [3, 4]


async def test_what_has_come_and_gone_is_not_remembered_until_it_would_have_been_too_old() -> None:
    channel = QueueChannel("c", ChannelSettings(ttl=3600.0), "/c")
    for value in ("ஒன்று", "இரண்டு"):  # the second waits, for its key is taken
        await channel.send(value, key="k")
    held = channel.try_take()
    assert held is not None and channel.try_take() is None
    for number in range(1000):
        await channel.send(number)
        delivery = channel.try_take()
        assert delivery is not None and delivery.value == number
        delivery.ack()
    assert channel.pending == 1
    assert channel._ages is not None and len(channel._ages) < 100
    await trio.sleep(3601)
    assert (channel.pending, channel.dropped) == (0, 1)


# ── settling ─────────────────────────────────────────────────────────────────────────────────────


async def test_many_that_are_given_back_at_once_come_in_their_order() -> None:
    channel = QueueChannel("c", ChannelSettings(capacity=100_000), "/c")
    for number in range(20_000):
        await channel.send(number)
    taken = [channel.try_take() for _ in range(15_000)]
    began = time.process_time()
    for delivery in (*taken[1::2], *taken[::2]):
        assert delivery is not None
        delivery.give_back()
    assert time.process_time() - began < 1.5  # it was four seconds when each walked along the others
    left = []
    while (delivery := channel.try_take()) is not None:
        left.append(delivery.value)
        delivery.ack()
    assert left == list(range(20_000))


async def test_what_is_given_back_comes_first() -> None:
    channel = channel_of()
    fill(channel, 1, 2, 3)
    first, second = channel.try_take(), channel.try_take()
    assert first is not None
    assert second is not None
    second.give_back()
    first.give_back()
    taken = [channel.try_take() for _ in range(3)]
    assert [(one.value, one.attempt) for one in taken if one] == [(1, 2), (2, 2), (3, 1)]


async def test_what_is_given_back_with_a_delay_sleeps_first() -> None:
    channel = channel_of()
    fill(channel, 1)
    delivery = channel.try_take()
    assert delivery is not None
    delivery.give_back(5)
    fill(channel, 2)
    assert (channel.pending, channel.sleeping, channel.unsettled) == (1, 1, 0)
    await trio.sleep(4.9)
    assert channel.pending == 1
    await trio.sleep(0.2)
    assert values_of(channel) == [1, 2]


async def test_a_receiver_waits_for_what_sleeps() -> None:
    channel = channel_of()
    begin = trio.current_time()
    assert await channel.send("பிறகு", delay=30) is True
    delivery = await channel.take()
    assert delivery is not None
    assert delivery.value == "பிறகு"
    assert trio.current_time() - begin == pytest.approx(30, abs=0.01)


async def test_an_earlier_message_brings_the_alarm_forward() -> None:
    channel, got = channel_of(), []
    for delay in (30, 10, 20, 10):
        assert channel.send_nowait((delay, channel.sleeping), delay=delay)
    for _ in range(4):
        delivery = await channel.take()
        assert delivery is not None
        got.append((delivery.value, round(trio.current_time())))
    assert got == [((10, 1), 10), ((10, 3), 10), ((20, 2), 20), ((30, 0), 30)]


async def test_what_sleeps_takes_no_room_until_it_is_due() -> None:
    channel = channel_of(capacity=1)
    for number in range(3):
        assert await channel.send(number, delay=1) is True
    fill(channel, "இப்போது")
    assert channel.pending == 1
    await trio.sleep(2)
    assert channel.pending == 4
    assert channel.send_nowait("இடமில்லை") is None
    assert values_of(channel) == ["இப்போது", 0, 1, 2]


async def test_only_so_many_messages_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_SLEEPING", 2)
    channel = channel_of()
    for number in range(2):
        assert channel.send_nowait(number, delay=9, id=str(number))
    with pytest.raises(Fault) as caught:
        channel.send_nowait(2, delay=9, id="2")
    assert caught.value.code == "overloaded"
    assert channel.send_nowait(2, id="2") is True  # it was refused, so it was not seen


async def test_a_second_settlement_changes_nothing() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters)
    fill(channel, 1)
    delivery = channel.try_take()
    assert delivery is not None
    delivery.give_back()
    delivery.ack()
    delivery.bury(Fault("cancelled"))
    assert (channel.pending, channel.unsettled, letters.count()) == (1, 0, 0)


async def test_the_last_try_ends_among_the_dead() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, attempts=2)
    fill(channel, "கடிதம்")
    for _ in range(2):
        delivery = channel.try_take()
        assert delivery is not None
        delivery.give_back()
    assert channel.try_take() is None
    letter, = await letters.listed()
    assert (letter.value, letter.tries, letter.code) == ("கடிதம்", 2, "cancelled")
    assert letter.tamil == "செய்தி 2 முறை எடுக்கப்பட்டு, ஒவ்வொரு முறையும் திருப்பித் தரப்பட்டது"
    assert letter.english == "the message was taken 2 times, and given back each time"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────


async def test_messages_of_one_key_are_handled_one_after_the_other() -> None:
    channel = channel_of()
    for value, key in [(1, "அ"), (2, "அ"), (3, "ஆ"), (4, None), (5, "அ")]:
        assert channel.send_nowait(value, key=key)
    first = channel.try_take()
    assert first is not None
    assert values_of(channel) == [3, 4]
    assert channel.pending == 2
    first.ack()
    second = channel.try_take()
    assert second is not None
    assert second.value == 2
    assert channel.try_take() is None
    second.bury(Fault("cancelled"))
    assert values_of(channel) == [5]
    assert channel._keys == {}


@pytest.mark.parametrize("delay", [0.0, 5.0])
async def test_the_key_is_taken_until_the_message_is_done(delay: float) -> None:
    channel = channel_of()
    for value in (1, 2):
        assert channel.send_nowait(value, key="அ")
    first = channel.try_take()
    assert first is not None
    first.give_back(delay)
    again = await channel.take()
    assert again is not None
    assert (again.value, again.attempt) == (1, 2)
    assert channel.try_take() is None
    again.ack()
    assert values_of(channel) == [2]


async def test_a_receiver_that_waits_is_woken_when_a_key_is_free() -> None:
    channel = channel_of()
    for value in (1, 2):
        assert channel.send_nowait(value, key="அ")
    first = channel.try_take()
    assert first is not None
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.take)
            await settle()
            first.ack()
    assert channel.unsettled == 1


async def test_a_dead_message_frees_its_key() -> None:
    channel = channel_of(ttl=2.5)
    for value in (1, 2):
        assert channel.send_nowait(value, key="அ")
    first = channel.try_take()
    assert first is not None
    first.give_back()
    await trio.sleep(1)
    assert channel.send_nowait(3, key="அ")
    await trio.sleep(2)
    assert values_of(channel) == [3]
    assert channel._keys == {}


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


async def test_an_id_that_was_seen_is_not_sent_again() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters)
    assert await channel.send(1, id="ஆணை-1") is True
    assert await channel.send(2, id="ஆணை-1") is False
    assert channel.send_nowait(3, id="ஆணை-2") is True
    assert values_of(channel) == [1, 3]
    assert channel.send_nowait(4, id="ஆணை-1") is False
    assert (channel.duplicates, letters.count()) == (2, 0)


async def test_an_id_is_forgotten_in_time() -> None:
    channel = channel_of()
    assert channel.send_nowait(1, id="a")
    await trio.sleep(SEEN_SECONDS - 1)
    assert channel.send_nowait(2, id="a") is False
    await trio.sleep(1)
    assert channel.send_nowait(3, id="a") is True
    assert channel._seen is not None
    assert len(channel._seen) == 1


async def test_of_two_senders_that_wait_with_one_id_only_one_sends() -> None:
    channel, answers = channel_of(capacity=1), []
    fill(channel, 0)

    async def send(value: int, id: str) -> None:
        answers.append((value, await channel.send(value, id=id)))

    async with trio.open_nursery() as nursery:
        for value, id in [(1, "a"), (2, "a"), (3, "b")]:
            nursery.start_soon(send, value, id)
            await settle()
        assert values_of(channel) == [0, 1, 3]
    assert sorted(answers) == [(1, True), (2, False), (3, True)]


async def test_a_message_that_was_not_accepted_was_not_seen() -> None:
    channel = channel_of(capacity=1, overflow=Overflow.DROP_NEWEST)
    fill(channel, 0)
    assert channel.send_nowait(1, id="a") is False
    assert values_of(channel) == [0]
    assert channel.send_nowait(1, id="a") is True


# ── age ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_that_is_too_old_dies_though_nobody_looks() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, ttl=10)
    fill(channel, 1)
    await trio.sleep(5)
    fill(channel, 2)
    await trio.sleep(5.1)
    assert (letters.count(), channel.pending, channel.dropped) == (1, 1, 1)
    letter, = await letters.listed()
    assert (letter.value, letter.code, letter.tries) == (1, "timeout", 0)
    assert letter.time == pytest.approx(10, abs=0.01)
    assert values_of(channel) == [2]
    await trio.sleep(10)
    assert letters.count() == 1


async def test_the_dead_make_room() -> None:
    channel = channel_of(capacity=1, ttl=10)
    fill(channel, 1)
    begin = trio.current_time()
    assert await channel.send(2) is True
    assert trio.current_time() - begin == pytest.approx(10, abs=0.01)
    assert values_of(channel) == [2]


async def test_age_counts_from_when_a_message_is_due_and_another_try_makes_it_no_younger() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, ttl=10)
    assert channel.send_nowait(1, delay=20)
    await trio.sleep(25)
    delivery = channel.try_take()
    assert delivery is not None
    await trio.sleep(20)  # in somebody's hands nothing dies
    assert letters.count() == 0
    delivery.give_back()
    assert channel.try_take() is None
    assert letters.count() == 1


async def test_what_was_given_back_dies_in_time_though_others_were_sent_meanwhile() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, ttl=10)
    fill(channel, 1)
    delivery = channel.try_take()
    await trio.sleep(1)
    fill(channel, 2)
    assert values_of(channel) == [2]
    await trio.sleep(4)
    fill(channel, 3)
    assert delivery is not None
    delivery.give_back(1)
    await trio.sleep(5.1)
    assert [letter.value for letter in await letters.listed()] == [1]
    assert values_of(channel) == [3]


async def test_what_came_back_dies_in_time_though_the_alarm_has_rung_meanwhile() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters, ttl=10)
    fill(channel, 1)
    delivery = channel.try_take()
    assert delivery is not None
    assert channel.send_nowait(2, delay=3)
    await trio.sleep(5)
    delivery.give_back()
    await trio.sleep(5.1)
    assert (letters.count(), channel.pending) == (1, 1)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_queued_is_delivered_after_closing() -> None:
    channel = channel_of()
    fill(channel, 1, 2)
    channel.close()
    channel.close()
    assert channel.is_closed
    assert not channel.is_over
    for send in (channel.send_nowait, None):
        with pytest.raises(Fault) as caught:
            send(3) if send else await channel.send(3)
        assert caught.value.code == "channel.closed"
    assert values_of(channel) == [1, 2]
    assert channel.is_over
    assert await channel.take() is None


async def test_senders_that_wait_are_refused_at_closing() -> None:
    channel = channel_of(capacity=1)
    fill(channel, 1)
    codes = []

    async def send() -> None:
        with pytest.raises(Fault) as caught:
            await channel.send(2)
        codes.append(caught.value.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(send)
        await settle()
        channel.close()
    assert codes == ["channel.closed", "channel.closed"]
    assert values_of(channel) == [1]


async def test_a_receiver_waits_for_what_another_may_give_back() -> None:
    channel = channel_of()
    fill(channel, 1)
    delivery = channel.try_take()
    channel.close()
    got: list[Any] = []

    async def receive() -> None:
        while (one := await channel.take()) is not None:
            got.append((one.value, one.attempt))
            one.ack()
        got.append("முடிந்தது")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        nursery.start_soon(receive)
        await settle()
        assert got == []
        assert delivery is not None
        delivery.give_back(5)
    assert got == [(1, 2), "முடிந்தது", "முடிந்தது"]


@pytest.mark.parametrize("end", ["ack", "bury", "too old"])
async def test_everybody_who_waits_hears_of_the_end(end: str) -> None:
    channel = channel_of(ttl=10)
    assert channel.send_nowait(1, key="அ")
    assert channel.send_nowait(2, key="அ")
    delivery = channel.try_take()
    assert delivery is not None
    answers: list[object] = []

    async def receive() -> None:
        answers.append(await channel.take())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(receive)
        await settle()
        channel.close()
        await trio.sleep(11)  # the second is dead now, the first is in our hands
        assert answers == []
        match end:
            case "ack":
                delivery.ack()
            case "bury":
                delivery.bury(Fault("cancelled"))
            case "too old":
                delivery.give_back()
    assert answers == [None, None, None]


async def test_what_is_left_at_the_end_is_counted() -> None:
    letters = MemoryLetters()
    channel = channel_of(letters)
    for value, key in [(1, "அ"), (2, "அ"), (3, None)]:
        assert channel.send_nowait(value, key=key)
    assert channel.send_nowait(4, delay=60)
    first = channel.try_take()
    assert first is not None
    third = channel.try_take()
    assert third is not None
    third.give_back()
    left = channel.drain()
    assert [one.value for one in left] == [2, 3, 4]
    assert channel.is_closed
    assert not channel.is_over
    first.give_back()
    assert channel.is_over
    assert channel.drain() == []
    assert [(letter.value, letter.code, letter.tries) for letter in await letters.listed()] == [
        (2, "channel.closed", 0), (3, "channel.closed", 1), (4, "channel.closed", 0), (1, "channel.closed", 1),
    ]


async def test_a_queue_has_no_subscriptions() -> None:
    with pytest.raises(Fault) as caught:
        channel_of().subscribe()
    assert caught.value.message == (
        "‘சேனல்_சந்தா’: ‘அஞ்சல்’ பரப்புச் சேனல் அல்ல; அதிலிருந்து ‘சேனல்_பெறு’ நேரடியாகப் பெறும்"
        "  (‘சேனல்_சந்தா’: ‘அஞ்சல்’ is no broadcast channel; ‘சேனல்_பெறு’ receives from it directly)"
    )


# ── events and dead letters ──────────────────────────────────────────────────────────────────────


async def test_who_listens_hears_of_every_message() -> None:
    events, trace = EventStream(), Trace()
    channel = channel_of(events=events, capacity=1, overflow=Overflow.DROP_OLDEST, ttl=60)
    fill(channel, "யாரும் கேட்கவில்லை")
    events.listen(trace)
    fill(channel, 1)
    await trio.sleep(2)
    delivery = channel.try_take()
    assert delivery is not None
    fill(channel, 2)
    delivery.bury(Fault("cancelled"))
    await trio.sleep(61)
    fill(channel, 3)
    channel.drain()
    path = channel.path
    assert trace.events == [
        MessageDead(0, path, "யாரும் கேட்கவில்லை", DeadReason.DROPPED),
        MessageSent(0, path, 1),
        MessageTaken(2, path, 1, 2),
        MessageSent(2, path, 2),
        MessageDead(2, path, 1, lane.FAILED),
        MessageDead(pytest.approx(62, abs=0.01), path, 2, DeadReason.EXPIRED),
        MessageSent(63, path, 3),
        MessageDead(63, path, 3, DeadReason.LEFT),
    ]


async def test_a_sender_that_waits_has_sent_when_there_is_room() -> None:
    events, trace = EventStream(), Trace()
    channel = channel_of(events=events, capacity=1)
    fill(channel, 1)
    events.listen(trace)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, 2)
        await settle()
        assert trace.events == []
        assert values_of(channel) == [1, 2]
    assert [type(event).__name__ for event in trace.events] == ["MessageTaken", "MessageSent", "MessageTaken"]


async def buried(letters: MemoryLetters, *values: Any, channel: QueueChannel | None = None) -> QueueChannel:
    channel = channel or channel_of(letters)
    fault = Fault("validation", problem_ta="தவறான தொகை", problem_en="a wrong amount")
    fault.trace = [Frame("கடை.qmz", 3, 5, "சேர்"), Frame("கடை.qmz", 9, 1, "")]
    for value in values:
        assert await channel.send(value, key="k")
        delivery = await channel.take()
        assert delivery is not None
        delivery.bury(fault)
    return channel


async def test_a_dead_letter_tells_what_happened() -> None:
    letters = MemoryLetters(now=lambda: 1234.5)
    await buried(letters, {"தொகை": -1})
    letter, = await letters.listed()
    assert letter == (
        1, 1234.5, "அஞ்சல்", {"தொகை": -1}, "k", "validation", "தவறான தொகை", "a wrong amount",
        ("கடை.qmz:3:5 சேர்", "கடை.qmz:9:1"), 1,
    )


async def test_dead_letters_are_found_by_channel() -> None:
    letters = MemoryLetters()
    await buried(letters, 1, 2)
    other = QueueChannel("வேறு", ChannelSettings(), "/வேறு", letters=letters)
    await buried(letters, 3, channel=other)
    assert [letter.value for letter in await letters.listed("வேறு")] == [3]
    assert [letter.value for letter in await letters.listed()] == [1, 2, 3]
    assert (letters.count("அஞ்சல்"), letters.count("வேறு"), letters.count(), letters.count("x")) == (2, 1, 3, 0)


async def test_the_last_dead_letters_are_kept_and_all_are_counted() -> None:
    assert KEPT == 1000
    letters = MemoryLetters(kept=2)
    await buried(letters, 1, 2, 3)
    assert [letter.value for letter in await letters.listed()] == [2, 3]
    assert letters.count() == 3


async def test_a_dead_letter_is_sent_again_as_a_new_message() -> None:
    letters = MemoryLetters()
    channel = await buried(letters, "கடிதம்")
    number = (await letters.listed())[0].number
    assert await letters.requeue(number) is True
    assert await letters.requeue(number) is False
    delivery = channel.try_take()
    assert delivery is not None
    assert (delivery.value, delivery.attempt, delivery.key) == ("கடிதம்", 1, "k")
    assert await letters.listed() == []
    assert letters.count() == 1


async def test_a_dead_letter_of_a_closed_channel_stays() -> None:
    letters = MemoryLetters()
    channel = await buried(letters, 1)
    channel.close()
    with pytest.raises(Fault) as caught:
        await letters.requeue(1)
    assert caught.value.code == "channel.closed"
    del channel
    with pytest.raises(Fault):
        await letters.requeue(1)
    assert len(await letters.listed()) == 1


async def test_a_dead_letter_is_dropped() -> None:
    letters = MemoryLetters()
    await buried(letters, 1)
    assert await letters.drop(1) is True
    assert await letters.drop(1) is False
    assert await letters.listed() == []
