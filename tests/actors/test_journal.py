"""The journal's channels, jobs and dead letters: the same promises in memory and on a real file.

Every test runs twice: with the journal in memory, as simulations have it, and with a file and a writing
thread. Time stands still until the test moves it, so that a thread can take its time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from etamil_actors.actors.channels.base import ChannelSettings
from etamil_actors.actors.events import (
    DeadReason,
    EventStream,
    MessageDead,
    MessageSent,
    MessageTaken,
)
from etamil_actors.actors.journal import channel as channel_module
from etamil_actors.actors.journal.channel import JournalChannel
from etamil_actors.actors.journal.jobs import StoredJob
from etamil_actors.actors.journal.store import Journal, open_journal
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.errors import Fault, Frame
from etamil_actors.vm.packing import Meanings
from etamil_actors.vm.values import Err, Handle, Ok

from .helpers import Trace

PLAIN = ChannelSettings(transport="journal")
CALENDAR = 1_795_000_000.0


class World:
    """Where a test runs: a clock that it moves, and a place for the journal."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.clock = trio.testing.MockClock()
        self.events = EventStream()
        self.trace = Trace()
        self.events.listen(self.trace)

    @asynccontextmanager
    async def journal(self, **options: Any) -> AsyncIterator[Journal]:
        def wall() -> float:
            return CALENDAR + trio.current_time()

        async with open_journal(self.path, wall=wall, **options) as journal:
            yield journal

    def channel(self, journal: Journal, settings: ChannelSettings = PLAIN, name: str = "c") -> JournalChannel:
        return journal.channel(name, settings, f"/channels/{name}", self.events)

    async def pass_time(self, seconds: float) -> None:
        self.clock.jump(seconds)
        await trio.testing.wait_all_tasks_blocked()

    async def settle(self, journal: Journal) -> None:
        """Let everything happen that happens at this moment, on the disk too."""
        await trio.testing.wait_all_tasks_blocked()
        await journal.flush()
        await trio.testing.wait_all_tasks_blocked()


Scenario = Callable[[World], Awaitable[None]]
Both = Callable[[Scenario], None]


@pytest.fixture(params=["memory", "file"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Both:
    """Runs a scenario with a journal in memory, or on a file."""

    def run(scenario: Scenario) -> None:
        world = World(":memory:" if request.param == "memory" else str(tmp_path / "journal.db"))
        trio.run(scenario, world, clock=world.clock)

    return run


@pytest.fixture
def on_file(tmp_path: Path) -> Both:
    """Runs a scenario on a file."""

    def run(scenario: Scenario) -> None:
        world = World(str(tmp_path / "journal.db"))
        trio.run(scenario, world, clock=world.clock)

    return run


def take_all(channel: JournalChannel, *, ack: bool = True) -> list[Any]:
    """Everything that can be taken now."""
    values = []
    while (delivery := channel.try_take()) is not None:
        values.append(delivery.value)
        if ack:
            delivery.ack()
    return values


# ── sending and taking ───────────────────────────────────────────────────────────────────────────


def test_messages_come_in_the_order_in_which_one_sender_sent_them(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)

            async def send(sender: str) -> None:
                for number in range(20):
                    assert await channel.send([sender, number]) is True

            async with trio.open_nursery() as nursery:
                for sender in "அஆஇ":
                    nursery.start_soon(send, sender)
            values = take_all(channel)
            assert len(values) == 60
            for sender in "அஆஇ":
                assert [number for name, number in values if name == sender] == list(range(20))
            assert channel.pending == channel.unsettled == 0

    both(scenario)


def test_every_value_of_a_program_comes_as_it_was(both: Both) -> None:
    from decimal import Decimal

    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send({"அளவு": Decimal("1.50"), "விளைவு": [Ok(1), Err("இல்லை")], "எதுவுமில்லை": None})
            delivery = await channel.take()
            assert delivery is not None
            assert str(delivery.value["அளவு"]) == "1.50"
            good, bad = delivery.value["விளைவு"]
            assert (type(good), good.value, type(bad), bad.value) == (Ok, 1, Err, "இல்லை")

    both(scenario)


def test_a_receiver_waits_for_a_message(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            got: list[Any] = []

            async def receive() -> None:
                delivery = await channel.take()
                assert delivery is not None
                got.append(delivery.value)
                delivery.ack()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                await channel.send(1)
                await channel.send(2)
            assert got == [1, 2]

    both(scenario)


def test_a_receiver_that_waits_too_long_times_out(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal, trio.open_nursery() as nursery:
            channel = world.channel(journal)

            async def receive() -> None:
                with pytest.raises(Fault) as caught:
                    await channel.take(5)
                assert (caught.value.code, caught.value.details) == ("timeout", {"seconds": 5})

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await world.pass_time(5.1)

    both(scenario)


def test_a_receiver_that_was_woken_and_goes_passes_the_wake_on(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            woken: list[str] = []

            def first() -> None:
                woken.append("first")

            def second() -> None:
                woken.append("second")

            channel.watch(first)
            channel.watch(second)
            await channel.send(1)
            assert woken == ["first"]
            channel.unwatch(first)
            assert woken == ["first", "second"]
            channel.unwatch(second)
            assert take_all(channel) == [1]
            channel.watch(first)
            channel.unwatch(first)
            await channel.send(2)
            assert woken == ["first", "second"]
            channel.watch(first)  # there is something already
            assert woken == ["first", "second", "first"]

    both(scenario)


def test_a_message_that_is_given_back_comes_again_before_later_ones(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            for number in range(4):
                await channel.send(number)
            first, second = channel.try_take(), channel.try_take()
            assert first is not None and second is not None
            second.give_back()
            first.give_back()
            first.ack()  # a second settlement changes nothing
            for number, attempt in [(0, 2), (1, 2), (2, 1), (3, 1)]:
                delivery = channel.try_take()
                assert delivery is not None
                assert (delivery.value, delivery.attempt) == (number, attempt)
                delivery.ack()
            assert channel.pending == channel.unsettled == 0

    both(scenario)


def test_a_message_given_back_with_a_delay_sleeps_first(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send("மீண்டும்")
            await channel.send("அடுத்து")
            delivery = channel.try_take()
            assert delivery is not None
            delivery.give_back(10)
            assert (channel.pending, channel.sleeping) == (1, 1)
            assert take_all(channel) == ["அடுத்து"]
            await world.pass_time(9.9)
            assert channel.try_take() is None
            await world.pass_time(0.2)
            again = channel.try_take()
            assert again is not None
            assert (again.value, again.attempt) == ("மீண்டும்", 2)

    both(scenario)


def test_a_delayed_message_wakes_whoever_waits(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, ChannelSettings(transport="journal", capacity=1))
            assert await channel.send("பிறகு", delay=60)
            assert await channel.send("பிறகு 2", delay=60)
            assert (channel.pending, channel.sleeping) == (0, 2)
            assert await channel.send("இப்போது")  # those that sleep take no room
            assert take_all(channel) == ["இப்போது"]
            async with trio.open_nursery() as nursery:

                async def receive() -> None:
                    delivery = await channel.take()
                    assert delivery is not None
                    assert delivery.value == "பிறகு"
                    assert 60 <= trio.current_time() - delivery.sent < 60.01

                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                await world.pass_time(60.001)
            assert take_all(channel) == ["பிறகு 2"]

    both(scenario)


def test_an_id_is_accepted_once_in_ten_minutes(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            assert await channel.send(1, id="அ") is True
            assert await channel.send(2, id="அ") is False
            assert channel.send_nowait(2, id="அ") is False
            assert await channel.send(3, id="ஆ") is True
            assert channel.duplicates == 2
            await world.pass_time(599)
            assert await channel.send(4, id="அ") is False
            await world.pass_time(1.1)
            assert await channel.send(5, id="அ") is True
            assert take_all(channel) == [1, 3, 5]

    both(scenario)


@pytest.mark.parametrize("key", [None, "k"])
def test_what_grows_too_old_leaves_nothing_behind_when_nobody_takes_it(both: Both, key: str | None) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, ChannelSettings(transport="journal", ttl=10.0))
            await channel.send("முதல்", key=key)
            first = channel.try_take()
            assert first is not None
            for number in range(30):
                await channel.send(number, key=key)
            if key is not None:
                assert channel.try_take() is None  # all of them wait for their key
            await world.pass_time(10.1)
            line = channel._line
            assert (channel.pending, channel.dropped) == (0, 30)
            assert (len(line._order), len(line._early), len(line._gone)) == (0, 0, 0)
            assert all(not held.parked for held in line._keys.values())
            first.ack()
            await channel.send("கடைசி", key=key)
            assert take_all(channel) == ["கடைசி"]

    both(scenario)


@pytest.mark.parametrize("what", ["seen", "refused"])
def test_who_sends_what_is_not_kept_lets_others_run(both: Both, what: str) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            settings = ChannelSettings(transport="journal", capacity=1, overflow=Overflow.DROP_NEWEST)
            channel = world.channel(journal, settings)
            await channel.send(0, id="ஒன்று")
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    await trio.lowlevel.checkpoint()
                    turns += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                for _ in range(20):
                    assert await channel.send(1, id="ஒன்று" if what == "seen" else None) is False
                nursery.cancel_scope.cancel()
            assert turns >= 15

    both(scenario)


def test_what_has_come_and_gone_is_not_remembered_until_it_would_have_been_too_old(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, ChannelSettings(transport="journal", ttl=86400.0))
            for number in range(300):
                await channel.send(number)
                assert take_all(channel) == [number]
            assert len(channel._line._ends) < 100
            await channel.send("பழையது")
            await world.pass_time(86401)
            assert (channel.pending, channel.dropped) == (0, 1)

    both(scenario)


def test_of_two_senders_of_one_id_at_the_same_time_one_is_enough(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, ChannelSettings(transport="journal", capacity=1))
            await channel.send("முன்பே")
            answers: list[tuple[int, bool]] = []
            leaving = trio.CancelScope()

            async def send(value: int) -> None:
                answers.append((value, await channel.send(value, id="ஒன்று")))

            async def leave() -> None:
                with leaving:
                    await send(1)

            async with trio.open_nursery() as nursery:
                for sender in (leave, partial(send, 2), partial(send, 3)):
                    nursery.start_soon(sender)
                    await trio.testing.wait_all_tasks_blocked()
                assert channel.waiting_senders == 1  # the others wait for the first
                leaving.cancel()
                await trio.testing.wait_all_tasks_blocked()
                assert channel.waiting_senders == 1
                values = take_all(channel)
            values += take_all(channel)
            # Who was not needed gets the answer no.
            (sent,) = [value for value, was_sent in answers if was_sent]
            assert sorted(answers) == sorted([(sent, True), (5 - sent, False)])
            assert values == ["முன்பே", sent]

    both(scenario)


def test_messages_of_one_key_are_handled_one_after_the_other(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            for value, key in [(1, "அ"), (2, "அ"), (3, "ஆ"), (4, None), (5, "அ")]:
                await channel.send(value, key=key)
            first, third, fourth = channel.try_take(), channel.try_take(), channel.try_take()
            assert first and third and fourth
            assert [first.value, third.value, fourth.value] == [1, 3, 4]
            assert first.key == "அ"
            assert channel.try_take() is None
            assert channel.pending == 2
            first.give_back(5)  # its turn is not over
            assert channel.try_take() is None
            await world.pass_time(5.1)
            first = channel.try_take()
            assert first and (first.value, first.attempt) == (1, 2)
            assert channel.try_take() is None
            woken: list[int] = []
            channel.watch(lambda: woken.append(1))
            first.ack()
            assert woken == [1]
            second = channel.try_take()
            assert second and second.value == 2
            second.bury(Fault("overloaded"))
            assert take_all(channel) == [5]

    both(scenario)


# ── room ─────────────────────────────────────────────────────────────────────────────────────────


def small(overflow: Overflow, **more: Any) -> ChannelSettings:
    return ChannelSettings(transport="journal", capacity=2, overflow=overflow, **more)


def test_a_sender_waits_for_room_and_nobody_overtakes_it(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, small(Overflow.WAIT))
            sent: list[int] = []

            async def send(value: int) -> None:
                assert await channel.send(value)
                sent.append(value)

            async with trio.open_nursery() as nursery:
                for value in range(2):
                    await send(value)
                for value in range(2, 5):
                    nursery.start_soon(send, value)
                    await trio.testing.wait_all_tasks_blocked()
                assert (channel.pending, channel.waiting_senders) == (2, 3)
                assert channel.send_nowait(9) is None
                got = []
                while len(got) < 5:
                    delivery = await channel.take()
                    assert delivery is not None
                    got.append(delivery.value)
                    delivery.ack()
                    await world.settle(journal)
                    assert channel.pending <= 2
            assert got == sent == [0, 1, 2, 3, 4]

    both(scenario)


def test_a_sender_that_is_cancelled_while_it_waits_has_sent_nothing(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, small(Overflow.WAIT))
            await channel.send(1)
            await channel.send(2)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: channel.send(3, id="மூன்று"))
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            assert take_all(channel) == [1, 2]
            await world.settle(journal)
            assert take_all(channel) == []
            await channel.send(4, id="மூன்று")  # it was never seen
            assert take_all(channel) == [4]

    both(scenario)


def test_a_full_channel_may_reject(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, small(Overflow.REJECT))
            await channel.send(1)
            await channel.send(2)
            for send in (channel.send_nowait, channel.send):
                with pytest.raises(Fault) as caught:
                    answer = send(3)
                    assert isinstance(answer, Awaitable)
                    await answer
                assert caught.value.code == "overloaded"
            assert take_all(channel) == [1, 2]
            assert await journal.letters.listed() == []

    both(scenario)


@pytest.mark.parametrize(
    ("overflow", "answers", "kept", "dropped"),
    [
        (Overflow.DROP_OLDEST, [True] * 5, [3, 4], [0, 1, 2]),
        (Overflow.DROP_NEWEST, [True, True, False, False, False], [0, 1], [2, 3, 4]),
    ],
)
def test_a_full_channel_may_drop(
    both: Both, overflow: Overflow, answers: list[bool], kept: list[int], dropped: list[int]
) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, small(overflow))
            assert [await channel.send(number) for number in range(5)] == answers
            assert take_all(channel) == kept
            letters = await journal.letters.listed("c")
            assert [(letter.value, letter.code, letter.tries) for letter in letters] == [
                (number, "overloaded", 0) for number in dropped
            ]
            told = [event for event in world.trace.events if isinstance(event, MessageDead)]
            assert [(event.message, event.reason) for event in told] == [
                (number, DeadReason.DROPPED) for number in dropped
            ]
            assert channel.dropped == journal.letters.count("c") == 3

    both(scenario)


def test_what_waits_too_long_is_a_dead_letter_whether_anybody_looks_or_not(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, small(Overflow.WAIT, ttl=10.0))
            await channel.send("பழையது")
            await channel.send("எடுத்தது")
            await channel.send("பிறகு", delay=4)
            assert take_all(channel, ack=False) == ["பழையது", "எடுத்தது"]
            await channel.send("காத்திருப்பது")
            async with trio.open_nursery() as nursery:
                await world.pass_time(4.1)
                nursery.start_soon(channel.send, "இடமில்லை")
                await trio.testing.wait_all_tasks_blocked()
                assert (channel.pending, channel.waiting_senders) == (2, 1)
                await world.pass_time(6)  # one of them is too old, so there is room
            letters = await journal.letters.listed()
            assert [(letter.value, letter.code) for letter in letters] == [("காத்திருப்பது", "timeout")]
            assert letters[0].english == "the time limit of 10.0 s is over"
            await world.pass_time(4)
            assert take_all(channel) == ["இடமில்லை"]
            assert [letter.value for letter in await journal.letters.listed()] == ["காத்திருப்பது", "பிறகு"]

    both(scenario)


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_channel_gives_what_it_has_and_takes_no_more(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, small(Overflow.WAIT))
            await channel.send(1)
            await channel.send(2)
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    with pytest.raises(Fault) as caught:
                        await channel.send(3)
                    assert caught.value.code == "channel.closed"

                nursery.start_soon(send)
                await trio.testing.wait_all_tasks_blocked()
                channel.close()
                channel.close()
            with pytest.raises(Fault):
                await channel.send(4)
            with pytest.raises(Fault):
                channel.send_nowait(4)
            assert channel.is_closed and not channel.is_over
            first, second = await channel.take(), await channel.take()
            assert first and second and not channel.is_over  # they may come back
            async with trio.open_nursery() as nursery:
                got: list[Any] = []

                async def receive() -> None:
                    while (delivery := await channel.take()) is not None:
                        got.append(delivery.value)
                        delivery.ack()
                    got.append("முடிந்தது")

                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                first.ack()
                second.give_back()
            assert got == [2, "முடிந்தது"]
            assert channel.is_over and await channel.take() is None

    both(scenario)


def test_a_channel_that_was_closed_can_be_made_again(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send(1)
            channel.close()
            assert world.channel(journal) is channel
            await channel.send(2)
            assert take_all(channel) == [1, 2]

    both(scenario)


def test_there_is_nothing_to_subscribe_to(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            with pytest.raises(Fault) as caught:
                world.channel(journal).subscribe()
            assert caught.value.code == "value.invalid"

    both(scenario)


def test_a_broadcast_channel_cannot_be_kept(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            with pytest.raises(Fault, match="a broadcast channel cannot be kept"):
                world.channel(journal, ChannelSettings(transport="journal", kind="broadcast"))

    both(scenario)


@pytest.mark.parametrize("overflow", [Overflow.WAIT, Overflow.DROP_OLDEST])
def test_a_file_that_cannot_be_read_for_a_while_loses_nothing(
    both: Both, overflow: Overflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "CACHED", 0)

    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            settings = ChannelSettings(transport="journal", capacity=3, overflow=overflow, ttl=10.0)
            channel = world.channel(journal, settings)
            for number in range(3):
                await channel.send(number, key="k")
            broken = True
            read = journal.read

            def read_or_fail(statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
                if broken:
                    raise Fault("channel.unavailable", problem="disk I/O error")
                return read(statement, values)

            monkeypatch.setattr(journal, "read", read_or_fail)
            with pytest.raises(Fault, match="disk I/O error"):
                channel.try_take()
            if overflow is Overflow.DROP_OLDEST:
                await channel.send(3, key="k")
            waiting = channel.pending
            await world.pass_time(10.5)  # too old, but nobody can bury them
            assert channel.pending == waiting
            broken = False
            await world.pass_time(1.1)
            assert channel.pending == channel.unsettled == 0
            letters = [letter.value for letter in await journal.letters.listed()]
            assert letters == list(range(waiting))

    both(scenario)


def test_those_who_listen_are_told(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send("வணக்கம்")
            await world.pass_time(2)
            delivery = channel.try_take()
            assert delivery is not None
            delivery.bury(Fault("overloaded"))
            sent, taken, dead = world.trace.events
            assert isinstance(sent, MessageSent) and isinstance(taken, MessageTaken)
            assert isinstance(dead, MessageDead)
            assert sent.message == taken.message == dead.message == "வணக்கம்"
            assert sent.actor == taken.actor == dead.actor == "/channels/c"
            assert 2 <= taken.waited < 2.01

    both(scenario)


def test_a_sender_is_not_cancelled_while_the_disk_is_at_work(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(channel.send, 1)
                    await trio.lowlevel.checkpoint()
                    await trio.lowlevel.checkpoint()
                    scope.cancel()
            assert take_all(channel) == [1]
            with trio.CancelScope() as scope:
                scope.cancel()
                await channel.send(2)
            assert scope.cancelled_caught and take_all(channel) == []

    both(scenario)


# ── what cannot be sent, what cannot be read ─────────────────────────────────────────────────────


class Lock(Handle):
    kind = "a lock"


class Channels(Meanings):
    """Knows the channels of a journal by their names."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def handle(self, kind: str, name: str) -> Any:
        return self.known.get(name)


def test_what_has_no_meaning_outside_cannot_be_sent(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            with pytest.raises(Fault, match="a lock cannot leave this process") as caught:
                await channel.send({"பூட்டு": Lock()})
            assert caught.value.code == "value.local"
            assert channel.pending == 0

    both(scenario)


def test_a_message_that_cannot_be_read_here_is_a_dead_letter(both: Both) -> None:
    async def scenario(world: World) -> None:
        meanings = Channels()
        async with world.journal(meanings=meanings) as journal:
            channel = world.channel(journal)
            channel.global_name = ("channel", "c")
            await channel.send([channel])
            await channel.send("அடுத்தது")
            delivery = channel.try_take()
            assert delivery is not None and delivery.value == "அடுத்தது"
            (letter,) = await journal.letters.listed()
            assert letter.code == "validation"
            assert "there is no handle ‘c’ here" in letter.value
            meanings.known["c"] = channel
            assert await journal.letters.requeue(letter.number)
            again = channel.try_take()
            assert again is not None and again.value == [channel]
            assert again.unpack(meanings) == [channel]

    both(scenario)


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────


def failed() -> Fault:
    fault = Fault("timeout", seconds=3)
    fault.trace = (Frame("கடை.qmz", 7, 3, "அனுப்பு"), Frame("கடை.qmz", 1, 1, ""))
    return fault


def test_a_message_that_is_buried_can_be_listed_requeued_and_dropped(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel, other = world.channel(journal), world.channel(journal, name="வேறு")
            for value in ("அ", "ஆ"):
                await channel.send(value, key="k")
            await other.send("இ")
            await world.pass_time(3)
            for place in (channel, channel, other):
                delivery = place.try_take()
                assert delivery is not None
                delivery.bury(failed())
            first, second, third = await journal.letters.listed()
            assert first.number < second.number < third.number
            assert first[1:] == (
                trio.current_time(), "c", "அ", "k", "timeout", "கால வரம்பு (3 நொடி) முடிந்தது",
                "the time limit of 3 s is over", ("கடை.qmz:7:3 அனுப்பு", "கடை.qmz:1:1"), 1,
            )  # fmt: skip
            assert (await journal.letters.listed("வேறு"))[0].value == "இ"
            assert await journal.letters.listed("வேறு", code="overloaded") == []
            assert await journal.letters.listed(since=trio.current_time() + 1) == []
            assert len(await journal.letters.listed(code="timeout", limit=2)) == 2
            assert journal.letters.total() == 3
            assert [journal.letters.count(name) for name in ("c", "வேறு", "இல்லை", None)] == [2, 1, 0, 3]

            assert await journal.letters.requeue(first.number) is True
            assert await journal.letters.requeue(first.number) is False
            again = channel.try_take()
            assert again is not None
            assert (again.value, again.key, again.attempt) == ("அ", "k", 1)
            assert await journal.letters.drop(second.number) is True
            assert await journal.letters.drop(second.number) is False
            assert [letter.number for letter in await journal.letters.listed()] == [third.number]
            assert journal.letters.count() == 3

    both(scenario)


def test_two_who_requeue_one_letter_send_it_once(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send(1)
            delivery = channel.try_take()
            assert delivery is not None
            delivery.bury(failed())
            await journal.flush()
            answers: list[bool] = []

            async def requeue() -> None:
                answers.append(await journal.letters.requeue(1))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(requeue)
                nursery.start_soon(requeue)
            assert sorted(answers) == [False, True]
            assert take_all(channel) == [1]

    both(scenario)


def test_after_the_last_try_a_message_is_dead(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, ChannelSettings(transport="journal", attempts=2))
            await channel.send("கடினம்")
            for attempt in (1, 2):
                delivery = channel.try_take()
                assert delivery is not None and delivery.attempt == attempt
                delivery.give_back()
            assert channel.try_take() is None
            (letter,) = await journal.letters.listed()
            assert (letter.value, letter.tries, letter.code) == ("கடினம்", 2, "cancelled")

    both(scenario)


# ── one-time jobs ────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_kept_until_it_is_done_or_dead(both: Both) -> None:
    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            jobs = journal.jobs
            first, second = await jobs.add("அஞ்சல்", b"1"), await jobs.add("அறிக்கை", b"2")
            assert await jobs.unfinished() == [first, second]
            first, second = jobs.started(first), jobs.started(second)
            assert (first.attempt, second.attempt) == (1, 1)
            first = jobs.failed(first, 5)
            assert first.due == trio.current_time() + 5
            jobs.done(second)
            (left,) = await jobs.unfinished()
            assert left._replace(due=0) == first._replace(due=0)
            assert abs(left.due - first.due) < 1e-3
            first = jobs.started(first)
            jobs.dead(first, failed())
            assert await jobs.unfinished() == []
            (letter,) = await journal.letters.jobs("அஞ்சல்")
            assert (letter.name, letter.payload, letter.tries, letter.code) == ("அஞ்சல்", b"1", 2, "timeout")
            assert letter.trace == ("கடை.qmz:7:3 அனுப்பு", "கடை.qmz:1:1")
            assert await journal.letters.jobs("அறிக்கை") == await journal.letters.listed() == []
            requeued: list[StoredJob] = []
            jobs.on_requeued = requeued.append
            assert await journal.letters.requeue(letter.number)
            assert await jobs.unfinished() == requeued
            assert [(job.name, job.payload, job.attempt) for job in requeued] == [("அஞ்சல்", b"1", 0)]

    both(scenario)


# ── more than memory should hold ─────────────────────────────────────────────────────────────────


def test_messages_that_are_not_in_memory_are_read_when_their_turn_comes(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "CACHED", 5)
    monkeypatch.setattr(channel_module, "CACHED_BYTES", 200)
    monkeypatch.setattr(channel_module, "READ_AT_ONCE", 7)

    async def scenario(world: World) -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            for number in range(60):
                text = "பெரியது" * 100 if number % 10 == 0 else ""
                await channel.send([number, text], key="k" if number % 3 == 0 else None)
            assert len(channel._messages) <= 5
            got, tries = [], []
            while (delivery := channel.try_take()) is not None:
                assert len(channel._messages) < 25
                if delivery.attempt == 1 and delivery.value[0] % 7 == 0:
                    delivery.give_back(2 if delivery.value[0] % 2 else 0)
                    await world.pass_time(1)
                    continue
                got.append(delivery.value[0])
                tries.append(delivery.attempt)
                delivery.ack()
                await world.pass_time(1)
            assert sorted(got) == list(range(60))
            assert [number for number in got if number % 3 == 0] == list(range(0, 60, 3))
            assert all((attempt == 2) == (number % 7 == 0) for number, attempt in zip(got, tries, strict=True))

    both(scenario)


def test_a_journal_in_memory_uses_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    def refuse(*_: object) -> None:
        raise AssertionError("a thread in a simulation")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    async def main() -> None:
        async with open_journal(":memory:") as journal:
            channel = journal.channel("c", PLAIN, "/c", EventStream())
            await channel.send(1)
            assert take_all(channel) == [1]
            job = await journal.jobs.add("j", b"")
            journal.jobs.done(journal.jobs.started(job))
            await journal.flush()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
