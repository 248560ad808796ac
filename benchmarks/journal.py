"""Channels in the journal: how many messages a second are on the disk, taken and acknowledged.

Every send has returned before it counts, with ``fsync``; every message was taken and acknowledged. Beside
it stands what one would write by hand with the same SQLite: a transaction for each message, and one for
its removal. The file is made in the folder of this repository, because a temporary folder may be in
memory, where ``fsync`` costs nothing.
"""

from __future__ import annotations

import tempfile
import tracemalloc
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import apsw
import trio

from benchmarks.rounds import ratio_of, take_turns
from benchmarks.table import Bar, Line, times
from etamil_actors.actors.channels.base import ChannelSettings
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal.channel import JournalChannel
from etamil_actors.actors.journal.file import SCHEMA
from etamil_actors.actors.journal.store import open_journal
from etamil_actors.vm.packing import packed

REPOSITORY = Path(__file__).resolve().parent.parent
MESSAGES = 3_200
WAITING = 50_000
READING_ROUNDS = 3
SETTINGS = ChannelSettings(transport="journal", capacity=1_000_000)
MESSAGE = {"எண்": 12345, "பெயர்": "மதுரை", "பொருட்கள்": ["பேனா", "விளக்கு"]}

TRAFFIC = ((1, 1, None), (4, 4, None), (16, 4, 5000.0), (64, 1, 5000.0))
"""Senders, receivers, and the bar."""


def measure(rounds: int) -> list[Line]:
    """Measure everything."""
    with tempfile.TemporaryDirectory(prefix=".etamil-benchmark-", dir=REPOSITORY) as folder:
        return [
            *[traffic(Path(folder), rounds, *parties) for parties in TRAFFIC],
            reading(Path(folder), rounds),
            waiting(Path(folder)),
        ]


def traffic(folder: Path, rounds: int, senders: int, receivers: int, bar: float | None) -> Line:
    """So many senders and receivers at once."""
    journal, by_hand = str(folder / "journal.db"), str(folder / "by_hand.db")
    messages = MESSAGES if senders > 1 else MESSAGES // 8
    taken = take_turns(
        rounds,
        partial(trio.run, send_and_receive, journal, messages, senders, receivers),
        partial(one_by_one, by_hand, MESSAGES // 8),
    )
    rates = [messages / seconds for seconds in taken[0]]
    ratio = ratio_of(
        [seconds / messages for seconds in taken[0]], [seconds / (MESSAGES // 8) for seconds in taken[1]]
    )
    return _line(
        f"journal: senders {senders}, receivers {receivers}, acknowledged",
        median(rates), (MESSAGES // 8) / median(taken[1]), ratio, bar,
    )  # fmt: skip


async def send_and_receive(path: str, messages: int, senders: int, receivers: int) -> float:
    """Seconds until all are sent, taken and acknowledged, and all that is on the disk."""
    async with open_journal(path) as journal:
        channel = journal.channel("numbers", SETTINGS, "/numbers", EventStream())
        begin = perf_counter()
        async with trio.open_nursery() as receiving:
            for _ in range(receivers):
                receiving.start_soon(receive, channel)
            async with trio.open_nursery() as sending:
                for _ in range(senders):
                    sending.start_soon(send, channel, messages // senders)
            channel.close()
        await journal.flush()
        seconds = perf_counter() - begin
        assert channel.is_over, "not everything was received"
        return seconds


async def send(channel: JournalChannel, count: int) -> None:
    for _ in range(count):
        await channel.send(MESSAGE)


async def receive(channel: JournalChannel) -> None:
    while (delivery := await channel.take()) is not None:
        delivery.ack()


def one_by_one(path: str, messages: int) -> float:
    """Seconds for writing and removing messages, each in a transaction of its own."""
    is_new = not Path(path).exists()
    connection = apsw.Connection(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if is_new:
        connection.execute(SCHEMA)
    begin = perf_counter()
    for number in range(messages):
        row = (number, 1, packed(MESSAGE), None, 0.0, 0.0, 0.0, 0)
        connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("DELETE FROM messages WHERE number = ?", (number,))
    seconds = perf_counter() - begin
    connection.close()
    return seconds


def reading(folder: Path, rounds: int) -> Line:
    """One receiver works through what an earlier process has left."""
    path = str(folder / "left.db")
    rates = []
    for _ in range(min(rounds, READING_ROUNDS)):
        trio.run(leave_behind, path, WAITING)
        rates.append(WAITING / trio.run(work_off, path))
    return _line("journal: one receiver, 50 000 left by another process", median(rates))


async def leave_behind(path: str, count: int) -> None:
    async with open_journal(path) as journal:
        channel = journal.channel("numbers", SETTINGS, "/numbers", EventStream())
        async with trio.open_nursery() as nursery:
            for _ in range(500):
                nursery.start_soon(send, channel, count // 500)


async def work_off(path: str) -> float:
    async with open_journal(path) as journal:
        channel = journal.channel("numbers", SETTINGS, "/numbers", EventStream())
        channel.close()
        begin = perf_counter()
        await receive(channel)
        await journal.flush()
        return perf_counter() - begin


def waiting(folder: Path) -> Line:
    """What a message costs in memory that waits in the file."""
    path = str(folder / "waiting.db")
    trio.run(leave_behind, path, WAITING)
    each = trio.run(memory_of_each, path)
    return Line("journal: memory of a waiting message", f"{each:.0f} B", numbers={"bytes": each})


async def memory_of_each(path: str) -> float:
    tracemalloc.start()
    try:
        async with open_journal(path) as journal:
            channel = journal.channel("numbers", SETTINGS, "/numbers", EventStream())
            return tracemalloc.get_traced_memory()[0] / channel.pending
    finally:
        tracemalloc.stop()


def _line(
    work: str, rate: float, by_hand: float | None = None, ratio: float | None = None, bar: float | None = None
) -> Line:
    return Line(
        work,
        _rate(rate),
        _rate(by_hand) if by_hand is not None else "—",
        times(ratio) if ratio is not None else "—",
        Bar(bar, "messages/s", least=True) if bar is not None else None,
        [rate],
        {"ours": rate, "by_hand": by_hand},
    )


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s".replace(",", " ")
