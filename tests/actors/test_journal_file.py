"""The journal's file: what it holds for the next process, whose it is, and what is refused untouched."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio
import trio.testing

from etamil_actors.actors.channels.base import ChannelSettings
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal import channel as channel_module
from etamil_actors.actors.journal import store, tries, writing
from etamil_actors.actors.journal.errors import (
    JournalBusyError,
    JournalCorruptError,
    JournalError,
    JournalForeignError,
    JournalUnavailableError,
    JournalVersionError,
)
from etamil_actors.actors.journal.file import FORMAT, open_file
from etamil_actors.actors.journal.store import open_journal
from etamil_actors.actors.journal.tries import Tries, read_tries
from etamil_actors.errors import Fault

from .test_journal import PLAIN, World, take_all

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(str(tmp_path / "journal.db"))


def run(world: World, *scenarios: Any) -> None:
    for scenario in scenarios:
        trio.run(scenario, clock=world.clock)


# ── what it holds for the next process ───────────────────────────────────────────────────────────


def test_everything_that_is_not_done_is_there_after_a_restart(world: World) -> None:
    async def first() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            for number in range(3):
                await channel.send(number)
            await channel.send("பிறகு", delay=100)
            await channel.send("முடிந்தது", id="ஒருமுறை")
            zero, one, two, done = (channel.try_take() for _ in range(4))
            assert zero and one and two and done
            done.ack()
            one.give_back()
            two.bury(Fault("overloaded"))
            again = channel.try_take()
            assert again and again.value == 1  # unsettled now, after its second try
            job = await journal.jobs.add("அஞ்சல்", b"payload")
            await journal.jobs.add("பிறகு", b"later")
            journal.jobs.started(job)
        assert journal.is_clean

    async def second() -> None:
        await trio.lowlevel.checkpoint()
        async with world.journal() as journal:
            assert journal.waiting() == {"c": 3}
            channel = world.channel(journal)
            assert (channel.pending, channel.sleeping) == (2, 1)
            zero, one = channel.try_take(), channel.try_take()
            assert zero and one
            assert [(zero.value, zero.attempt), (one.value, one.attempt)] == [(0, 2), (1, 3)]
            assert channel.try_take() is None
            await channel.send("மீண்டும்", id="ஒருமுறை")
            assert channel.try_take() is None  # it was seen by the process before
            await world.pass_time(100.1)
            assert take_all(channel) == ["பிறகு"]
            assert [letter.value for letter in await journal.letters.listed()] == [2]
            assert journal.letters.count("c") == 1
            jobs = await journal.jobs.unfinished()
            assert [(job.name, job.payload, job.attempt) for job in jobs] == [
                ("அஞ்சல்", b"payload", 1), ("பிறகு", b"later", 0),
            ]  # fmt: skip

    run(world, first, second)
    assert os.listdir(os.path.dirname(world.path)) == ["journal.db"]


def test_a_key_is_held_over_a_restart_by_what_waits_for_another_try(world: World) -> None:
    async def first() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send(1, key="k")
            await channel.send(2, key="k")
            delivery = channel.try_take()
            assert delivery is not None
            delivery.give_back(50)

    async def second() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            assert channel.try_take() is None
            await world.pass_time(50.1)
            assert take_all(channel) == [1, 2]

    run(world, first, second)


def test_age_goes_on_while_the_process_is_away(world: World) -> None:
    settings = ChannelSettings(transport="journal", ttl=10.0)

    async def first() -> None:
        async with world.journal() as journal:
            await world.channel(journal, settings).send("பழையது")
            world.clock.jump(6)
            await world.channel(journal, settings).send("புதியது")

    async def second() -> None:
        world.clock.jump(5)
        async with world.journal() as journal:
            assert take_all(world.channel(journal, settings)) == ["புதியது"]
            assert [letter.value for letter in await journal.letters.listed()] == ["பழையது"]

    run(world, first, second)


def test_ids_are_forgotten_in_the_file_too(world: World) -> None:
    async def first() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send(1, id="அ")
            world.clock.jump(601)
            await channel.send(2, id="ஆ")
            await journal.flush()
            assert journal.read("SELECT id FROM seen") == [("ஆ",)]

    run(world, first)


def test_a_letter_of_a_channel_that_the_program_has_no_more_can_be_requeued(world: World) -> None:
    async def first() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send(1)
            delivery = channel.try_take()
            assert delivery is not None
            delivery.bury(Fault("overloaded"))

    async def second() -> None:
        async with world.journal() as journal:
            assert await journal.letters.requeue(1)
            assert journal.waiting() == {"c": 1}
            assert take_all(world.channel(journal)) == [1]

    run(world, first, second)


def test_the_end_of_the_journal_is_the_end_of_its_channels(world: World) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            got: list[Any] = []
            async with world.journal() as journal:
                channel = world.channel(journal)
                await channel.send(1)
                delivery = channel.try_take()
                assert delivery is not None

                async def receive() -> None:
                    got.append(await channel.take())

                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
            delivery.ack()  # too late: it comes again
            await trio.testing.wait_all_tasks_blocked()
            assert got == [None] and channel.is_over
            with pytest.raises(Fault, match="the channel is closed"):
                await channel.send(2)
            with pytest.raises(Fault) as caught:
                await journal.jobs.add("j", b"")
            assert caught.value.code == "channel.unavailable"
        async with world.journal() as journal:
            assert take_all(world.channel(journal)) == [1]

    run(world, main)


def test_a_number_is_never_given_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "NUMBERS_AT_ONCE", 3)
    numbers: list[int] = []

    async def live() -> None:
        async with world.journal() as journal:
            for _ in range(5):
                job = await journal.jobs.add("j", b"")
                numbers.append(job.number)
                journal.jobs.done(job)

    run(world, live, live, live)
    assert numbers == sorted(set(numbers)) and len(numbers) == 15


def test_a_group_of_any_size_is_written(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal, ChannelSettings(transport="journal", capacity=10_000))
            for size in (1, 2, 3, 127, 128, 129, 511, 512, 513, 2000):
                async with trio.open_nursery() as nursery:
                    for number in range(size):
                        nursery.start_soon(partial(channel.send, number, id=f"{size}/{number}"))
                assert sorted(take_all(channel)) == list(range(size))
                await journal.flush()
                assert journal.read("SELECT count(*) FROM messages") == [(0,)]

    run(world, main)


def test_the_disk_is_waited_for(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            await journal.flush()
            read = journal._connection.execute
            assert [read(f"PRAGMA {name}").fetchall() for name in ("journal_mode", "synchronous")] == [
                [("wal",)], [(2,)],
            ]  # fmt: skip

    run(world, main)


# ── tries ────────────────────────────────────────────────────────────────────────────────────────


def test_tries_are_read_back_up_to_the_last_one(tmp_path: Path) -> None:
    path = str(tmp_path / "tries")
    tries = Tries(path, records=4)
    tries.begin()
    for number, attempt in [(7, 1), (8, 1), (7, 2)]:
        assert tries.note(number, attempt)
    assert read_tries(path) == {7: 2, 8: 1}
    tries.close(forget=False)
    assert read_tries(path) == {7: 2, 8: 1}
    assert read_tries(str(tmp_path / "none")) == {}


def test_a_half_is_used_again_when_it_was_folded(tmp_path: Path) -> None:
    path = str(tmp_path / "tries")
    tries = Tries(path, records=2)
    tries.begin()
    assert [tries.note(number, 1) for number in (1, 2)] == [True, True]
    assert not tries.wants_folding
    assert [tries.note(number, 1) for number in (3, 4)] == [True, True]
    assert tries.wants_folding
    assert tries.note(5, 1) is False  # nowhere to write it down
    assert read_tries(path) == {1: 1, 2: 1, 3: 1, 4: 1}
    tries.folded()
    assert tries.note(5, 1)
    assert read_tries(path) == {3: 1, 4: 1, 5: 1}
    tries.close(forget=True)
    assert not os.path.exists(path)


@pytest.mark.parametrize("damage", [b"", b"eTt1", b"\0" * 3000, b"eTt1" + b"x" * 4000])
def test_whatever_is_in_the_file_of_tries_it_does_no_harm(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "tries"
    path.write_bytes(damage)
    assert read_tries(str(path)) == {}


def test_without_room_for_tries_nothing_is_handed_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()

    def fail(connection: Any, group: Any, **parts: bool) -> Exception | None:
        return apsw.FullError("full") if full.is_set() else commit(connection, group, **parts)

    commit = writing._commit
    monkeypatch.setattr(writing, "_commit", fail)

    async def main() -> None:
        async with world.journal() as journal:
            journal.tries.close(forget=True)
            journal.tries = Tries(world.path + "-tries", records=2)
            journal.tries.begin()
            channel = world.channel(journal)
            for number in range(8):
                await channel.send(number)
            full.set()
            assert take_all(channel, ack=False) == [0, 1, 2, 3]
            assert channel.pending == 4
            got: list[Any] = []

            async def receive() -> None:
                delivery = await channel.take()
                assert delivery is not None
                got.append((delivery.value, delivery.attempt))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await trio.testing.wait_all_tasks_blocked()
                assert got == []
                full.clear()
                await world.settle(journal)
            assert got == [(4, 1)]

    run(world, main)


def refusing(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While this is set, nothing can be put on record."""
    refused = threading.Event()
    write = os.pwrite

    def pwrite(*arguments: Any) -> int:
        if refused.is_set():
            raise OSError(errno.ENOSPC, "full")
        return write(*arguments)

    monkeypatch.setattr(tries.os, "pwrite", pwrite)
    return refused


@pytest.mark.parametrize("left", [1, 0], ids=["in the middle of a half", "where the other half begins"])
def test_when_a_try_can_be_put_on_record_again_its_message_is_handed_out(
    world: World, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    refused = refusing(monkeypatch)

    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send("ஒன்று")
            await channel.send("இரண்டு")
            journal.tries._left = left
            refused.set()
            assert channel.try_take() is None
            assert channel.pending == 2
            got: list[Any] = []

            async def receive() -> None:
                delivery = await channel.take()
                assert delivery is not None
                got.append((delivery.value, delivery.attempt))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await world.pass_time(1.1)
                assert got == []
                refused.clear()
                await world.pass_time(1.1)
            assert got == [("ஒன்று", 1)]

    run(world, main)


# ── what became due meanwhile ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ttl", [None, 1000.0])
def test_what_is_due_before_its_channel_is_opened_comes_once(world: World, ttl: float | None) -> None:
    settings = ChannelSettings(transport="journal", ttl=ttl)

    async def first() -> None:
        async with world.journal() as journal:
            await world.channel(journal, settings).send("பிறகு", delay=50)

    async def second() -> None:
        async with world.journal() as journal:
            await world.pass_time(51)
            channel = world.channel(journal, settings)
            await world.pass_time(1)
            assert (channel.pending, channel.sleeping) == (1, 0)
            assert take_all(channel) == ["பிறகு"]

    run(world, first, second)


def test_large_messages_are_not_read_by_the_hundred(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "CACHED_BYTES", 100)

    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            sent = [letter * (200 if number % 2 else 10) for number, letter in enumerate("abcdefgh")]
            for text in sent:
                await channel.send(text)
            channel._messages.clear()
            first = channel.try_take()
            assert first is not None and first.value == sent[0]
            assert all(len(message.packed) < 100 for message in channel._messages.values())
            assert take_all(channel) == sent[1:]

    run(world, main)


# ── whose it is ──────────────────────────────────────────────────────────────────────────────────


def test_a_journal_has_one_owner(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send(1)
            link = world.path + ".link"
            os.symlink(world.path, link)
            for path in (world.path, link):
                with pytest.raises(JournalBusyError) as caught:
                    async with open_journal(path):
                        raise AssertionError("opened twice")
            assert str(os.getpid()) in str(caught.value)
            assert "is in use by another process" in str(caught.value)
            await channel.send(2)  # and the owner has lost nothing
        async with world.journal() as journal:
            assert take_all(world.channel(journal)) == [1, 2]

    run(world, main)


OWNER = """
import sys, trio
from etamil_actors.actors.journal.store import open_journal

async def main():
    async with open_journal(sys.argv[1]):
        print("open", flush=True)
        sys.stdin.read()

trio.run(main)
"""


def test_a_journal_can_be_opened_again_when_somebody_has_tidied_up_beside_it(world: World) -> None:
    async def tidy() -> None:
        async with world.journal():
            os.unlink(world.path + "-tries")

    run(world, tidy, tidy)
    assert os.listdir(os.path.dirname(world.path)) == ["journal.db"]


def test_ownership_goes_with_the_process(world: World) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, world.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"

        async def refused() -> None:
            with pytest.raises(JournalBusyError, match=str(owner.pid)):
                async with world.journal():
                    raise AssertionError("opened twice")

        run(world, refused)
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()

    async def opened() -> None:
        async with world.journal() as journal:
            await world.channel(journal).send(1)

    run(world, opened)
    assert os.listdir(os.path.dirname(world.path)) == ["journal.db"]


def test_only_the_owner_of_the_process_may_read_it(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            await world.channel(journal).send(1)
            folder = os.path.dirname(world.path)
            assert {os.stat(os.path.join(folder, name)).st_mode & 0o077 for name in os.listdir(folder)} == {0}

    run(world, main)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def sqlite_file(path: str, *statements: str) -> None:
    connection = apsw.Connection(path)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def newer(path: str) -> None:
    a_journal(path)
    sqlite_file(path, f"PRAGMA user_version = {FORMAT + 1}")


def foreign(path: str) -> None:
    sqlite_file(path, "CREATE TABLE notes (text)", "PRAGMA user_version = 1")


def text(path: str) -> None:
    Path(path).write_text("இது ஒரு கடிதம்\n" * 20, encoding="utf-8")


def short(path: str) -> None:
    Path(path).write_bytes(b"SQLite format 3\0")


def a_journal(path: str, messages: int = 300) -> None:
    async def main() -> None:
        async with open_journal(path) as journal:
            channel = journal.channel("c", PLAIN, "/c", EventStream())
            async with trio.open_nursery() as nursery:
                for number in range(messages):
                    nursery.start_soon(channel.send, [number, "x" * 200])

    trio.run(main)


def overwritten(path: str) -> None:
    a_journal(path)
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)


def cut(path: str) -> None:
    a_journal(path)
    os.truncate(path, os.path.getsize(path) - 3 * 4096)


def without_a_table(path: str) -> None:
    a_journal(path)
    sqlite_file(path, "DROP TABLE jobs")


def damaged_with_a_log(path: str) -> None:
    """The process was killed, and then the disk went bad."""
    a_journal(path)
    connection = apsw.Connection(path)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute("INSERT INTO channels VALUES (9, 'z', 0)")
    connection.close()
    assert os.path.getsize(path + "-wal") > 0
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (newer, JournalVersionError, "please update etamil-actors"),
        (foreign, JournalForeignError, "is not a journal of etamil-actors"),
        (text, JournalForeignError, "name another file"),
        (short, JournalForeignError, "is not a journal"),
        (overwritten, JournalCorruptError, "restore it from a backup"),
        (cut, JournalCorruptError, "is damaged"),
        (without_a_table, JournalCorruptError, r"jobs\?"),
        (damaged_with_a_log, JournalCorruptError, "is damaged"),
    ],
)
def test_what_is_no_sound_journal_is_refused_and_left_as_it_was(
    tmp_path: Path, make: Any, kind: type[JournalError], said: str
) -> None:
    path = str(tmp_path / "journal.db")
    make(path)
    before = snapshot(tmp_path)

    async def main() -> None:
        async with open_journal(path):
            raise AssertionError("it was opened")

    with pytest.raises(kind, match=f"(?i){said}") as caught:
        trio.run(main)
    assert snapshot(tmp_path) == before
    assert "‘" + path in str(caught.value)
    assert "மாற்றவில்லை" in caught.value.tamil


@pytest.mark.parametrize("place", ["folder", "folder/journal.db/under"])
def test_a_place_where_no_file_can_be_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "journal.db").touch()

    async def main() -> None:
        async with open_journal(str(tmp_path / place)):
            raise AssertionError("it was opened")

    with pytest.raises(JournalUnavailableError, match="please check the folder"):
        trio.run(main)


def test_an_empty_file_and_a_missing_folder_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for path in ("empty.db", "புதிய கோப்புறை/பதிவேடு.db"):
        a_journal(str(tmp_path / path), 3)
        a_journal(str(tmp_path / path), 3)


# ── a full disk ──────────────────────────────────────────────────────────────────────────────────


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_sends_fail_and_nothing_is_lost(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            acknowledged = []
            with no_file_larger_than(2_200_000):
                with pytest.raises(Fault) as caught:
                    for number in range(10_000):
                        await channel.send([number, "x" * 4000])
                        acknowledged.append(number)
                assert caught.value.code == "channel.unavailable"
                assert "பதிவேட்டைப் பயன்படுத்த முடியவில்லை" in caught.value.tamil
                assert len(acknowledged) > 50
            with no_file_larger_than(40_000):  # not a byte more
                with pytest.raises(Fault):
                    await journal.jobs.add("j", b"x" * 4000)
                with pytest.raises(Fault):
                    await channel.send("இன்னும்", id="ஒன்று")
                # What is there can be taken; that it was done is written when there is room.
                first, second = channel.try_take(), channel.try_take()
                assert first and second
                first.ack()
                second.bury(Fault("overloaded"))
                with pytest.raises(Fault):
                    await journal.flush()
            await journal.flush()
            assert await channel.send("மீண்டும் இடம்", id="ஒன்று")
            await journal.jobs.add("j", b"x")
            assert journal.is_clean
        async with world.journal() as journal:
            values = take_all(world.channel(journal))
            assert [value[0] for value in values[:-1]] == acknowledged[2:]
            assert values[-1] == "மீண்டும் இடம்"
            (letter,) = await journal.letters.listed()
            assert letter.value[0] == 1
            assert [job.payload for job in await journal.jobs.unfinished()] == [b"x"]

    run(world, main)


def test_room_comes_back_when_messages_are_done(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            pages = apsw_pages(world.path) + 40
            journal._connection.execute(f"PRAGMA max_page_count = {pages}")
            acknowledged = 0
            with pytest.raises(Fault, match="full"):
                while True:
                    await channel.send("x" * 4000)
                    acknowledged += 1
            assert len(take_all(channel)) == acknowledged > 10
            await channel.send("x" * 4000)  # together with what is done

    run(world, main)


def apsw_pages(path: str) -> int:
    return os.path.getsize(path) // 4096


def test_a_journal_that_could_not_write_everything_says_so(world: World) -> None:
    async def main() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            await channel.send("முதல்")
            await channel.send("இரண்டு")
            delivery = channel.try_take()
            assert delivery is not None
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
            delivery.ack()
        assert not journal.is_clean

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        run(world, main)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    async def again() -> None:
        async with world.journal() as journal:
            channel = world.channel(journal)
            delivery = channel.try_take()
            assert delivery is not None
            assert (delivery.value, delivery.attempt) == ("முதல்", 2)

    run(world, again)


def test_the_end_does_not_wait_for_ever_for_a_disk_that_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, waits = threading.Event(), threading.Event()

    def hang(connection: Any, group: Any) -> Any:
        waits.set()
        hangs.wait(60)
        return write(connection, group)

    write = writing.write

    async def main() -> None:
        failures: list[Fault] = []
        async with trio.open_nursery() as nursery:
            async with world.journal(close_seconds=5.0) as journal:
                channel = world.channel(journal)
                await channel.send("முன்பே")
                monkeypatch.setattr(writing, "write", hang)

                async def send() -> None:
                    with pytest.raises(Fault) as caught:
                        await channel.send("தொங்குவது")
                    failures.append(caught.value)

                nursery.start_soon(send)
                while not waits.is_set():
                    await trio.lowlevel.checkpoint()
                nursery.start_soon(pass_by)
            assert not journal.is_clean
        assert [fault.code for fault in failures] == ["channel.unavailable"]

    async def pass_by() -> None:
        for _ in range(2):  # the last group, and the closing
            await trio.testing.wait_all_tasks_blocked()
            world.clock.jump(5.1)

    run(world, main)
    hangs.set()
    (thread,) = [one for one in threading.enumerate() if one.name == "etamil-journal"]
    thread.join(10)
    assert not thread.is_alive()


def copied(place: Path, *, name: str = "copy.db", of: tuple[str, ...] = ("", "-wal"), change: str) -> str:
    """A journal as a process leaves it that is killed after this change: it stands only in the log."""
    path = str(place / "journal.db")
    writing, reading, lock = open_file(path)
    try:
        writing.execute(change)
        for part in of:
            shutil.copy(path + part, str(place / name) + part)
    finally:
        reading.close()
        writing.close()
        if lock is not None:
            lock.release()
    return str(place / name)


def test_a_newer_format_is_seen_in_the_log_too(tmp_path: Path) -> None:
    path = copied(tmp_path, change="PRAGMA user_version = 2")
    with pytest.raises(JournalVersionError):
        open_file(path)


def test_a_log_without_its_journal_is_left_as_it_is(tmp_path: Path) -> None:
    path = copied(tmp_path, of=("-wal",), change="UPDATE numbers SET used = 77")
    log = Path(path + "-wal").read_bytes()
    with pytest.raises(JournalCorruptError, match=r"copy\.db-wal"):
        open_file(path)
    assert Path(path + "-wal").read_bytes() == log
    assert not os.path.exists(path)


@pytest.mark.parametrize("part", ["-lock", "-tries"])
def test_a_link_beside_the_journal_is_not_followed(tmp_path: Path, part: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "journal.db"
    os.symlink(victim, str(path) + part)

    async def main() -> None:
        async with open_journal(str(path)):
            raise AssertionError("it was opened")

    with pytest.raises(JournalUnavailableError):
        trio.run(main)
    assert victim.read_text() == "precious"


def test_a_copy_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "journal.sqlite"
        async with open_journal(str(path)):
            pass
        path.chmod(0o644)
        async with open_journal(str(path)):
            assert {os.stat(os.path.join(tmp_path, name)).st_mode & 0o077 for name in os.listdir(tmp_path)} == {0}

    trio.run(scenario)
