"""A process that works on a journal until it is killed; ``test_journal_kill.py`` starts it.

``python journal_child.py JOURNAL RECORD`` reads commands, one a line. For each it forks a child, writes
its number, waits for its end, and writes how it ended:

- ``work SEED N N N N``: producers send the numbers from there on, consumers handle them, jobs are added and
  run, until the process is killed;
- ``drain``: everything that is left is handled, then the child ends by itself.

What has happened is written to RECORD, one line for each, by a single call of the system:

- ``S p n``: the send of message n of producer p has returned
- ``T p n a``: somebody has taken it, for the a-th time
- ``H p n``: it was handled, and is about to be acknowledged
- ``JS``, ``JT``, ``JD``: the same for jobs, by their number
"""

from __future__ import annotations

import os
import random
import sys

import trio

from etamil_actors.actors.channels.base import ChannelSettings, Delivery
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal.channel import JournalChannel
from etamil_actors.actors.journal.jobs import StoredJob
from etamil_actors.actors.journal.store import Journal, open_journal

CONSUMERS = (0, 1, 4)
"""So many in a life, by its seed. With none, what is sent lies on the disk when the process is killed."""
SETTINGS = ChannelSettings(transport="journal", capacity=3000)


class Child:
    """One life of the process."""

    def __init__(self, path: str, record: int, seed: int) -> None:
        self.path = path
        self.record = record
        self.random = random.Random(seed)

    def note(self, *words: object) -> None:
        os.write(self.record, (" ".join(map(str, words)) + "\n").encode())

    async def work(self, firsts: list[int]) -> None:
        async with open_journal(self.path) as journal, trio.open_nursery() as nursery:
            channel = journal.channel("numbers", SETTINGS, "/numbers", EventStream())
            for job in await journal.jobs.unfinished():
                nursery.start_soon(self.run_job, journal, job)
            nursery.start_soon(self.add_jobs, journal)
            for producer, first in enumerate(firsts):
                nursery.start_soon(self.produce, channel, producer, first)
            for _ in range(self.random.choice(CONSUMERS)):
                nursery.start_soon(self.consume, channel)

    async def drain(self) -> None:
        async with open_journal(self.path) as journal:
            channel = journal.channel("numbers", SETTINGS, "/numbers", EventStream())
            channel.close()
            await self.consume(channel)
            for job in await journal.jobs.unfinished():
                await self.run_job(journal, job)

    async def produce(self, channel: JournalChannel, producer: int, number: int) -> None:
        while True:
            # The first one may have been sent by an earlier life that did not live to know it: the answer is
            # no then, and it is as good as sent.
            key = f"k{number % 5}" if number % 4 == 0 else None
            delay = 0.01 if number % 17 == 0 else 0.0
            await channel.send([producer, number], id=f"{producer}/{number}", key=key, delay=delay)
            self.note("S", producer, number)
            number += 1

    async def consume(self, channel: JournalChannel) -> None:
        while (delivery := await channel.take()) is not None:
            producer, number = delivery.value
            self.note("T", producer, number, delivery.attempt)
            await self.handle(delivery)

    async def handle(self, delivery: Delivery) -> None:
        chance = self.random.random()
        if chance < 0.1:
            await trio.sleep(0.002)
        if chance > 0.95:
            delivery.give_back(0.005 if chance > 0.98 else 0.0)
        else:
            self.note("H", *delivery.value)
            delivery.ack()

    async def add_jobs(self, journal: Journal) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                job = await journal.jobs.add("count", b"payload")
                self.note("JS", job.number)
                nursery.start_soon(self.run_job, journal, job)
                await trio.sleep(0.01)

    async def run_job(self, journal: Journal, job: StoredJob) -> None:
        while True:
            job = journal.jobs.started(job)
            self.note("JT", job.number, job.attempt)
            await trio.sleep(0.005)
            if self.random.random() < 0.8:
                self.note("JD", job.number)
                journal.jobs.done(job)
                return
            job = journal.jobs.failed(job, 0.01)
            await trio.sleep_until(job.due)


def live(path: str, record: int, command: list[str]) -> None:
    """The life of a forked child."""
    if command[0] == "drain":
        trio.run(Child(path, record, 0).drain)
    else:
        trio.run(Child(path, record, int(command[1])).work, [int(word) for word in command[2:]])


def main() -> None:
    path, record_path = sys.argv[1:]
    record = os.open(record_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                live(path, record, line.split())
                os._exit(0)
            finally:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
